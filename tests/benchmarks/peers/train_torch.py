"""A training step in PyTorch: by hand, and with snnTorch, Norse and SpikingJelly."""

import importlib.metadata as meta

import numpy as np
import torch
from _training import CLASSES, MEMBRANE, STEPS, SYNAPSE, options, task, timed
from torch import nn


def linear(weight, scale=1.0, make=nn.Linear, **keywords):
    module = make(weight.shape[0], weight.shape[1], bias=False, **keywords)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(weight.T * np.float32(scale)))
    return module


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v > 0).float()

    @staticmethod
    def backward(ctx, gradient):
        (v,) = ctx.saved_tensors
        return gradient / (1 + (np.pi * v) ** 2)


class ByHand(nn.Module):
    """The product with the first weights is taken out of the loop."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = linear(first), linear(second)

    def forward(self, x):
        i = v = j = u = out = rate = 0.0
        # Indexing `h[t]` would add a gradient of full size in each step.
        for row in self.first(x).unbind(0):
            i = SYNAPSE * i + row
            v = MEMBRANE * v + i
            s = Spike.apply(v - 1)
            v = v - s.detach()
            j = SYNAPSE * j + self.second(s)
            u = MEMBRANE * u + j
            out = out + u
            rate += float(s.detach().mean())
        return out / STEPS, rate / STEPS


class SnnTorch(nn.Module):
    def __init__(self, first, second):
        import snntorch
        from snntorch import surrogate

        super().__init__()
        self.first, self.second = linear(first), linear(second)
        both = {"alpha": SYNAPSE, "beta": MEMBRANE, "spike_grad": surrogate.atan(alpha=2.0)}
        self.hidden = snntorch.Synaptic(**both)
        self.readout = snntorch.Synaptic(**both, reset_mechanism="none")

    def forward(self, x):
        i, v = self.hidden.reset_mem()
        j, u = self.readout.reset_mem()
        out = rate = 0.0
        for row in self.first(x).unbind(0):
            s, i, v = self.hidden(row, i, v)
            _, j, u = self.readout(self.second(s), j, u)
            out = out + u
            rate += float(s.detach().mean())
        return out / STEPS, rate / STEPS


class Norse(nn.Module):
    """Norse scales its input by 1 - b and resets to zero."""

    def __init__(self, first, second):
        import norse.torch as norse

        super().__init__()
        dt, scale = 1e-3, 1 / (1 - MEMBRANE)
        rates = [torch.tensor((1 - x) / dt) for x in (SYNAPSE, MEMBRANE)]
        lif = norse.LIFParameters(tau_syn_inv=rates[0], tau_mem_inv=rates[1], method="super")
        li = norse.LIParameters(tau_syn_inv=rates[0], tau_mem_inv=rates[1])
        self.first, self.second = linear(first, scale), linear(second, scale)
        self.cells = nn.ModuleList([norse.LIFCell(lif), norse.LICell(li)])

    def forward(self, x):
        hidden, readout = self.cells
        a = b = None
        out = rate = 0.0
        for row in self.first(x).unbind(0):
            s, a = hidden(row, a)
            v, b = readout(self.second(s), b)
            out = out + v
            rate += float(s.detach().mean())
        return out / STEPS, rate / STEPS


class SpikingJelly(nn.Module):
    def __init__(self, first, second):
        from spikingjelly.activation_based import layer, neuron, surrogate

        super().__init__()
        many = {"step_mode": "m"}
        synapse, membrane = 1 / (1 - SYNAPSE), 1 / (1 - MEMBRANE)
        lif = neuron.LIFNode(
            tau=membrane,
            decay_input=False,
            v_reset=None,
            detach_reset=True,
            surrogate_function=surrogate.ATan(),
            **many,
        )
        self.hidden = nn.Sequential(
            linear(first, make=layer.Linear, **many), layer.SynapseFilter(tau=synapse, **many), lif
        )
        self.readout = nn.Sequential(
            linear(second, make=layer.Linear, **many),
            layer.SynapseFilter(tau=synapse, **many),
            layer.SynapseFilter(tau=membrane, **many),
        )

    def forward(self, x):
        from spikingjelly.activation_based import functional

        functional.reset_net(self)
        s = self.hidden(x)
        return self.readout(s).mean(0), float(s.detach().mean())


CASES = {
    "torch-hoisted": (ByHand, ()),
    "snntorch": (SnnTorch, ("snntorch",)),
    "norse": (Norse, ("norse",)),
    "spikingjelly": (SpikingJelly, ("spikingjelly",)),
}


def main() -> None:
    o = options()
    x, labels, first, second = task(o)
    assert second.shape[1] == CLASSES
    x, labels = torch.from_numpy(x), torch.from_numpy(labels.astype(np.int64))
    make, packages = CASES[o.case]
    net = make(first, second)
    optimizer = torch.optim.Adam(net.parameters(), 1e-5)

    def step() -> tuple[float, float]:
        optimizer.zero_grad()
        out, rate = net(x)
        loss = nn.functional.cross_entropy(out, labels)
        loss.backward()
        optimizer.step()
        return loss.item(), rate

    timed(o, step, **{name: meta.version(name) for name in ("torch", *packages)})


if __name__ == "__main__":
    main()
