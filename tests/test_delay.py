"""Delay lines against a list of everything that was ever written."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import brainfn as bf


def clock(step):
    return bf.Clock(jnp.asarray(step, jnp.int32), 0.1)


@pytest.mark.parametrize("longest", [1, 2, 15])
@pytest.mark.parametrize("first", [0, 7, 2**31 - 60])
def test_reads_what_was_written(longest, first):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(40, 3))
    delays = rng.integers(1, longest + 1, 3)
    line = bf.Delay(longest, 3)

    @jax.jit
    def one(state, value, step):
        read = [line.read(state, bf.Clock(step, 0.1), s) for s in range(1, longest + 1)]
        own = line.read(state, bf.Clock(step, 0.1), jnp.asarray(delays))
        return line.write(state, value, bf.Clock(step, 0.1)), read, own

    state = line.init()
    past = np.zeros((longest, 3))
    for n, value in enumerate(signal):
        step = jnp.asarray(first + n, jnp.int32)
        state, read, own = one(state, jnp.asarray(value), step)
        for s in range(1, longest + 1):
            np.testing.assert_array_equal(read[s - 1], past[-s])
        np.testing.assert_array_equal(own, [past[-d, i] for i, d in enumerate(delays)])
        past = np.concatenate([past, value[None]])


def test_step_delays_by_its_length():
    line = bf.Delay(4, (2, 2), bool)
    signal = np.random.default_rng(1).uniform(size=(20, 2, 2)) < 0.5
    out = bf.simulate(line, inputs=signal, duration=2.0, dt=0.1).outputs
    assert out.dtype == bool
    np.testing.assert_array_equal(out[4:], signal[:-4])
    assert not np.asarray(out[:4]).any()


def test_gradient_through_the_line():
    line = bf.Delay(3)

    def loss(signal):
        out = bf.simulate(line, inputs=signal, duration=1.0, dt=0.1).outputs
        return jnp.sum(out * jnp.arange(10.0))

    gradient = jax.grad(loss)(jnp.ones(10))
    np.testing.assert_array_equal(gradient, [3, 4, 5, 6, 7, 8, 9, 0, 0, 0])


def test_wrong_steps():
    with pytest.raises(ValueError, match="`steps` must be at least 1"):
        bf.Delay(0)
    line = bf.Delay(2)
    for steps in (0, 3):
        with pytest.raises(ValueError, match="`steps` must be from 1 to 2"):
            line.read(line.init(), clock(0), steps)
