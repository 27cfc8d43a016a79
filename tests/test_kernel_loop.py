"""Loops of networks in one native call make the same steps, bit for bit, as the scan of steps."""

import os
import subprocess
import sys
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _loops import KEY, both, same

import brainfn as bf
from brainfn.driver import _native_inputs, _native_records


def network(case):
    """Networks that have everything of which a loop is made, in small."""
    connect, weight = bf.connect.FixedProbability(0.1), bf.init.Uniform(0.0, 8.0)
    neuron, options, delay = bf.neuron.LIF, {}, None
    exc, inh = bf.synapse.Exponential(5.0), bf.synapse.Exponential(10.0)
    conductance = bf.synapse.Conductance
    if case == "weights of all synapses, fixed fan-out":
        connect = bf.connect.FixedOutDegree(30)
    elif case == "one weight, delays of 1.2 ms":
        weight, delay = 4.0, 1.2
    elif case == "a delay for each synapse":
        delay = bf.init.Uniform(0.1, 2.0)
    elif case == "float spikes":
        options = {"surrogate": bf.surrogate.ReluGrad()}
    elif case == "AdEx, alpha":
        neuron, exc, inh = bf.neuron.AdEx, bf.synapse.Alpha(2.0), bf.synapse.Alpha(4.0)
    options = {"surrogate": None, "v_init": bf.init.Uniform(-62.0, -50.0), **options}
    a, b = neuron(420, **options), neuron(151, **options)
    return bf.Network(
        {"a": a, "b": b},
        {
            "exc": bf.Projection(
                "a", ["a", "b"], connect, weight=weight, delay=delay, synapse=exc,
                output=conductance(0.0),
            ),
            "inh": bf.Projection(
                "b", ["a", "b"], connect, weight=20.0, delay=delay, synapse=inh,
                output=conductance(-80.0),
            ),
        },
        key=jr.key(0),
    )  # fmt: skip


CASES = [
    "weights of all synapses",
    "weights of all synapses, fixed fan-out",
    "one weight, delays of 1.2 ms",
    "a delay for each synapse",
    "float spikes",
    "AdEx, alpha",
]


@pytest.mark.parametrize(
    ("case", "dtype"),
    [*((case, jnp.float32) for case in CASES), *((case, jnp.float64) for case in CASES[3:5])],
)
def test_the_bits_are_those_of_the_scan(case, dtype, monkeypatch):
    net = bf._field.astype(network(case), dtype)
    drive = jnp.asarray(700.0 if "AdEx" in case else 250.0, dtype)
    ours, scan = both(net, monkeypatch, "loop of a, b", inputs=drive)
    same(ours, scan)
    counts = jax.tree.leaves(ours.outputs)
    assert sum(int(x.sum()) for x in counts) > 200


def test_a_run_goes_on_where_it_stopped(monkeypatch):
    net = network("one weight, delays of 1.2 ms")
    whole, _ = both(net, monkeypatch, "loop of a, b", steps=300, inputs=250.0)
    options = {"dt": 0.1, "key": KEY, "inputs": 250.0, "record": bf.record.SpikeCount()}
    first = bf.simulate(net, duration=17.0, **options)
    second = bf.simulate(net, duration=13.0, state=first.state, **options)
    same(second.state, whole.state)
    summed = jax.tree.map(jnp.add, first.outputs, second.outputs)
    same(summed, whole.outputs)


def test_a_run_without_records(monkeypatch):
    ours, scan = both(network(CASES[0]), monkeypatch, "loop of a, b", inputs=250.0, record={})
    same(ours, scan)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_poisson_numbers_arrive_as_in_the_scan(dtype, monkeypatch):
    def arriving(rate, into):
        made = bf.input.PoissonArrivals(rate, 40.0, into=into)
        return bf._field.astype(made, dtype)

    net = bf._field.astype(network(CASES[0]), dtype)
    inputs = {"a": arriving(2.0, "exc"), "b": arriving(17.0, "inh")}
    same(*both(net, monkeypatch, "loop of a, b", inputs=inputs))
    # Numbers with a large mean are drawn by XLA, in the scan.
    large = {"a": arriving(2.0, "exc"), "b": arriving(170.0, "inh")}
    same(*both(net, monkeypatch, "loop of a, b", inputs=large))


VARYING = {
    "noise": {"a": bf.input.OrnsteinUhlenbeck(50.0, 5.0, mean=250.0), "b": 200.0},
    "series and time": {
        "a": np.linspace(200.0, 300.0, 150),
        "b": 200.0 + bf.input.Sine(50.0, 0.02) + bf.input.WhiteNoise(20.0),
    },
    "conductance and arrivals": {
        "a": bf.input.PointConductance(10.0, 3.0, 2.7, reversal=0.0)
        + bf.input.PoissonArrivals(jnp.linspace(1.0, 3.0, 420), 4.0, into="exc"),
        "b": bf.input.PoissonArrivals(17.0, 40.0, into="inh") + bf.input.Step(300.0, start=2.0),
    },
}


@pytest.mark.parametrize("case", VARYING)
def test_inputs_that_vary_are_those_of_the_scan(case, monkeypatch):
    # Of stretches with a rest: inputs are computed before each.
    monkeypatch.setattr(_native_inputs, "_WAITING", 1)
    record = {"count": bf.record.SpikeCount(), "v": bf.record.States("a", "v", neurons=[1, 5])}
    options = {"inputs": VARYING[case], "record": record}
    ours, scan = both(network(CASES[0]), monkeypatch, "loop of a, b", **options)
    same(ours, scan)
    assert sum(int(x.sum()) for x in jax.tree.leaves(ours.outputs["count"])) > 100


@pytest.mark.parametrize("together", [False, True])
def test_spikes_are_recorded_as_bits(together, monkeypatch):
    record = bf.record.Spikes()
    if together:
        record = {"count": bf.record.SpikeCount(), "spikes": record}
    ours, scan = both(network(CASES[0]), monkeypatch, "loop of a, b", inputs=250.0, record=record)
    same(ours, scan)
    ours = bf.run(network(CASES[0]), duration=30.0, dt=0.1, chunk=15.0, key=KEY, inputs=250.0,
                  record=bf.record.Spikes(), progress=False)  # fmt: skip
    assert sum(map(len, ours.outputs.values())) > 200


def chosen(state, output):
    """Numbers that the loop itself can keep: slices, gathers and whole arrays."""
    few = np.array([300, 7, 7, 150])
    return {
        "slice": state["a"].v[3:8],
        "one": state["b"].v[150],
        "gather": state["a"].v[few],
        "conductance": jax.tree.leaves(state.synapse("exc"))[0][::-1],
        "whole": state["b"].v,
        "spikes": output["a"],
        "of some": output["b"][few[1:]],
    }


def computed(state, output):
    """Numbers that are computed of the rows that the loop keeps."""
    v = state["a"].v
    return v.mean(), jnp.tanh(v[5:9] / 60) * state["b"].v[2], output["a"].sum(), 3.0


RECORDERS = {
    "count": bf.record.SpikeCount(),
    "again": bf.record.SpikeCount(),
    "chosen": chosen,
    "computed": computed,
    "v": bf.record.States("a", "v", neurons=[419, 0]),
    "spikes": bf.record.Spikes(),
    "of b": bf.record.Spikes("b"),
    "fraction": bf.record.spike_fraction,
    "moments": bf.record.MeanVariance(lambda state, output: state["a"].v),
    "histogram": bf.record.Histogram(lambda state, output: state["b"].v, [-70.0, -60.0, -50.0]),
}


@pytest.mark.parametrize(("every", "case"), [(1, CASES[0]), (5, "float spikes")])
def test_records_are_those_of_the_scan(every, case, monkeypatch):
    # Of stretches with a rest: rows wait for what is computed of them.
    monkeypatch.setattr(_native_records, "_WAITING", 1)
    options = {"record": RECORDERS, "every": every, "inputs": 250.0}
    same(*both(network(case), monkeypatch, "loop of a, b", **options))


def test_records_of_a_run_are_those_of_the_scan(monkeypatch):
    options = {"duration": 30.0, "dt": 0.1, "key": KEY, "inputs": 250.0, "every": 5}
    options |= {"record": {"chosen": chosen, "spikes": bf.record.Spikes()}}
    ours = bf.simulate(network(CASES[0]), **options)
    assert bf.kernel.reports()["loop of a, b"] == "generated"
    chunks = bf.run(network(CASES[0]), chunk=15.0, progress=False, **options)
    same(chunks.outputs["chosen"], ours.outputs["chosen"])


def test_a_recorder_may_see_what_is_around_it():
    net = network(CASES[0])

    @jax.jit
    def scaled(by):
        out = bf.simulate(
            net, duration=15.0, dt=0.1, key=KEY, record=lambda state, output: by * state["a"].v[:3]
        )
        return out.outputs

    np.testing.assert_allclose(scaled(2.0), 2 * scaled(1.0), rtol=1e-15)


def test_signals_on_their_way_are_recorded_by_a_scan():
    def record(state, output):
        return state.lines[0].buffer[:, :3]

    out = bf.simulate(network(CASES[0]), duration=15.0, dt=0.1, key=KEY, record=record)
    assert bf.kernel.reports()["loop of a, b"] == "XLA: a record reads signals on their way"
    assert out.outputs.shape[0] == 150


def test_the_bits_do_not_depend_on_threads():
    program = """
import jax, numpy as np, brainfn as bf
net, drive = bf.zoo.vogels_abbott("coba-drive", key=jax.random.key(0), surrogate=None, delay=0.3)
out = bf.simulate(net, inputs=drive, duration=30.0, dt=0.1, key=jax.random.key(1),
                  record={"n": bf.record.SpikeCount(), "v": lambda s, o: s["exc"].v[::7]}, every=3)
assert bf.kernel.reports()["loop of exc, inh"] == "generated"
total = sum(int(x.sum()) for x in jax.tree.leaves(out.outputs["n"]))
print(total, float(np.asarray(out.outputs["v"], np.float64).sum()).hex())
print(float(np.asarray(out.state["exc"].v, np.float64).sum()).hex())
"""
    found = set()
    for threads in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "BRAINFN_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout)
    assert len(found) == 1


def test_a_line_with_other_signals_is_refused():
    net = network(CASES[0])
    first = bf.simulate(net, duration=15.0, dt=0.1, key=KEY, record=bf.record.SpikeCount())
    assert bf.kernel.reports()["loop of a, b"] == "generated"
    assert first.state.model_state.lines[0].buffer.dtype == bool
    net = network("float spikes")
    options = {"duration": 15.0, "dt": 0.1, "key": KEY, "record": bf.record.SpikeCount()}
    state = bf.simulate(net, **options).state
    half = eqx.tree_at(lambda s: s.model_state.lines[0].buffer, state, replace_fn=lambda x: x + 0.5)
    with pytest.raises(ValueError, match="not spikes"):
        jax.block_until_ready(bf.simulate(net, state=half, **options).state.model_state)


class Coupled(bf.neuron.AbstractIntegrateAndFire):
    """Neurons of which each is coupled to the one before it: not elementwise."""

    size: int = bf.size()
    tau: Any = bf.param(20.0, unit="ms", sign="positive")
    v_rest: Any = bf.param(0.0, unit="mV")
    refractory: Any = bf.param(2.0, unit="ms", sign="nonnegative")
    v_init: Any = bf.init.initial()
    solver: Any = bf.neuron.solver()
    surrogate: Any = bf.neuron.surrogate()
    detach_reset: bool = bf.flag(False)

    @property
    def elementwise(self):
        return False

    def initial(self, key):
        return bf.neuron.Voltage(bf.init.start(self.v_init, self.v_rest, self.size, key))

    def vector_field(self, t, y, drive):
        before = jax.lax.pad(y.v[:-1], jnp.zeros((), y.v.dtype), [(1, 0, 0)])
        return bf.neuron.Voltage((before - 2 * y.v + drive(t, y.v)) / self.tau)

    def distance(self, state):
        return state.v - 1.0

    def on_spike(self, y, spikes):
        return bf.neuron.Voltage(bf.neuron.reset(y.v, spikes, self.v_rest))


def test_neurons_that_read_each_others_state_are_not_advanced_in_place():
    cells = Coupled(300, v_init=bf.init.Uniform(0.0, 1.0), surrogate=None, solver=dfx.Euler())
    pair = bf.Projection(
        "a", "a", bf.connect.FixedOutDegree(5), weight=0.1,
        synapse=bf.synapse.Exponential(3.0), output=bf.synapse.Current(),
    )  # fmt: skip
    net = bf.Network({"a": cells}, {"aa": pair}, key=KEY)
    count = bf.record.SpikeCount()
    ours = bf.simulate(net, inputs=2.5, duration=20.0, dt=0.1, key=KEY, record=count)
    assert bf.kernel.reports()["loop of a"] == "XLA: a neuron reads the state of others"
    assert ours.outputs["a"].sum() > 100


def test_a_state_in_which_all_neurons_spiked_in_all_steps(monkeypatch):

    def project(post):
        return bf.Projection(
            "a", post, bf.connect.FixedOutDegree(5), weight=0.5, release=bf.synapse.Spikes(),
            delay=0.1 if post == "a" else 0.4, synapse=bf.synapse.Exponential(3.0),
            output=bf.synapse.Current(),
        )  # fmt: skip

    cells = {name: bf.neuron.LIF(300, surrogate=None) for name in ("a", "b")}
    net = bf.Network(cells, {"aa": project("a"), "ab": project("b")}, key=KEY)
    options = {"duration": 15.0, "dt": 0.1, "key": KEY, "record": bf.record.SpikeCount()}
    state = bf.simulate(net, **options).state
    lines = lambda s: [line.buffer for line in s.model_state.lines]  # noqa: E731
    full = eqx.tree_at(lines, state, replace_fn=jnp.ones_like)
    same(*both(net, monkeypatch, "loop of a, b", state=full))


def test_derivatives_and_batches_are_those_of_the_scan():
    net = network("float spikes")

    def counted(drive):
        out = bf.simulate(
            net, inputs=drive, duration=15.0, dt=0.1, key=KEY, record=bf.record.SpikeCount()
        )
        return jnp.mean(out.state["a"].v)

    slope = jax.grad(counted)(jnp.asarray(250.0))
    assert np.isfinite(slope) and slope != 0
    drives = jnp.asarray([250.0, 260.0])
    np.testing.assert_allclose(jax.vmap(counted)(drives), [counted(x) for x in drives], rtol=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": {"a": lambda t, v: 250.0 - v}},
        {"checkpoint": True},
    ],
)
def test_what_a_loop_can_not_do_runs_as_a_scan(change):
    options = {"inputs": 250.0, "record": bf.record.SpikeCount(), **change}
    out = bf.simulate(network(CASES[0]), duration=15.0, dt=0.1, key=KEY, **options)
    assert np.all(np.isfinite(out.state["a"].v))
