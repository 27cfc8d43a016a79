"""Wrong indices, row pointers and delays never leave the arrays, known or traced."""

import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainfn as bf
import brainfn.event as ev

STARTS = np.arange(5, dtype=np.int32)
# Each in a process of its own, since what is tested for is its death.
CODE = """
import jax, jax.numpy as jnp, numpy as np, brainfn.event as ev
starts = np.arange(5, dtype=np.int32)
def csr(i, p=starts): return ev.CSR(jnp.ones(4), i, p, shape=(4, 4))
calls = {
    "x @ csr": lambda i, x: x @ csr(i),
    "csr @ x": lambda i, x: csr(i) @ x,
    "fan-out": lambda i, x: x @ ev.FixedFanout(1.0, i[:, None], shape=(4, 4)),
    "fan-in": lambda i, x: x @ ev.FixedFanin(1.0, i[:, None], shape=(4, 4)),
    "update": lambda i, x: ev.on_pre(csr(i), x, x).data,
    "pointers": lambda i, x: x @ csr(jnp.zeros(4, jnp.int32), jnp.concatenate([i[:1], i])),
}
for name, f in calls.items():
    for bad in (10**9, -1, -10**9):
        try:
            out = jax.jit(f)(jnp.asarray([0, 1, 2, bad], jnp.int32), jnp.ones(4))
            said = "nan" if bool(jnp.isnan(out).any()) else "SILENT"
        except Exception as error:
            said = "refused"
        print(name, bad, said)
"""


def test_traced_indices_and_pointers_are_reported_by_nan():
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert len(lines) == 18
    assert not [line for line in lines if "SILENT" in line]


@pytest.mark.parametrize("weight", [2.0, np.arange(4.0)], ids=["one", "each"])
def test_right_ones_are_what_they_were(weight):
    x, indices = jnp.arange(4.0), np.asarray([1, 0, 3, 2], np.int32)
    known = ev.CSR(weight, indices, STARTS, shape=(4, 4))

    @jax.jit
    def product(indices, starts):
        matrix = ev.CSR(weight, indices, starts, shape=(4, 4))
        assert matrix.data.shape == known.data.shape
        return x @ matrix

    np.testing.assert_array_equal(product(indices, STARTS), x @ known)


def test_known_pointers_that_fall_are_refused():
    with pytest.raises(ValueError, match="indptr must rise from 0 to nnz"):
        ev.transpose_structure(np.zeros(3, np.int32), np.asarray([0, 10**7, 3], np.int32), 4)
    with pytest.raises(ValueError, match="indices must lie in"):
        ev.transpose_structure(np.asarray([0, 7], np.int32), np.asarray([0, 1, 2], np.int32), 4)
    with pytest.raises(ValueError, match="indptr must not decrease"):
        ev.CSR(1.0, np.zeros(3, np.int32), np.asarray([0, 3, 1, 3], np.int32), shape=(3, 2))


def test_delays_that_a_ring_buffer_cannot_hold():
    matrix = ev.CSR(np.ones(4), np.arange(4, dtype=np.int32), STARTS, shape=(4, 4))
    delays = jnp.asarray([1, 2, 3, 65000], jnp.int32)

    @jax.jit
    def traced(delays, ring):
        delayed = ev.Delayed(matrix, delays, longest=30)
        return ev.delayed_matvec(ring, jnp.ones(4), delayed, 0)

    assert float(traced(delays, jnp.zeros((31, 4))).sum()) == 4.0
    put_in = eqx.tree_at(
        lambda d: d.delays,
        ev.Delayed(matrix, np.asarray([1, 2, 3, 30])),
        jnp.asarray([1, 2, 3, 200], jnp.uint8),
    )
    with pytest.raises(ValueError, match=r"delays must lie in \[1, 30\] steps"):
        ev.delayed_matvec(put_in.ring(), jnp.ones(4), put_in, 0)


def test_bounds_that_are_not_given_are_no_infinities():
    matrix = ev.Dense(np.ones((3, 3)))
    with jax.debug_infs(True):
        out = ev.on_pre(matrix, np.ones(3, bool), -0.1, lower=0.0)
    np.testing.assert_allclose(out.data, 0.9)


FORMATS = {
    "CSR": ev.CSR(np.ones(4), np.arange(4, dtype=np.int32), STARTS, shape=(4, 4)),
    "FixedFanout": ev.FixedFanout(np.ones((4, 1)), np.zeros((4, 1), np.int32), shape=(4, 4)),
    "FixedFanin": ev.FixedFanin(np.ones((4, 1)), np.zeros((4, 1), np.int32), shape=(4, 4)),
    "Reordered": ev.with_columns(
        ev.CSR(np.ones(4), np.arange(4, dtype=np.int32), STARTS, shape=(4, 4)), [2, 0, 3, 1], 4
    ),
}


def network(matrix):
    return bf.Network(
        {"cells": bf.neuron.LIF(4)},
        [
            bf.Projection(
                "cells",
                "cells",
                matrix,
                synapse=bf.synapse.Exponential(5.0),
                output=bf.synapse.Current(),
            )
        ],
    )


CASES = [
    (name, field, bad)
    for name, matrix in FORMATS.items()
    for field, value in vars(matrix).items()
    if field not in ("shape", "index")
    for bad in ((np.nan,) if field == "data" else (10**9, -1))
]


@pytest.mark.parametrize(("name", "field", "bad"), CASES)
def test_what_tree_at_puts_into_a_matrix_is_checked_when_a_run_starts(name, field, bad):
    net = network(FORMATS[name])
    old = getattr(FORMATS[name], field)
    new = jnp.full(old.shape, bad, old.dtype)

    def place(net):
        projection = net.projections["cells"]
        return projection.weight if field == "data" else getattr(projection.matrices[0], field)

    def run(new):
        changed = eqx.tree_at(place, net, new)
        return bf.simulate(changed, inputs=900.0, duration=20.0, dt=0.5).state["cells"].v

    with pytest.raises(ValueError, match=rf"{field}.*in projection 'cells'"):
        run(new)
    if field != "data" and bad == -1:
        assert jnp.isnan(jax.jit(run)(new)).any()
