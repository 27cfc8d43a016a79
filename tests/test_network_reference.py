"""Networks, spike by spike, against a slow NumPy loop that shares no code with brainfn."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _slow_network import Connections, Neurons, run

import brainfn as bf
from brainfn.units import ms, mV, pA, pF

DT = 0.1
STEPS = 300


def _weights(rng, n_pre, n_post, scale):
    """Sparse, all different, with an empty row."""
    dense = rng.uniform(0.5, 1.5, (n_pre, n_post)) * scale
    dense[rng.uniform(size=dense.shape) > 0.4] = 0.0
    dense[1] = 0.0
    return dense


def _populations(rng, equal):
    exc = Neurons(12, 20.0, 200.0, -60.0, -50.0, -60.0, 12, rng.uniform(-60.0, -50.0, 12))
    inh = dataclass_like(exc, size=7, v_init=rng.uniform(-60.0, -50.0, 7))
    if not equal:
        inh = Neurons(7, 10.0, 150.0, -62.0, -52.0, -58.0, 0, rng.uniform(-60.0, -53.0, 7))
    return {"exc": exc, "inh": inh}


def dataclass_like(neurons, **changes):
    return Neurons(**{**vars(neurons), **changes})


def _projections(rng, populations, which):
    n_exc, n_inh = populations["exc"].size, populations["inh"].size
    both = n_exc + n_inh
    ones_e, ones_i = np.ones(n_exc, int), np.ones(n_inh, int)
    mixed = rng.permutation(np.resize([1, 2, 15, 7], n_exc))
    tables = {
        "one step": [
            Connections("exc", ["exc", "inh"], _weights(rng, n_exc, both, 8.0), 5.0, 0.0, ones_e),
            Connections(
                "inh", ["exc", "inh"], _weights(rng, n_inh, both, 10.0), 10.0, -80.0, ones_i
            ),
        ],
        "many": [
            Connections(
                "exc", ["inh", "exc"], _weights(rng, n_exc, both, 8.0), 5.0, 0.0, 2 * ones_e
            ),
            Connections("exc", ["exc"], _weights(rng, n_exc, n_exc, 60.0), 3.0, None, 15 * ones_e),
            Connections("exc", ["inh"], _weights(rng, n_exc, n_inh, 60.0), 5.0, None, mixed),
            Connections("inh", ["exc"], _weights(rng, n_inh, n_exc, 10.0), 10.0, -80.0, ones_i),
            Connections(
                "inh", ["inh"], _weights(rng, n_inh, n_inh, 10.0), 10.0, -80.0, 15 * ones_i
            ),
            Connections(
                "inh", ["exc", "inh"], _weights(rng, n_inh, both, -15.0), 5.0, None, ones_i
            ),
        ],
    }
    # Delays of each synapse, beside one for all, and two projections into one ring buffer.
    own = [rng.integers(1, 20, (n, both)) for n in (n_exc, n_inh)]
    tables["each synapse"] = [
        Connections("exc", ["exc", "inh"], _weights(rng, n_exc, both, 8.0), 5.0, 0.0, own[0]),
        Connections("exc", ["inh"], _weights(rng, n_exc, n_inh, 8.0), 5.0, 0.0, 3 * ones_e),
        Connections("inh", ["exc", "inh"], _weights(rng, n_inh, both, 10.0), 10.0, -80.0, own[1]),
        Connections(
            "inh", ["exc", "inh"], _weights(rng, n_inh, both, -15.0), 5.0, None, own[1][::-1] + 10
        ),
    ]
    return tables[which]


def _network(populations, projections, surrogate, merge):
    models = {
        name: bf.neuron.LIF(
            n.size,
            tau=n.tau * ms,
            capacitance=n.capacitance * pF,
            v_rest=n.v_rest * mV,
            v_threshold=n.v_threshold * mV,
            v_reset=n.v_reset * mV,
            refractory=n.refractory_steps * DT,
            v_init=n.v_init,
            surrogate=surrogate,
        )
        for name, n in populations.items()
    }
    named = {}
    for i, p in enumerate(projections):
        steps = p.delay_steps if p.delay_steps.ndim == 1 else p.delay_steps[p.weights != 0]
        same = np.all(steps == steps[0])
        output = bf.synapse.Current() if p.reversal is None else bf.synapse.Conductance(p.reversal)
        named[f"p{i}"] = bf.Projection(
            p.pre,
            p.post,
            bf.event.CSR.fromdense(p.weights),
            synapse=bf.synapse.Exponential(p.tau),
            output=output,
            delay=DT * (steps[0] if same else steps),
        )
    return bf.Network(models, named, merge=merge)


@pytest.mark.parametrize("which", ["one step", "many", "each synapse"])
@pytest.mark.parametrize("equal", [True, False], ids=["equal", "different"])
@pytest.mark.parametrize(
    ("surrogate", "merge"),
    [(None, True), (bf.surrogate.ReluGrad(), True), (bf.surrogate.ReluGrad(), False)],
    ids=["bool", "surrogate", "surrogate, not merged"],
)
def test_spike_by_spike(which, equal, surrogate, merge):
    rng = np.random.default_rng(7)
    populations = _populations(rng, equal)
    projections = _projections(rng, populations, which)
    currents = {"exc": 800.0, "inh": 520.0}
    expected, voltages = run(populations, projections, currents, DT, STEPS)
    # The network is not trivial: both populations spike often, and not all neurons alike.
    for spikes in expected.values():
        assert 10 < spikes.sum() < 0.2 * spikes.size
        assert len(set(spikes.sum(0))) > 2

    network = _network(populations, projections, surrogate, merge)
    out = bf.simulate(
        network,
        inputs={name: value * pA for name, value in currents.items()},
        duration=STEPS * DT,
        dt=DT,
        record={"spikes": bf.record.outputs, "v": lambda s, _: {n: s[n].v for n in currents}},
    )
    for name in populations:
        np.testing.assert_array_equal(np.asarray(out.outputs["spikes"][name], bool), expected[name])
        # The same arithmetic in another order: rounding, which the exact dynamics damps.
        np.testing.assert_allclose(out.outputs["v"][name], voltages[name], rtol=1e-11)


@pytest.mark.parametrize("steps", [1, 2, 15])
@pytest.mark.parametrize("surrogate", [None, bf.surrogate.ReluGrad()], ids=["bool", "relu"])
def test_requested_delay_is_effective_delay(steps, surrogate):
    """A neuron that spikes in step 0 makes another, resting neuron spike in step `steps`."""
    out = _relay(np.full(2, steps), surrogate)
    assert np.flatnonzero(out["source"][:, 0]).tolist() == [0]
    for target in range(2):
        assert np.flatnonzero(out["target"][:, target]).tolist() == [steps]


def test_requested_delays_are_effective_delays_mixed():
    delays = np.array([15, 1, 2, 7, 2])
    out = _relay(delays, None)
    for target, steps in enumerate(delays):
        assert np.flatnonzero(out["target"][:, target]).tolist() == [steps]


def test_requested_delays_are_effective_delays_for_each_synapse():
    """Every pair of neurons has a delay of its own; one source spikes at a time."""
    rng = np.random.default_rng(5)
    n, steps = 6, rng.permutation(36).reshape(6, 6) + 1
    options = {"refractory": 1000.0, "surrogate": None}
    for source in range(n):
        start = np.where(np.arange(n) == source, -50.0, -60.0)
        rest = np.where(np.arange(n) == source, -49.0, -60.0)
        network = bf.Network(
            {
                "source": bf.neuron.LIF(n, v_init=start, v_rest=rest, **options),
                "target": bf.neuron.LIF(n, **options),
            },
            [
                bf.Projection(
                    "source",
                    "target",
                    bf.connect.AllToAll(),
                    weight=1e5 * pA,
                    synapse=bf.synapse.Exponential(5 * ms),
                    output=bf.synapse.Current(),
                    delay=DT * steps.reshape(-1),
                )
            ],
        )
        out = np.asarray(bf.simulate(network, duration=40 * DT, dt=DT).outputs["target"])
        assert [np.flatnonzero(x).tolist() for x in out.T] == [[d] for d in steps[source]]


def _relay(steps, surrogate):
    n = len(steps)
    options = {"refractory": 100.0, "surrogate": surrogate}
    delay = DT * steps if len(set(steps)) > 1 else DT * float(steps[0])
    network = bf.Network(
        {
            "source": bf.neuron.LIF(n, v_init=-50.0, v_rest=-49.0, **options),
            "target": bf.neuron.LIF(n, v_init=-60.0, **options),
        },
        [
            bf.Projection(
                "source",
                "target",
                bf.connect.OneToOne(),
                weight=1e5 * pA,
                synapse=bf.synapse.Exponential(5 * ms),
                output=bf.synapse.Current(),
                delay=delay,
            )
        ],
    )
    out = bf.simulate(network, duration=20 * DT, dt=DT)
    return {name: np.asarray(spikes) for name, spikes in out.outputs.items()}


def test_delays_of_several_projections_from_one_population():
    """Delays of 1, 2 and 15 steps and one for each neuron read the same line side by side."""
    delays = {"a": 1, "b": 2, "c": 15, "d": np.array([3, 11])}
    options = {"refractory": 100.0, "surrogate": None}
    populations = {"source": bf.neuron.LIF(2, v_init=-50.0, v_rest=-49.0, **options)}
    populations |= {name: bf.neuron.LIF(2, **options) for name in delays}
    network = bf.Network(
        populations,
        [
            bf.Projection(
                "source",
                name,
                bf.connect.OneToOne(),
                weight=1e5 * pA,
                synapse=bf.synapse.Exponential(5 * ms),
                output=bf.synapse.Current(),
                delay=DT * steps,
            )
            for name, steps in delays.items()
        ],
    )
    out = bf.simulate(network, duration=20 * DT, dt=DT).outputs
    for name, steps in delays.items():
        first = [int(np.flatnonzero(column)[0]) for column in np.asarray(out[name]).T]
        assert first == np.broadcast_to(steps, 2).tolist()


def test_float32_network_gives_the_same_first_spikes():
    """float32 parameters stay float32 although x64 is on, and follow float64 for a while."""
    rng = np.random.default_rng(7)
    populations = _populations(rng, True)
    projections = _projections(rng, populations, "many")
    network = _network(populations, projections, None, True)
    single = jax.tree.map(
        lambda x: x.astype(jnp.float32) if eqx.is_inexact_array(x) else x, network
    )
    currents = {"exc": 800.0, "inh": 520.0}
    a = bf.simulate(network, inputs=currents, duration=10.0, dt=DT)
    b = bf.simulate(single, inputs=currents, duration=10.0, dt=DT)
    assert b.state["exc"].v.dtype == jnp.float32
    assert all(layer.g.dtype == jnp.float32 for layer in b.state.model_state.layers)
    for name in currents:
        # The first 100 steps hold a few spikes each, none of them within rounding of threshold.
        assert np.asarray(a.outputs[name]).sum() > 5
        np.testing.assert_array_equal(a.outputs[name], b.outputs[name])
