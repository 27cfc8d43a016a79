"""The CUDA kernels without a GPU: their source run on the CPU, their lowering, their compilation."""

import re
import shutil
import subprocess

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import _emulated_cuda
import brainfn.event as ev
from brainfn.event import _bilinear, _cuda
from brainfn.event._bilinear import COLS, ROWS, WEIGHTS, BlockSpec, Term, contract

KINDS = ("csr", "csr64", "dense", "ell", "one_to_one")


@pytest.fixture(scope="module")
def emulated(tmp_path_factory):
    if _emulated_cuda.compiler() is None:
        pytest.skip("no C++ compiler, which the emulation of the CUDA kernels needs")
    lib = _emulated_cuda.build(tmp_path_factory.mktemp("emulated"))
    with _emulated_cuda.operators():
        yield lib
    lib.brainfn_emulated_order(0)


def structure(rng, kind, n_rows, n_cols, mean):
    """Index arrays, row and column of each stored element, and the shape of the weights."""
    if kind == "one_to_one":
        return (), np.arange(n_rows), np.arange(n_rows), (n_rows,)
    if kind == "dense":
        rows, cols = np.indices((n_rows, n_cols)).reshape(2, -1)
        return (), rows, cols, (n_rows, n_cols)
    if kind == "ell":
        cols = np.sort(rng.integers(0, n_cols, (n_rows, mean)), axis=1)
        rows = np.repeat(np.arange(n_rows), mean)
        return (jnp.asarray(cols.astype(np.int32)),), rows, cols.reshape(-1), cols.shape
    # Lengths vary a lot, some rows are empty, and columns occur twice.
    lengths = rng.permutation(np.arange(n_rows) % 4 * mean // 2)
    rows = np.repeat(np.arange(n_rows), lengths)
    cols = rng.integers(0, n_cols, rows.size)
    cols = cols[np.lexsort((cols, rows))]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indptr = indptr.astype(np.int64 if kind == "csr64" else np.int32)
    return (jnp.asarray(cols.astype(np.int32)), jnp.asarray(indptr)), rows, cols, (rows.size,)


def random_call(seed, kinds, role, dtype, mean, sizes, masks_on, density):
    """A random call of a contraction, and what it must give, by NumPy in float64."""
    rng = np.random.default_rng(seed)
    batch = sizes

    def mask():
        return tuple(bool(rng.random() < masks_on) for _ in batch)

    def draw(mask, core):
        lead = tuple(n for n, has in zip(batch, mask, strict=True) if has)
        return np.asarray(rng.standard_normal((*lead, *core)))

    def full(x, mask):
        """`x` over all batch dimensions, size one where it has none."""
        shape = [n if has else 1 for n, has in zip(batch, mask, strict=True)]
        return np.asarray(x, np.float64).reshape((*shape, *x.shape[sum(mask) :]))

    n_acc = 2
    terms, plans = [], []
    acc_masks = [mask() for _ in range(n_acc)]
    lengths = {ROWS: 30, COLS: 41}
    if role == WEIGHTS:
        n_acc = len(kinds)
        acc_masks = [mask() for _ in kinds]
        accumulators: list = [None] * n_acc
    else:
        accumulators = [draw(m, (lengths[role],)) for m in acc_masks]
    for i, kind in enumerate(kinds):
        n_rows = int(rng.integers(1, 25))
        n_cols = n_rows if kind == "one_to_one" else int(rng.integers(1, 35))
        arrays, rows, cols, weights_shape = structure(rng, kind, n_rows, n_cols, mean)
        scalar = kind != "dense" and rng.random() < 0.5
        row_offset = int(rng.integers(0, lengths[ROWS] - n_rows + 1))
        col_offset = int(rng.integers(0, lengths[COLS] - n_cols + 1))
        target = i if role == WEIGHTS else int(rng.integers(0, n_acc))
        ms = [mask() for _ in range(3)]
        ms[role] = acc_masks[target]
        need_mask = mask() if rng.random() < 0.5 else None
        xs = [
            draw(ms[ROWS], (lengths[ROWS],)),
            draw(ms[COLS], (lengths[COLS],)),
            draw(ms[WEIGHTS], () if scalar else weights_shape),
        ]
        xs[ROWS] = xs[ROWS] * (rng.random(xs[ROWS].shape) < density)
        if role == WEIGHTS:
            accumulators[i] = xs[WEIGHTS]
        if role != ROWS and rng.random() < 0.5:
            xs[ROWS] = xs[ROWS] != 0
        need = None
        if need_mask is not None:
            need = draw(need_mask, (lengths[ROWS],)) < 0.5
        plans.append((target, ms, xs, need, need_mask, rows, cols, row_offset, col_offset, scalar))
        name = "csr" if kind == "csr64" else kind
        spec = BlockSpec(name, (n_rows, n_cols), (0, 0, 0), row_offset, col_offset, ())
        given_arrays = [
            target if r == role else jnp.asarray(x if x.dtype == bool else x.astype(dtype))
            for r, x in enumerate(xs)
        ]
        terms.append(
            Term(
                spec,
                tuple(given_arrays),
                tuple(ms),
                arrays,
                () if need is None else (jnp.asarray(need), need_mask),
            )
        )
    expected, scale = [], []
    for t, acc in enumerate(accumulators):
        total = full(acc.astype(dtype), acc_masks[t]).copy()
        size, count = np.array(np.abs(total)), np.ones_like(total)
        for target, ms, xs, need, need_mask, rows, cols, ro, co, scalar in plans:
            if target != t:
                continue
            used = [x if x.dtype == bool else x.astype(dtype) for x in xs]
            x = full(used[ROWS], ms[ROWS])[..., rows + ro] if role != ROWS else 1.0
            v = full(used[COLS], ms[COLS])[..., cols + co] if role != COLS else 1.0
            w = 1.0
            if role != WEIGHTS:
                w = full(used[WEIGHTS], ms[WEIGHTS])
                w = w[..., None] if scalar else w.reshape(*w.shape[: len(batch)], -1)
            value = x * v * w * np.ones(rows.size)
            if need is not None:
                value = value * full(need, need_mask)[..., rows + ro]
            summed = tuple(
                d for d, has in enumerate(ms[role]) if not has and value.shape[d] > 1
            )
            for out, add in ((total, value), (size, np.abs(value)), (count, np.ones_like(value))):
                add = add.sum(axis=summed, keepdims=True)
                if role == WEIGHTS:
                    add = add.sum(-1) if scalar else add.reshape(*add.shape[:-1], *out.shape[len(batch):])
                    out += np.broadcast_to(add, out.shape)
                else:
                    at = rows + ro if role == ROWS else cols + co
                    flat = np.broadcast_to(add, (*out.shape[:-1], rows.size))
                    np.add.at(out, (..., at), flat)
        expected.append(total.reshape(acc.shape))
        scale.append((np.sqrt(count) * size).reshape(acc.shape))
    return (
        lambda: contract(
            role, batch, [jnp.asarray(a.astype(dtype)) for a in accumulators], acc_masks, terms
        ),
        expected,
        scale,
    )


CALLS = dict(
    seed=st.integers(0, 2**31),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=9),
    role=st.sampled_from([ROWS, COLS, WEIGHTS]),
    dtype=st.sampled_from([np.float32, np.float64]),
    mean=st.sampled_from([1, 5, 40, 90]),
    sizes=st.sampled_from([(), (), (3,), (2, 3), (2, 1, 4)]),
    masks_on=st.sampled_from([0.3, 0.8]),
    density=st.sampled_from([0.0, 0.3, 1.0]),
)


@settings(max_examples=60)
@given(order=st.integers(0, 3), deterministic=st.booleans(), **CALLS)
def test_kernels_equal_the_dense_oracle(emulated, order, deterministic, **call):
    emulated.brainfn_emulated_order(order)
    run, expected, scale = random_call(**call)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_bilinear, "deterministic", lambda: deterministic)
        got = run()
    eps = np.finfo(call["dtype"]).eps
    for a, b, size in zip(got, expected, scale, strict=True):
        assert a.dtype == call["dtype"]
        # Another order of n additions whose magnitudes add up to s: a few eps * sqrt(n) * s.
        a = np.asarray(a, np.float64)
        assert np.all(np.abs(a - b) <= 4 * eps * size)
