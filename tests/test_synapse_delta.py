"""Delta synapses: jumps of the membrane potential in mV; and conductances, against NEST."""

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _measured import measured
from _oracle_statistics import load_json

import brainfn as bf
from brainfn.event import CSR, Dense
from brainfn.synapse import Conductance, Current, Delta, Exponential, Instant

NEST = load_json("synapses_nest.json")["cases"]


def at(times, dt):
    """Which of the values after each step are those at `times`."""
    return np.rint(np.asarray(times) / dt).astype(int) - 1


def jumps(pre, post, weights, **options):
    matrix = weights if isinstance(weights, CSR) else Dense(jnp.asarray(weights))
    return bf.Projection(pre, post, matrix, synapse=Instant(), output=Delta(), **options)


def test_a_chain_of_neurons_nest():
    """Potentials, all spikes and refractoriness of `iaf_psc_delta`.

    A spike of a neuron has its effect after the same delay. One of a generator acts in NEST at t +
    d, which is the end of the step before the one in which it would act here.
    """
    case = NEST["delta"]
    p, dt, times = case["parameters"], case["dt"], case["times"]
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
    network = bf.Network(
        {"in": bf.input.SpikeTimes(len(times), times, np.arange(len(times))), "a": cell, "b": cell},
        [
            jumps("in", "a", np.array(case["weights"])[:, None], delay=case["delays"][0] - dt),
            jumps("a", "b", np.array([[case["weight"]]]), delay=case["delays"][1]),
        ],
    )
    v, spikes = bf.simulate(
        network,
        inputs=dict(zip("ab", case["currents"], strict=True)),
        duration=case["duration"],
        dt=dt,
        record=lambda s, out: ([s[n].v[0] for n in "ab"], [out[n][0] for n in "ab"]),
    ).outputs
    for i in range(2):
        assert len(case["spikes"][i]) >= 4
        np.testing.assert_array_equal(np.flatnonzero(spikes[i]), at(case["spikes"][i], dt))
        found = np.asarray(v[i])[at(case["t"], dt)]
        measured(
            "synapse.Delta",
            "membrane potential over 200 ms, all spikes equal",
            against="NEST 3.10",
            error=found - np.array(case["V_m"][i]),
            bound=2e-10,  # the 12 digits of the reference
            unit="mV",
        )


def test_conductances_nest():
    """`iaf_cond_exp`: excitation and inhibition, with a solver of order five."""
    case = NEST["conductances"]
    p, dt, w = case["parameters"], case["dt"], np.array(case["weights"])
    cell = bf.neuron.LIF(
        1,
        tau=p["C_m"] / p["g_L"],
        capacitance=p["C_m"],
        v_rest=p["E_L"],
        v_threshold=1e3,
        surrogate=None,
        solver=dfx.Tsit5(),
    )
    source = bf.input.SpikeTimes(len(w), np.array(case["times"]), np.arange(len(w)))
    network = bf.Network(
        {"in": source, "cell": cell},
        {
            kind: bf.Projection(
                "in",
                "cell",
                Dense(jnp.asarray(weights)[:, None]),
                synapse=Exponential(p[f"tau_syn_{kind}"]),
                output=Conductance(p[f"E_{kind}"]),
                delay=case["delay"],
            )
            for kind, weights in (("ex", np.maximum(w, 0)), ("in", np.maximum(-w, 0)))
        },
    )
    v, g = bf.simulate(
        network,
        duration=case["duration"],
        dt=dt,
        record=lambda s, _: (s["cell"].v[0], {k: s.synapse(k).g[0] for k in ("ex", "in")}),
    ).outputs
    index = at(case["t"], dt)
    measured(
        ["synapse.Exponential", "synapse.Conductance"],
        "membrane potential over 60 ms",
        against="NEST 3.10",
        error=np.asarray(v)[index] - case["V_m"],
        bound=1e-8,  # NEST's own steps, of Runge-Kutta of order five
        unit="mV",
    )
    # NEST reads a conductance after what arrives at that moment, brainfn before.
    before = ~np.isin(np.round(case["t"], 6), np.round(np.array(case["times"]) + case["delay"], 6))
    assert before.sum() > 100
    for kind in ("ex", "in"):
        measured(
            "synapse.Exponential",
            "conductance over 60 ms",
            against="NEST 3.10",
            error=(np.asarray(g[kind])[index] - case[f"g_{kind}"])[before],
            bound=1e-8,
            unit="nS",
        )


def stored(case):
    """Cells of all kinds that support it, one step after a jump that arrives in step 10."""
    point = [bf.channel.Leak(g=0.1, reversal=-60.0)]
    return {
        "lif": bf.neuron.LIF(2, v_init=-65.0),
        "adex": bf.neuron.AdEx(2, v_init=-65.0, v_rest=-65.0),
        "point": bf.neuron.PointNeuron(2, point, v_init=-65.0),
        "smooth": bf.neuron.FitzHughNagumo(2),
        "refractory": bf.neuron.LIF(2, v_threshold=-70.0, v_reset=-80.0, v_init=-65.0),
    }[case]


def test_jumps_are_added_at_the_end_of_a_step():
    """Against the same network without jumps, in every kind of neuron, by the weight times the
    number of spikes; merged or not, with a delay for each synapse, and in tiny steps."""
    names = ("lif", "adex", "point", "smooth", "refractory")
    w = np.array([[2.0, 0.0], [1.5, -3.0]])
    delays = bf.delay.Synaptic(np.array([0.5, 0.5, 0.7]))

    def run(weights, merge=True):
        network = bf.Network(
            {"in": bf.input.SpikeTimes(2, [0.5, 0.5], [0, 1])} | {n: stored(n) for n in names},
            {n: jumps("in", n, weights, delay=0.5) for n in names}
            | {"each": jumps("in", "lif", CSR.fromdense(weights), delay=delays)},
            merge=merge,
        )
        record = {n: (lambda s, _, n=n: s[n].v) for n in names}
        return bf.simulate(network, duration=1.5, dt=0.1, record=record).outputs

    with_, apart, without = run(w), run(w, merge=False), run(w * 1e-300)
    for name in names:
        np.testing.assert_array_equal(with_[name], apart[name])
        difference = np.asarray(with_[name]) - np.asarray(without[name])
        assert np.all(difference[:10] == 0)
        total = w.sum(0) * (name != "refractory")
        if name == "lif":
            # Of the synapses with delays of their own, those of 0.5 ms arrive together with it.
            np.testing.assert_allclose(difference[10], total + np.array([3.5, 0.0]), rtol=1e-12)
            decayed = difference[11] * np.exp(-0.1 / 20)
            np.testing.assert_allclose(difference[12], decayed + np.array([0.0, -3.0]), rtol=1e-12)
        else:
            np.testing.assert_allclose(difference[10], total, rtol=1e-12)


def test_a_jump_in_steps_below_the_precision():
    """Where float32 states carry the rounding error of small steps along."""
    cell = bf.astype(bf.neuron.LIF(1, v_init=-59.0), jnp.float32).prepare(1e-3)
    assert cell.compensated

    class Jump(bf.neuron.AbstractDrive):
        def __call__(self, t, v):
            return jnp.zeros_like(v)

        def held(self, rate, dt):
            return self

        def jump(self, v):
            return jnp.full_like(v, 2.0)

    state, _ = cell.step(cell.init(), Jump(), bf.Clock(jnp.asarray(0, jnp.int32), 1e-3))
    np.testing.assert_allclose(state.v, -60 + 1.0 * np.exp(-1e-3 / 20) + 2.0, rtol=1e-7)


def test_gradients_of_weights_are_central_differences():
    w = jnp.array([[2.0, 0.5], [1.5, -3.0]])
    cell = bf.neuron.LIF(2, v_threshold=1e3)
    network = bf.Network(
        {"in": bf.input.SpikeTimes(2, [0.5, 0.5, 0.9], [0, 1, 1]), "cell": cell},
        {"in": jumps("in", "cell", w)},
    )

    @jax.jit
    def total(w):
        net = eqx.tree_at(lambda n: n.projections["in"].weight, network, w)
        end = bf.simulate(net, duration=2.0, dt=0.1, record=lambda s, _: s["cell"].v).outputs
        return jnp.sum(end[-1] * jnp.array([1.0, 2.0]))

    # By hand: jumps decay from the end of their step on. Spikes arrive one step later.
    decay = [np.exp(-(2.0 - t) / 20) for t in (0.7, 1.1)]
    by_hand = np.array([[decay[0]], [decay[0] + decay[1]]]) * [[1.0, 2.0]]
    measured(
        "synapse.Delta",
        "derivative by the weights",
        against="closed form",
        error=jax.grad(total)(w) - by_hand,
        bound=1e-12,  # same arithmetic
    )


def test_wrong_calls():
    populations = {"a": bf.neuron.LIF(2), "rate": bf.rate.Tanh(2)}
    with pytest.raises(ValueError, match="`output` Delta of projection 'a'.*'rate'.*Tanh"):
        bf.Network(populations, [jumps("a", "rate", np.ones((2, 2)))])
    part = {"synapse": Exponential(5.0), "output": Delta()}
    with pytest.raises(ValueError, match="`synapse` of projection 'a' must be .*Instant"):
        bf.Network(populations, [bf.Projection("a", "a", Dense(jnp.ones((2, 2))), **part)])
    bf.Network(
        populations,
        [bf.Projection("a", "rate", Dense(jnp.ones((2, 2))), synapse=Instant(), output=Current())],
    )
