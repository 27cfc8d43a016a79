"""block_matvec: many blocks in one call, in place."""

import re

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import brainfn.event as ev


def random_blocks(rng, n_blocks, sources, targets, dtype=np.float64):
    """Blocks at random places, which may overlap; as they are and as dense arrays."""
    blocks, dense = [], []
    for _ in range(n_blocks):
        s, t = int(rng.integers(len(sources))), int(rng.integers(len(targets)))
        ro, co = int(rng.integers(sources[s] + 1)), int(rng.integers(targets[t] + 1))
        shape = (int(rng.integers(sources[s] - ro + 1)), int(rng.integers(targets[t] - co + 1)))
        nnz = int(rng.integers(0, 2 * max(shape) + 1)) if min(shape) > 0 else 0
        rows = rng.integers(0, max(shape[0], 1), nnz)
        cols = rng.integers(0, max(shape[1], 1), nnz)
        homogeneous = rng.random() < 0.5
        data = dtype(rng.normal()) if homogeneous else rng.normal(size=nnz).astype(dtype)
        matrix = ev.CSR.fromcoo(jnp.asarray(data), rows, cols, shape=shape)
        d = np.zeros(shape)
        np.add.at(d, (rows, cols), data)
        blocks.append(ev.Block(matrix, s, ro, t, co))
        dense.append(d)
    return tuple(blocks), dense


def dense_sum(ys, xs, blocks, dense):
    out = [np.array(y, np.float64) for y in ys]
    for b, d in zip(blocks, dense, strict=True):
        x = np.asarray(xs[b.source], np.float64)[b.row_offset : b.row_offset + d.shape[0]]
        out[b.target][b.column_offset : b.column_offset + d.shape[1]] += x @ d
    return out


@settings(max_examples=12)
@given(seed=st.integers(0, 2**31), n_blocks=st.sampled_from([0, 1, 3, 6]))
def test_blocks_equal_dense(seed, n_blocks):
    rng = np.random.default_rng(seed)
    sources, targets = (9, 40), (12, 1, 33)
    blocks, dense = random_blocks(rng, n_blocks, sources, targets)
    ys = tuple(jnp.asarray(rng.normal(size=n)) for n in targets)
    xs = (jnp.asarray(rng.random(9) < 0.4), jnp.asarray(rng.normal(size=40)))
    out = ev.block_matvec(ys, xs, blocks)
    assert isinstance(out, tuple) and len(out) == len(ys)
    for got, wanted in zip(out, dense_sum(ys, xs, blocks, dense), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-12)


def test_gradient_with_respect_to_everything():
    rng = np.random.default_rng(0)
    blocks, dense = random_blocks(rng, 6, (9, 20), (12, 15))
    ys = tuple(jnp.asarray(rng.normal(size=n)) for n in (12, 15))
    xs = tuple(jnp.asarray(rng.normal(size=n)) for n in (9, 20))
    cts = [jnp.asarray(rng.normal(size=n)) for n in (12, 15)]
    data = [b.matrix.data for b in blocks]

    def loss(ys, xs, data):
        new = [
            ev.Block(
                ev.CSR(d, b.matrix.indices, b.matrix.indptr, shape=b.matrix.shape),
                b.source,
                b.row_offset,
                b.target,
                b.column_offset,
            )
            for b, d in zip(blocks, data, strict=True)
        ]
        out = ev.block_matvec(ys, xs, tuple(new))
        return sum(jnp.vdot(c, y) for c, y in zip(cts, out, strict=True))

    gy, gx, gd = jax.jit(jax.grad(loss, (0, 1, 2)))(ys, xs, data)
    wanted_x = [np.zeros(9), np.zeros(20)]
    for got, ct in zip(gy, cts, strict=True):
        np.testing.assert_allclose(got, ct, atol=1e-12)
    for b, d, g in zip(blocks, dense, gd, strict=True):
        ct = np.asarray(cts[b.target])[b.column_offset : b.column_offset + d.shape[1]]
        x = np.asarray(xs[b.source])[b.row_offset : b.row_offset + d.shape[0]]
        wanted_x[b.source][b.row_offset : b.row_offset + d.shape[0]] += d @ ct
        rows = np.repeat(np.arange(d.shape[0]), np.diff(b.matrix.indptr))
        per_synapse = x[rows] * ct[np.asarray(b.matrix.indices)]
        np.testing.assert_allclose(
            g, per_synapse.sum() if b.matrix.data.ndim == 0 else per_synapse, atol=1e-12
        )
    for got, wanted in zip(gx, wanted_x, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-12)


def test_vmap_over_spikes_and_one_weight():
    rng = np.random.default_rng(1)
    blocks, dense = random_blocks(rng, 4, (9, 20), (12, 15))
    ys = tuple(jnp.asarray(rng.normal(size=n)) for n in (12, 15))
    x0, x1 = jnp.asarray(rng.random((5, 9)) < 0.5), jnp.asarray(rng.normal(size=20))
    gain = jnp.asarray(rng.normal(size=5))
    first = blocks[0]

    def run(x0, gain):
        scaled = ev.CSR(
            gain * first.matrix.data,
            first.matrix.indices,
            first.matrix.indptr,
            shape=first.matrix.shape,
        )
        block = ev.Block(scaled, first.source, first.row_offset, first.target, first.column_offset)
        return ev.block_matvec(ys, (x0, x1), (block, *blocks[1:]))

    out = jax.jit(jax.vmap(run))(x0, gain)
    for i in range(5):
        scaled = [float(gain[i]) * dense[0], *dense[1:]]
        wanted = dense_sum(ys, (x0[i], x1), blocks, scaled)
        for got, w in zip(out, wanted, strict=True):
            np.testing.assert_allclose(got[i], w, atol=1e-12)


def test_float32_keeps_its_dtype():
    rng = np.random.default_rng(2)
    blocks, dense = random_blocks(rng, 5, (30,), (40,), np.float32)
    y = jnp.zeros(40, jnp.float32)
    x = jnp.asarray(rng.random(30) < 0.5)
    (out,) = ev.block_matvec((y,), (x,), blocks)
    assert out.dtype == np.float32
    # A few hundred sums at most: eps * n of the absolute sums.
    np.testing.assert_allclose(out, dense_sum((y,), (x,), blocks, dense)[0], atol=1e-4)


def test_accumulator_is_updated_in_place_inside_scan():
    """The optimised loop body holds no copy of an accumulator, nor of the connectivity."""
    n, k = 1000, 20
    rng = np.random.default_rng(3)
    indices = np.sort(rng.integers(0, n, (n, k)), axis=1).reshape(-1).astype(np.int32)
    matrix = ev.CSR(
        jnp.float32(0.1), indices, np.arange(0, n * k + 1, k, dtype=np.int32), shape=(n, n)
    )

    @jax.jit
    def run(matrix, g, h):
        def step(carry, i):
            g, h = carry
            spikes = g > jnp.float32(0.5)
            g, h = ev.block_matvec((g, h), (spikes,), (ev.Block(matrix, 0, 0, 1, 0),))
            return (g * jnp.float32(0.9), h * jnp.float32(0.8)), None

        return jax.lax.scan(step, (g, h), jnp.arange(50))[0]

    text = run.lower(matrix, jnp.ones(n, jnp.float32), jnp.ones(n, jnp.float32)).compile().as_text()
    if ev.kernels()["scatter"] == "reference":
        pytest.skip("the reference lowering has no aliases")
    bodies = [c for c in re.split(r"\n\n|\n(?=%|ENTRY)", text) if "custom-call(" in c]
    (body,) = [c for c in bodies if "brainfn_scatter" in c and not c.startswith("ENTRY")]
    assert not re.search(rf"f32\[{n}\]\S* copy\(", body)
    assert not re.search(rf"s32\[{n * k}\]\S* copy\(", text)


@pytest.mark.parametrize(
    ("place", "error", "words"),
    [
        ((1, 0, 0, 0), ValueError, r"blocks\[0\] joins spikes\[1\]"),
        ((0, 0, 1, 0), ValueError, r"accumulators\[1\], but there are 1 spike vectors and 1"),
        ((0, 1, 0, 0), ValueError, r"of shape \(3, 3\) at \(1, 0\) does not fit"),
        ((0, 0, 0, 2), ValueError, r"at \(0, 2\) does not fit between 3 spikes and an accum"),
        ((-1, 0, 0, 0), ValueError, "source must be at least 0"),
        ((0, 0, 0, -1), ValueError, "column_offset must be at least 0"),
    ],
)
def test_wrong_places_raise(place, error, words):
    matrix = ev.CSR.fromdense(np.eye(3))
    with pytest.raises(error, match=words):
        ev.block_matvec((jnp.zeros(4),), (jnp.ones(3),), (ev.Block(matrix, *place),))


def test_wrong_dtypes_raise():
    block = (ev.Block(ev.CSR.fromdense(np.eye(3))),)
    with pytest.raises(TypeError, match="has dtype float64, its accumulator float32"):
        ev.block_matvec((jnp.zeros(3, jnp.float32),), (jnp.ones(3),), block)
    with pytest.raises(TypeError, match="x has dtype float32 but the weights have float64"):
        ev.block_matvec((jnp.zeros(3),), (jnp.ones(3, jnp.float32),), block)
    with pytest.raises(ValueError, match=r"accumulators\[0\] must be a vector"):
        ev.block_matvec((jnp.zeros((2, 3)),), (jnp.ones(3),), block)
