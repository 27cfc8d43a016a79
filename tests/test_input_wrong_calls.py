"""Wrong calls of inputs, sources and encoders: each says which argument, and what was expected.

They run without the checks of annotations, as users do.
"""

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import jaxtyping
import numpy as np
import pytest

import brainfn as bf
from brainfn import input as inp
from brainfn.neuron import LIF


@pytest.fixture(autouse=True)
def _as_users_do():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


KEY = jr.key(0)
inf, ones = float("inf"), np.ones


def simulate(inputs, model=None, key=KEY):
    return bf.simulate(model or LIF(3), inputs=inputs, duration=1.0, dt=0.1, key=key)


def train(source, inputs=None, key=KEY):
    return simulate(inputs, source, key)


def path(n):
    return dfx.UnsafeBrownianPath((n,), KEY)


negative = eqx.tree_at(lambda x: x.sigma, inp.WhiteNoise(1.0), -1.0)
correlated = inp.MultipleInteraction(3, 0.1, 0.5)

# (call, what the message must hold)
WRONG = {
    "noise size": (lambda: simulate(inp.WhiteNoise(ones(5))), r"inputs.sigma`.*\(3,\).*\(5,\)"),
    "wave size": (lambda: simulate(inp.Sine(1.0, ones(5))), r"inputs.frequency`.*\(3,\)"),
    "part of a sum": (
        lambda: simulate({"a": 1.0 + inp.Sine(ones(5), 1.0)}, bf.Network({"a": LIF(3)})),
        r"inputs\['a'\].inputs\[1\].amplitude`",
    ),
    "changed": (lambda: simulate(negative), "inputs.sigma` must be not negative.*tree_at"),
    "noise key": (lambda: simulate(inp.WhiteNoise(1.0), key=None), "`key` is needed: WhiteNoise"),
    "conductance key": (
        lambda: simulate(inp.PointConductance(1.0, 1.0, 1.0, reversal=0.0), key=None),
        "`key` is needed: PointConductance",
    ),
    "off the grid": (lambda: simulate(inp.Step(start=0.25)), "`start` must be a whole.*0.2 ms or"),
    "pulse off the grid": (
        lambda: simulate(inp.PulseTrain(1.0, width=0.05, period=1.0)),
        "`width` must be a whole",
    ),
    "start": (lambda: inp.Step(start="a"), "`start` must be a Python number in ms"),
    "stop": (lambda: inp.Step(start=5.0, stop=1.0), "`stop` must not be before `start`"),
    "stop nan": (lambda: inp.Step(stop=float("nan")), "`stop` must be a time"),
    "endless ramp": (lambda: inp.Ramp(0.0, 1.0, stop=inf), "`stop` must be finite and after"),
    "chirp": (
        lambda: inp.Chirp(1.0, 0.0, 1.0, stop=5.0, logarithmic=True),
        "`first` must be positive",
    ),
    "negative frequency": (lambda: inp.Chirp(1.0, -1.0, 1.0, stop=5.0), "`first` must be not neg"),
    "width": (lambda: inp.PulseTrain(1.0, width=0.0, period=1.0), "`width` must be positive"),
    "period": (lambda: inp.PulseTrain(1.0, width=3.0, period=1.0), "`period`.*at least `width`"),
    "endless period": (lambda: inp.PulseTrain(1.0, width=1.0, period=inf), "`period`.*input.Step"),
    "sections": (lambda: inp.Sections([1.0, 2.0], [1.0]), "`values` must have one.*1 `durations`"),
    "section values": (lambda: inp.Sections("ab", [1.0]), "`values` must be a number or an array"),
    "section words": (lambda: inp.Sections(["a"], [1.0]), "`values` must hold real numbers"),
    "durations": (lambda: inp.Sections([1.0, 2.0], [1.0, -1.0]), "`durations` must be positive"),
    "duration": (lambda: inp.Sections([1.0], 1.0), "`durations` must be a list"),
    "word in a sum": (lambda: inp.Step() + "a", "`input` must be a number, an array"),
    "list in a product": (lambda: inp.Step() * [1.0, 2.0], "`input`.*got list"),
    "three arguments": (lambda: inp.Step() * (lambda a, b, c: 1.0), "`input`.*3 arguments"),
    "gamma": (lambda: inp.GammaProcess(3, 0.1, -1.0), "`shape` must be positive"),
    "gamma key": (lambda: train(inp.GammaProcess(3, 0.1, 1.0), key=None), "`key`.*GammaProcess"),
    "dead time": (lambda: inp.PoissonDeadTime(3, 0.5, 3.0), "`rate` must be below 1 / `dead_time`"),
    "rate of each": (lambda: inp.SingleInteraction(3, ones(3), 0.1), "`rate` must be one number"),
    "correlation": (lambda: inp.SingleInteraction(3, 1.0, 1.5), "`correlation` must be between"),
    "input of each": (
        lambda: train(correlated, inp.Constant(ones(3))),
        "`inputs`.*one rate for all trains",
    ),
    "current as rate": (
        lambda: train(inp.Poisson(3, 0.1), inp.PointConductance(1.0, 1.0, 1.0, reversal=0.0)),
        "`inputs` of a source of spikes must be a rate",
    ),
    "rate word": (lambda: inp.InhomogeneousPoisson(3, "a"), "`rate` must be a number"),
    "rate size": (lambda: train(inp.InhomogeneousPoisson(3, ones(4))), r"`rate`.*3 trains.*\(4,\)"),
    "rate of v": (
        lambda: train(inp.InhomogeneousPoisson(3, lambda t, v: v)),
        "`rate` must be a number or",
    ),
    "driven twice": (lambda: train(inp.InhomogeneousPoisson(3, 1.0), 1.0), "`inputs`.*its own"),
    "probability": (lambda: inp.encode_rate(2 * ones(2), 5, key=KEY), "`values` must lie between"),
    "encoder key": (lambda: inp.encode_rate(ones(2), 5, key=None), "`key` is needed"),
    "values": (lambda: inp.encode_phase("x", 5), "`values` must be an array of numbers"),
    "not finite": (lambda: inp.encode_delta(np.array([inf]), 0.1), "`signal` must be finite"),
    "steps": (lambda: inp.encode_phase(ones(2), 2.5), "`n_steps` must be a whole number"),
    "latency dt": (lambda: inp.encode_latency(ones(2), 5, -1.0), "`dt` must be positive"),
    "latency tau": (lambda: inp.latency(ones(2), -1.0), "`tau` must be positive"),
    "bits": (lambda: inp.encode_phase(ones(2), 5, bits=40), "`bits` must be at most 16"),
    "cycles": (lambda: inp.decode_phase(ones(5)), "`spikes`.*at least 8 steps"),
    "no time": (lambda: inp.encode_delta(1.0, 0.1), "`signal` must have a leading time axis"),
    "threshold": (lambda: inp.encode_delta(ones(3), 0.0), "`threshold` must be positive"),
    "on and off": (lambda: inp.decode_delta(ones(3), ones(4), 0.1), "`on` and `off` must have"),
    "fields": (lambda: inp.encode_fields(ones(3), 2, low=0.0, high=1.0), "`n` must be at least 3"),
    "range": (lambda: inp.encode_fields(ones(3), 5, low=1.0, high=1.0), "`low` must lie below"),
    "no neuron": (lambda: inp.sde_terms(correlated, 1.0, path(3)), "`neuron` must have a method"),
    "no path": (lambda: inp.sde_terms(LIF(3), 1.0, None), "`path` must be a path of Diffrax"),
    "path": (lambda: inp.sde_terms(LIF(3), 1.0, path(4)), r"`path` must have shape \(3,\)"),
    "sigma": (lambda: inp.sde_terms(LIF(3), ones(4), path(3)), "`sigma` must be a number"),
    "sigma nan": (lambda: inp.sde_terms(LIF(3), jnp.nan, path(3)), "`sigma` must be finite"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_say_what_is_wrong(name):
    call, message = WRONG[name]
    with pytest.raises((ValueError, TypeError), match=message):
        call()
