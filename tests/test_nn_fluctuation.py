"""Weights that give a stated rate: against networks that run, and against the theory."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.integrate
import scipy.special
from _measured import measured

import brainfn as bf
from brainfn import nn

KEYS = jr.split(jr.key(3), 6)


@pytest.fixture(autouse=True)
def by_xla(monkeypatch):
    monkeypatch.setenv("BRAINFN_GENERATE", "0")


def test_a_layer_with_feedback_has_the_stated_rate():
    layer = nn.Layer(
        300,
        nn.lif(200),
        recurrent=bf.init.Normal(0.0, 0.03),
        synapse=bf.synapse.Exponential(5.0),
        key=KEYS[0],
    )
    layer = nn.fluctuation_driven(layer, 20.0, 12.0, steps=500, key=KEYS[1])
    x = jr.bernoulli(KEYS[2], 0.02, (8, 1200, 300)).astype(jnp.result_type(float))
    out = jax.vmap(nn.Chain(layer))(x).output[:, 200:]
    assert float((out.sum(axis=(0, 1)) > 0).mean()) > 0.9
    # 1 % in the search and in the run; finite size of the feedback, and sums of six spikes.
    measured(
        "nn.fluctuation_driven",
        "rate of a recurrent layer with Poisson inputs, over that stated",
        against="the run itself",
        error=float(out.mean()) * 1000 / 12.0 - 1,
        bound=0.05,
    )


def siegert(mean, sd, tau, refractory, dt):
    """The rate in Hz of LIF neurons, threshold 1 and reset 0, whose free membrane potential has
    this mean and SD; with the correction for a threshold that is looked at every `dt`."""
    sd = sd * np.sqrt(2)
    threshold = 1 + 0.5826 * sd * np.sqrt(dt / tau)
    integral, _ = scipy.integrate.quad(
        lambda u: scipy.special.erfcx(-u), -mean / sd, (threshold - mean) / sd
    )
    return 1000 / (refractory + tau * np.sqrt(np.pi) * integral)


def test_the_response_of_neurons_is_that_of_siegert():
    tau, dt, rate = 20.0, 0.1, 20.0
    weight = jnp.full((100, 50), 1.0) + jr.normal(KEYS[3], (100, 50))
    layer = nn.Layer(100, nn.lif(50, tau=tau, soft_reset=False, refractory=2.0), weight=weight)
    layer = nn.fluctuation_driven(layer, 200.0, rate, dt=dt, steps=3000, key=KEYS[4])
    p, w = 200.0 * dt / 1000, np.asarray(layer.weight)
    mean = p * w.sum(axis=0)
    a = np.exp(-dt / tau)
    # Of v <- a v + (1 - a) current.
    sd = np.sqrt(p * (1 - p) * (w**2).sum(axis=0) * (1 - a) / (1 + a))
    theory = np.mean([siegert(m, s, tau, 2.0, dt) for m, s in zip(mean, sd, strict=True)])
    # 1.5 % of sampling: 2000 neurons for 0.3 s; next order of the correction in dt.
    measured(
        "nn.fluctuation_driven",
        "rate by Siegert's formula, over that stated",
        against="Siegert (1951) by SciPy",
        error=theory / rate - 1,
        bound=0.03,
    )


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"layer": nn.lif}, TypeError, "layer"),
        ({"rate_in": np.ones(3)}, ValueError, "rate_in"),
        ({"rate_in": 0.0}, ValueError, "rate_in"),
        ({"rate_in": 2000.0}, ValueError, "rate_in"),
        ({"rate_out": 1000.0}, ValueError, "rate_out"),
    ],
)
def test_wrong_calls(change, error, words):
    layer = nn.Layer(2, nn.lif(3), weight=1.0)
    arguments = {"layer": layer, "rate_in": 10.0, "rate_out": 5.0, "key": KEYS[0]} | change
    with pytest.raises(error, match=words):
        nn.fluctuation_driven(**arguments)
