"""Networks of snnTorch: their state dictionaries, outputs and gradients.

Run with snnTorch 1.0 and PyTorch:

    python tests/oracle/snntorch_nets.py

It writes `snntorch_nets.json` beside itself, in double precision.
"""

import json
import pathlib

import snntorch
import torch

torch.set_default_dtype(torch.float64)


class ATan(torch.autograd.Function):
    """The default surrogate of snnTorch, whose own class makes spikes in single precision."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient / (1 + (torch.pi * x) ** 2)


def leaky(beta, **options):
    return snntorch.Leaky(beta=beta, spike_grad=ATan.apply, init_hidden=True, **options)


def case(reset, seed):
    torch.manual_seed(seed)
    beta = torch.tensor([0.7, 0.8, 0.9, 0.95, 0.6])
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 5),
        leaky(beta, threshold=0.8, reset_mechanism=reset),
        torch.nn.Linear(5, 3, bias=False),
        leaky(0.85, reset_mechanism=reset),
        torch.nn.Linear(3, 2),
        leaky(0.9, output=True, reset_mechanism="none"),
    )
    with torch.no_grad():
        for layer in net:
            if isinstance(layer, torch.nn.Linear):
                layer.weight.mul_(6.0)
    x = (torch.rand(30, 4) < 0.4).to(torch.float64)
    counts = [0.0, 0.0]
    for i in (0, 1):
        net[2 * i + 1].register_forward_hook(
            lambda module, given, made, i=i: counts.__setitem__(i, counts[i] + float(made.sum()))
        )
    out = torch.stack([net(row[None])[1][0] for row in x])
    assert min(counts) > 3, counts
    ramp = torch.cos(torch.arange(60.0)).reshape(30, 2)
    (out * ramp).sum().backward()
    return {
        "state_dict": {k: v.tolist() for k, v in net.state_dict().items()},
        "inputs": x.int().tolist(),
        "outputs": out.tolist(),
        "gradients": {k: p.grad.tolist() for k, p in net.named_parameters()},
    }


def rounded(x):
    if isinstance(x, dict):
        return {k: rounded(v) for k, v in x.items()}
    if isinstance(x, list):
        return [rounded(v) for v in x]
    return float(f"{x:.15g}") if isinstance(x, float) else x


if __name__ == "__main__":
    made = {"subtract": case("subtract", 1), "zero": case("zero", 6)}
    made["version"] = snntorch.__version__
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(rounded(made)) + "\n")
