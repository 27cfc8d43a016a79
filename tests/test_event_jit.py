"""Just-in-time matrices are the matrices of the specification, whatever makes them: native kernels
or the reference, either product, transposed, in a batch, as events or floats, as a block."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _jit_oracle import dense, distribution, philox, quantiles
from hypothesis import given, settings, strategies as st

import brainfn as bf
import brainfn.event as ev
from brainfn.event import _prim
from brainfn.event._jit_counts import normal_quantiles, thresholds, tile_bits

SEED = 0x0123456789ABCDEF
SHAPE = (21, 46)
LAWS = {
    "homogeneous": (bf.init.Constant, (1.5,), (1.5,)),
    "uniform": (bf.init.Uniform, (-1.0, 2.0), (-1.0, 3.0)),
    "normal": (bf.init.Normal, (0.5, 0.25), (0.5, 0.25)),
}
# Every law of connectivity, with and without what restricts it.
PATTERNS = {
    "rows": {"probability": 0.1},
    "columns": {"probability": 0.3, "orientation": "columns", "autapses": False, "diagonal": 2},
    "tiles": {"probability": 0.2, "origin": (70, 1000), "autapses": False, "diagonal": 933},
    "dense": {"probability": 0.93, "origin": (3, 2040)},
    "fan_out": {"fan_out": 7, "autapses": False},
    "fan_in": {"fan_in": 9, "origin": (4, 1), "extent": 40, "autapses": False, "diagonal": -3},
}


def make(law, shape=SHAPE, dtype=None, seed=SEED, **pattern):
    cls, arguments, theta = LAWS[law]
    arguments = arguments if dtype is None else [np.asarray(x, dtype) for x in arguments]
    return ev.JIT(cls(*arguments), shape=shape, seed=seed, **pattern), dense(
        shape, seed, law, theta, **pattern
    )


def products(matrix, x, v):
    """Both products with vectors and batches, as floats and events, of the matrix and its
    transpose."""
    t = matrix.T
    some = x[:, 0] > 0, v[:, 0] > 0
    return (
        (x.T @ matrix, (t @ x).T, jax.vmap(lambda row: row @ matrix, 1)(x)),
        (matrix @ v, (v.T @ t).T, jax.vmap(lambda row: matrix @ row, 1, 1)(v)),
        (some[0] @ matrix, t @ some[0], x[:, 1] @ matrix),
        (matrix @ some[1], some[1] @ t, matrix @ v[:, 1]),
        (matrix.todense(), t.todense().T),
    )


def expected(oracle, x, v):
    events_x, events_v = (x[:, 0] > 0).astype(x.dtype), (v[:, 0] > 0).astype(v.dtype)
    left, right = events_x @ oracle, oracle @ events_v
    return (
        (x.T @ oracle,) * 3,
        (oracle @ v,) * 3,
        (left, left, x[:, 1] @ oracle),
        (right, right, oracle @ v[:, 1]),
        (oracle,) * 2,
    )


def vectors(shape, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(shape[0], 3)) * (rng.random((shape[0], 3)) < 0.6)
    return x, rng.normal(size=(shape[1], 3)) * (rng.random((shape[1], 3)) < 0.6)


@pytest.mark.parametrize(
    ("law", "pattern"),
    [
        ("homogeneous", "rows"),
        ("normal", "columns"),
        ("uniform", "tiles"),
        ("normal", "dense"),
        ("homogeneous", "fan_out"),
        ("uniform", "fan_in"),
    ],
)
def test_products_equal_the_specification(law, pattern):
    matrix, oracle = make(law, **PATTERNS[pattern])
    assert np.count_nonzero(oracle) > 0
    x, v = vectors(SHAPE)
    found = jax.jit(products)(matrix, x, v)
    # The same synapses and weights; only the order of summation differs.
    for got, want in zip(
        jax.tree.leaves(found), jax.tree.leaves(expected(oracle, x, v)), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
    csr = matrix.tocsr()
    np.testing.assert_array_equal(csr.todense(), oracle)
    np.testing.assert_array_equal(matrix.T.tocsr().todense(), oracle.T)
    np.testing.assert_array_equal(found[-1][0], oracle)


@pytest.mark.parametrize(
    ("law", "pattern"),
    [("normal", "columns"), ("uniform", "tiles"), ("homogeneous", "fan_out"), ("normal", "fan_in")],
)
def test_the_reference_lowering_makes_the_same_bits(monkeypatch, law, pattern):
    monkeypatch.setattr(_prim, "handler_available", lambda *args: False)
    matrix, oracle = make(law, **PATTERNS[pattern])
    x, v = vectors(SHAPE)

    @jax.jit
    def some(matrix, x, v):
        gradient = eqx.filter_grad(lambda m: jnp.vdot(v[:, 0], x[:, 0] @ m))(matrix)
        return matrix.todense(), x.T @ matrix, matrix @ v[:, 1], gradient

    found, left, right, gradient = some(matrix, jnp.asarray(x), jnp.asarray(v))
    np.testing.assert_array_equal(found, oracle)
    np.testing.assert_allclose(left, x.T @ oracle, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(right, oracle @ v[:, 1], rtol=1e-12, atol=1e-12)
    monkeypatch.undo()
    native = eqx.filter_grad(lambda m: jnp.vdot(v[:, 0], x[:, 0] @ m))(matrix)
    for a, b in zip(jax.tree.leaves(gradient), jax.tree.leaves(native), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def test_small_pieces_of_the_reference_make_the_same_matrix(monkeypatch):
    """Memory is bounded by taking few streams and tiles at a time."""
    from brainfn.event import _jit_reference

    monkeypatch.setattr(_prim, "handler_available", lambda *args: False)
    monkeypatch.setattr(_jit_reference, "_CHUNK", 1)
    pattern = {"probability": 0.01, "origin": (0, 1500)}
    matrix, oracle = make("uniform", shape=(9, 5000), **pattern)
    x = np.random.default_rng(0).normal(size=9)
    got = jax.jit(lambda m: x @ m)(matrix)
    np.testing.assert_allclose(got, x @ oracle, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_float32_has_the_same_synapses(law):
    matrix, oracle = make(law, dtype=np.float32, **PATTERNS["rows"])
    found = matrix.todense()
    assert found.dtype == np.float32
    # z is rounded to float32 once, and the weight once more or twice.
    np.testing.assert_allclose(found, oracle, rtol=0, atol=4e-7)
    np.testing.assert_array_equal(np.asarray(found) != 0, oracle != 0)
    x, v = vectors(SHAPE)
    single = [a.astype(np.float32) for a in (x, v)]
    for got, want in zip(
        jax.tree.leaves(jax.jit(products)(matrix, *single)),
        jax.tree.leaves(expected(oracle, x, v)),
        strict=True,
    ):
        # Sums of up to 46 terms of size 1: a few eps sqrt(n).
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5)


@settings(max_examples=12)
@given(
    st.sampled_from([(1, 1), (1, 70), (64, 1), (17, 33)]),
    st.sampled_from(list(LAWS)),
    st.sampled_from([0.05, 0.4, 0.99]),
    st.integers(0, 2**64 - 1),
    st.tuples(st.integers(0, 3000), st.integers(0, 3000)),
    st.booleans(),
)
def test_any_size_place_and_seed(shape, law, p, seed, origin, columns):
    pattern = {
        "probability": p,
        "origin": origin,
        "autapses": False,
        "diagonal": origin[1] - origin[0],
        "orientation": "columns" if columns else "rows",
    }
    matrix, oracle = make(law, shape=shape, seed=seed, **pattern)
    np.testing.assert_array_equal(matrix.todense(), oracle)
    assert not np.diag(oracle).any()


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
def test_empty_matrices(shape):
    matrix = ev.JIT(bf.init.Normal(0.0, 1.0), shape=shape, seed=1, probability=0.5)
    np.testing.assert_array_equal(np.ones(shape[0]) @ matrix, np.zeros(shape[1]))
    np.testing.assert_array_equal(matrix @ np.ones(shape[1]), np.zeros(shape[0]))
    assert matrix.todense().shape == matrix.tocsr().shape == shape


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_no_synapses_and_all(p):
    matrix = ev.JIT(2.0, shape=(30, 1500), seed=5, probability=p)
    np.testing.assert_array_equal(matrix.todense(), np.full((30, 1500), 2 * p))
    alone = ev.JIT(2.0, shape=(30, 30), seed=5, probability=p, autapses=False)
    np.testing.assert_array_equal(alone.todense(), 2 * p * (1 - np.eye(30)))


def test_full_fan_out_is_the_full_matrix():
    matrix = ev.JIT(1.0, shape=(8, 40), seed=5, fan_out=40)
    np.testing.assert_array_equal(matrix.todense(), np.ones((8, 40)))
    alone = ev.JIT(1.0, shape=(40, 40), seed=5, fan_in=39, autapses=False)
    np.testing.assert_array_equal(alone.todense(), 1 - np.eye(40))


def test_growing_leaves_the_existing_block():
    small = ev.JIT(bf.init.Normal(0.0, 1.0), shape=(20, 900), seed=3, probability=0.02)
    large = ev.JIT(bf.init.Normal(0.0, 1.0), shape=(31, 2500), seed=3, probability=0.02)
    np.testing.assert_array_equal(large.todense()[:20, :900], small.todense())
    rows = ev.JIT(bf.init.Uniform(0.0, 1.0), shape=(20, 90), seed=3, fan_out=5)
    more = ev.JIT(bf.init.Uniform(0.0, 1.0), shape=(33, 90), seed=3, fan_out=5)
    np.testing.assert_array_equal(more.todense()[:20], rows.todense())


@pytest.mark.parametrize("pattern", ["columns", "fan_out", "fan_in"])
def test_blocks_are_parts_of_the_matrix(pattern):
    matrix, oracle = make("normal", **PATTERNS[pattern])
    part = matrix.block(slice(3, 17), slice(11, None))
    np.testing.assert_array_equal(part.todense(), oracle[3:17, 11:])
    again = part.T.block(slice(2, 20), slice(4, 5))
    np.testing.assert_array_equal(again.todense(), oracle[3:17, 11:].T[2:20, 4:5])


def test_in_one_call_with_other_blocks():
    rng = np.random.default_rng(0)
    matrix, oracle = make("uniform", **PATTERNS["rows"])
    stored = ev.CSR.fromdense(rng.normal(size=(5, 40)) * (rng.random((5, 40)) < 0.3))
    spikes, y = jnp.asarray(rng.random(60) < 0.5), jnp.asarray(rng.normal(size=50))
    blocks = [ev.Block(stored, 0, 8, 0, 3), ev.Block(matrix, 0, 30, 0, 4), ev.Block(matrix.T, 0)]
    want = np.asarray(y).copy()
    want[3:43] += np.asarray(spikes)[8:13] @ np.asarray(stored.todense())
    want[4:50] += np.asarray(spikes)[30:51] @ oracle
    want[:21] += np.asarray(spikes)[:46] @ oracle.T
    (got,) = ev.block_matvec([y], [spikes], blocks)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [60_000])
def test_threads_and_many_tiles(n):
    """Large enough that the kernels share the work out among threads."""
    matrix = ev.JIT(bf.init.Uniform(0.0, 1.0), shape=(2000, n), seed=9, probability=0.001)
    csr = matrix.tocsr()
    rng = np.random.default_rng(1)
    x, v = rng.normal(size=(3, 2000)), rng.normal(size=(3, n))
    for a, b in ((matrix, csr), (matrix.T, csr.T)):
        rows, cols = (x, v) if a.shape[0] == 2000 else (v, x)
        np.testing.assert_allclose(rows @ a, rows @ b, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(a @ cols[0], b @ cols[0], rtol=1e-11, atol=1e-11)
    fixed = ev.JIT(1.0, shape=(2000, n), seed=9, fan_out=60)
    np.testing.assert_allclose(x @ fixed, x @ fixed.tocsr(), rtol=1e-11, atol=1e-11)


def test_tables():
    """The tables of the host against exact integers and another library."""
    for p in (2.0**-15, 0.0008, 0.3, 0.97, 1.0, 0.0):
        table = thresholds(p).astype(object)
        assert [(int(a) << 32) + int(b) for a, b in table] == distribution(1 << tile_bits(p), p)
    assert thresholds(1e-300).size == 0  # nothing to 64 bits
    np.testing.assert_array_equal(normal_quantiles(), quantiles())


def test_philox_known_answers():
    """Vectors published with Random123."""
    ones = (0xFFFFFFFF,) * 4
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
    from brainfn.event._jit_reference import philox as ours

    for counter, key, answer in (
        ((0, 0, 0, 0), (0, 0), (0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48)),
        (ones, ones[:2], (0x5207DDC2, 0x45165E59, 0x4D8EE751, 0x8C52F662)),
        (pi, (0xA4093822, 0x299F31D0), (0x4DFCCABA, 0x190A87F0, 0xC47362BA, 0xB6B5242A)),
    ):
        assert philox(counter, key) == answer
        words = [jnp.asarray([c], np.uint32) for c in counter]
        got = ours(words, [jnp.asarray(k, np.uint32) for k in key])
        assert tuple(int(w[0]) for w in got) == answer


def test_golden_values():
    """The numbers of docs/just_in_time.md: they must never change."""
    w = ev.JIT(1.0, shape=(4, 60), seed=42, probability=0.1)
    csr = w.tocsr()
    golden = GOLDEN["homogeneous"]
    rows = np.split(np.asarray(csr.indices), np.asarray(csr.indptr)[1:-1])
    assert [row.tolist() for row in rows] == golden
    fixed = ev.JIT(1.0, shape=(3, 1000), seed=2**63 + 1, fan_out=4).tocsr()
    assert fixed.indices.reshape(3, 4).tolist() == GOLDEN["fan_out"]
    for law, cls in (("uniform", bf.init.Uniform), ("normal", bf.init.Normal)):
        values = ev.JIT(cls(0.0, 1.0), shape=(1, 100), seed=42, probability=0.05).tocsr().data
        scale = 2**24 if law == "uniform" else 2**26
        assert [round(float(x) * scale) for x in values] == GOLDEN[law]


GOLDEN = {
    "homogeneous": [
        [12, 16, 19, 23, 29, 42, 47, 59],
        [28, 29, 39, 58],
        [11, 14, 19, 45, 49, 51],
        [42, 46, 51, 53, 54],
    ],
    "fan_out": [[270, 291, 660, 695], [29, 555, 577, 965], [131, 535, 730, 957]],
    "uniform": [6425800, 16390612, 14480714, 10218748],
    "normal": [19971153, -3878665, -23497478, -82638825],
}


def test_different_seeds_and_traced_seeds():
    seeds = jnp.asarray(np.random.default_rng(0).integers(0, 2**32, (3, 2), np.uint32))
    x = np.random.default_rng(1).normal(size=21)

    def product(seed):
        return x @ ev.JIT(bf.init.Normal(0.0, 1.0), shape=SHAPE, seed=seed, probability=0.2)

    together = jax.jit(jax.vmap(product))(seeds)
    for seed, got in zip(np.asarray(seeds), together, strict=True):
        oracle = dense(
            SHAPE, int(seed[0]) + (int(seed[1]) << 32), "normal", (0.0, 1.0), probability=0.2
        )
        np.testing.assert_allclose(got, x @ oracle, rtol=1e-12, atol=1e-12)


def test_parameters_are_leaves():
    matrix, _ = make("normal", **PATTERNS["rows"])
    moved = eqx.tree_at(lambda m: m.weight.mean, matrix, jnp.asarray(2.0))
    oracle = dense(SHAPE, SEED, "normal", (2.0, 0.25), **PATTERNS["rows"])
    np.testing.assert_array_equal(moved.todense(), oracle)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_laws_of_16_bits_are_summed_in_float32(dtype):
    """0.1 in 16 bits, 4000 times: a sum in bfloat16 stands still at 32."""
    n, value = 4000, jnp.asarray(0.1, dtype)
    matrix = ev.JIT(value, shape=(n, 2), seed=1, probability=1.0)
    got = jnp.ones(n, bool) @ matrix
    assert got.dtype == np.float32
    # Some 4000 additions of float32, each with half a unit in the last place of at most 400.
    np.testing.assert_allclose(got, n * float(value), rtol=1e-4)
    slope = jax.grad(lambda w: jnp.sum(jnp.ones(n, bool) @ matrix.with_weight(w)))(value)
    assert slope.dtype == dtype
    np.testing.assert_allclose(float(slope), 2 * n, rtol=1e-2)  # 8 bits of bfloat16


def test_other_parameters_of_the_same_law():
    matrix, _ = make("uniform", **PATTERNS["rows"])
    moved = matrix.with_weight(bf.init.Uniform(0.0, 1.0))
    oracle = dense(SHAPE, SEED, "uniform", (0.0, 1.0), **PATTERNS["rows"])
    np.testing.assert_array_equal(moved.todense(), oracle)
    bare = matrix.with_weight(None)
    assert not [x for x in jax.tree.leaves(bare) if jnp.issubdtype(x.dtype, jnp.floating)]
    np.testing.assert_array_equal(bare.with_weight(moved.weight).todense(), oracle)
    for wrong in (1.0, bf.init.Normal(0.0, 1.0)):
        with pytest.raises(TypeError, match="`weight` must be a law, init.Uniform"):
            matrix.with_weight(wrong)
    with pytest.raises(ValueError, match=r"`weight` must have shape \(\)"):
        matrix.with_weight(bf.init.Uniform(jnp.zeros(3), jnp.ones(3)))
