"""White noise in the current: steps, moments, spectra, strong orders; fluctuating conductances."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import numpy as np
import pytest
import scipy.stats
from _measured import measured
from jax import lax

import brainfn as bf

TAU, C = 10.0, 200.0


def membrane(n, **options):
    """A leaky membrane around zero that does not spike."""
    options = {"tau": TAU, "capacitance": C, "v_rest": 0.0, "v_reset": 0.0} | options
    return bf.neuron.LIF(n, v_threshold=1e9, **options)


def drawn(noise, n, n_steps, dt, seed=0):
    """The values of an input in each step, shape `(n_steps, n)`."""

    def step(state, i):
        return noise.step(state, bf.Clock(i, dt), key=jr.fold_in(jr.key(seed), i))

    start = noise.init(n, key=jr.key(seed + 1000))
    return jax.jit(lambda s: lax.scan(step, s, jnp.arange(n_steps, dtype=jnp.int32))[1])(start)


def end(cell, currents, dt, drive=lambda current, v: current):
    """The potential after steps with given currents that a drive may combine with `v`."""
    model = cell.prepare(dt)

    def step(state, both):
        i, now = both
        state, _ = model.step(state, lambda t, v: drive(now, v), bf.Clock(i, dt))
        return state, None

    steps = jnp.arange(len(jtu.tree_leaves(currents)[0]), dtype=jnp.int32)
    return np.asarray(
        jax.jit(lambda s, x: lax.scan(step, s, (steps, x))[0].v)(model.init(), currents)
    )


@pytest.mark.parametrize("name", ["Euler and Maruyama", "Heun"])
def test_steps_are_those_of_stochastic_solvers(name):
    n, dt, sigma, mean = 500, 0.2, np.linspace(0.0, 300.0, 500), 50.0
    noise = bf.input.WhiteNoise(sigma, mean=mean)
    current = np.asarray(drawn(noise, n, 30, dt))
    # dW is normal with variance dt: Kolmogorov and Smirnov accept it at a level of 1e-3.
    dw = (current - mean)[:, 1:] * dt / sigma[1:]
    assert scipy.stats.kstest(dw.ravel(), "norm", (0, np.sqrt(dt))).pvalue > 1e-3
    v = np.ones(n)
    for now in current:
        f = lambda v, now=now: -v / TAU + now * (1 + 0.1 * v) / C  # noqa: E731
        k1 = f(v)
        v = v + dt * (0.5 * (k1 + f(v + dt * k1)) if name == "Heun" else k1)
    solver = bf.solver.Heun() if name == "Heun" else dfx.Euler()
    cell = membrane(n, solver=solver, v_init=1.0)
    got = end(cell, jnp.asarray(current), dt, lambda now, v: now * (1 + 0.1 * v))
    # The same arithmetic, in another order.
    measured(
        "input.WhiteNoise", f"30 steps of {name}", against="NumPy", error=got / v - 1, bound=1e-12
    )


def test_a_leaky_membrane_has_the_standard_deviation_of_theory():
    n, dt, sigma = 20_000, 1.0, 400.0
    out = bf.simulate(
        membrane(n), inputs=bf.input.WhiteNoise(sigma, mean=100.0), duration=80.0, dt=dt,
        key=jr.key(0), record=bf.record.nothing,
    )  # fmt: skip
    v = np.asarray(out.state.model_state.v)
    # The noise is held for each step of the exponential solver: tanh(x) / x; exp(-16) is missing.
    x = dt / (2 * TAU)
    variance = sigma**2 * TAU / (2 * C**2) * np.tanh(x) / x
    # Five standard errors, over one seed.
    measured(
        "input.WhiteNoise", "standard deviation of v", against="closed form",
        error=v.std() / np.sqrt(variance) - 1, bound=5 / np.sqrt(2 * n),
    )  # fmt: skip
    mean = 100.0 * TAU / C * (1 - np.exp(-8))
    assert abs(v.mean() - mean) < 5 * np.sqrt(variance / n)


def test_spectra_are_flat_and_lorentzian():
    n, n_steps, dt, sigma, tau = 200, 2048, 0.5, 3.0, 5.0
    frequency = 2 * np.pi * np.fft.rfftfreq(n_steps)[1:-1]
    a = np.exp(-dt / tau)
    # Of a sampled Ornstein-Uhlenbeck process, an autoregression of order one.
    lorentzian = sigma**2 * (1 - a**2) / (1 - 2 * a * np.cos(frequency) + a**2) * dt
    for noise, spectrum in (
        (bf.input.WhiteNoise(sigma), np.full_like(frequency, sigma**2)),
        (bf.input.OrnsteinUhlenbeck(sigma, tau), lorentzian),
    ):
        x = np.asarray(drawn(noise, n, n_steps, dt))
        power = (np.abs(np.fft.rfft(x, axis=0)[1:-1]) ** 2).mean(1) * dt / n_steps
        ratio = (power / spectrum).reshape(11, -1).mean(1)  # 1022 frequencies in 11 bands
        # Each of the n * 93 terms of a band is exponential with a standard deviation of 1; leakage
        # of a spectrum that is steep within 1 / duration adds tau / duration.
        bound = 5 / np.sqrt(n * len(frequency) / 11) + 2 * tau / (n_steps * dt)
        name = type(noise).__name__
        measured(
            f"input.{name}", "spectrum in 11 bands", against="closed form", error=ratio - 1,
            bound=bound,
        )  # fmt: skip
    # Autocorrelation at lags up to 2 tau, over all trains and times.
    lags = np.arange(1, 21)
    measure = np.array([np.mean(x[:-lag] * x[lag:]) for lag in lags]) / sigma**2
    # n * duration / (2 tau) independent samples.
    measured(
        "input.OrnsteinUhlenbeck", "autocorrelation", against="closed form",
        error=measure - np.exp(-lags * dt / tau), bound=5 / np.sqrt(n * n_steps * dt / (2 * tau)),
    )  # fmt: skip


@eqx.filter_jit
def stepped(noise, state, clock, key):
    return noise.step(state, clock, key=key)


def test_fluctuating_conductances():
    n, mean, sigma = 50_000, np.array(3.0), np.array(3.0)
    clock = bf.Clock(jnp.asarray(0, jnp.int32), 1.0)
    for clip in (True, False):
        g = bf.input.PointConductance(mean, sigma, 2.7, reversal=-75.0, clip=clip)
        state = g.init(n, key=jr.key(0))
        for i in range(3):
            state, drive = stepped(g, state, clock, jr.fold_in(jr.key(1), i))
        current = np.asarray(drive(0.3, jnp.full(n, -60.0)))
        x = -current / 15.0
        assert (x.min() >= 0) == clip
        expected = scipy.stats.norm(mean, sigma).expect(lambda g: max(g, 0)) if clip else 3.0
        measured(
            "input.PointConductance", "mean" + ", clipped" * clip, against="SciPy",
            error=x.mean() - expected, bound=5 * sigma / np.sqrt(n), unit="nS",
        )  # fmt: skip
    # A membrane with the two of Destexhe et al., step by step: exact for constant conductances.
    n, dt = 100, 0.1
    exc = bf.input.PointConductance(12.1, 3.0, 2.728, reversal=0.0)
    inh = bf.input.PointConductance(57.3, 6.6, 10.49, reversal=-75.0)
    both = exc + inh
    cell = membrane(n, v_rest=-70.0, v_reset=-70.0)
    seen = bf.simulate(
        cell, inputs=both, duration=50.0, dt=dt, key=jr.key(0), record=lambda s, _: s.v
    )
    assert float(seen.outputs[-1].min()) > -75 and float(seen.outputs[-1].max()) < -40

    def step(state, i):
        state, f = both.step(state, bf.Clock(i, dt), key=jr.fold_in(jr.key(2), i))
        # What a drive is made of: at 0 mV and at -1 mV.
        zero = f(0.0, jnp.zeros(n))
        return state, (zero, f(0.0, -jnp.ones(n)) - zero)

    steps = jnp.arange(100, dtype=jnp.int32)
    current, slope = (np.asarray(x) for x in lax.scan(step, both.init(n, key=jr.key(3)), steps)[1])
    got = end(cell, (jnp.asarray(current), jnp.asarray(slope)), dt, lambda x, v: x[0] - x[1] * v)
    v = np.full(n, -70.0)
    for a, b in zip(current, slope, strict=True):
        rate = 1 / TAU + b / C
        limit = (-70.0 / TAU + a / C) / rate
        v = limit + (v - limit) * np.exp(-rate * dt)
    measured(
        "input.PointConductance", "v over 10 ms", against="closed form of each step",
        error=got - v, bound=1e-10, unit="mV",
    )  # fmt: skip


def paths(n, levels, duration, tau, seed=0):
    """Increments of Brownian paths at each level, and the exact integral of exp(-(T - s) / tau) dW.

    On the finest grid the increment and the integral over the step are drawn together: two normal
    numbers of known covariance.
    """
    rng = np.random.default_rng(seed)
    steps = 2 ** levels[-1]
    h = duration / steps
    variance = tau / 2 * (1 - np.exp(-2 * h / tau))
    both = [[h, tau * (1 - np.exp(-h / tau))], [tau * (1 - np.exp(-h / tau)), variance]]
    z = rng.standard_normal((steps, n, 2)) @ np.linalg.cholesky(both).T
    integral = np.zeros(n)
    for i in range(steps):
        integral = integral * np.exp(-h / tau) + z[i, :, 1]
    return [z[..., 0].reshape(2**k, -1, n).sum(1) for k in levels], integral


LEVELS, T, MANY = (4, 5, 6, 7), 4.0, 1000


def order(errors, levels=LEVELS):
    return -np.polyfit(levels, np.log2(errors), 1)[0]


def test_strong_orders_of_a_simulation():
    """Half of the cells have additive noise (an Ornstein-Uhlenbeck process), half have noise
    proportional to v (geometric Brownian motion); both have closed forms."""
    additive, proportional = 300.0, 0.4
    increments, integral = paths(2 * MANY, LEVELS, T, TAU)
    first = jnp.arange(2 * MANY) < MANY

    def drive(current, v):
        return current * jnp.where(first, additive, proportional * C * v)

    w = increments[-1].sum(0)[MANY:]
    start = 5.0
    ou = start * np.exp(-T / TAU) + additive / C * integral[:MANY]
    stratonovich = start * np.exp(-T / TAU + proportional * w)
    ito = stratonovich * np.exp(-(proportional**2) * T / 2)
    # What theory says: order for additive noise, for noise proportional to v, and the exact
    # solution that the latter approaches; the exponential solver is exact for it.
    for solver, add, multiply, exact in (
        (dfx.Euler(), 1.0, 0.5, ito),
        (bf.solver.Heun(), 1.0, 1.0, stratonovich),
        (bf.solver.ExponentialEuler(), 1.0, None, stratonovich),
    ):
        errors = []
        for k, dw in zip(LEVELS, increments, strict=True):
            dt = T / 2**k
            v = end(
                membrane(2 * MANY, solver=solver, v_init=start), jnp.asarray(dw / dt), dt, drive
            )
            errors.append([np.abs(v[:MANY] - ou).mean(), np.abs(v[MANY:] - exact).mean()])
        name, (a, b) = type(solver).__name__, np.transpose(errors)
        # Errors of 3 % (1000 paths) give the slope to 0.03; the rest is of higher order.
        measured(
            "input.WhiteNoise", f"strong order {add}, {name}, additive",
            against="closed form", error=order(a) - add, bound=0.12,
        )  # fmt: skip
        if multiply is None:
            measured(
                "input.WhiteNoise", f"v, {name}, noise proportional to v", against="closed form",
                error=v[MANY:] / exact - 1, bound=1e-10,
            )  # fmt: skip
            continue
        measured(
            "input.WhiteNoise", f"strong order {multiply}, {name}, proportional to v",
            against="closed form", error=order(b) - multiply, bound=0.12,
        )  # fmt: skip


class Given(dfx.AbstractPath):
    """A Brownian path on a grid, for each of some neurons."""

    w: jax.Array
    t0: float = 0.0
    t1: float = T

    def evaluate(self, t0, t1=None, left=True, use_levy=False):
        del left, use_levy

        def at(t):
            return self.w[jnp.round(t / T * (self.w.shape[0] - 1)).astype(int)]

        return at(t1) - at(t0)


def test_strong_orders_of_diffrax_on_the_terms():
    n, noise = 300, 0.4
    cell = membrane(n, v_init=5.0)
    y0 = cell.initial(None)

    def solved(solver, sigma, path):
        terms = bf.input.sde_terms(cell, sigma, path)
        end = jax.jit(
            lambda dt: dfx.diffeqsolve(terms, solver, 0.0, T, dt, y0, max_steps=2000).ys.v[-1]
        )
        return lambda k: np.asarray(end(T / 2**k))

    steps = 2 ** LEVELS[-1]
    dw = np.random.default_rng(0).normal(size=(steps, n)) * np.sqrt(T / steps)
    path = Given(jnp.asarray(np.concatenate([np.zeros((1, n)), np.cumsum(dw, 0)])))
    w = path.w[-1]
    proportional = lambda t, v: noise * C * v  # noqa: E731
    for solver, expected, ito in ((dfx.Euler(), 0.5, True), (dfx.Heun(), 1.0, False)):
        end = solved(solver, proportional, path)
        exact = 5.0 * np.exp(-T / TAU + noise * w - ito * noise**2 * T / 2)
        errors = [np.abs(end(k) - exact).mean() for k in LEVELS]
        # As above, with 300 paths.
        measured(
            "input.sde_terms", f"strong order {expected}, {type(solver).__name__}",
            against="closed form", error=order(errors) - expected, bound=0.15,
        )  # fmt: skip
    # Solvers for additive noise accept the terms. SRA1 has order 1.5; on a linear equation 2, since
    # what W and H leave unknown of a step is of order 2.5 with mean zero.
    tree = dfx.VirtualBrownianTree(
        0.0, T, tol=T / 2**8, shape=(n,), key=jr.key(0), levy_area=dfx.SpaceTimeLevyArea
    )
    end = solved(dfx.SRA1(), 300.0, tree)
    finest, levels = end(8), (2, 3, 4, 5)
    errors = [np.abs(end(k) - finest).mean() for k in levels]
    measured(
        "input.sde_terms", "strong order 2, SRA1, additive and linear",
        against="its own solution at dt / 8", error=order(errors, levels) - 2, bound=0.15,
    )  # fmt: skip


def test_terms_of_cells_with_channels_and_their_gradient():
    """Noise of zero is the equation without; the slope of a current is that of the capacitance."""
    cell = bf.neuron.PointNeuron(
        2, [bf.channel.SodiumHH(), bf.channel.PotassiumHH(), bf.channel.Leak()], capacitance=2.0
    )
    y = cell.init()
    path = dfx.UnsafeBrownianPath((2,), jr.key(0))
    drift, noise = bf.input.sde_terms(cell, np.array([3.0, 5.0]), path, drive=10.0).terms
    slope = noise.vf(0.0, y, None)
    np.testing.assert_allclose(slope.v, [1.5, 2.5], rtol=1e-14)
    assert all(float(jnp.abs(x).max()) == 0 for x in jtu.tree_leaves((slope.gates, slope.ions)))
    jtu.tree_map(
        np.testing.assert_array_equal,
        drift.vf(0.0, y, None),
        cell.vector_field(0.0, y, lambda t, v: 10.0),
    )

    def of(c):
        terms = bf.input.sde_terms(eqx.tree_at(lambda m: m.capacitance, cell, c), 3.0, path)
        return jnp.sum(terms.terms[1].vf(0.0, y, None).v)

    np.testing.assert_allclose(jax.grad(of)(jnp.asarray(2.0)), -6.0 / 4.0, rtol=1e-14)
