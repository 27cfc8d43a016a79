"""Event-driven derivatives: rows that need nothing cost nothing, and change nothing."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainfn.event as ev


def triangle(z, width=1.0):
    """A surrogate of compact support: Heaviside with the derivative of a triangle."""

    @jax.custom_jvp
    def spike(z):
        return (z >= 0).astype(z.dtype)

    spike.defjvp(
        lambda p, t: (spike(p[0]), jnp.maximum(0, 1 - jnp.abs(p[0]) / width) / width * t[0])
    )
    return spike(z)


def random_matrix(seed, n=30, k=6):
    rng = np.random.default_rng(seed)
    rows, cols = rng.integers(0, n, n * k), rng.integers(0, n, n * k)
    return rng, ev.CSR.fromcoo(rng.normal(size=n * k), rows, cols, shape=(n, n))


def with_data(matrix, data):
    return ev.CSR(data, matrix.indices, matrix.indptr, shape=matrix.shape)


def recurrent_loss(product, data, v, steps=8):
    """Leaky units that spike into each other; `product(spikes, need, data)` couples them."""

    def step(v, _):
        s = triangle(v - 1.0, 0.5)
        need = jnp.abs(v - 1.0) < 0.5
        return 0.9 * v - 0.5 * s + product(s, need, data), s

    v, s = jax.lax.scan(step, v, None, length=steps)
    return jnp.sum(v**2) + jnp.sum(s)


def test_needed_rows_suffice_for_a_compact_surrogate():
    """Backpropagation through time with masks equals the one without, and the dense one."""
    rng, matrix = random_matrix(0)
    v = jnp.asarray(rng.normal(size=30) + 0.7)

    def full(s, need, data):
        return s @ with_data(matrix, data)

    def masked(s, need, data):
        return ev.matvec(s, with_data(matrix, data), need=need)

    def blocks(s, need, data):
        block = ev.Block(with_data(matrix, data))
        return ev.block_matvec((jnp.zeros(30),), (s,), (block,), needs=(need,))[0]

    def dense(s, need, data):
        rows = jnp.repeat(jnp.arange(30), jnp.diff(matrix.indptr), total_repeat_length=matrix.nnz)
        return s @ jnp.zeros((30, 30)).at[rows, matrix.indices].add(data)

    wanted = jax.grad(lambda d, v: recurrent_loss(dense, d, v), (0, 1))(matrix.data, v)
    assert np.abs(wanted[0]).max() > 1e-3
    for product in (full, masked, blocks):

        def loss(d, v, product=product):
            return recurrent_loss(product, d, v)

        got = jax.jit(jax.grad(loss, (0, 1)))(matrix.data, v)
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
        batch = jax.vmap(jax.grad(loss), (None, 0))(matrix.data, jnp.stack([v, v + 0.1]))
        np.testing.assert_allclose(batch[0], wanted[0], rtol=1e-10, atol=1e-12)


def test_need_is_what_is_computed():
    rng, matrix = random_matrix(1)
    x, ct = jnp.asarray(rng.normal(size=30)), jnp.asarray(rng.normal(size=30))
    need = jnp.asarray(rng.random(30) < 0.3)
    dense = np.asarray(matrix.todense())

    def f(x, data):
        return ev.matvec(x, with_data(matrix, data), need=need)

    y, pullback = jax.vjp(f, x, matrix.data)
    np.testing.assert_allclose(y, np.asarray(x) @ dense, atol=1e-12)
    gx, gd = pullback(ct)
    np.testing.assert_allclose(gx, np.where(need, dense @ np.asarray(ct), 0), atol=1e-12)
    full = jax.vjp(lambda d: x @ with_data(matrix, d), matrix.data)[1](ct)[0]
    np.testing.assert_allclose(gd, full, atol=1e-12)
    dx = jnp.asarray(rng.normal(size=30))
    _, tangent = jax.jvp(lambda x: f(x, matrix.data), (x,), (dx,))
    np.testing.assert_allclose(tangent, np.where(need, dx, 0) @ dense, atol=1e-12)
    # Second order: the mask stays with the derivative.
    mixed = jax.jacfwd(lambda d: jax.grad(lambda x: jnp.vdot(ct, f(x, d)))(x))(matrix.data)
    assert np.all(np.asarray(mixed)[~np.asarray(need)] == 0)
    each = jax.vmap(lambda c: pullback(c)[0])(jnp.stack([ct, 2 * ct]))
    np.testing.assert_allclose(each[1], 2 * np.where(need, dense @ np.asarray(ct), 0), atol=1e-12)
    masks = jnp.stack([need, ~need])
    both = jax.vmap(lambda n: jax.grad(lambda x: jnp.vdot(ct, ev.matvec(x, matrix, need=n)))(x))
    np.testing.assert_allclose(both(masks).sum(0), dense @ np.asarray(ct), atol=1e-12)


def test_no_full_size_cotangent_inside_scan():
    """The backward loop carries the weight gradient in place: nothing of its size is made."""
    rng, matrix = random_matrix(2)
    v = jnp.asarray(rng.normal(size=30) + 0.7)

    def masked(s, need, data):
        return ev.matvec(s, with_data(matrix, data), need=need)

    grad = jax.grad(lambda d: recurrent_loss(masked, d, v))
    jaxpr = jax.make_jaxpr(grad)(matrix.data).jaxpr

    def scans(jaxpr):
        return [e for e in jaxpr.eqns if e.primitive.name == "scan"]

    backward = scans(jaxpr)[-1].params["jaxpr"].jaxpr
    full = [
        e.primitive.name
        for e in backward.eqns
        for out in e.outvars
        if out.aval.shape == (matrix.nnz,) and out.aval.dtype == jnp.float64
    ]
    assert full == ["event_sddmm"]
    if ev.kernels()["sddmm"] == "reference":
        pytest.skip("the reference lowering has no aliases")
    text = jax.jit(grad).lower(matrix.data).compile().as_text()
    bodies = [c for c in re.split(r"\n\n|\n(?=%|ENTRY)", text) if "brainfn_sddmm" in c]
    (body,) = [c for c in bodies if not c.startswith("ENTRY")]
    assert not re.search(rf"f64\[{matrix.nnz}\]\S* (copy|add|fusion|broadcast)\(", body)


def test_wrong_masks_raise():
    _, matrix = random_matrix(3)
    x = jnp.ones(30)
    for need in (jnp.ones(29, bool), jnp.ones(30)):
        with pytest.raises(Exception, match="need"):
            ev.matvec(x, matrix, need=need)
    with pytest.raises(ValueError, match="needs must have one entry for each of 1 spike vectors"):
        ev.block_matvec((x,), (x,), (ev.Block(matrix),), needs=())
