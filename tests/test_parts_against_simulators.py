"""Neurons, synapses and plasticity against stored arrays from NEST and Brian2.

`oracle/parts_nest.py` and `oracle/parts_brian2.py` made them, with 12 digits. A generator's spike
at time t with a delay d acts at t + d in both, as that of a `SpikeTimes` source does here.

Brian2 takes fixed steps: where brainfn has the same method, both must agree to rounding. NEST
integrates adaptively: against it brainfn takes a method of high order, or the bound is that of its
own step.
"""

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _measured import measured
from _oracle_statistics import load_json

import brainfn as bf
from brainfn.channel import Leak, PotassiumHH, SodiumHH
from brainfn.event import Dense
from brainfn.synapse import (
    Activity,
    Alpha,
    Conductance,
    DualExponential,
    Instant,
    MagnesiumBlock,
    NMDAGate,
    TsodyksMarkram,
)

NEST = load_json("parts_nest.json")["cases"]
BRIAN2 = load_json("parts_brian2.json")["cases"]


def at(times, dt):
    """Which of the values after each step are those at `times`."""
    steps = np.asarray(times) / dt
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    assert steps.min() > 0.5
    return np.rint(steps).astype(int) - 1


def relative(x, expected):
    return np.asarray(x) / np.asarray(expected) - 1


SQUID = ["channel.SodiumHH", "channel.PotassiumHH", "channel.Leak", "neuron.PointNeuron"]
RECEPTORS = {"alpha": "synapse.Alpha", "dual exponential": "synapse.DualExponential"}


def clock(dt):
    return bf.Clock(jnp.asarray(0, jnp.int32), dt)


# Neurons


def adex(parameters, case, duration, solver):
    """v, w and spikes after each step, for cells that get their current at `before`."""
    c, g, rest, a, tau_w, b, reset, current = np.array(parameters, float).T
    neurons = bf.neuron.AdEx(
        len(c),
        capacitance=c,
        g_leak=g,
        v_rest=rest,
        a=a,
        tau_w=tau_w,
        b=b,
        v_reset=reset,
        v_rheobase=-50.0,
        slope=2.0,
        v_peak=0.0,
        surrogate=None,
        solver=solver,
    )
    dt, steps = case["dt"], round(duration / case["dt"])
    on = np.arange(steps)[:, None] >= round(case["before"] / dt)
    out = bf.simulate(
        neurons,
        inputs=bf.input.TimeSeries(np.where(on, current, 0.0), interval=dt),
        duration=duration,
        dt=dt,
        record=lambda s, spikes: (s.v, s.w, spikes),
    ).outputs
    return tuple(np.asarray(x) for x in out)


def test_adex_under_a_step_nest():
    case = NEST["adex"]
    assert case["common"] == {"V_th": -50.0, "V_peak": 0.0, "Delta_T": 2.0, "t_ref": 0.0}
    names = ("C_m", "g_L", "E_L", "a", "tau_w", "b", "V_reset", "current")
    parameters = [[c["parameters"][x] for x in names] for c in case["cells"].values()]
    duration, dt = case["before"] + case["step"], case["dt"]
    v, w, spikes = adex(parameters, case, duration, bf.solver.Heun())
    for i, cell in enumerate(case["cells"].values()):
        # NEST resets within a step, brainfn at its end, and the upswing may cost a step more.
        late = (np.flatnonzero(spikes[:, i]) + 1) * dt - cell["spikes"]
        assert np.all(late >= 0) and np.all(late <= 2 * dt * np.arange(1, len(late) + 1) + 1e-9)
        before = cell["until_first_spike"]
        index = at(before["t"], dt)
        # The error of second order, (dt / 1 ms)^2, grown by the upswing; w is slower.
        for what, error, bound, unit in (
            ("v until the first spike, second order", v[index, i] - before["V_m"], 1e-3, "mV"),
            ("w until the first spike, second order", w[index, i] - before["w"], 2e-5, "pA"),
        ):
            measured("neuron.AdEx", what, against="NEST 3.10", error=error, bound=bound, unit=unit)


def test_adex_under_a_step_brian2():
    """The midpoint rule in both: the same steps of 200 ms, through all resets."""
    case = BRIAN2["adex"]
    parameters = list(case["parameters"].values())
    v, w, spikes = adex(parameters, case, case["duration"], bf.solver.Midpoint())
    for i, steps in enumerate(case["spike_steps"].values()):
        np.testing.assert_array_equal(np.flatnonzero(spikes[:, i]), steps)
    index = at(case["t"][1:], case["dt"])
    off = relative(v[index].T, np.array(case["v"])[:, 1:])
    measured("neuron.AdEx", "v, 200 ms, same steps", against="Brian2 2.9", error=off, bound=1e-11)
    np.testing.assert_allclose(w[index].T, np.array(case["w"])[:, 1:], rtol=1e-9, atol=1e-9)


def izhikevich(scheme, solver, dt):
    """v, u and spikes after each step, for NEST's cells."""
    case = NEST["izhikevich"]
    p = {k: np.array([x[k] for x in case["parameters"].values()]) for k in ("a", "b", "c", "d")}
    current = np.array([x["I_e"] for x in case["parameters"].values()])
    start = {"v_init": case["start"]["V_m"], "u_init": case["start"]["U_m"]}
    cells = bf.neuron.Izhikevich(4, **p, **start, solver=solver, surrogate=None)
    out = bf.simulate(
        cells,
        inputs=bf.input.Constant(current),
        duration=case["duration"],
        dt=dt,
        record=lambda s, spikes: (s.v, s.u, spikes),
    ).outputs
    return case[scheme], *(np.asarray(x) for x in out)


def test_izhikevich_nest():
    """NEST's consistent integration is the forward Euler rule: the same steps, through all resets;
    and the limit of small steps by the scheme of the paper."""
    dt = NEST["izhikevich"]["dt"]["euler"]
    cells, v, u, spikes = izhikevich("euler", dfx.Euler(), dt)
    for i, cell in enumerate(cells):
        np.testing.assert_array_equal(np.flatnonzero(spikes[:, i]), at(cell["spikes"], dt))
        index = at(cell["t"], dt)
        early = index < 500
        errors = np.array([v[index, i] - cell["V_m"], u[index, i] - cell["U_m"]])[:, early]
        # 12 digits of 80 mV. Later roundings grow: each upswing multiplies them.
        measured(
            "neuron.Izhikevich", "v and u over 50 ms, equal spikes over 200 ms, same steps",
            against="NEST 3.10", error=errors, bound=1e-10, unit="mV",
        )  # fmt: skip
    dt = 0.01
    cells, _, _, spikes = izhikevich("published", bf.solver.Heun(), dt)
    for i, cell in enumerate(cells):
        found = (np.flatnonzero(spikes[:, i]) + 1) * dt
        assert len(cell["spikes"]) >= 5
        # A spike of ours is late by half a step on average, and intervals add up; NEST's scheme of
        # first order in steps of 1 us adds as much.
        measured(
            "neuron.Izhikevich", "spike times over 200 ms, steps of 0.01 ms", against="NEST 3.10",
            error=found - np.array(cell["spikes"]), bound=0.3, unit="ms",
        )  # fmt: skip


def test_squid_axon_nest():
    case = NEST["squid"]
    p, dt = case["parameters"], case["dt"]
    channels = [
        SodiumHH(g=p["g_Na"], reversal=p["E_Na"]),
        PotassiumHH(g=p["g_K"], reversal=p["E_K"]),
        Leak(g=p["g_L"], reversal=p["E_L"]),
    ]
    cell = bf.neuron.PointNeuron(1, channels, capacitance=p["C_m"], solver=dfx.Tsit5())
    v = bf.simulate(
        cell,
        inputs=p["current"],
        duration=case["duration"],
        dt=dt,
        record=lambda s, _: s.v,
    ).outputs
    v = np.asarray(v)[:, 0]
    # NEST's tolerance is 1e-6 mV in each step; the crossings are interpolated by both in one way.
    error = v[at(case["t"], dt)] - case["V_m"]
    measured(SQUID, "v, Tsit5", against="NEST 3.10", error=error, bound=5e-6, unit="mV")
    low = case["threshold"]
    up = np.flatnonzero((v[:-1] < low) & (v[1:] >= low))
    crossings = (up + 1) * dt + dt * (low - v[up]) / (v[up + 1] - v[up])
    assert len(crossings) >= 4
    error = crossings - case["crossings"]
    measured(SQUID, "spike times, Tsit5", against="NEST 3.10", error=error, bound=1e-6, unit="ms")


def test_squid_axon_brian2():
    """Exponential Euler in both: the same steps, although they are coarse."""
    case = BRIAN2["squid"]
    cell = bf.neuron.PointNeuron(1, [SodiumHH(), PotassiumHH(), Leak()], surrogate=None)
    v, gates, spikes = bf.simulate(
        cell,
        inputs=case["current"],
        duration=case["duration"],
        dt=case["dt"],
        record=lambda s, spikes: (s.v, s.gates.values, spikes),
    ).outputs
    np.testing.assert_array_equal(np.flatnonzero(spikes), case["spike_steps"])
    index = at(case["t"][1:], case["dt"])
    found = {"v": v, "m": gates[0]["m"], "h": gates[0]["h"], "n": gates[1]["n"]}
    for name, x in found.items():
        off = relative(np.asarray(x)[index, 0], case[name][1:])
        measured(SQUID, f"{name}, same steps", against="Brian2 2.9", error=off, bound=1e-10)


# Short-term and long-term plasticity


@pytest.mark.parametrize(
    "kinds", [NEST["short_term"], BRIAN2["short_term"]["kinds"]], ids=["NEST", "Brian2"]
)
def test_short_term_plasticity(kinds):
    """What each spike of an irregular train sends, for three synapses at once."""
    values = [[k["parameters"][x] for k in kinds.values()] for x in ("U", "tau_fac", "tau_rec")]
    u, facilitation, recovery = np.array(values)
    release = TsodyksMarkram(U=u, tau_facilitation=facilitation, tau_recovery=recovery)
    dt, times = 0.1, next(iter(kinds.values()))["times"]
    steps = np.rint(np.array(times) / dt).astype(int)
    raster = np.zeros((steps[-1] + 1, 3), bool)
    raster[steps] = True
    _, sent = jax.lax.scan(
        lambda state, x: release.release(state, x, None, clock(dt)),
        release.init(3),
        jnp.asarray(raster),
    )
    expected = np.array([k["sent"] for k in kinds.values()]).T
    # Thousands of exact steps against one for each interval: some thousand eps.
    against = "NEST 3.10" if kinds is NEST["short_term"] else "Brian2 2.9"
    off = relative(sent[steps], expected)
    measured("synapse.TsodyksMarkram", "u x", against=against, error=off, bound=3e-11)


def weights_after_each_step(rule, weights, pre, post, dt):
    def step(carry, x):
        traces, weight = carry
        sides = [Activity(signal, None) for signal in x]
        traces, matrix = rule.step(traces, Dense(weight), *sides, None, clock(dt))
        return (traces, matrix.weight), matrix.weight

    start = Dense(jnp.asarray(weights))
    rasters = jnp.asarray(pre), jnp.asarray(post)
    return np.asarray(jax.lax.scan(step, (rule.init(start), start.weight), rasters)[1])


def test_pair_stdp_nest():
    """The weight after each presynaptic spike: NEST computes it there, from the history."""
    case, dt = NEST["pair_stdp"], 0.1
    pre, post = rasters = np.zeros((2, round(case["pre"][-1] / dt) + 1, 1), bool)
    for raster, times in zip(rasters, (case["pre"], case["post_at_synapse"]), strict=True):
        raster[np.rint(np.array(times) / dt).astype(int)] = True
    rule = bf.plasticity.STDP(
        **{name: case[name] for name in ("A_plus", "A_minus", "tau_plus", "tau_minus", "w_max")}
    )
    w = weights_after_each_step(rule, [[case["weight"]]], pre, post, dt)[pre[:, 0], 0, 0]
    assert min(case["weights_after_pre"]) == 0.0
    error = w - case["weights_after_pre"]
    measured("plasticity.STDP", "weights", against="NEST 3.10", error=error, bound=1e-11)


def test_pair_stdp_brian2():
    """Six synapses over 800 steps, coincidences and both bounds included."""
    case = BRIAN2["pair_stdp"]
    expected = np.array(case["w"])
    rasters = [np.zeros((case["steps"], n), bool) for n in expected.shape[1:]]
    for raster, spikes in zip(rasters, (case["pre"], case["post"]), strict=True):
        raster[tuple(np.array(spikes).T)] = True
    rule = bf.plasticity.STDP(**case["rule"], w_min=0.0, w_max=1.0)
    w = weights_after_each_step(rule, expected[0], *rasters, case["dt"])
    assert w.min() == 0.0 and w.max() == 1.0
    error = w[at(case["t"][1:], case["dt"])] - expected[1:]
    measured("plasticity.STDP", "weights", against="Brian2 2.9", error=error, bound=1e-11)


# Synapses in a membrane


def passive(tau, capacitance, rest, **options):
    return bf.neuron.LIF(
        1,
        tau=tau,
        capacitance=capacitance,
        v_rest=rest,
        v_init=rest,
        v_threshold=1e3,
        surrogate=None,
        **options,
    )


def conductances(receptors, case, cell, dt):
    """v of each cell and g of each receptor: `{cell: {"ex": (receptor, weights, reversal)}}`."""
    times = np.array(case["events"]["times"])
    populations = {"in": bf.input.SpikeTimes(len(times), times, np.arange(len(times)))}
    projections = {}
    for name, kinds in receptors.items():
        populations[name] = cell
        for kind, (receptor, weights, reversal) in kinds.items():
            projections[f"{name} {kind}"] = bf.Projection(
                "in",
                name,
                Dense(jnp.asarray(weights)[:, None]),
                synapse=receptor,
                output=Conductance(reversal),
                delay=case["delay"],
            )
    v, g = bf.simulate(
        bf.Network(populations, projections),
        duration=case["duration"],
        dt=dt,
        record=lambda s, _: (
            {name: s[name].v for name in receptors},
            {name: s.synapse(name).g for name in projections},
        ),
    ).outputs
    return jax.tree.map(lambda x: np.asarray(x)[:, 0], (v, g))


def test_conductances_nest():
    """Excitation and inhibition, alpha and dual exponential, with a solver of order five."""
    case = NEST["conductances"]
    m, p = case["membrane"], {name: k["parameters"] for name, k in case["kinds"].items()}
    w, alpha, dual = np.array(case["events"]["weights"]), p["alpha"], p["dual exponential"]
    receptors = {"alpha": {}, "dual exponential": {}}
    for kind, weights in (("ex", np.maximum(w, 0)), ("in", np.maximum(-w, 0))):
        both = weights, m[f"E_{kind}"]
        rise, decay = dual[f"tau_rise_{kind}"], dual[f"tau_decay_{kind}"]
        receptors["alpha"][kind] = (Alpha(alpha[f"tau_syn_{kind}"]), *both)
        receptors["dual exponential"][kind] = (DualExponential(rise, decay), *both)
    cell = passive(m["C_m"] / m["g_L"], m["C_m"], m["E_L"], solver=dfx.Tsit5())
    v, g = conductances(receptors, case, cell, case["dt"])
    for name, expected in case["kinds"].items():
        index = at(expected["t"], case["dt"])
        # NEST's own: Runge-Kutta of order five in steps of 0.1 ms, a seventh of the fastest tau.
        parts = [RECEPTORS[name], "synapse.Conductance", "neuron.LIF"]
        error = v[name][index] - expected["V_m"]
        measured(parts, "v, Tsit5", against="NEST 3.10", error=error, bound=1e-6, unit="mV")
        for kind in ("ex", "in"):
            error = g[f"{name} {kind}"][index] - expected[f"g_{kind}"]
            measured(
                parts[0], "conductance", against="NEST 3.10", error=error, bound=2e-6, unit="nS"
            )


def test_conductances_brian2():
    """The default solver converges with order two; conductances are exact."""
    case = BRIAN2["conductances"]
    m, w = case["membrane"], np.array(case["events"]["weights"])
    kinds = {"alpha": Alpha, "dual exponential": DualExponential}
    receptors = {
        name: {"ex": (receptor(**case["kinds"][name]["parameters"]), w, m["reversal"])}
        for name, receptor in kinds.items()
    }
    cell = passive(m["capacitance"] / m["g_leak"], m["capacitance"], m["rest"])
    errors = []
    for dt in (0.1, 0.05):
        v, g = conductances(receptors, case, cell, dt)
        for name, expected in case["kinds"].items():
            index = at(expected["t"][1:], dt)
            # Brian's rk4: (0.01 ms / 0.7 ms)^4 / 120 in each time constant.
            error = g[f"{name} ex"][index] - expected["g"][1:]
            part = RECEPTORS[name]
            measured(part, "conductance", against="Brian2 2.9", error=error, bound=1e-8, unit="nS")
            errors.append(np.abs(v[name][index] - expected["v"][1:]).max())
    assert max(errors) < 1e-4
    np.testing.assert_allclose(np.divide(errors[:2], errors[2:]), 4.0, rtol=0.1)


def test_nmda():
    """Gates, saturation and the magnesium block from -70 to -27 mV, against both at once.

    Neurons get the gates of the beginning of a step: order one, so that two runs extrapolate.
    """
    nest, brian2 = NEST["nmda"], BRIAN2["nmda"]
    for name in ("times", "weights", "delay", "duration"):
        assert nest[name] == brian2[name]
    assert nest["gate"] == {"tau_rise_NMDA": 2.0, "tau_decay_NMDA": 100.0, "alpha": 0.5}
    times, units = np.concatenate(nest["times"]), np.repeat([0, 1], [*map(len, nest["times"])])
    release, synapse, w = NMDAGate(), Instant(), jnp.asarray(nest["weights"])[:, None]
    magnesium = {"NEST": nest["membrane"]["conc_Mg2"], "Brian2": brian2["magnesium"]}
    m = nest["membrane"]
    cell = passive(m["C_m"] / m["g_L"], m["C_m"], m["E_L"])
    network = bf.Network(
        {"in": bf.input.SpikeTimes(2, times, units)} | dict.fromkeys(magnesium, cell),
        [
            bf.Projection(
                "in",
                name,
                Dense(w),
                release=release,
                synapse=synapse,
                output=MagnesiumBlock(magnesium=mg),
                delay=nest["delay"],
            )
            for name, mg in magnesium.items()
        ],
    )
    errors = []
    for dt in (0.1, 0.05):
        v = bf.simulate(
            network,
            duration=nest["duration"],
            dt=dt,
            record=lambda s, _: {name: s[name].v[0] for name in magnesium},
        ).outputs
        found = []
        for name, t, expected in (
            ("NEST", nest["t"], nest["V_m"]),
            ("Brian2", brian2["t"][1:], brian2["v"][1:]),
        ):
            found.append(np.asarray(v[name])[at(t, dt)] - expected)
        errors.append(np.concatenate(found))
    coarse, fine = errors
    # Half a step late, where the voltage climbs by about 1 mV/ms.
    assert np.abs(coarse).max() < 0.1
    assert np.abs(fine).max() < 0.55 * np.abs(coarse).max()
    measured(
        ["synapse.NMDAGate", "synapse.MagnesiumBlock", "synapse.Instant"],
        "v, extrapolated from two steps",
        against="NEST 3.10 and Brian2 2.9",
        error=2 * fine - coarse,
        bound=0.02 * np.abs(coarse).max(),
        unit="mV",
    )


def test_nmda_gates_brian2():
    """The gates alone, which are exact but for terms of order two."""
    case, dt, gate = BRIAN2["nmda"], 0.1, NMDAGate()
    raster = np.zeros((round(case["duration"] / dt), 2), bool)
    for unit, times in enumerate(case["times"]):
        # A gate opens at the end of the step of its spike.
        raster[at(np.array(times) + case["delay"], dt), unit] = True
    _, s = jax.lax.scan(
        lambda state, x: gate.release(state, x, None, clock(dt)), gate.init(2), jnp.asarray(raster)
    )
    for unit in range(2):
        found = s[at(case["t"][1:], dt), unit]
        error = found - np.array(case[f"s{unit}"][1:])
        measured("synapse.NMDAGate", "open fraction", against="Brian2 2.9", error=error, bound=1e-4)


def test_a_chain_of_neurons_nest():
    """Leaky membranes, exponential currents, refractoriness: exact in both, through all spikes.

    A neuron spikes in a step, and NEST puts the spike at its end: after a delay of d it acts from
    d later on. In brainfn a delay counts from the step itself, so that one more step is the same.
    """
    case = NEST["chain"]
    p, dt, names = case["parameters"], case["dt"], "abc"
    cell = bf.neuron.LIF(
        1,
        tau=p["tau_m"],
        capacitance=p["C_m"],
        v_rest=p["E_L"],
        v_threshold=p["V_th"],
        v_reset=p["V_reset"],
        refractory=p["t_ref"],
        surrogate=None,
    )
    projections = [
        bf.Projection(
            pre,
            post,
            Dense(jnp.array([[w]])),
            synapse=bf.synapse.Exponential(p["tau_syn_ex"] if w > 0 else p["tau_syn_in"]),
            output=bf.synapse.Current(),
            delay=case["delay"] + dt,
        )
        for pre, post, w in zip(names, names[1:], case["weights"], strict=False)
    ]
    v, spikes = bf.simulate(
        bf.Network(dict.fromkeys(names, cell), projections),
        inputs=dict(zip(names, case["currents"], strict=True)),
        duration=case["duration"],
        dt=dt,
        record=lambda s, emitted: ({n: s[n].v for n in names}, {n: emitted[n] for n in names}),
    ).outputs
    for name, stamps, expected in zip(names, case["spikes"], case["V_m"], strict=True):
        assert len(stamps) >= 3
        np.testing.assert_array_equal(np.flatnonzero(spikes[name]), at(stamps, dt))
        measured(
            ["neuron.LIF", "synapse.Exponential", "synapse.Current", "synapse.Spikes"],
            "v of a chain through its spikes",
            against="NEST 3.10",
            error=relative(v[name][at(case["t"], dt), 0], expected),
            bound=1e-11,
        )
