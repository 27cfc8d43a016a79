"""bfloat16 and float16 weights: products are those of the same numbers in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _event_cases import FORMATS, NO_KERNEL, is_scalar, with_data

import brainfn.event as ev
from brainfn.event import _prim

HALF = [jnp.float16, jnp.bfloat16]
NAMES = [name for name in FORMATS if name not in ("wide_csc", "long_delayed")]


# The reference does not distinguish these from other formats.
ALIKE = ("csr_transposed", "fan_out_transposed", "one_to_one", *NO_KERNEL)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize(
    ("name", "native"),
    [(name, native) for name in NAMES for native in (True, False) if native or name not in ALIKE],
)
def test_products_and_gradients(monkeypatch, name, dtype, native):
    if not native:
        monkeypatch.setattr(_prim, "handler_available", lambda *args: False)
    rng = np.random.default_rng(0)
    case = FORMATS[name](rng, 9, 11, is_scalar(name, False), np.float32)
    n, m = case.shape
    x = (rng.normal(size=(3, n)) * (rng.random((3, n)) < 0.6)).astype(np.float32)
    v = rng.normal(size=(3, m)).astype(np.float32)
    half = case.data.astype(dtype)

    @jax.jit
    def run(x, v, data):
        def loss(x, d, v):
            return jnp.vdot(v, case.left(x, d))

        return (
            jax.vmap(case.left, (0, None))(x, data),
            case.left((x[0] != 0), data),
            case.right(v[0], data),
            jax.grad(loss, (0, 1))(x[0], data, v[0]),
            jax.vmap(jax.grad(loss, 1), (0, None, 0))(x, data, v),
            jax.jvp(case.left, (x[0], data), (x[1], data))[1],
        )

    out = run(x, v, half)
    a = case.dense(np.asarray(half, np.float64))
    close = {"rtol": 0, "atol": 2e-5}  # float32 sums of a few dozen numbers of order one
    np.testing.assert_allclose(out[0], x.astype(float) @ a, **close)
    np.testing.assert_allclose(out[1], (x[0] != 0) @ a, **close)
    np.testing.assert_allclose(out[2], a @ v[0], **close)
    np.testing.assert_allclose(out[3][0], a @ v[0], **close)
    np.testing.assert_allclose(out[5], (x[0] + x[1]).astype(float) @ a, **close)
    assert all(y.dtype == np.float32 for y in (out[0], out[1], out[2], out[3][0]))
    # The weight gradient is rounded to the weights' dtype, once.
    eps = float(jnp.finfo(dtype).eps)
    for b, g in ((0, out[3][1]), *enumerate(out[4])):
        assert g.dtype == dtype
        wanted = case.weight_gradient(x[b].astype(float), v[b].astype(float))
        np.testing.assert_allclose(np.asarray(g, np.float64), wanted, rtol=eps, atol=1e-6)


@pytest.mark.parametrize("dtype", HALF)
def test_every_number_is_converted_as_by_numpy(dtype):
    """All 65536 weights as they are loaded, and float32 numbers of all sizes as they are stored.

    But for subnormal float32 numbers, which XLA takes for zero."""
    bits = np.arange(2**16, dtype=np.uint16)
    all_numbers = bits.view(dtype)
    size = np.abs(all_numbers.astype(np.float32))
    usable = np.isfinite(size) & ((size == 0) | (size >= np.finfo(np.float32).tiny))
    data = jnp.asarray(all_numbers[usable])
    n = data.shape[0]
    matrix = ev.OneToOne(data, n)
    np.testing.assert_array_equal(np.ones(n, bool) @ matrix, np.asarray(data, np.float32))
    infinite = jnp.asarray(np.array([np.inf, -np.inf, np.nan], np.float32)).astype(dtype)
    out = jax.jit(lambda d: np.ones(3, bool) @ with_data(ev.OneToOne(jnp.ones(3, dtype)), d))
    np.testing.assert_array_equal(out(infinite), [np.inf, -np.inf, np.nan])
    rng = np.random.default_rng(0)
    x = (rng.normal(size=20000) * 2.0 ** rng.integers(-40, 30, 20000)).astype(np.float32)
    halves = np.asarray(data, np.float32)[1 : n // 2 - 1]
    middle = ((halves[1:].astype(np.float64) + halves[:-1]) / 2).astype(np.float32)  # ties
    extreme = np.array([0.0, -0.0, 65519.9, 65520.0, np.inf, -np.inf, np.nan], np.float32)
    x = np.concatenate([x, middle, extreme])
    zeros = ev.OneToOne(jnp.zeros(x.size, dtype))
    # Traced: known numbers that are NaN are refused.
    stored = jax.jit(lambda x: ev.on_pre(zeros, np.ones(x.size, bool), x).data)(x)
    with np.errstate(over="ignore"):
        wanted = x.astype(dtype)
    np.testing.assert_array_equal(np.asarray(stored, np.float32), wanted.astype(np.float32))


@pytest.mark.parametrize("dtype", HALF)
def test_updates(dtype):
    rng = np.random.default_rng(1)
    case = FORMATS["csr"](rng, 20, 20, False, np.float32)
    matrix = with_data(case.matrix, case.data.astype(dtype))
    s = rng.random(20) < 0.5
    change = rng.normal(size=20).astype(np.float32)
    new = ev.on_pre(matrix, s, change, factor=-0.2, lower=-0.5, upper=0.5)
    assert new.data.dtype == dtype
    old = np.asarray(matrix.data, np.float64)
    moved = np.clip(old + change[case.cols] - 0.2 * old, -0.5, 0.5)
    wanted = np.where(s[case.rows], moved, old)
    eps = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(new.data, np.float64), wanted, rtol=eps, atol=1e-6)


def test_half_spikes_are_widened_and_float64_is_refused():
    matrix = ev.Dense(jnp.ones((3, 2), jnp.bfloat16))
    assert matrix.vector_dtype == np.float32
    for dtype in HALF:
        np.testing.assert_array_equal(jnp.ones(3, dtype) @ matrix, [3.0, 3.0])
    with pytest.raises(TypeError, match="x has dtype float64"):
        np.ones(3) @ matrix
