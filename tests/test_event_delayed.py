"""Delays for each synapse: a spike of step n with delay d acts in step n + d."""

import re

import equinox as eqx
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _event_cases import draw, pointers
from hypothesis import given, settings

import brainfn.event as ev


def network(seed, n=12, m=9, nnz=60, longest=5, dtype=np.float64):
    rng = np.random.default_rng(seed)
    rows, cols = draw(rng, n, m, nnz)
    delays = rng.integers(1, longest + 1, nnz)
    data = rng.normal(size=nnz).astype(dtype)
    base = ev.CSR(jnp.asarray(data), cols.astype(np.int32), pointers(rows, n), shape=(n, m))
    return rng, ev.Delayed(base, delays, longest=longest), rows, cols, delays


def by_step(spikes, data, rows, cols, delays, m):
    """What arrives in each step, one synapse and one spike at a time."""
    steps = spikes.shape[0]
    out = np.zeros((steps + 1 + int(delays.max(initial=0)), m))
    for n in range(steps):
        np.add.at(out, (n + delays, cols), spikes[n, rows] * data)
    return out[:steps]


@settings(max_examples=6)
@given(
    seed=st.integers(0, 2**31),
    start=st.sampled_from([0, 7, -3, 2**31 - 40]),
    spare=st.sampled_from([0, 3]),
    longest=st.sampled_from([1, 5, 300]),
)
def test_spikes_arrive_after_their_delay(seed, start, spare, longest):
    rng, matrix, rows, cols, delays = network(seed, longest=longest)
    spikes = rng.random((20, 12)) < 0.3
    assert matrix.delays.dtype == (np.uint8 if longest < 256 else np.uint16)

    @jax.jit
    def run(matrix, ring, spikes):
        def step(ring, n_and_s):
            n, s = n_and_s
            arrived, ring = ev.arrivals(ring, n)
            return ev.delayed_matvec(ring, s, matrix, n), arrived

        return jax.lax.scan(step, ring, (start + jnp.arange(20, dtype=jnp.int32), spikes))

    ring = jnp.concatenate([matrix.ring(), jnp.zeros((spare, 9))])
    ring, arrived = run(matrix, ring, jnp.asarray(spikes))
    wanted = by_step(spikes, np.asarray(matrix.matrix.data), rows, cols, delays, 9)
    np.testing.assert_allclose(arrived, wanted, rtol=0, atol=1e-12)
    # Nothing is lost: what has not arrived yet is still in the ring.
    total = np.sum(spikes[:, rows] * np.asarray(matrix.matrix.data))
    np.testing.assert_allclose(jnp.sum(ring) + jnp.sum(arrived), total, rtol=0, atol=1e-11)


def test_gradient_through_a_loop():
    """Backpropagation through time equals the derivative of the explicit sum over delays."""
    rng, matrix, rows, cols, delays = network(1)
    x = rng.normal(size=(7, 12)) * (rng.random((7, 12)) < 0.5)
    ct = rng.normal(size=(7, 9))

    def loss(data, x):
        base = ev.CSR(data, matrix.matrix.indices, matrix.matrix.indptr, shape=(12, 9))
        delayed = ev.Delayed(base, matrix.delays, longest=5)

        def step(ring, n_and_x):
            n, x = n_and_x
            arrived, ring = ev.arrivals(ring, n)
            return ev.delayed_matvec(ring, x, delayed, n), arrived

        start = matrix.ring()
        _, out = jax.lax.scan(step, start, (jnp.arange(7, dtype=jnp.int32), x))
        return jnp.sum(out * ct)

    gd, gx = jax.jit(jax.grad(loss, (0, 1)))(matrix.matrix.data, jnp.asarray(x))
    late = np.concatenate([ct, np.zeros((6, 9))])
    wanted_d, wanted_x = np.zeros(60), np.zeros((7, 12))
    for n in range(7):
        back = late[n + delays, cols]
        wanted_d += x[n, rows] * back
        np.add.at(wanted_x[n], rows, np.asarray(matrix.matrix.data) * back)
    np.testing.assert_allclose(gd, wanted_d, rtol=0, atol=1e-12)
    np.testing.assert_allclose(gx, wanted_x, rtol=0, atol=1e-12)


def test_need_masks_the_spike_derivative():
    rng, matrix, *_ = network(2)
    x, need = jnp.asarray(rng.normal(size=12)), jnp.asarray(rng.random(12) < 0.5)
    ring = jnp.asarray(rng.normal(size=(6, 9)))
    ct = jnp.asarray(rng.normal(size=(6, 9)))

    def f(ring, x, need):
        return jnp.vdot(ct, ev.delayed_matvec(ring, x, matrix, 4, need=need))

    full, part = jax.grad(f, 1)(ring, x, None), jax.grad(f, 1)(ring, x, need)
    np.testing.assert_allclose(part, np.where(need, full, 0), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(jax.grad(f)(ring, x, need), ct)


def test_blocks_with_and_without_delays_in_one_call():
    """Two delayed blocks share a ring buffer, side by side; a third block adds to a vector."""
    rng, first, rows, cols, delays = network(3)
    _, second, rows2, cols2, delays2 = network(4, n=7, m=5, nnz=30, longest=3)
    plain = ev.CSR.fromdense(rng.normal(size=(4, 6)))
    ring, y = jnp.asarray(rng.normal(size=(8, 16))), jnp.asarray(rng.normal(size=6))
    x = jnp.asarray(rng.normal(size=20))
    blocks = (
        ev.Block(first, 0, 0, 0, 0),
        ev.Block(plain, 0, 2, 1, 0),
        ev.Block(second, 0, 13, 0, 10),
    )
    out, vector = jax.jit(lambda r, y, x: ev.block_matvec((r, y), (x,), blocks, now=21))(ring, y, x)
    wanted = np.array(ring)
    data = np.asarray(first.matrix.data), np.asarray(second.matrix.data)
    np.add.at(wanted, ((21 + delays) % 8, cols), np.asarray(x)[rows] * data[0])
    np.add.at(wanted, ((21 + delays2) % 8, 10 + cols2), np.asarray(x)[13 + rows2] * data[1])
    np.testing.assert_allclose(out, wanted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        vector, np.asarray(y) + np.asarray(x)[2:6] @ np.asarray(plain.todense()), atol=1e-12
    )


def test_long_rows_on_two_threads():
    """Rows that are long enough to be split between threads, in both dtypes."""
    for dtype, atol in ((np.float32, 2e-3), (np.float64, 1e-11)):
        rng, matrix, rows, cols, delays = network(5, 300, 900, 200_000, 20, dtype)
        x = rng.random(300) < 0.9
        wanted = np.zeros((21, 900))
        data = np.asarray(matrix.matrix.data, np.float64)
        np.add.at(wanted, ((9 + delays) % 21, cols), x[rows] * data)
        out = ev.delayed_matvec(matrix.ring(), x, matrix, 9)
        np.testing.assert_allclose(out, wanted, rtol=0, atol=atol)


@pytest.mark.parametrize("backward", [False, True])
def test_ring_buffer_stays_in_place_inside_scan(backward):
    """Neither the forward nor the backward loop holds a copy of the ring buffer, nor computes one:
    all that makes a value of its shape is a kernel that works in place."""
    if ev.kernels()["scatter"] == "reference":
        pytest.skip("the reference lowering has no aliases")
    _, matrix, *_ = network(6, 400, 300, 5000, 12, np.float32)

    def final(matrix, ring, v):
        def step(carry, n):
            ring, v = carry
            arrived, ring = ev.arrivals(ring, n)
            v = jnp.float32(0.9) * v + arrived
            spikes = jax.nn.relu(jnp.concatenate([v, v[:100]]) - jnp.float32(1))
            return (ev.delayed_matvec(ring, spikes, matrix, n), v), None

        return jax.lax.scan(step, (ring, v), jnp.arange(50, dtype=jnp.int32))[0]

    def gradient(matrix, ring, v):
        def loss(data):
            new = eqx.tree_at(lambda m: m.matrix.data, matrix, data)
            return jnp.sum(final(new, ring, v)[1])

        return jax.grad(loss)(matrix.matrix.data)

    run = jax.jit(gradient if backward else final)
    text = run.lower(matrix, matrix.ring(), jnp.ones(300, jnp.float32)).compile().as_text()
    kernel = "brainfn_gather" if backward else "brainfn_scatter"
    bodies = [c for c in re.split(r"\n\n|\n(?=%|ENTRY)", text) if f'"{kernel}"' in c]
    (body,) = [c for c in bodies if not c.startswith("ENTRY")]
    assert "custom-call" in body
    assert not re.search(r"f32\[(1,)?13,300\]\S* (copy|fusion|add|dynamic-update-slice)\(", body)


def test_arrivals_through_transformations():
    rng = np.random.default_rng(8)
    ring, tangent = (jnp.asarray(rng.normal(size=(2, 3, 5, 4))) for _ in range(2))
    ct = jnp.asarray(rng.normal(size=(2, 3, 4))), jnp.asarray(rng.normal(size=(2, 3, 5, 4)))
    take = jax.vmap(jax.vmap(lambda r: ev.arrivals(r, 8)), 1, 1)
    emptied = np.array(ring)
    emptied[:, :, 3] = 0
    forward, moved = jax.jvp(take, (ring,), (tangent,))
    for out in (take(ring), forward):
        np.testing.assert_array_equal(out[0], ring[:, :, 3])
        np.testing.assert_array_equal(out[1], emptied)
    np.testing.assert_array_equal(moved[0], tangent[:, :, 3])
    np.testing.assert_array_equal(moved[1][:, :, 3], 0)
    back = np.array(ct[1])
    back[:, :, 3] = ct[0]
    _, pullback = jax.vjp(take, ring)
    np.testing.assert_array_equal(pullback(ct)[0], back)
    # The transpose of the transpose, and its derivative.
    twice = jax.linear_transpose(lambda c: pullback(c)[0], ct)(ring)[0]
    for a, b in zip(twice, take(ring), strict=True):
        np.testing.assert_array_equal(a, b)
    _, moved = jax.jvp(lambda c: pullback(c)[0], (ct,), (ct,))
    np.testing.assert_array_equal(moved, back)
    only = jax.jvp(lambda c: pullback((c, ct[1]))[0], (ct[0],), (ct[0],))[1]
    np.testing.assert_array_equal(only, np.where(np.arange(5)[:, None] == 3, back, 0))
    # Rings at different steps: a loop over the batch.
    now = jnp.array([1, 9])
    arrived, left = jax.vmap(ev.arrivals)(ring[:, 0], now)
    np.testing.assert_array_equal(arrived, np.stack([ring[0, 0, 1], ring[1, 0, 4]]))
    assert not np.any(left[0, 1]) and not np.any(left[1, 4])
    grads = jax.vmap(jax.grad(lambda r, n: jnp.sum(ev.arrivals(r, n)[0])))(ring[:, 0], now)
    np.testing.assert_array_equal(grads[1, 4], np.ones(4))
    assert np.sum(grads) == 8


def test_one_delay_for_all_and_half_weights():
    rng = np.random.default_rng(7)
    base = ev.CSR.fromdense(rng.normal(size=(4, 3)).astype(np.float32))
    half = ev.CSR(base.data.astype(jnp.float16), base.indices, base.indptr, shape=(4, 3))
    matrix = ev.Delayed(half, 2)
    assert matrix.longest == 2 and matrix.ring().shape == (3, 3)
    assert matrix.ring().dtype == np.float32 and matrix.dtype == np.float16
    out = ev.delayed_matvec(matrix.ring(), np.ones(4, bool), matrix, 0)
    wanted = np.asarray(half.todense(), np.float64).sum(0)
    # Three roundings of float32.
    np.testing.assert_allclose(out[2], wanted, rtol=1e-6)
    np.testing.assert_array_equal(out[:2], 0)


B = ev.CSR.fromdense(np.eye(3))
D = ev.Delayed(B, [1, 4, 2])
R = jnp.zeros((5, 3))
X = jnp.ones(3, bool)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: ev.Delayed(B, [0, 1, 2]),
            ValueError,
            r"lie in \[1, 65535\] steps, got values from 0",
        ),
        (lambda: ev.Delayed(B, [1, 2, 9], longest=8), ValueError, r"\[1, 8\] .* from 1 to 9"),
        (lambda: ev.Delayed(B, [1, 2]), ValueError, r"one number or have shape \(3,\), got \(2,\)"),
        (lambda: ev.Delayed(B, [0.1, 0.2, 0.3]), TypeError, "delays must be integers"),
        (lambda: ev.Delayed(B, 70000), ValueError, r"delays must lie in \[1, 65535\]"),
        (
            lambda: jax.jit(lambda d: ev.Delayed(B, d).delays)(jnp.ones(3, jnp.int32)),
            ValueError,
            "longest is needed where delays are traced",
        ),
        (
            lambda: ev.delayed_matvec(R[:4], X, D, 0),
            ValueError,
            "has 4 slots, but delays of up to 4 steps need 5",
        ),
        (lambda: ev.delayed_matvec(R[:, :2], X, D, 0), ValueError, "ring must have shape"),
        (lambda: ev.delayed_matvec(R, X[:2], D, 0), ValueError, "spikes must have shape"),
        (lambda: ev.delayed_matvec(R, X, D, 0.5), Exception, "now"),
        (lambda: ev.arrivals(R[:0], 0), ValueError, r"ring must have shape \(length, width\), got"),
        (
            lambda: ev.delayed_matvec(R.astype(jnp.float32), X, D, 0),
            TypeError,
            "ring has dtype float32, expected float64",
        ),
        (
            lambda: ev.block_matvec((R,), (X,), (ev.Block(D),)),
            ValueError,
            "has delays: now, the present step, is needed",
        ),
        (
            lambda: ev.block_matvec((R[0],), (X,), (ev.Block(D),), now=0),
            ValueError,
            r"accumulators\[0\] must be a ring buffer .*, got shape \(3,\)",
        ),
        (
            lambda: ev.block_matvec((R,), (X,), (ev.Block(B),)),
            ValueError,
            r"accumulators\[0\] must be a vector .*, got shape \(5, 3\)",
        ),
    ],
)
def test_wrong_calls_raise(call, error, words):
    with pytest.raises(error, match=words):
        call()
