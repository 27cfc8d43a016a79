"""Every format through every transformation, natively and by the reference, against dense NumPy."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _event_cases import FORMATS, MANY, NO_KERNEL, SCALAR

import brainfn.event as ev
from brainfn.event import _prim

CASES = [(name, False) for name in FORMATS if name not in SCALAR]
CASES += [(name, True) for name in FORMATS if name not in MANY]


def close(got, wanted, atol=1e-12):
    np.testing.assert_allclose(got, wanted, rtol=0, atol=atol)


def everything(case):
    """All transformations of the products in one compiled function: one compilation is cheaper
    than twelve."""

    @jax.jit
    def run(x, v, data):
        def loss(x, data, v):
            return jnp.vdot(v, case.left(x, data))

        one = data[0]
        return {
            "vmap x": jax.vmap(case.left, (0, None))(x, one),
            "vmap bool": jax.vmap(case.left, (0, None))(x != 0, one),
            "vmap data": jax.vmap(case.left, (None, 0))(x[0], data),
            "vmap both": jax.vmap(case.left)(x, data),
            "vmap right": jax.vmap(case.right)(v, data),
            "nested": jax.vmap(jax.vmap(case.left, (0, None)), (None, 0))(x, data),
            "nested last": jax.vmap(jax.vmap(case.left, (None, 0)), (0, None), 1)(x, data),
            "jvp": jax.jvp(case.left, (x[0], one), (x[1], data[1])),
            "jvp right": jax.jvp(case.right, (v[0], one), (v[1], data[1])),
            "grad": jax.grad(loss, (0, 1))(x[0], one, v[0]),
            "grad bool": jax.grad(lambda d: jnp.vdot(v[0], case.left(x[0] != 0, d)))(one),
            "grad right": jax.grad(lambda v, d: jnp.vdot(x[0], case.right(v, d)), (0, 1))(
                v[0], one
            ),
            "vmap of grad": jax.vmap(jax.grad(loss, (0, 1)), (0, None, 0))(x, one, v),
            "grad of vmap": jax.grad(
                lambda d: jnp.sum(jax.vmap(loss, (0, None, 0))(x, d, v))
            )(one),
            "mixed": jax.jacfwd(lambda d: jax.grad(loss)(x[0], d, v[0]))(one),
        }  # fmt: skip

    return run


# The reference does not distinguish these from other formats.
ALIKE = ("wide_csc", "long_delayed", "csr_transposed", "fan_out_transposed", *NO_KERNEL)


@pytest.mark.parametrize(
    ("name", "scalar", "native"),
    [
        (*case, native)
        for case in CASES
        for native in (True, False)
        if native or case[0] not in ALIKE
    ],
)
def test_transformations(monkeypatch, name, scalar, native):
    if not native:
        monkeypatch.setattr(_prim, "handler_available", lambda *args: False)
    elif ev.kernels()["scatter"] == "reference":
        pytest.skip("no native library")
    rng = np.random.default_rng(0)
    case = FORMATS[name](rng, 9, 11, scalar, np.float64)
    n, m = case.shape
    x = rng.normal(size=(3, n)) * (rng.random((3, n)) < 0.6)
    v = rng.normal(size=(3, m))
    data = rng.normal(size=(3, *case.data.shape))
    run = everything(case)
    arguments = [jnp.asarray(a) for a in (x, v, data)]
    text = run.lower(*arguments).as_text()
    assert bool(re.search("brainfn_(scatter|gather|sddmm)", text)) == (
        native and name not in NO_KERNEL
    )
    out = run(*arguments)
    a = case.dense(data)
    close(out["vmap x"], x @ a[0])
    close(out["vmap bool"], (x != 0) @ a[0])
    close(out["vmap data"], np.einsum("i,bij->bj", x[0], a))
    close(out["vmap both"], np.einsum("bi,bij->bj", x, a))
    close(out["vmap right"], np.einsum("bij,bj->bi", a, v))
    close(out["nested"], np.einsum("ci,bij->bcj", x, a))
    close(out["nested last"], np.einsum("ci,bij->bcj", x, a))
    close(out["jvp"][0], x[0] @ a[0])
    close(out["jvp"][1], x[1] @ a[0] + x[0] @ a[1])
    close(out["jvp right"][1], a[0] @ v[1] + a[1] @ v[0])
    close(out["grad"][0], a[0] @ v[0])
    close(out["grad"][1], case.weight_gradient(x[0], v[0]))
    close(out["grad bool"], case.weight_gradient(x[0] != 0, v[0]))
    close(out["grad right"][0], x[0] @ a[0])
    close(out["grad right"][1], case.weight_gradient(x[0], v[0]))
    close(out["vmap of grad"][0], v @ a[0].T)
    each = [case.weight_gradient(x[b], v[b]) for b in range(3)]
    close(out["vmap of grad"][1], np.stack(each))
    close(out["grad of vmap"], sum(each))
    # d/dW of W @ v: one column of the identity for each stored element.
    mixed = np.zeros((n, case.rows.size))
    np.add.at(mixed, (case.rows, np.arange(case.rows.size)), v[0][case.cols])
    mixed = case.by_weight(mixed)
    close(out["mixed"], mixed)
