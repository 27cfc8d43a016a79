"""Integrate-and-fire neurons against stored arrays from NEST (`oracle/neurons_nest.py`, 12 digits).

NEST stamps a spike with the end of its step, and records after the update of the step.
"""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from _measured import measured
from _oracle_statistics import load_json

import brainfn as bf
from brainfn import neuron as nn
from brainfn.event import Dense

NEST = load_json("neurons_nest.json")["cases"]


def at(times, dt):
    """Which of the values after each step are those at `times`."""
    steps = np.asarray(times) / dt
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    return np.rint(steps).astype(int) - 1


def test_mat2():
    """All of both patterns at once. Its membrane and thresholds are exact in both."""
    case = NEST["moving_threshold"]
    kinds, n = list(case["kinds"].values()), len(case["currents"])
    p = {key: np.repeat([k["parameters"][key] for k in kinds], n) for key in kinds[0]["parameters"]}
    cells = nn.MAT2(
        2 * n, tau=p["tau_m"], capacitance=p["C_m"], v_rest=p["E_L"], v_threshold=p["omega"],
        jump_fast=p["alpha_1"], jump_slow=p["alpha_2"], tau_fast=p["tau_1"], tau_slow=p["tau_2"],
        refractory=p["t_ref"], surrogate=None,
    )  # fmt: skip
    v, threshold, spikes = bf.simulate(
        cells,
        inputs=bf.input.Constant(np.tile(case["currents"], 2)),
        duration=case["duration"],
        dt=case["dt"],
        record=lambda s, o: (s.v, cells.v_threshold + s.fast + s.slow, o),
    ).outputs
    v, threshold, errors = np.asarray(v), np.asarray(threshold), []
    for i, (kind, j) in enumerate((kind, j) for kind in kinds for j in range(n)):
        stamps = kind["spikes"][j]
        assert len(stamps) >= 5
        np.testing.assert_array_equal(np.flatnonzero(spikes[:, i]), at(stamps, case["dt"]))
        index = at(kind["t"], case["dt"])
        errors += [v[index, i] - kind["V_m"][j], threshold[index, i] - kind["V_th"][j]]
    # The same arithmetic over 3000 steps at 70 mV.
    measured(
        "neuron.MAT2", "v and threshold over 300 ms, equal spikes", against="NEST 3.10",
        error=np.stack(errors), bound=1e-9, unit="mV",
    )  # fmt: skip


def gif(n, p, **options):
    return nn.GIF(
        n, capacitance=p["C_m"], g_leak=p["g_L"], v_rest=p["E_L"], v_threshold=p["V_T_star"],
        rate=p["lambda_0"] / 1000, width=p["Delta_V"], v_reset=p["V_reset"], refractory=p["t_ref"],
        currents=[nn.SpikeTriggered(*x) for x in zip(p["q_stc"], p["tau_stc"], strict=True)],
        shifts=[nn.SpikeTriggered(*x) for x in zip(p["q_sfa"], p["tau_sfa"], strict=True)],
        surrogate=None, **options,
    )  # fmt: skip


def test_gif_without_noise():
    """A width of 1e-6 mV. NEST holds spike-triggered currents over a step, as exponential Euler."""
    case = NEST["without_noise"]
    cells = gif(len(case["currents"]), case["parameters"])
    v, current, spikes = bf.simulate(
        cells,
        inputs=bf.input.Constant(np.array(case["currents"])),
        duration=case["duration"],
        dt=case["dt"],
        key=jax.random.key(0),
        record=lambda s, o: (s.v, sum(s.currents.values), o),
    ).outputs
    v, current = np.asarray(v), np.asarray(current)
    index, errors = at(case["t"], case["dt"]), []
    for i, stamps in enumerate(case["spikes"]):
        assert len(stamps) >= 3
        steps = at(stamps, case["dt"])
        np.testing.assert_array_equal(np.flatnonzero(spikes[:, i]), steps)
        # NEST resets v a step after the spike, and shows the current of the step's beginning.
        usual = ~np.isin(index, steps)
        errors.append((v[index, i] - case["V_m"][i])[usual])
        errors.append(current[index - 1, i] - case["I_stc"][i])
    measured(
        ["neuron.GIF", "neuron.SpikeTriggered"],
        "v and spike-triggered current over 300 ms, equal spikes, without noise",
        against="NEST 3.10", error=np.concatenate(errors), bound=1e-9, unit="mV, pA",
    )  # fmt: skip


def test_gif_at_random():
    """First spikes, 4th intervals and counts of 1000 neurons: independent between neurons."""
    case = NEST["at_random"]
    n, k, dt = len(case["first"]), case["interval"], case["dt"]
    spikes = bf.simulate(
        gif(n, case["parameters"]), inputs=case["current"], duration=case["duration"], dt=dt,
        key=jax.random.key(5),
    ).outputs  # fmt: skip
    found = [(np.flatnonzero(x) + 1) * dt for x in np.asarray(spikes).T]
    first, interval = np.array([(x[0], x[k + 1] - x[k]) for x in found]).T
    for what, ours, theirs in (
        ("first spikes", first, case["first"]),
        ("4th intervals", interval, case["intervals"]),
    ):
        # The Kolmogorov-Smirnov distance at the level of 1 in 1000. (NEST takes the shift of the
        # threshold before its decay in the step, which is 0.02 mV: a hundredth of that.)
        level = np.sqrt(-np.log(1e-3 / 2) / n)
        measured(
            "neuron.GIF", f"distribution of {what}, KS distance", against="NEST 3.10",
            error=scipy.stats.ks_2samp(ours, theirs).statistic, bound=level,
        )  # fmt: skip
        ratio = np.std(ours) / np.mean(ours) / (np.std(theirs) / np.mean(theirs))
        # Four standard deviations of the ratio of two coefficients of variation.
        measured(
            "neuron.GIF", f"coefficient of variation of {what}", against="NEST 3.10",
            error=ratio - 1, bound=4 / np.sqrt(n),
        )  # fmt: skip
    counts = np.array([len(x) for x in found])
    spread = np.sqrt((counts.var() + np.var(case["counts"])) / n)
    measured(
        "neuron.GIF", "mean number of spikes in 1 s, in standard errors", against="NEST 3.10",
        error=(counts.mean() - np.mean(case["counts"])) / spread, bound=4.0,
    )  # fmt: skip


KINDS = {
    "iaf_psc_exp": (bf.synapse.Exponential, bf.synapse.Current, 1e-9),
    "iaf_psc_alpha": (bf.synapse.Alpha, bf.synapse.Current, 1e-9),
    # NEST integrates conductances with an error of 1e-3 or 1e-9 in a step; ours is of order two.
    "iaf_cond_exp": (bf.synapse.Exponential, bf.synapse.Conductance, 1e-4),
    "iaf_cond_alpha": (bf.synapse.Alpha, bf.synapse.Conductance, 1e-4),
}


def test_synapses_through_spikes():
    """Four combinations of synapse and output in one network, each through its own spikes."""
    case = NEST["synapses"]
    cells, projections = {}, {}
    times, signs = np.array(case["times"]), np.array(case["signs"])
    cells["in"] = bf.input.SpikeTimes(len(times), times, np.arange(len(times)))
    for name, (receptor, output, _) in KINDS.items():
        kind = case["kinds"][name]
        p = kind["parameters"]
        tau = p["tau_m"] if "tau_m" in p else p["C_m"] / p["g_L"]
        cells[name] = nn.LIF(
            1, tau=tau, capacitance=p["C_m"], v_rest=p["E_L"], v_threshold=p["V_th"],
            v_reset=p["V_reset"], refractory=p["t_ref"], surrogate=None,
        )  # fmt: skip
        for side, sign in (("ex", 1), ("in", -1)):
            conductance = output is bf.synapse.Conductance
            weight = kind["weight"] * np.maximum(sign * signs, 0) * (1 if conductance else sign)
            projections[f"{name} {side}"] = bf.Projection(
                "in", name, Dense(jnp.asarray(weight)[:, None]),
                synapse=receptor(p[f"tau_syn_{side}"]),
                output=output(p[f"E_{side}"]) if conductance else output(),
                delay=case["delay"],
            )  # fmt: skip
    v, spikes = bf.simulate(
        bf.Network(cells, projections),
        inputs=dict.fromkeys(KINDS, case["current"]),
        duration=case["duration"],
        dt=case["dt"],
        record=lambda s, o: ({n: s[n].v for n in KINDS}, {n: o[n] for n in KINDS}),
    ).outputs
    for name, (_, _, bound) in KINDS.items():
        kind = case["kinds"][name]
        index = at(kind["t"], case["dt"])
        assert len(kind["spikes"]) >= 2
        np.testing.assert_array_equal(
            np.flatnonzero(spikes[name]), at(kind["spikes"], case["dt"]), err_msg=name
        )
        measured(
            "neuron.LIF", f"v with the synapses of {name} over 200 ms, equal spikes",
            against="NEST 3.10", error=np.asarray(v[name])[index, 0] - kind["V_m"], bound=bound,
            unit="mV",
        )  # fmt: skip
