"""Functions as generated kernels: shapes, batches, derivatives, and what stays with XLA."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainfn as bf

N = 1237


def membrane(constants, context, variables):
    """All kinds of shapes: numbers, arrays, parts of arrays."""
    tau, g = constants
    current, some = context
    v, w = variables
    rest = jax.lax.pad(g[:700] * v[100:800], jnp.zeros((), v.dtype), [(100, v.shape[-1] - 800, 0)])
    pieces = jnp.concatenate([v[:300] * 2, v[300:] + some])
    at = jnp.arange(v.shape[0], dtype=v.dtype)
    new = v + 0.1 * ((current - v) / tau + rest - jnp.tanh(w) + 1e-3 * pieces) + 1e-6 * at
    return (new, w * jnp.exp(-0.1 / tau)), new > 0.2


fast = bf.kernel.generated(membrane)


def arguments(n=N, dtype=jnp.float64, seed=0):
    rng = np.random.default_rng(seed)
    v, w, g = (jnp.asarray(rng.normal(size=n), dtype) for _ in range(3))
    some = jnp.asarray(rng.normal(size=n - 300), dtype)
    return (jnp.asarray(10.0, dtype), g), (jnp.asarray(0.3, dtype), some), (v, w)


def how(name):
    return bf.kernel.reports()[name]


def close(a, b, scale=8):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape
        if jnp.issubdtype(x.dtype, jnp.floating):
            np.testing.assert_allclose(x, y, rtol=0, atol=scale * jnp.finfo(x.dtype).eps * 4)
        else:
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_slices_pads_and_parts(dtype):
    given = arguments(dtype=dtype)
    ours = jax.jit(lambda *xs: fast("parts", N, *xs))(*given)
    assert how("parts") == "generated"
    close(ours, jax.jit(membrane)(*given))


def test_under_vmap_of_any_axes():
    constants, context, (v, w) = arguments()
    many = jnp.stack([v, 2 * v, -v])
    for axes, x, name in ((0, many, "rows"), (1, many.T, "columns")):
        ours = jax.jit(
            jax.vmap(
                lambda v, w, tau, name=name: fast(name, N, (tau, constants[1]), context, (v, w)),
                in_axes=(axes, None, 0),
            )
        )(x, w, jnp.asarray([5.0, 10.0, 20.0]))
        # Parts of an array whose neighbours are far apart are left to XLA.
        assert how(name) == ("generated" if axes == 0 else "XLA: a part of a transposed array")
        xla = jax.vmap(
            lambda v, w, tau: membrane((tau, constants[1]), context, (v, w)), (0, None, 0)
        )(many, w, jnp.asarray([5.0, 10.0, 20.0]))
        close(ours, xla)


def test_a_transposed_batch():
    def step(constants, context, variables):
        (x,) = variables
        del context
        return (x * jnp.exp(constants),), x > 0

    once = bf.kernel.generated(step)
    x = jnp.asarray(np.random.default_rng(2).normal(size=(N, 3)))
    scale = jnp.linspace(-1.0, 1.0, N)
    run = jax.vmap(lambda x: once("across", N, scale, (), (x,)), in_axes=1)
    ours = jax.jit(run)(x)
    assert how("across") == "generated"
    close(ours, jax.vmap(lambda x: step(scale, (), (x,)), in_axes=1)(x))


def test_a_number_has_the_same_bits_wherever_it_is():
    def step(constants, context, variables):
        (x,) = variables
        del context
        return (x * jnp.exp(-0.1 / constants) + jnp.sin(x) / (1 + x * x),), ()

    one = bf.kernel.generated(step)
    x = jnp.asarray(np.random.default_rng(1).normal(size=5000))
    tau = jnp.asarray(7.0)
    run = jax.jit(lambda x, tau: one("anywhere", 5000, tau, (), (x,))[0][0])
    whole = run(x, tau)
    assert how("anywhere") == "generated"
    np.testing.assert_array_equal(run(x[37:1501], tau), whole[37:1501])
    # One number for all gives the same as one for each.
    np.testing.assert_array_equal(run(x, jnp.full(5000, 7.0)), whole)
    np.testing.assert_array_equal(
        jax.jit(jax.vmap(run, (0, None)))(x.reshape(5, 1000), tau).ravel(), whole
    )


def test_derivatives_of_any_order_are_those_of_the_function():
    constants, context, (v, w) = arguments()

    def total(function):
        def of(tau):
            (new, after), _ = function((tau, constants[1]), context, (v, w))
            return jnp.sum(new**2) + jnp.sum(after)

        return of

    ours = total(lambda *xs: fast("derivatives", N, *xs))
    tau = jnp.asarray(9.0)
    for order in (jax.grad, lambda f: jax.grad(jax.grad(f)), jax.hessian):
        np.testing.assert_allclose(
            jax.jit(order(ours))(tau), order(total(membrane))(tau), rtol=1e-12
        )


def test_what_kernels_do_not_know_runs_on_xla_and_says_so():
    def running(constants, context, variables):
        (x,) = variables
        del constants, context
        return (jnp.cumsum(x),), ()

    def sorted_parameters(constants, context, variables):
        (x,) = variables
        return (x * jnp.sort(constants) + context,), ()

    x = jnp.linspace(0.0, 1.0, N)
    out, _ = jax.jit(lambda x: bf.kernel.generated(running)("running", N, (), (), (x,)))(x)
    np.testing.assert_allclose(out[0], np.cumsum(x))
    assert how("running") == f"XLA: it uses `cumsum` of float64[{N}]"
    # What does not depend on the variables may be anything.
    once = bf.kernel.generated(sorted_parameters)
    out, _ = jax.jit(lambda x: once("sorted", N, x[::-1], jnp.sum(x), (x,)))(x)
    assert how("sorted") == "generated"
    np.testing.assert_allclose(out[0], x * x + jnp.sum(x))


def test_small_arrays_and_switched_off(monkeypatch):
    def double(constants, context, variables):
        del constants, context
        return (variables[0] * 2,), ()

    twice = bf.kernel.generated(double)
    x = jnp.arange(100.0)
    np.testing.assert_array_equal(twice("small", 100, (), (), (x,))[0][0], x * 2)
    assert "small" not in bf.kernel.reports()
    # The size is that of the whole network: it decides, not the array.
    np.testing.assert_array_equal(twice("part", 1000, (), (), (x,))[0][0], x * 2)
    assert how("part") == "generated"
    monkeypatch.setenv("BRAINFN_GENERATE", "0")
    np.testing.assert_array_equal(
        jax.jit(lambda x: twice("off", 1000, (), (), (x + 1,))[0][0])(x), (x + 1) * 2
    )
    assert how("off") == "XLA: generated kernels are turned off"


def test_half_precision_and_empty_arrays_stay_with_xla():
    def double(constants, context, variables):
        del constants, context
        return (variables[0] * 2,), ()

    twice = bf.kernel.generated(double)
    for name, x in (("half", jnp.arange(600, dtype=jnp.bfloat16)), ("none", jnp.zeros(0))):
        out = jax.jit(lambda x, name=name: twice(name, 1000, (), (), (x,))[0][0])(x)
        np.testing.assert_array_equal(out, x * 2)


def test_a_summary_says_how_a_network_runs():
    net, drive = bf.zoo.vogels_abbott(scale=0.2, key=jax.random.key(0), surrogate=None)
    assert "kernels, as last compiled on CPU" in net.summary()
    key = jax.random.key(1)
    bf.simulate(net, inputs=drive, duration=5.0, dt=0.1, key=key)
    assert "  exc, inh: generated" in net.summary()
    count = bf.record.SpikeCount()
    bf.simulate(net, inputs=drive, duration=15.0, dt=0.1, key=key, record=count)
    assert "  the loop over steps: generated" in net.summary()
    assert bf.config_dict()["generated"]["exc, inh"] == "generated"


def test_wrong_functions_and_settings_are_refused(monkeypatch):
    with pytest.raises(TypeError, match="`function` must be a function, got 3"):
        bf.kernel.generated(3)
    x = jnp.zeros(N)
    less = bf.kernel.generated(lambda constants, context, variables: (variables[0], ()))
    with pytest.raises(TypeError, match="'less' must return .variables, output."):
        less("less", N, (), (), (x,))
    monkeypatch.setenv("BRAINFN_GENERATE", "no")
    with pytest.raises(ValueError, match="BRAINFN_GENERATE must be 0 or 1, got 'no'"):
        jax.jit(lambda *xs: fast("setting", N, *xs))(*arguments())
