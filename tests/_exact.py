"""Traces of neurons, by Diffrax at 1e-10 and by the own step, and the times of their spikes."""

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
import numpy as np

import brainfn as bf


def exact(cell, drive, duration, *, every=0.02, start=None, tolerance=1e-10):
    """The membrane potential of `cell`, shape `(time, size)`, at multiples of `every`, from its
    vector field under `diffrax.diffeqsolve` with adaptive steps."""
    times = jnp.asarray(np.arange(round(duration / every) + 1) * every)
    start = cell.init() if start is None else start
    return np.asarray(_solve(cell, drive, start, times, tolerance))


@eqx.filter_jit
def _solve(cell, drive, start, times, tolerance):
    return dfx.diffeqsolve(
        dfx.ODETerm(cell.vector_field),
        dfx.Dopri8(),
        times[0],
        times[-1],
        0.01,
        start,
        drive,
        saveat=dfx.SaveAt(ts=times, fn=_potential),
        stepsize_controller=dfx.PIDController(rtol=tolerance, atol=tolerance),
        max_steps=1_000_000,
    ).ys


def _potential(t, y, args):
    del t, args
    return y.v


def stepped(cell, inputs, duration, dt):
    """The membrane potential by the cell's own step, at multiples of `dt`, and the spikes."""
    start = np.asarray(cell.init().v)
    out = bf.simulate(
        cell,
        inputs=inputs,
        duration=duration,
        dt=dt,
        record=lambda state, spikes: (state.v, spikes),
    ).outputs
    return np.concatenate([start[None], np.asarray(out[0])]), np.asarray(out[1])


def crossings(v, dt, threshold):
    """The times where each column of `v` crosses `threshold` upwards, from a cubic through four
    points: it errs by about `dt**4`."""
    out = []
    for x in (np.asarray(v) - threshold).T:
        times = []
        for i in np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0)):
            first = min(max(i - 1, 0), len(x) - 4)
            at = np.arange(4.0) + first - i
            cubic = np.polynomial.Polynomial.fit(at, x[first : first + 4], 3)
            roots = cubic.roots()
            real = roots.real[(abs(roots.imag) < 1e-9)]
            times.append(dt * (i + real[np.argmin(abs(real - 0.5))]))
        out.append(np.array(times))
    return out


def rate(times, intervals=7):
    """The rate in Hz from the last intervals."""
    return 1000 / np.mean(np.diff(times[-intervals - 1 :]))
