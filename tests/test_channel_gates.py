"""Rates of the squid axon near their singular voltages, against values at 40 digits.

The values come from `oracle/channel_gates.py`, which knows the formulas of the papers only.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _oracle_statistics import load_json

import brainfn as bf
from brainfn.channel import CalciumPool

ORACLE = load_json("channel_gates.json")["channels"]
GATES = [(name, gate) for name in ORACLE for gate in ORACLE[name]["gates"]]
gates = pytest.mark.parametrize(("name", "gate"), GATES, ids=[" ".join(g) for g in GATES])

# JAX differentiates a sigmoid as s (1 - s), which knows 1 - s to an eps of one only: where a rate
# saturates its slope has an error of eps over the width of the sigmoid in mV.
WIDTH_OF_SIGMOID = {("SodiumHH", "h"): 10.0}


def computed(name, gate, v, dtype):
    """Values and derivatives by v, forward and reverse."""

    def field(v):
        found = bf.astype(getattr(bf.channel, name)(), dtype).gates(v, {})[gate]
        # The two rates, which a gate keeps as their sum and what is left of it at rest.
        alpha, beta = found.steady * found.rate, (1 - found.steady) * found.rate
        return {"alpha": alpha, "beta": beta, "steady": found.steady, "rate": found.rate}

    @jax.jit
    def everything(v):
        values, slopes = jax.jvp(field, (v,), (jnp.ones_like(v),))
        back = jax.vjp(field, v)[1]
        one, zero = jnp.ones_like(v), jnp.zeros_like(v)
        return (
            values,
            slopes,
            {k: back({j: one if j == k else zero for j in values})[0] for k in values},
        )

    values, slopes, reverse = everything(jnp.asarray(v, dtype))
    assert {x.dtype for x in jax.tree.leaves((values, slopes, reverse))} == {jnp.dtype(dtype)}
    return tuple(
        {key: np.asarray(x, np.float64) for key, x in d.items()} for d in (values, slopes, reverse)
    )


@gates
@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
def test_rates_and_their_derivatives(name, gate, dtype):
    v = np.array(ORACLE[name]["v"])
    there = v == np.asarray(v, dtype)  # in float32: the voltages that it can hold
    assert there.sum() >= 25
    row = {key: np.array(x)[there] for key, x in ORACLE[name]["gates"][gate].items()}
    values, slopes, reverse = computed(name, gate, v[there], dtype)
    # An exponential turns the rounding of its argument, here up to 12, into a relative error of as
    # many eps; a few more operations and the oracle's own rounding add a handful.
    rtol = 20 * float(jnp.finfo(dtype).eps)
    rate, size = row["alpha"] + row["beta"], np.abs(row["d_alpha"]) + np.abs(row["d_beta"])
    d_rate, steady, d_steady = row["d_alpha"] + row["d_beta"], row["steady"], row["d_steady"]
    for key, expected in {"alpha": row["alpha"], "steady": steady, "rate": rate}.items():
        np.testing.assert_allclose(values[key], expected, rtol=rtol, err_msg=key)
    # What a difference of the two is made of, not what is left of it, sets its error.
    size = size + 1 / WIDTH_OF_SIGMOID.get((name, gate), np.inf)
    for found in (slopes, reverse):
        for key, expected, terms in (
            ("alpha", row["d_alpha"], size),
            ("beta", row["d_beta"], size),
            ("rate", d_rate, size),
            ("steady", d_steady, size / rate),
        ):
            error = np.abs(found[key] - expected)
            assert np.all(error <= rtol * (np.abs(expected) + terms)), key
    error = np.abs(values["beta"] - row["beta"])
    assert np.all(error <= rtol * rate)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_calcium_of_any_shape(shape):
    pool = CalciumPool(gain=2e-5, tau=4.0, resting=3e-4)
    inside = pool.rest(jnp.zeros(shape))
    np.testing.assert_array_equal(inside, np.full(shape, 3e-4))
    change = pool.change(2 * inside, jnp.full(shape, -10.0))
    np.testing.assert_allclose(change, np.full(shape, 2e-4 - 3e-4 / 4), rtol=1e-14)
    assert pool.seen(inside).inside.shape == shape


def test_one_conductance_for_each_of_many_voltages():
    """A compartment in each of two cells: parameters are of one cell, and broadcast."""
    g, v = jnp.array([1.0, 2.0, 4.0]), jnp.array([[-60.0, -50.0, -40.0]] * 2)
    sodium, leak = bf.channel.SodiumHH(g=g), bf.channel.Leak(g=g, reversal=-50.0)
    per_cell = jax.vmap(lambda v: leak.current({}, v, {}))(v)
    np.testing.assert_array_equal(per_cell, [[-10.0, 0.0, 40.0]] * 2)
    opened = {"m": jnp.full(3, 0.5), "h": jnp.full(3, 0.25)}
    expected = np.array([1.0, 2.0, 4.0]) * 0.5**3 * 0.25 * np.array([-110.0, -100.0, -90.0])
    np.testing.assert_allclose(sodium.current(opened, v[0], {}), expected, rtol=1e-15)
