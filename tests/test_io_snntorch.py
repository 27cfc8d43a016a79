"""Networks of snnTorch, against stored results of snnTorch itself."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _measured import measured

from brainfn import io, nn

STORED = json.loads((pathlib.Path(__file__).parent / "oracle/snntorch_nets.json").read_text())


@pytest.fixture(autouse=True)
def by_xla(monkeypatch):
    monkeypatch.setenv("BRAINFN_GENERATE", "0")


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_outputs_and_gradients_are_those_of_snntorch(reset):
    stored = STORED[reset]
    net = io.from_snntorch({k: np.asarray(v) for k, v in stored["state_dict"].items()})
    x = jnp.asarray(stored["inputs"], jnp.result_type(float))
    ramp = jnp.cos(jnp.arange(60.0)).reshape(30, 2)

    def loss(weights):
        layers = [
            nn.Layer(layer.n_in, layer.population, weight=w, bias=b)
            for layer, (w, b) in zip(net, weights, strict=True)
        ]
        response = nn.Chain(*layers)(x)
        return (response.output * ramp).sum(), response

    weights = [(layer.weight, layer.bias) for layer in net]
    gradients, response = jax.jit(jax.grad(loss, has_aux=True))(weights)
    assert all(total.sum() > 0 for total in response.totals[:2])
    errors = [np.abs(response.output - np.asarray(stored["outputs"])).max()]
    for i, (weight, bias) in enumerate(gradients):
        wanted = np.asarray(stored["gradients"][f"{2 * i}.weight"]).T
        errors.append(np.abs(weight - wanted).max() / np.abs(wanted).max())
        if bias is not None:
            wanted = np.asarray(stored["gradients"][f"{2 * i}.bias"])
            errors.append(np.abs(bias - wanted).max() / np.abs(wanted).max())
    measured(
        "io.from_snntorch",
        f"outputs and gradients, reset by {reset}",
        against=f"snnTorch {STORED['version']}",
        error=errors,
        bound=1e-11,  # stored with 15 digits; another order of sums over 30 steps
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"1.beta": 1.0}, "beta"),
        ({"1.graded_spikes_factor": 2.0}, "graded"),
        ({"0.weight": np.ones((5, 4, 3, 3))}, "no Linear"),
        ({"6.weight": np.ones((2, 2))}, "behind the last"),
        ({"1.V": 1.0}, "no Linear"),
    ],
)
def test_what_it_can_not_be_is_refused(change, words):
    given = {k: np.asarray(v) for k, v in STORED["zero"]["state_dict"].items()}
    with pytest.raises(ValueError, match=words):
        io.from_snntorch(given | change)
    with pytest.raises(TypeError, match="state_dict"):
        io.from_snntorch({})
