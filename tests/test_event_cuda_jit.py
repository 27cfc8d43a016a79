"""The CUDA kernels of just-in-time blocks and of updates, run on the CPU."""

import _emulated_cuda
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainfn as bf
import brainfn.event as ev
from brainfn.event import _bilinear
from brainfn.event._jit_reference import HOMOGENEOUS, NORMAL, UNIFORM

LAWS = {
    HOMOGENEOUS: lambda a, b, **kw: ev.JIT(a, **kw),
    UNIFORM: lambda a, b, **kw: ev.JIT(bf.init.Uniform(a, a + b), **kw),
    NORMAL: lambda a, b, **kw: ev.JIT(bf.init.Normal(a, b), **kw),
}
# Several tiles of 1024 positions in both directions, or one.
PATTERNS = {
    "rows": {"shape": (37, 2500), "probability": 0.02, "orientation": "rows", "origin": (5, 1000)},
    "columns": {
        "shape": (2500, 37),
        "probability": 0.02,
        "orientation": "columns",
        "autapses": False,
    },
    "narrow": {"shape": (70, 20), "probability": 0.5, "orientation": "rows", "autapses": False},
    "all": {"shape": (40, 30), "probability": 1.0},
    "none": {"shape": (40, 30), "probability": 0.0},
    "fan_out": {"shape": (37, 400), "fan_out": 60, "autapses": False, "diagonal": 3},
    "fan_in": {"shape": (300, 37), "fan_in": 45, "origin": (100, 0), "extent": 600},
}


@pytest.fixture(scope="module")
def emulated():
    with _emulated_cuda.operators() as lib:
        yield lib


def dense(pattern, law):
    """Where there are synapses, and z; the listing has tests of its own."""
    counts, positions, z = pattern.synapses(law, "test")
    streams = np.repeat(np.arange(counts.size), counts)
    at = (positions, streams) if pattern.columns else (streams, positions)
    present, zs = np.zeros(pattern.shape), np.zeros(pattern.shape)
    present[at], zs[at] = 1.0, z
    return present, zs


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("name", PATTERNS)
def test_just_in_time_products(emulated, monkeypatch, name, deterministic):
    monkeypatch.setattr(_bilinear, "deterministic", lambda: deterministic)
    jax.clear_caches()  # it is read when a function is compiled
    law = list(PATTERNS).index(name) % 3
    rng = np.random.default_rng(law)
    kind = PATTERNS[name]
    n_rows, n_cols = kind["shape"]

    def make(a, b):
        return LAWS[law](a, b, seed=7, **kind)

    present, zs = dense(make(1.0, 1.0).pattern, law)
    assert present.sum() > 20 or name == "none"
    a, b = jnp.asarray(0.7), jnp.asarray(0.3)
    matrix = 0.7 * present + (0.3 * zs if law != HOMOGENEOUS else 0.0)
    x = rng.standard_normal((3, n_rows)) * (rng.random((3, n_rows)) < 0.4)
    need = rng.random(n_rows) < 0.5
    v = rng.standard_normal((3, n_cols))

    def left(x, a, b):
        w = make(a, b)
        return jax.vmap(lambda x: ev.matvec(x, w, need=jnp.asarray(need)))(x)

    got, pull = jax.vjp(left, jnp.asarray(x), a, b)
    # Another order of at most some thousand additions.
    close = {"rtol": 1e-12, "atol": 1e-11}
    np.testing.assert_allclose(got, x @ matrix, **close)
    got_x, got_a, got_b = pull(jnp.asarray(v))
    np.testing.assert_allclose(got_x, v @ matrix.T * need, **close)
    np.testing.assert_allclose(got_a, np.einsum("bi,ij,bj", x, present, v), **close)
    expected = 0.0 if law == HOMOGENEOUS else np.einsum("bi,ij,bj", x, zs, v)
    np.testing.assert_allclose(got_b, expected, **close)

    def right(v, a, b):
        return make(a, b) @ v

    got, pull = jax.vjp(right, jnp.asarray(v[0]), a, b)
    np.testing.assert_allclose(got, matrix @ v[0], **close)
    got_v, got_a, got_b = pull(jnp.asarray(x[0]))
    np.testing.assert_allclose(got_v, x[0] @ matrix, **close)
    np.testing.assert_allclose(got_a, x[0] @ present @ v[0], **close)
    np.testing.assert_allclose(jnp.asarray(x[0] != 0) @ make(a, b), (x[0] != 0) @ matrix, **close)


def test_just_in_time_in_float32_and_in_any_order(emulated, monkeypatch):
    x = np.random.default_rng(1).standard_normal(37).astype(np.float32)
    kind = PATTERNS["rows"]
    w = ev.JIT(bf.init.Normal(jnp.float32(1.0), jnp.float32(0.5)), seed=1, **kind)
    wide = ev.JIT(bf.init.Normal(1.0, 0.5), seed=1, **kind)
    bits = {}
    for deterministic in (False, True):
        monkeypatch.setattr(_bilinear, "deterministic", lambda d=deterministic: d)
        jax.clear_caches()  # it is read when a function is compiled
        for order in range(4):
            emulated.brainfn_emulated_order(order)
            y, pull = jax.vjp(lambda w: x @ w, w)
            (grad,) = pull(y)
            bits.setdefault(deterministic, set()).add(
                (y.tobytes(), grad.weight.mean.tobytes(), grad.weight.std.tobytes())
            )
            # Some 40 additions in float32.
            np.testing.assert_allclose(y, x.astype(float) @ wide, rtol=1e-5, atol=1e-5)
    assert len(bits[True]) == 1 and len(bits[False]) > 1


@pytest.mark.parametrize(
    ("layout", "dtype"),
    [
        ("csr", np.float64),
        ("csr", np.float16),
        ("csc", np.float32),
        ("dense", np.float64),
        ("fanout", np.float32),
    ],
)
def test_updates(emulated, layout, dtype):
    rng = np.random.default_rng(2)
    n_rows, n_cols = 30, 40
    where = rng.random((n_rows, n_cols)) < (1.0 if layout == "dense" else 0.3)
    if layout == "fanout":
        where = np.argsort(rng.random((n_rows, n_cols)), axis=1) < 9
    full = (rng.random((n_rows, n_cols)) * where).astype(dtype)
    csr = ev.CSR.fromdense(full)
    wide = csr.vector_dtype
    if layout == "dense":
        w = ev.Dense(full)
    elif layout == "csc":
        w = csr.tocsc()
    elif layout == "fanout":
        w = ev.FixedFanout(
            csr.data.reshape(n_rows, 9), csr.indices.reshape(n_rows, 9), shape=csr.shape
        )
    else:
        w = csr
    pre, post = rng.random((3, n_rows)) < 0.4, rng.random((3, n_cols)) < 0.4
    a_post, a_pre = (rng.standard_normal((3, n)).astype(wide) for n in (n_cols, n_rows))
    columns = w.column_index() if layout in ("csr", "fanout") else None

    def step(pre, post, a_post, a_pre):
        bounds = {"factor": -0.5, "lower": 0.0, "upper": 0.9}
        new = ev.on_pre(w, pre, a_post, **bounds)
        return ev.on_post(new, post, a_pre, columns=columns, **bounds).todense()

    got = jax.vmap(step)(*map(jnp.asarray, (pre, post, a_post, a_pre)))
    for e in range(3):
        m = full.astype(np.float64)
        new = np.clip(m + a_post[e].astype(float) - 0.5 * m, 0.0, 0.9)
        m = np.where(where & pre[e][:, None], new, m).astype(dtype).astype(np.float64)
        new = np.clip(m + a_pre[e][:, None].astype(float) - 0.5 * m, 0.0, 0.9)
        m = np.where(where & post[e][None, :], new, m)
        # The same arithmetic, rounded to the dtype of the weights twice.
        np.testing.assert_allclose(got[e], m, atol=8 * float(jnp.finfo(dtype).eps), rtol=0)
