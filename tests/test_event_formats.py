"""Every format equals its dense matrix: products, blocks, gradients, batches, conversions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainfn.event as ev
from brainfn.event import _prim


def make(name, rng, dtype=np.float64):
    if name == "dense":
        return ev.Dense(jnp.asarray(rng.normal(size=(11, 37)).astype(dtype)))
    if name.startswith("fanout"):
        indices = np.sort(rng.integers(0, 37, (11, 5)), axis=1).astype(np.int32)
        data = rng.normal(size=() if name.endswith("scalar") else (11, 5))
        return ev.FixedFanout(jnp.asarray(np.asarray(data, dtype)), indices, shape=(11, 37))
    if name.startswith("one_to_one"):
        data = rng.normal(size=() if name.endswith("scalar") else 11)
        return ev.OneToOne(jnp.asarray(np.asarray(data, dtype)), 11)
    if name == "circulant":
        return ev.Circulant(rng.normal(size=11).astype(dtype))
    if name.startswith("all_to_all"):
        diagonal = 2 if name.endswith("but_own") else None
        return ev.AllToAll(np.asarray(rng.normal(), dtype), shape=(11, 37), diagonal=diagonal)
    rows, cols = rng.integers(0, 11, 60), rng.integers(0, 37, 60)
    return ev.CSR.fromcoo(
        jnp.asarray(rng.normal(size=60).astype(dtype)), rows, cols, shape=(11, 37)
    )


NAMES = [
    *("csr", "dense", "fanout", "fanout_scalar", "one_to_one", "one_to_one_scalar"),
    *("all_to_all", "all_to_all_but_own", "circulant"),
]


def replaced(matrix, data):
    """The same matrix with other weights, without validation, as `tree_at` would do it."""
    leaves, structure = jax.tree.flatten(matrix)
    leaves = [data if leaf is matrix.data else leaf for leaf in leaves]
    return jax.tree.unflatten(structure, leaves)


def dense_of(matrix, data):
    return jax.jit(lambda d: replaced(matrix, d).todense())(data)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_products_gradients_and_batches(monkeypatch, name, native):
    if not native:
        monkeypatch.setattr(_prim, "handler_available", lambda *args: False)
    rng = np.random.default_rng(0)
    matrix = make(name, rng)
    n, m = matrix.shape
    dense = np.asarray(matrix.todense())
    np.testing.assert_allclose(matrix.tocsr().todense(), dense, atol=1e-14)
    np.testing.assert_allclose(matrix.T.todense(), dense.T, atol=1e-14)
    x = jnp.asarray(rng.normal(size=(4, n)) * (rng.random((4, n)) < 0.5))
    v = jnp.asarray(rng.normal(size=(4, m)))
    weights = jnp.stack([matrix.data, 2 * matrix.data, -matrix.data, 0 * matrix.data])
    scales = np.array([1.0, 2.0, -1.0, 0.0])[:, None]

    @jax.jit
    def everything(x, v, weights):
        def left(x, data):
            return x @ replaced(matrix, data)

        def right(v, data):
            return replaced(matrix, data) @ v

        def loss(data):
            return jnp.sum(v * jax.vmap(left, (0, None))(x, data))

        def each(x, v, data):
            return jax.grad(lambda x, d: jnp.vdot(v, left(x, d)), (0, 1))(x, data)

        return (
            x @ matrix,
            (x != 0) @ matrix,
            matrix @ v.T,
            jax.vmap(left)(x, weights),
            jax.vmap(right)(v, weights),
            jax.grad(loss)(matrix.data),
            jax.vmap(each, (0, 0, None))(x, v, matrix.data),
            jax.jvp(left, (x[0], matrix.data), (x[1], weights[1])),
        )

    out = everything(x, v, weights)
    xs, vs = np.asarray(x), np.asarray(v)
    np.testing.assert_allclose(out[0], xs @ dense, atol=1e-12)
    np.testing.assert_allclose(out[1], (xs != 0) @ dense, atol=1e-12)
    np.testing.assert_allclose(out[2], dense @ vs.T, atol=1e-12)
    np.testing.assert_allclose(out[3], scales * (xs @ dense), atol=1e-12)
    np.testing.assert_allclose(out[4], scales * (vs @ dense.T), atol=1e-12)
    wanted = [
        jax.grad(lambda d, i=i: jnp.sum(xs[i][:, None] * vs[i][None] * dense_of(matrix, d)))(
            matrix.data
        )
        for i in range(4)
    ]
    np.testing.assert_allclose(out[5], sum(wanted), atol=1e-12)
    np.testing.assert_allclose(out[6][0], vs @ dense.T, atol=1e-12)
    np.testing.assert_allclose(out[6][1], jnp.stack(wanted), atol=1e-12)
    np.testing.assert_allclose(out[7][1], (xs[1] + 2 * xs[0]) @ dense, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_formats_in_one_call(dtype):
    rng = np.random.default_rng(1)
    matrices = [make(name, rng, dtype) for name in NAMES]
    blocks = [ev.Block(m, 0, i, 0, 2 * i) for i, m in enumerate(matrices)]
    spikes = jnp.asarray(rng.random(20) < 0.5)
    need = jnp.asarray(rng.random(20) < 0.5)
    start = jnp.asarray(rng.normal(size=55).astype(dtype))
    wanted, back = np.array(start, np.float64), np.zeros(20)
    ct = rng.normal(size=55)
    for i, m in enumerate(matrices):
        d = np.asarray(m.todense(), np.float64)
        wanted[2 * i : 2 * i + d.shape[1]] += np.asarray(spikes)[i : i + d.shape[0]] @ d
        back[i : i + d.shape[0]] += d @ ct[2 * i : 2 * i + d.shape[1]]

    def run(x):
        return ev.block_matvec((start,), (x,), blocks, needs=(need,))[0]

    atol = 1e-12 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(run(spikes), wanted, atol=atol)
    out, pullback = jax.vjp(run, spikes.astype(dtype))
    np.testing.assert_allclose(out, wanted, atol=atol)
    (got,) = pullback(jnp.asarray(ct.astype(dtype)))
    np.testing.assert_allclose(got, np.where(need, back, 0), atol=atol)


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: ev.Dense(np.ones(3)), ValueError, "Dense: data must be a matrix"),
        (
            lambda: ev.Dense(np.full((2, 2), np.nan)),
            ValueError,
            "Dense: data must be finite, got nan at position 0",
        ),
        (lambda: ev.FixedFanout(1.0, [[0, 3]], shape=(1, 3)), ValueError, "got 3 at position 1"),
        (lambda: ev.FixedFanout(1.0, [[2, 0]], shape=(1, 3)), ValueError, "must ascend within"),
        (
            lambda: ev.FixedFanout(1.0, [[0]], shape=(2, 3)),
            ValueError,
            r"indices must have shape \(2,",
        ),
        (
            lambda: ev.FixedFanout(np.ones(2), [[0, 1]], shape=(1, 3)),
            ValueError,
            "shape of indices",
        ),
        (lambda: ev.OneToOne(1.0), ValueError, "size is needed"),
        (lambda: ev.AllToAll(np.ones(2), shape=(1, 2)), ValueError, "one number, got shape"),
        (lambda: ev.AllToAll(np.nan, shape=(1, 2)), ValueError, "must be finite"),
        (lambda: ev.AllToAll(1.0, shape=(1, 2), diagonal=0.5), TypeError, "diagonal must be a"),
        (lambda: ev.AllToAll(1.0, shape=(1 << 16, 1 << 16)).tocsr(), ValueError, "too many"),
        (
            lambda: ev.on_pre(ev.AllToAll(1.0, shape=(1, 2)), np.ones(1, bool)),
            TypeError,
            "store its weights",
        ),
        (lambda: ev.Circulant(1.0), ValueError, "one weight for each distance"),
        (lambda: ev.Circulant([1.0, np.nan]), ValueError, "finite, got nan at position 1"),
        (lambda: ev.Circulant(np.ones(3)).with_weight(np.ones(2)), ValueError, r"or \(3,\)"),
        (
            lambda: ev.on_pre(ev.Circulant(np.ones(2)), np.ones(2, bool)),
            TypeError,
            "store its weights",
        ),
        (lambda: ev.OneToOne(np.ones(3), 4), ValueError, "but size is 4"),
        (lambda: ev.OneToOne(np.ones((3, 3))), ValueError, "one number or a vector"),
    ],
)
def test_wrong_parts_raise(build, error, words):
    with pytest.raises(error, match=words):
        build()
