"""Kinetic synapses and short-term plasticity against their equations and NEST."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _differences import assert_gradient
from _measured import measured
from _oracle_statistics import load_json
from scipy import stats
from scipy.integrate import solve_ivp

import brainfn as bf
from brainfn.synapse import (
    GABAB,
    Exponential,
    Quantal,
    SigmoidGate,
    TsodyksMarkram,
    TsodyksUzielMarkram,
    TwoState,
    ampa,
    gaba_a,
    gaba_b,
    nmda,
)

NEST = load_json("synapses_nest.json")["cases"]
DT = 0.1


def scan(release, emitted, dt=DT, v=None):
    """States and signals after each step."""
    emitted = jnp.asarray(emitted)
    steps = jnp.arange(emitted.shape[0], dtype=jnp.int32)

    @jax.jit
    def run(release, emitted, v):
        def step(state, x):
            n, spikes, v = x
            pre = None if v is None else bf.neuron.Voltage(v)
            key = jax.random.fold_in(jax.random.key(3), n)
            state, sent = release.release(state, spikes, pre, bf.Clock(n, dt), key=key)
            return state, (state, sent)

        return jax.lax.scan(step, release.init(emitted.shape[1]), (steps, emitted, v))[1]

    return jax.tree.map(np.asarray, run(release, emitted, v))


def raster(size, steps=250, p=0.02):
    out = np.random.default_rng(2).uniform(size=(steps, size)) < p
    # In a row, within a pulse, and long after one.
    out[[5, 6, 9, 30]] = True
    return out


def solve(field, y, spikes, duration):
    """`y` after each step for one neuron: `field(y, transmitter)` is its differential equation, and
    transmitter is present for `duration` ms after the end of each step with a spike."""
    ends = (np.arange(len(spikes)) + 1) * DT
    begins = ends[spikes]
    cuts = np.unique(np.round(np.concatenate([[0.0], ends, begins + duration]), 9))
    cuts, out = cuts[cuts <= ends[-1] + 1e-9], []
    for a, b in itertools.pairwise(cuts):
        middle = 0.5 * (a + b)
        present = bool(np.any((begins < middle) & (middle < begins + duration)))
        arguments = {"args": (present,), "method": "DOP853", "rtol": 1e-12, "atol": 1e-14}
        y = solve_ivp(lambda t, y, on: field(y, on), (a, b), y, **arguments).y[:, -1]
        if np.any(np.abs(ends - b) < 1e-9):
            out.append(y)
    return np.array(out)


def test_two_state_receptors():
    """The open fraction after each step, on both sides: AMPA, GABA_A, NMDA, and pulses that end
    within a step, or last for many."""
    known = [x["release"] for x in (ampa(), gaba_a(), nmda())]
    sets = np.array(
        [[float(x) for x in (r.alpha, r.beta, r.transmitter, r.duration)] for r in known]
        + [[2.0, 0.5, 0.7, 0.37], [0.4, 0.05, 2.0, 2.5]]
    )
    assert sets[:3, :2].tolist() == [[1.1, 0.19], [5.0, 0.18], [0.072, 0.0066]]
    alpha, beta, transmitter, duration = sets.T
    release = TwoState(alpha=alpha, beta=beta, transmitter=transmitter, duration=duration)
    spikes = raster(5)
    state, sent = scan(release, spikes)
    exact = np.stack(
        [
            solve(lambda y, on, a=a, b=b, c=c: a * c * on * (1 - y) - b * y, [0.0], s, d)[:, 0]
            for (a, b, c, d), s in zip(sets, spikes.T, strict=True)
        ],
        axis=1,
    )
    receptor = release.receptor()
    assert isinstance(receptor, Exponential)

    def step(g, amount):
        g = receptor.arrive(g, amount)
        return receptor.advance(g, DT), g.g

    after = jax.lax.scan(step, receptor.init(5), jnp.asarray(sent))[1]
    # Thousands of exact steps, and the tolerance of the oracle.
    for what, found in (("open fraction of the gate", state.r), ("at the receptor", after)):
        measured(
            ["synapse.TwoState", "synapse.ampa", "synapse.gaba_a", "synapse.nmda"],
            what,
            against="SciPy DOP853 at 1e-12",
            error=found - exact,
            bound=1e-11,
        )
    # Outside of pulses a neuron is exactly silent.
    on = np.zeros_like(spikes)
    for k in range(1, 26):
        on[k:] |= spikes[:-k] & (k * DT < duration + DT - 1e-9)
    assert np.all(sent[~on] == 0) and np.all(sent[on] != 0)


def test_gaba_b():
    """Default values, and pulses within a step, other numbers of sites, and equal rates."""
    binding = np.array([0.09, 0.52, 2.0])
    unbinding, decay = np.array([0.0012, 0.034, 0.05]), np.array([0.034, 0.034, 0.02])
    duration, spikes = np.array([1.0, 0.3, 1.25]), raster(3)
    rates = {"binding": binding, "unbinding": unbinding, "decay": decay, "duration": duration}
    state, sent = scan(GABAB(**rates), spikes)
    for i in range(3):

        def field(y, on, i=i):
            r, s = y
            return [binding[i] * on * (1 - r) - unbinding[i] * r, 0.18 * r - decay[i] * s]

        exact = solve(field, [0.0, 0.0], spikes[:, i], duration[i])
        for name, found, expected in (
            ("receptors", state.r[:, i], exact[:, 0]),
            ("G-protein", state.s[:, i], exact[:, 1]),
            ("open fraction", sent[:, i], exact[:, 1] ** 4 / (exact[:, 1] ** 4 + 100.0)),
        ):
            measured(
                ["synapse.GABAB", "synapse.gaba_b"],
                name,
                against="SciPy DOP853 at 1e-12",
                error=found - expected,
                bound=1e-11,
            )
    assert sent.max() > 1e-4
    preset, default = gaba_b()["release"], GABAB()
    assert jax.tree.leaves(preset) == jax.tree.leaves(default)
    assert [float(x[0]) for x in (binding, unbinding, decay, duration)] == [
        float(x) for x in (default.binding, default.unbinding, default.decay, default.duration)
    ]


def test_sigmoid_gate_under_steps_of_voltage():
    v = np.random.default_rng(4).uniform(-15.0, 15.0, (60, 3))
    alpha, beta, threshold, slope = [12.0, 2.0, 0.5], [0.1, 0.5, 0.01], [0.0, 5.0, -3.0], [2, 1, 4]
    sets = [np.array(x, float) for x in (alpha, beta, threshold, slope)]
    gate = SigmoidGate(**dict(zip(("alpha", "beta", "threshold", "slope"), sets, strict=True)))
    _, sent = scan(gate, np.zeros((60, 3), bool), v=jnp.asarray(v))
    y, exact = np.zeros(3), []
    for now in v:
        opening = sets[0] / (1 + np.exp(-(now - sets[2]) / sets[3]))
        options = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-14}
        y = solve_ivp(lambda t, y, a=opening: a * (1 - y) - sets[1] * y, (0, DT), y, **options).y[
            :, -1
        ]
        exact.append(y)
    measured(
        "synapse.SigmoidGate",
        "open fraction, potential constant in each step",
        against="SciPy DOP853 at 1e-12",
        error=sent - np.array(exact),
        bound=1e-11,  # exact, the tolerance of the oracle
    )


def test_three_states_nest():
    """What each spike of an irregular train sends, for three synapses at once."""
    kinds = NEST["three_states"]
    names = ("U", "tau_fac", "tau_rec", "tau_psc")
    u, facilitation, recovery, synaptic = np.array(
        [[k["parameters"][x] for k in kinds.values()] for x in names]
    )
    release = TsodyksUzielMarkram(
        U=u, tau_facilitation=facilitation, tau_recovery=recovery, tau_synaptic=synaptic
    )
    times = next(iter(kinds.values()))["times"]
    steps = np.rint(np.array(times) / DT).astype(int)
    spikes = np.zeros((steps[-1] + 1, 3), bool)
    spikes[steps] = True
    _, sent = scan(release, spikes)
    expected = np.array([k["sent"] for k in kinds.values()]).T
    measured(
        "synapse.TsodyksUzielMarkram",
        "what is sent, relative",
        against="NEST 3.10",
        error=sent[steps] / expected - 1,
        bound=3e-11,  # thousands of exact steps against one for each interval
    )


def test_three_states_are_two_if_the_current_is_short_and_one_is_equal():
    """Without an active state it is the other form; and equal time constants are not special."""
    spikes = raster(3, p=0.1)
    rates = {"U": 0.4, "tau_facilitation": 30.0, "tau_recovery": 70.0}
    _, three = scan(TsodyksUzielMarkram(**rates, tau_synaptic=1e-3), spikes)
    _, two = scan(TsodyksMarkram(**rates), spikes)
    # Resources recover later by a microsecond, of a time constant of 70 ms.
    np.testing.assert_allclose(three, two, rtol=0, atol=1e-3 / 70)
    near = [scan(TsodyksUzielMarkram(**rates, tau_synaptic=x), spikes)[1] for x in (70.0, 70.0001)]
    np.testing.assert_allclose(*near, rtol=0, atol=1e-4 / 70)


def test_binomial_numbers():
    """Counts of each value against the distribution, by chi-squared."""
    size, worst = 40000, 0.0
    n = np.repeat([0, 1, 3, 12, 100, 5, 5], size)
    p = np.repeat([0.3, 0.4, 0.5, 0.9, 0.07, 0.0, 1.0], size)
    draw = jax.jit(lambda n, p: bf.random.binomial(jax.random.key(5), n, p, n.shape[0]))
    found = np.asarray(draw(jnp.asarray(n), jnp.asarray(p))).reshape(7, size)
    assert np.all(found[0] == 0) and np.all(found[5] == 0) and np.all(found[6] == 5)
    for row, k, q in zip(found[1:5], n[::size][1:5], p[::size][1:5], strict=True):
        expected = size * stats.binom.pmf(np.arange(k + 1), k, q)
        kept = expected > 10
        counts = np.bincount(row, minlength=k + 1)
        chi2 = np.sum((counts - expected)[kept] ** 2 / expected[kept])
        worst = max(worst, (chi2 - kept.sum()) / np.sqrt(2 * kept.sum()))
    measured(
        "synapse.Quantal",
        "binomial counts, in standard deviations of chi-squared",
        against="scipy.stats.binom",
        error=worst,
        bound=4.0,  # one key; four distributions
    )
    single = jnp.asarray(p, jnp.float32)
    half = bf.random.binomial(jax.random.key(5), jnp.asarray(n), single, n.shape[0])
    assert half.dtype == jnp.int32 and np.mean(np.asarray(half) != found.ravel()) < 1e-4


def test_quantal_release_nest():
    """Mean and variance of what is sent at each spike, over 20 000 neurons and as many synapses."""
    case, dt = NEST["quantal"], 10.0
    names, count = ("n", "U", "tau_fac", "tau_rec"), case["count"]
    values = [[k["parameters"][x] for k in case["kinds"].values()] for x in names]
    n, u, facilitation, recovery = (np.repeat(np.array(x, float), count) for x in values)
    release = Quantal(n, U=u, tau_facilitation=facilitation, tau_recovery=recovery)
    steps = np.rint(np.array(case["times"]) / dt).astype(int)
    spikes = np.zeros((steps[-1] + 1, 2 * count), bool)
    spikes[steps] = True
    state, sent = scan(release, spikes, dt)
    assert np.all((state.available >= 0) & (state.available <= n)) and np.all(sent[~spikes] == 0)
    sent = sent[steps].reshape(len(steps), 2, count)
    mean, variance = sent.mean(-1), sent.var(-1)
    fourth = np.mean((sent - mean[..., None]) ** 4, axis=-1)
    for what, found, spread in (
        ("mean", mean, variance),
        ("variance", variance, fourth - variance**2),
    ):
        expected = np.array([k[what] for k in case["kinds"].values()]).T
        measured(
            "synapse.Quantal",
            f"{what} of what is sent, in standard errors",
            against="NEST 3.10",
            error=(found - expected) / np.sqrt(2 * spread / count),
            bound=4.5,  # 16 comparisons of one key with one seed
        )
    # The mean is that of the deterministic form, exactly.
    _, continuous = scan(
        TsodyksMarkram(U=u, tau_facilitation=facilitation, tau_recovery=recovery), spikes, dt
    )
    expected = (n * continuous[steps]).reshape(len(steps), 2, count)[..., 0]
    measured(
        "synapse.Quantal",
        "mean of what is sent, in standard errors",
        against="Tsodyks, Pawelzik and Markram (1998)",
        error=(mean - expected) / np.sqrt(variance / count),
        bound=4.5,
    )


def test_the_gradient_of_quantal_release_is_that_of_its_mean():
    """On average over neurons; what each draw contributes has no derivative of its own."""
    count, steps = 4000, np.array([1, 3, 4, 8])
    spikes = np.zeros((9, 1))
    spikes[steps] = 1.0
    mix = jnp.asarray(np.random.default_rng(1).normal(size=(9, 1)))

    def total(release, size):
        def step(state, x):
            n, spikes = x
            key = jax.random.fold_in(jax.random.key(3), n)
            both = jnp.broadcast_to(spikes, (size,))
            return release.release(state, both, None, bf.Clock(n, 10.0), key=key)

        n = jnp.arange(9, dtype=jnp.int32)
        _, sent = jax.lax.scan(step, release.init(size), (n, jnp.asarray(spikes)))
        return jnp.sum(mix * sent, axis=0)

    rates = {"U": 0.4, "tau_facilitation": 30.0, "tau_recovery": 70.0}
    each = jax.jit(jax.jacfwd(lambda r: total(r, count)))(Quantal(8, **rates))
    exact = jax.grad(lambda r: 8 * total(r, 1)[0])(TsodyksMarkram(**rates))
    for name in rates:
        found = np.asarray(getattr(each, name))
        error = found.mean() - getattr(exact, name)
        assert abs(error) < 4.5 * found.std() / np.sqrt(count)
        assert abs(getattr(exact, name)) > 10 * found.std() / np.sqrt(count)


@pytest.mark.parametrize("duration", [1.0, 0.43])
def test_gradients_of_kinetic_receptors_through_spikes(duration):
    """With respect to spikes in a float dtype, and to the duration of a pulse: after its end, since
    at its very end there is a kink."""
    spikes = np.zeros((30, 1))
    spikes[[5, 6, 9]] = 1.0
    mix = np.random.default_rng(1).normal(size=(8, 1))

    def loss(both):
        duration, size = both
        release = TwoState(duration=duration)

        def step(state, x):
            n, now = x
            state, _ = release.release(state, size * now, None, bf.Clock(n, DT))
            return state, state.r

        n = jnp.arange(30, dtype=jnp.int32)
        return jnp.sum(mix * jax.lax.scan(step, release.init(1), (n, jnp.asarray(spikes)))[1][22:])

    # Slightly smaller than one: above, spikes count as one.
    assert_gradient(loss, (jnp.asarray(duration), jnp.asarray(0.9)), rtol=1e-5)
