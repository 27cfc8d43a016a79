"""Single rules against closed forms and fixed points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _measured import measured

import brainfn as bf
from brainfn.event import CSR, Dense
from brainfn.synapse import Activity


def clock(n, dt):
    return bf.Clock(n, dt)


def test_windows_of_pairs():
    """One arrival and one spike for each lag: the window that is measured is the formula."""
    dt, lags = 0.5, np.arange(-80, 81)
    constants = {"A_plus": 0.03, "A_minus": 0.02, "tau_plus": 12.0, "tau_minus": 25.0}
    triplet = bf.plasticity.TripletSTDP(
        A2_plus=0.03, A3_plus=0.0, A2_minus=0.02, A3_minus=0.0, tau_plus=12.0, tau_minus=25.0
    )
    rules = {
        name: bf.plasticity.STDP(**constants, pairing=name)
        for name in ("all", "symmetric", "reduced")
    } | {"triplet": triplet}
    n = 200
    pre, post = np.zeros((n, 1), bool), np.zeros((n, len(lags)), bool)
    pre[100] = True
    post[100 + lags, np.arange(len(lags))] = True
    start = Dense(jnp.full((1, len(lags)), 0.5))

    def step(carry, x):
        k, *signals = x
        new = {}
        for name, rule in rules.items():
            traces, w = carry[name]
            sides = (Activity(s, None) for s in signals)
            traces, m = rule.step(traces, Dense(w), *sides, None, clock(k, dt))
            new[name] = traces, m.weight
        return new, None

    first = {name: (rule.init(start), start.weight) for name, rule in rules.items()}
    rasters = jnp.arange(n, dtype=jnp.int32), jnp.asarray(pre), jnp.asarray(post)
    end, _ = jax.lax.scan(step, first, rasters)
    t = lags * dt
    window = np.where(t >= 0, 0.03 * np.exp(-t / 12.0), -0.02 * np.exp(t / 25.0))
    for name in rules:
        measured(
            f"plasticity.{'TripletSTDP' if name == 'triplet' else 'STDP'}",
            f"window of pairs, {name}",
            against="closed form",
            error=end[name][1][0] - 0.5 - window,
            bound=1e-15,  # a hundred exact decays of numbers of order 0.01
            unit="of order 0.01",
        )


def linear(rule, x, w, dt):
    """The weights after each step of linear units, y = x w."""

    def step(carry, x):
        k, traces, w = carry
        sides = Activity(x, None), Activity(x @ w, None)
        traces, m = rule.step(traces, Dense(w), *sides, None, clock(k, dt))
        return (k + 1, traces, m.weight), (m.weight, x @ w)

    start = jnp.asarray(0, jnp.int32), rule.init(Dense(w)), w
    return jax.lax.scan(step, start, jnp.asarray(x))[1]


def test_oja_finds_the_principal_component():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5))
    start = jnp.asarray(rng.normal(size=(5, 2)) * 0.3)
    w, _ = linear(bf.plasticity.Oja(eta=5e-4), np.tile(x, (200, 1)), start, 0.5)
    _, vectors = np.linalg.eigh(x.T @ x / len(x))
    mean = np.asarray(w[-200:]).mean(0)  # over all patterns
    measured(
        "plasticity.Oja",
        "principal component of 200 patterns",
        against="NumPy eigh",
        error=mean * np.sign(vectors[:, -1] @ mean) - vectors[:, -1:],
        bound=1e-3,  # of first order in eta dt times the variance of 9, that is 2e-3
    )


def test_bcm_becomes_selective():
    """Two patterns in turn: a unit responds to one of them, with about the inverse of its share of
    the time. In steps of a finite threshold, which is y before the pattern and decays by a in each
    step, a (y^2 + (y - y^2) a) = y, so that y = (1 + a) / a."""
    patterns, tau, dt = np.array([[1.0, 0.2], [0.3, 0.9]]), 50.0, 1.0
    start = jnp.asarray(np.random.default_rng(1).uniform(0.3, 0.7, (2, 4)))
    rule = bf.plasticity.BCM(eta=3e-3, tau_theta=tau)
    w, _ = linear(rule, np.tile(patterns, (15_000, 1)), start, dt)
    responses = np.sort(patterns @ np.asarray(w[-1]), axis=0)
    preferred = np.argmax(patterns @ np.asarray(w[-1]), axis=0)
    assert set(preferred) == {0, 1}
    a = np.exp(-dt / tau)
    measured(
        "plasticity.BCM",
        "responses to two patterns at the fixed point",
        against="closed form",
        error=responses - np.array([[0.0], [(1 + a) / a]]),
        bound=1e-9,  # converged over 90 time constants of the weights; rounding
    )


def test_scaling_of_silent_neurons():
    """Without spikes the estimate decays, and the logarithm of the weights grows by a sum."""
    target, r0, tau, tau_rate, interval, dt = 5.0, 20.0, 800.0, 150.0, 4.0, 0.5
    rule = bf.plasticity.SynapticScaling(
        target=target, rate_init=r0, tau=tau, tau_rate=tau_rate, interval=interval
    )
    w, steps = jnp.array([[0.5, 2.0, 1.0]]), 400
    w, _ = linear(rule, np.zeros((steps, 1)), w, dt)
    t = interval * np.arange(1, steps * dt / interval + 1)
    growth = np.sum(interval / tau * (1 - r0 * np.exp(-t / tau_rate) / target))
    measured(
        "plasticity.SynapticScaling",
        "weights of silent neurons over 200 ms",
        against="closed form",
        error=np.asarray(w[-1]) / (np.array([[0.5, 2.0, 1.0]]) * np.exp(growth)) - 1,
        bound=1e-13,  # some hundred roundings
    )


def test_combined_rules_act_one_after_the_other():
    """One pair of spikes, then scaling without further spikes."""
    dt, steps = 0.5, 60
    scaling = bf.plasticity.SynapticScaling(
        target=1.0, rate_init=0.0, tau=500.0, tau_rate=1e6, interval=dt
    )
    rule = bf.plasticity.Combined([bf.plasticity.STDP(A_plus=0.1, tau_plus=15.0), scaling])
    pre, post = np.zeros((2, steps, 1))
    pre[10], post[20] = 1, 1

    def step(carry, x):
        k, traces, w = carry
        sides = Activity(x[0], None), Activity(x[1], None)
        traces, m = rule.step(traces, Dense(w), *sides, None, clock(k, dt))
        return (k + 1, traces, m.weight), None

    start = Dense(jnp.full((1, 1), 0.5))
    first = jnp.asarray(0, jnp.int32), rule.init(start), start.weight
    (_, _, w), _ = jax.lax.scan(step, first, (jnp.asarray(pre), jnp.asarray(post)))
    # Before the pair in its step, 20 growths have acted; the spike does not change the rate of
    # 1 per ms noticeably (1e-6).
    potentiation = 0.1 * np.exp(-10 * dt / 15.0)
    expected = (0.5 * np.exp(20 * dt / 500.0) + potentiation) * np.exp(40 * dt / 500.0)
    measured(
        "plasticity.Combined",
        "a pair of spikes, with scaling",
        against="closed form",
        error=w[0, 0] / expected - 1,
        bound=2e-7,  # the rate after a spike, 1e-6, over 20 of 500 ms
    )


def test_intrinsic_plasticity_reaches_its_target():
    """The bias settles where the firing curve of the neuron says: in closed form for LIF."""
    dt, duration, target = 0.1, 8_000.0, np.array([0.008, 0.02, 0.05])
    given = np.array([50.0, 90.0, 250.0])
    cells = bf.neuron.LIF(3, refractory=2.0, surrogate=None)
    p = {name: float(getattr(cells, name)) for name in ("tau", "capacitance", "v_rest",
         "v_threshold", "v_reset")}  # fmt: skip
    model = bf.neuron.Intrinsic(cells, target=target, eta=2.0)
    bias, spikes = bf.simulate(
        model,
        inputs=bf.input.Constant(given),
        duration=duration,
        dt=dt,
        record=lambda state, spikes: (2.0 * state.missing, spikes),
    ).outputs
    late = slice(round(0.5 * duration / dt), None)
    counts = np.asarray(spikes[late]).sum(0)
    # The spikes that are missing at the two ends of the window.
    np.testing.assert_allclose(counts, target * 0.5 * duration, atol=3.0)
    free = 1 / target - 2.0
    current = (p["v_threshold"] - p["v_rest"]) * p["capacitance"] / p["tau"]
    # From reset, v climbs towards I R; it crosses the threshold after the free time.
    decay = np.exp(-free / p["tau"])
    assert p["v_reset"] == p["v_rest"]
    wanted = current / (1 - decay) - given
    measured(
        "neuron.Intrinsic",
        "bias current at target rates of 8, 20 and 50 Hz",
        against="closed form",
        error=np.asarray(bias[late]).mean(0) - wanted,
        # A spike moves the bias by 2 pA, and spikes are late by up to a step of 0.1 ms.
        bound=1.0,
        unit="pA",
    )


def test_dopamine_weights_are_exact_when_they_are_transmitted():
    """A network with a delay: what arrives at the receptor is the weight of that moment."""
    dt, duration, delay, tau_syn = 0.5, 400.0, 2.0, 3.0
    rng = np.random.default_rng(2)
    times = {name: np.unique(rng.integers(2, 780, n)) * dt for name, n in
             (("pre", 40), ("post", 40), ("reward", 6))}  # fmt: skip
    c = {"A_plus": 2e-3, "A_minus": 1e-3, "tau_plus": 15.0, "tau_minus": 30.0,
         "tau_eligibility": 60.0, "tau_dopamine": 40.0, "baseline": 0.1}  # fmt: skip
    net = bf.Network(
        {name: bf.input.SpikeTimes(1, t, np.zeros(len(t), int)) for name, t in times.items()
         if name != "post"}
        | {"post": bf.neuron.LIF(1, surrogate=None)},
        {
            "p": bf.Projection(
                "pre", "post", CSR.fromdense(np.array([[0.5]])), delay=delay,
                synapse=bf.synapse.Exponential(tau_syn), output=bf.synapse.Conductance(0.0),
                plasticity=bf.plasticity.DopamineSTDP(**c, w_max=10.0), modulator="reward",
            )
        },
    )  # fmt: skip
    out = bf.simulate(
        net,
        inputs={"post": 320.0},
        duration=duration,
        dt=dt,
        record=lambda s, emitted: (s.synapse("p").g[0], emitted["post"][0]),
    )
    g, fired = (np.asarray(x) for x in out.outputs)
    arrivals = np.rint((times["pre"] + delay) / dt).astype(int)
    arrivals = arrivals[arrivals < len(g)]
    before = np.where(arrivals > 0, g[arrivals - 1], 0.0)
    sent = g[arrivals] / np.exp(-dt / tau_syn) - before
    # Event by event, in closed form.
    events = [(n, 0) for n in arrivals] + [(n, 1) for n in np.flatnonzero(fired)]
    events += [(n, 2) for n in np.rint(times["reward"] / dt).astype(int)]
    w, e, d, x, y, last, expected = 0.5, 0.0, 0.0, 0.0, 0.0, 0, []
    for n, kind in sorted(events):
        t, last = (n - last) * dt, n
        r = 1 / c["tau_eligibility"] + 1 / c["tau_dopamine"]
        w += e * d * (1 - np.exp(-t * r)) / r
        w -= e * c["baseline"] * c["tau_eligibility"] * (1 - np.exp(-t / c["tau_eligibility"]))
        e *= np.exp(-t / c["tau_eligibility"])
        d *= np.exp(-t / c["tau_dopamine"])
        x *= np.exp(-t / c["tau_plus"])
        y *= np.exp(-t / c["tau_minus"])
        if kind == 0:
            expected.append(w)
            e, x = e - c["A_minus"] * y, x + 1
        elif kind == 1:
            e, y = e + c["A_plus"] * x, y + 1
        else:
            d += 1
    assert fired.sum() > 10 and np.ptp(expected) > 0.05
    measured(
        "plasticity.DopamineSTDP",
        "weights transmitted in a network over 400 ms",
        against="closed form",
        error=sent - np.array(expected),
        bound=1e-12,  # some hundred roundings, and the difference that recovers a weight
        unit="nS",
    )


def test_wrong_calls():
    m, side = Dense(jnp.ones((1, 1))), Activity(jnp.zeros(1), None)

    def step(rule):
        now = clock(jnp.asarray(0, jnp.int32), 0.1)
        rule.step(rule.init(m), m, side, side, None, now)

    with pytest.raises(ValueError, match="`pairing` must be one of .* mean .symmetric"):
        bf.plasticity.STDP(pairing="symetric")
    with pytest.raises(ValueError, match="needs a modulator"):
        step(bf.plasticity.DopamineSTDP())
    with pytest.raises(TypeError, match="a voltage `v`"):
        step(bf.plasticity.Clopath())
    with pytest.raises(ValueError, match="`rules`.*lazily"):
        bf.plasticity.Combined([bf.plasticity.DopamineSTDP()])
    with pytest.raises(TypeError, match="`rules` must hold"):
        bf.plasticity.Combined([1.0])
    with pytest.raises(ValueError, match="at least one rule"):
        bf.plasticity.Combined([])
    for options in ({"toward": 1.0}, {"power": 1.0}):
        with pytest.raises(ValueError, match="toward and power belong together"):
            bf.event.on_pre(m, side.signal, 0.1, **options)
    with pytest.raises(ValueError, match="factor can't be combined"):
        bf.event.on_pre(m, side.signal, 0.1, factor=1.0, toward=1.0, power=1.0)
