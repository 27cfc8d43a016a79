"""Transposition of structures, and `materialize`."""

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import brainfn.event as ev
from brainfn.event import _prim


def structure(rng, n_rows, n_cols, nnz, dtype=np.int32):
    lengths = (
        np.bincount(rng.integers(0, n_rows, nnz), minlength=n_rows) if nnz else np.zeros(n_rows)
    )
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(dtype)
    return rng.integers(0, n_cols, nnz).astype(np.int32), indptr


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**31),
    n_rows=st.sampled_from([1, 2, 31]),
    n_cols=st.sampled_from([1, 5, 64]),
    nnz=st.sampled_from([0, 1, 17, 500]),
    dtype=st.sampled_from([np.int32, np.int64]),
)
def test_equals_stable_sort(seed, n_rows, n_cols, nnz, dtype):
    indices, indptr = structure(np.random.default_rng(seed), n_rows, n_cols, nnz, dtype)
    order = np.argsort(indices, kind="stable")
    rows = np.repeat(np.arange(n_rows), np.diff(indptr))
    starts = np.searchsorted(indices[order], np.arange(n_cols + 1))
    for f in (ev.transpose_structure, jax.jit(ev.transpose_structure, static_argnums=2)):
        got = f(jnp.asarray(indices), jnp.asarray(indptr), n_cols)
        np.testing.assert_array_equal(got[0], rows[order])
        np.testing.assert_array_equal(got[1], starts)
        np.testing.assert_array_equal(got[2], order)
        assert got[0].dtype == np.int32 and got[1].dtype == got[2].dtype == dtype
    lean = ev.transpose_structure(
        jnp.asarray(indices), jnp.asarray(indptr), n_cols, permutation=False
    )
    np.testing.assert_array_equal(lean[0], rows[order])
    assert lean[2] is None


def test_native_equals_reference_and_batches(monkeypatch):
    rng = np.random.default_rng(0)
    both = [structure(rng, 7, 9, 40) for _ in range(3)]
    indices, indptr = (jnp.asarray(np.stack(x)) for x in zip(*both, strict=True))
    native = jax.vmap(lambda a, b: ev.transpose_structure(a, b, 9))(indices, indptr)
    monkeypatch.setattr(_prim, "handler_available", lambda *args: False)
    reference = jax.jit(jax.vmap(lambda a, b: ev.transpose_structure(a, b, 9)))(indices, indptr)
    for a, b in zip(native, reference, strict=True):
        np.testing.assert_array_equal(a, b)


def test_large_structure_uses_threads_and_stays_the_same():
    rng = np.random.default_rng(1)
    indices, indptr = structure(rng, 3000, 5000, 1_200_000)
    got = ev.transpose_structure(jnp.asarray(indices), jnp.asarray(indptr), 5000)
    order = np.argsort(indices, kind="stable")
    np.testing.assert_array_equal(got[2], order)
    np.testing.assert_array_equal(got[0], np.repeat(np.arange(3000), np.diff(indptr))[order])


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ((np.zeros((2, 2), np.int32), np.zeros(1, np.int32), 3), ValueError, "expected indices"),
        ((np.zeros(2, np.int64), np.array([0, 2], np.int32), 3), TypeError, "dtype int32"),
        (
            (np.zeros(2, np.int32), np.array([0, 2], np.int32), -1),
            ValueError,
            "n_cols must be at least 0",
        ),
    ],
)
def test_wrong_calls_raise(args, error, words):
    with pytest.raises(error, match=words):
        ev.transpose_structure(jnp.asarray(args[0]), jnp.asarray(args[1]), args[2])


def test_materialize_is_the_identity():
    x = jnp.arange(6.0).reshape(2, 3)
    for f in (ev.materialize, jax.jit(ev.materialize), jax.vmap(ev.materialize, 1, 1)):
        np.testing.assert_array_equal(f(x), x)
    np.testing.assert_array_equal(jax.grad(lambda x: jnp.sum(ev.materialize(x) ** 2))(x), 2 * x)
    np.testing.assert_array_equal(jax.jvp(ev.materialize, (x,), (2 * x,))[1], 2 * x)
    np.testing.assert_array_equal(ev.materialize(x > 2), x > 2)
