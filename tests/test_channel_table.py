"""Gates of all channels, their derivatives, against mpmath; and finite far outside.

`oracle/channel_table.py` knows the formulas of the sources only.
"""

import inspect

import jax
import jax.numpy as jnp
import models
import numpy as np
import pytest
from _measured import measured
from _oracle_statistics import load_json

import brainfn as bf
from brainfn.channel import AbstractChannel, Concentrations, Scheme

ORACLE = load_json("channel_table.json")
CLASSES = {
    name: cls
    for name, cls in vars(bf.channel).items()
    if inspect.isclass(cls) and issubclass(cls, AbstractChannel) and not inspect.isabstract(cls)
}
# Activation without a state of its own, and its power in the open fraction.
INSTANT = {"SodiumWangBuzsaki": ("m", 3), "TCurrentDestexhe": ("m", 2)}


def ions(c):
    """Calcium of concentration `c`, as all channels that need an ion see it."""
    return {"ca": Concentrations(c, 2 * jnp.ones_like(c), 100 * jnp.ones_like(c))}


ROWS = [
    (kind, name, gate)
    for kind in ("voltage", "calcium")
    for name, table in ORACLE[kind].items()
    for gate in table["gates"]
]


def gates_of(name, dtype, v, c):
    """Steady state and time constant of each gate of a channel."""
    channel = bf.astype(models.all_channels[name](), dtype)
    found = {}
    for gate, move in channel.gates(v, ions(c)).items():
        if isinstance(move, Scheme):  # its first two states, with nothing bound
            rates = move.at({"p1": jnp.zeros_like(v)})
            move = bf.channel.alpha_beta(*list(rates.values())[:2])
        found[gate] = (move.steady, 1 / move.rate)
    if name in INSTANT:
        gate, power = INSTANT[name]
        opened = channel.opened({"h": jnp.ones_like(v)}, v, ions(c))
        root = jnp.where(opened > 1e-30, opened, jnp.ones_like(v)) ** (1 / power)
        found[gate] = (root, jnp.zeros_like(v))
    return found


def table(kind, name, gate, x, dtype):
    """The entries of `x` at which the oracle has the gate, and its rows there: steady state, time
    constant, and the derivatives of both."""
    at, rows = ORACLE[kind][name]["at"], np.array(ORACLE[kind][name]["gates"][gate]).T
    # In float32 at the voltages that it can hold; a concentration is rounded.
    there = np.array([kind == "calcium" or a == np.asarray(a, dtype) for a in at])
    return np.searchsorted(x[kind], np.array(at)[there]), rows[:, there]


# An exponential of up to 30 turns the rounding of its argument into as many eps of a value. JAX
# differentiates a sigmoid as s (1 - s), which knows 1 - s to an eps of one only: an error of a few
# eps of the value by the width of the sigmoid, 2 mV, or by the smallest concentration.
BOUNDS = {jnp.float64: (1e-12, 1e-9), jnp.float32: (2e-5, 1e-4)}
WIDTH = {"voltage": 2.0, "calcium": 1e-5}


@pytest.mark.parametrize("dtype", BOUNDS)
def test_every_gate(dtype):
    x = {k: np.unique(np.concatenate([t["at"] for t in ORACLE[k].values()])) for k in WIDTH}
    # Behind the entries of the oracle there are those where a fit may wander.
    far = np.linspace(-500.0, 500.0, 101), np.resize([0.0, 1e-30, 1e-8, 1e-4, 1.0], 101)
    n = len(x["voltage"])
    v, c = (
        jnp.asarray(np.append(np.resize(x[k], n), more), dtype)
        for k, more in zip(WIDTH, far, strict=True)
    )

    def whole(v, c):
        """State of the gates, its slope and the current of every channel."""
        out = []
        for make in models.all_channels.values():
            channel, seen = bf.astype(make(), dtype), ions(c)
            state = bf.channel.start_gates(channel, v, seen)
            out += jax.tree.leaves([state, bf.channel.gate_slopes(channel, state, v, seen)])
            out.append(channel.current(bf.channel.open_gates(state), v, seen))
        return out

    def values(v, c):
        at = {"voltage": (v, jnp.full_like(c, 2.4e-4)), "calcium": (jnp.full_like(v, -60), c)}
        found = {k: {name: gates_of(name, dtype, *at[k]) for name in ORACLE[k]} for k in WIDTH}
        pairs = [found[kind][name][gate] for kind, name, gate in ROWS]
        gates = [jnp.broadcast_to(a, v.shape) for pair in pairs for a in pair]
        return jnp.stack(gates + whole(v, c))

    # Not compiled: each operation runs three times only.
    y, along = jax.linearize(values, v, c)
    forward = along(jnp.ones_like(v), jnp.ones_like(c))
    back = jax.linear_transpose(along, v, c)
    for a in (y, forward, *back(jnp.ones_like(y))):
        assert a.dtype == dtype and bool(jnp.all(jnp.isfinite(a)))
    rows = 2 * len(ROWS)
    y, forward = (np.asarray(a, np.float64)[:rows].reshape(-1, 2, len(v)) for a in (y, forward))
    value_bound, slope_bound = BOUNDS[dtype]
    worst, weights = {}, np.zeros_like(y)
    expected = {"voltage": np.zeros(v.shape), "calcium": np.zeros(c.shape)}
    rng = np.random.default_rng(0)
    for i, (kind, name, gate) in enumerate(ROWS):
        at, row = table(kind, name, gate, x, dtype)
        floor = 4 * float(jnp.finfo(dtype).eps) * np.abs(row[:2]) / WIDTH[kind]
        size = np.abs(row) + 1e-300
        value = np.abs(y[i][:, at] - row[:2]) / size[:2]
        slope = (np.abs(forward[i][:, at] - row[2:]) - floor) / size[2:]
        # A combination in which each derivative counts as much as its error allows.
        scale = size[2:] + floor / slope_bound
        weights[i][:, at] = rng.choice([-1, 1], scale.shape) / scale
        expected[kind][at] += np.sum(weights[i][:, at] * row[2:], 0)
        for key, e in {"values": value, "derivatives": slope}.items():
            part = (name.split(",")[0], key)
            worst[part] = max(worst.get(part, 0.0), float(np.max(e)))
    for (name, key), error in worst.items():
        measured(
            f"channel.{name}",
            f"{key} of steady states and time constants in {jnp.dtype(dtype).name}",
            against="mpmath at 130 digits",
            error=error,
            bound=slope_bound if key == "derivatives" else value_bound,
        )
    cotangent = np.zeros((len(along(v, c)), len(v)))
    cotangent[:rows] = weights.reshape(rows, -1)
    for reverse, sums in zip(back(jnp.asarray(cotangent, dtype)), expected.values(), strict=True):
        # The sum of all bounds, each of which is 1 in this combination.
        assert np.max(np.abs(reverse - sums)) <= slope_bound * rows


def test_every_channel_is_in_the_lists_and_has_an_oracle():
    assert {name.split(",")[0] for name in models.all_channels} == set(CLASSES)
    for name, make in models.all_channels.items():
        known = {gate for _, channel, gate in ROWS if channel == name}
        instant = {INSTANT[name][0]} if name in INSTANT else set()
        assert set(make().gates(jnp.zeros(1), ions(jnp.ones(1)))) == known - instant, name


def test_voltages_of_any_shape():
    """Each gate and current at one voltage, and at a matrix of them, as at a vector of them."""
    voltages = np.linspace(-90.0, 30.0, 6)

    def everything(v):  # not compiled
        seen, out = ions(jnp.full_like(v, 3e-4)), {}
        for name, make in models.all_channels.items():
            state = bf.channel.start_gates(make(), v, seen)
            out[name] = state, make().current(bf.channel.open_gates(state), v, seen)
        return out

    flat = everything(jnp.asarray(voltages))
    assert {x.shape for x in jax.tree.leaves(flat)} == {(6,)}
    for shape in [(), (2, 3)]:
        n = int(np.prod(shape))
        found = everything(jnp.asarray(voltages[:n].reshape(shape)))
        for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(flat), strict=True):
            # The same arithmetic; other vector instructions may round differently.
            np.testing.assert_allclose(x, np.reshape(y[:n], shape), rtol=1e-13)
