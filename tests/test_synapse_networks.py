"""Synapses of every kind in networks: gap junctions, NMDA, short-term plasticity."""

from itertools import cycle
from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
from _measured import measured
from _oracle_statistics import load_json
from models import all_outputs, all_receptors, all_releases
from scipy.integrate import solve_ivp

import brainfn as bf
from brainfn.channel import alpha_beta, linoid
from brainfn.event import CSR, Dense
from brainfn.synapse import (
    Conductance,
    Exponential,
    Instant,
    MagnesiumBlock,
    NMDAGate,
    TsodyksMarkram,
    gap_junction,
)

DT = 0.1
NEST = load_json("synapses_nest.json")["cases"]


def silent(n, v, **options):
    return bf.neuron.LIF(n, v_threshold=1e6, v_init=v, **options)


def gap(pre, post, w, **options):
    return bf.Projection(pre, post, Dense(jnp.asarray(w)), **gap_junction(), **options)


def test_gap_junctions_between_two_populations():
    """Each step is the exact solution of a linear membrane with the voltages of the step before."""
    rng = np.random.default_rng(0)
    w = rng.uniform(0.0, 4.0, (3, 2))
    a, b = np.array([-70.0, -55.0, -40.0]), np.array([-65.0, -30.0])
    network = bf.Network(
        {"a": silent(3, a), "b": silent(2, b, tau=10.0)},
        {"ab": gap("a", "b", w), "ba": gap("b", "a", w.T)},
    )
    out = bf.simulate(
        network, duration=5.0, dt=DT, record=lambda s, o: (s["a"].v, s["b"].v)
    ).outputs
    errors = []
    for n in range(50):
        new = []
        for v, other, g, tau in ((a, b, w.T, 20.0), (b, a, w, 10.0)):
            leak, total = 200.0 / tau, g.sum(0)
            rest = (leak * -60.0 + other @ g) / (leak + total)
            new.append(rest + (v - rest) * np.exp(-(leak + total) / 200.0 * DT))
        a, b = new
        errors += [*(np.asarray(out[0][n]) - a), *(np.asarray(out[1][n]) - b)]
    measured(
        ["synapse.Diffusive", "synapse.Graded", "synapse.Instant", "synapse.gap_junction"],
        "potentials of five passive cells, same steps",
        against="closed form",
        error=errors,
        bound=1e-10,  # 50 steps of the same arithmetic in another order, of 50 mV
        unit="mV",
    )


def test_equal_voltages_pass_no_current():
    network = bf.Network(
        {"a": silent(3, -60.0), "b": silent(2, -60.0)},
        [gap("a", "b", np.full((3, 2), 2.0), delay=1.0)],
    )
    out = bf.simulate(network, duration=5.0, dt=DT, record=lambda s, o: s["b"].v).outputs
    np.testing.assert_allclose(out, -60.0, atol=1e-11)


def given(n=2):
    return bf.input.SpikeTimes(n, [0.5, 1.0, 1.5, 4.0, 4.5, 4.5], [0, 0, 1, 0, 1, 0])


def test_nmda_in_one_projection():
    """What the neuron sees is the gate of `NMDAGate`, one delay later, through the block."""
    w = np.array([[3.0], [2.0]])
    network = bf.Network(
        {"in": given(), "cell": silent(1, -50.0)},
        [
            bf.Projection(
                "in",
                "cell",
                Dense(jnp.asarray(w)),
                release=NMDAGate(),
                synapse=Instant(),
                output=MagnesiumBlock(),
                delay=0.3,
            )
        ],
    )
    out = bf.simulate(
        network, duration=20.0, dt=DT, record=lambda s, o: (s["cell"].v, o["in"])
    ).outputs
    gate, clock = NMDAGate(), bf.Clock(jnp.asarray(0, jnp.int32), DT)
    state, v = gate.init(2), -50.0
    sent = [np.zeros(2)] * 3
    for n in range(200):
        g = float((sent[n] @ w)[0])
        v_now = v
        # The exponential Euler step, with the derivative of the blocked current by v.
        block = 1 / (1 + np.exp(-0.062 * v_now) / 3.57)
        slope = -g * block - g * v_now * 0.062 * block * (1 - block)
        rate = -1 / 20.0 + slope / 200.0
        field = (-60.0 - v_now) / 20.0 - g * block * v_now / 200.0
        v = v_now + field * np.expm1(rate * DT) / rate
        np.testing.assert_allclose(out[0][n], [v], rtol=1e-9)
        state, s = gate.release(state, jnp.asarray(out[1][n]), None, clock)
        sent.append(np.asarray(s))


def test_short_term_plasticity_in_a_network_merged_and_apart():
    def run(merge):
        cells = {name: bf.neuron.LIF(3, refractory=1.0, v_init=-52.0) for name in "abc"}
        dense = np.random.default_rng(1).uniform(1.0, 5.0, (3, 3))
        projections = [
            bf.Projection(
                pre,
                post,
                CSR.fromdense(dense),
                release=TsodyksMarkram(U=u),
                synapse=Exponential(5.0),
                output=Conductance(0.0),
                delay=0.4,
            )
            for pre, post, u in (("a", "b", 0.5), ("b", "c", 0.2), ("c", "a", 0.9))
        ]
        network = bf.Network(cells, projections, merge=merge)
        out = bf.simulate(network, inputs=250.0, duration=40.0, dt=DT)
        return jax.tree.map(np.asarray, dict(out.outputs)), out.state.model_state

    (x, state), (y, _) = run(True), run(False)
    for name in "abc":
        assert x[name].sum() > 3
        np.testing.assert_array_equal(x[name], y[name])
    # The utilisation of `b` after its spikes, by hand.
    u = np.zeros(3)
    for spikes in x["b"]:
        u = u * np.exp(-DT / 20.0)
        u = u + spikes * 0.2 * (1 - u)
    found = np.concatenate([np.asarray(r.u) for r in state.releases])
    assert all(np.any(np.isclose(found, value, rtol=1e-12)) for value in u)


def test_gap_junctions_between_squid_axons():
    """One is driven and spikes, and so does the other through a junction: of order one in `dt`."""
    coupling, current = 0.4, 12.0

    def field(t, y):
        v, m, h, n = y.reshape(4, 2)
        with np.errstate(all="ignore"):
            rates = (
                (m, 0.1 * (v + 40) / -np.expm1(-(v + 40) / 10), 4 * np.exp(-(v + 65) / 18)),
                (h, 0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))),
                (n, 0.01 * (v + 55) / -np.expm1(-(v + 55) / 10), 0.125 * np.exp(-(v + 65) / 80)),
            )
        ionic = 120 * m**3 * h * (v - 50) + 36 * n**4 * (v + 77) + 0.3 * (v + 54.387)
        dv = np.array([current, 0.0]) - ionic + coupling * (v[::-1] - v)
        return np.concatenate([dv, *(a * (1 - x) - b * x for x, a, b in rates)])

    def steady(v):
        a = np.array([0.1 * (v + 40) / -np.expm1(-(v + 40) / 10), 0.07, 0])
        a[2] = 0.01 * (v + 55) / -np.expm1(-(v + 55) / 10)
        b = np.array([4.0, 1 / (1 + np.exp(3.0)), 0.125])
        return a / (a + b)

    start = np.concatenate([[-65.0, -65.0], np.repeat(steady(-65.0), 2)])
    t = np.arange(1, 31) * 0.5
    options = {"method": "DOP853", "rtol": 1e-10, "atol": 1e-10, "t_eval": t}
    exact = solve_ivp(field, (0, 15.0), start, **options).y[:2]
    assert exact[0].max() > 20 and exact[1].max() > 20

    channels = [bf.channel.SodiumHH(), bf.channel.PotassiumHH(), bf.channel.Leak()]
    cell = bf.neuron.PointNeuron(2, channels, solver=dfx.Tsit5(), surrogate=None)
    w = np.array([[0.0, coupling], [coupling, 0.0]])
    network, errors = bf.Network({"a": cell}, [gap("a", "a", w)]), []
    for dt in (0.02, 0.01):
        v = bf.simulate(
            network,
            inputs={"a": bf.input.Constant(np.array([current, 0.0]))},
            duration=15.0,
            dt=dt,
            record=lambda s, _: s["a"].v,
        ).outputs
        errors.append(np.asarray(v)[np.rint(t / dt).astype(int) - 1].T - exact)
    assert 1.7 < np.abs(errors[0]).max() / np.abs(errors[1]).max() < 2.3
    measured(
        ["synapse.gap_junction", "synapse.Diffusive"],
        "potentials of two squid axons at a dt of 0.01 ms",
        against="SciPy DOP853 at 1e-10",
        error=errors[1],
        bound=1.0,  # of order one: 2 us in the time of a spike that climbs by 400 mV/ms
        unit="mV",
    )
    extrapolated = np.abs(2 * errors[1] - errors[0]).max()
    assert extrapolated < 0.05 * np.abs(errors[1]).max()


class SodiumMancilla(bf.channel.AbstractOhmicChannel):
    """As in NEST's `hh_psc_alpha_gap`, of Mancilla et al. (2007),
    doi:10.1523/JNEUROSCI.2715-06.2007."""

    g: Any = bf.param(4500.0, unit="nS")
    reversal: Any = bf.param(74.0, unit="mV")
    carries = "na"

    def gates(self, v, ions):
        m = alpha_beta(40 * linoid(v - 75.5, 13.5), 1.2262 * jnp.exp(-v / 42.248))
        h = alpha_beta(0.0035 * jnp.exp(-v / 24.186), 0.017 * linoid(v + 51.25, 5.2))
        return {"m": m, "h": h}

    def opened(self, gates, v, ions):
        return gates["m"] ** 3 * gates["h"]


class PotassiumMancilla(bf.channel.AbstractOhmicChannel):
    """Kv1 and Kv3 of the same neuron."""

    g: Any = bf.param(9.0, unit="nS")
    g_fast: Any = bf.param(9000.0, unit="nS")
    reversal: Any = bf.param(-90.0, unit="mV")
    carries = "k"

    def gates(self, v, ions):
        n = alpha_beta(0.014 * linoid(v + 44, 2.3), 0.0043 * jnp.exp(-(v + 44) / 34))
        p = alpha_beta(linoid(v - 95, 11.8), 0.025 * jnp.exp(-v / 22.222))
        return {"n": n, "p": p}

    def opened(self, gates, v, ions):
        return gates["n"] ** 4 + self.g_fast / self.g * gates["p"] ** 2


def test_gap_junction_nest():
    """Of order one in `dt`; what is extrapolated to zero is compared. In steps of 0.01 ms NEST's
    own error is 3e-6 mV (against SciPy)."""
    case = NEST["gap_junction"]
    p, t, expected = case["parameters"], np.array(case["t"]), np.array(case["V_m"])
    channels = [
        SodiumMancilla(g=p["g_Na"], reversal=p["E_Na"]),
        PotassiumMancilla(g=p["g_Kv1"], g_fast=p["g_Kv3"], reversal=p["E_K"]),
        bf.channel.Leak(g=p["g_L"], reversal=p["E_L"]),
    ]
    cell = bf.neuron.PointNeuron(
        2,
        channels,
        capacitance=p["C_m"],
        v_init=p["V_m"],
        surrogate=None,
        solver=bf.solver.ExponentialMidpoint(),
    )
    w = case["weight"] * np.array([[0.0, 1.0], [1.0, 0.0]])
    network, errors = bf.Network({"a": cell}, [gap("a", "a", w)]), []
    for dt in (0.005, 0.0025):
        v = bf.simulate(
            network,
            inputs={"a": bf.input.Constant(np.array([case["current"], 0.0]))},
            duration=t[-1],
            dt=dt,
            record=lambda s, _: s["a"].v,
        ).outputs
        errors.append(np.asarray(v)[np.rint(t / dt).astype(int) - 1].T - expected)
    # Where the potential is fast, 1 us makes 1 mV.
    slow = (expected < -45) & (np.abs(np.gradient(expected, axis=1)) < 3.0)
    assert np.all(expected.max(1) > 0) and slow.mean() > 0.8
    coarse, fine = (np.abs(e[slow]).max() for e in errors)
    assert 1.9 < coarse / fine < 2.1
    measured(
        ["synapse.gap_junction", "synapse.Diffusive"],
        "potentials of two neurons outside spikes, extrapolated to steps of zero",
        against="NEST 3.10",
        error=(2 * errors[1] - errors[0])[slow],
        bound=0.1 * fine,  # what is of second order
        unit="mV",
    )


def everything(merge):
    """A release, a receptor and an output of each class, from two populations of one kind, with a
    delay for all synapses or one for each, onto neurons that do not spike."""
    # Variants of one class compile to much the same.
    releases, receptors, outputs = (
        {name: make() for name, make in parts.items() if "," not in name}
        for parts in (all_releases, all_receptors, all_outputs)
    )
    jump, difference, instant = (
        outputs.pop("Delta"),
        outputs.pop("Diffusive"),
        receptors.pop("Instant"),
    )
    more_receptors, more_outputs = cycle(receptors.values()), cycle(outputs.values())
    triples = []
    for name, release in releases.items():
        synapse = instant if release.graded or name == "Quantal" else next(more_receptors)
        special = {"Graded": difference, "Quantal": jump}
        output = special[name] if name in special else next(more_outputs)
        triples.append((name, release, synapse, output))
    used = {type(part) for triple in triples for part in triple[1:]}
    assert used == {
        type(make())
        for parts in (all_releases, all_receptors, all_outputs)
        for make in parts.values()
    }
    rng = np.random.default_rng(3)
    populations = {name: bf.neuron.LIF(3, v_init=-51.0) for name in "pq"}
    populations |= {name: silent(2, -58.0) for name in "xy"}
    projections = {}
    for pre, post, factor in (("p", "x", 1.0), ("q", "y", 1.2)):
        for name, release, synapse, output in triples:
            w = rng.uniform(0.5, 1.5, (3, 2))
            each = bf.delay.Synaptic(rng.choice([0.2, 0.5], 6))
            projections[f"{name} {pre}"] = bf.Projection(
                pre,
                post,
                CSR.fromdense(w),
                release=jax.tree.map(lambda x: x + 0, release),  # objects of their own
                synapse=jax.tree.map(lambda x, c=factor: c * x, synapse),
                output=output,
                delay=each if name in ("Quantal", "TwoState", "GABAB") else 0.3,
            )
    return bf.Network(populations, projections, merge=merge)


def test_all_parts_merged_and_apart():
    """The same bits, whether they are stored as one array or each on its own, with random numbers:
    the neurons of both populations see the same only if nothing leaks between them."""

    def run(network):
        return bf.simulate(
            network,
            inputs={"p": 300.0, "q": 260.0},
            duration=9.0,
            dt=DT,
            key=jax.random.key(0),
            record=lambda s, out: (s["x"].v, s["y"].v, out["p"], out["q"]),
        ).outputs

    merged, separate = run(everything(True)), run(everything(False))
    for a, b in zip(merged, separate, strict=True):
        np.testing.assert_array_equal(a, b)
    assert min(np.sum(merged[2]), np.sum(merged[3])) >= 3
    assert np.all(np.isfinite(merged[0])) and np.ptp(merged[0]) > 1
