"""`brainfn.run` gives what `brainfn.simulate` gives, whatever the chunks."""

import importlib
import io
import os
import re
import signal

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import brainfn as bf
from brainfn.units import Hz, mV, nS, pA

progress = importlib.import_module("brainfn.driver._progress")
stream = importlib.import_module("brainfn.driver._stream")
chunks = importlib.import_module("brainfn.driver._chunk")


@pytest.fixture(scope="module")
def net():
    """Two kinds of neurons, random input, delays of 3 and 17 steps: spikes are always in flight."""
    lif = {"v_init": bf.init.Normal(-55.0, 3.0)}
    return bf.Network(
        {
            "exc": bf.neuron.LIF(43, **lif),
            "inh": bf.neuron.LIF(11, surrogate=None, **lif),
            "noise": bf.input.Poisson(20, 200 * Hz),
        },
        [
            bf.Projection(
                "exc", ["exc", "inh"], bf.connect.FixedProbability(0.3), weight=6 * nS,
                synapse=bf.synapse.Exponential(5.0), output=bf.synapse.Conductance(0 * mV),
                delay=1.7,
            ),
            bf.Projection(
                "inh", ["exc", "inh"], bf.connect.FixedProbability(0.3), weight=67 * nS,
                synapse=bf.synapse.Exponential(10.0), output=bf.synapse.Conductance(-80 * mV),
                delay=0.3,
            ),
            bf.Projection(
                "noise", "exc", bf.connect.FixedProbability(0.3), weight=4 * nS,
                synapse=bf.synapse.Exponential(5.0), output=bf.synapse.Conductance(0 * mV),
                delay=0.1,
            ),
        ],
        key=jr.key(0),
    )  # fmt: skip


def voltage(state, output):
    del output
    return {"exc": state["exc"].v, "first": state["inh"].v[0]}


def rates(state, output):
    del state
    return output["exc"]


OPTIONS = {"dt": 0.1, "key": jr.key(1), "inputs": {"exc": 230 * pA, "inh": 210 * pA}}
RECORD = {
    "v": voltage,
    "n": bf.record.SpikeCount(),
    "mean": bf.record.Mean(rates),
    "bits": bf.record.packed_spikes,
}


@pytest.fixture(scope="module")
def whole(net):
    return bf.simulate(net, duration=48.0, record=RECORD, **OPTIONS)


def equal(a, b):
    a, b = jax.tree.leaves(a), jax.tree.leaves(b)
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))


def run(net, duration=48.0, **options):
    return bf.run(net, duration=duration, progress=False, **{**OPTIONS, **options})


# One chunk, equal chunks, chunks and a rest, chunks of one step, longer than the run.
@pytest.mark.parametrize("chunk", [None, 6.0, 20.0, 0.1, 100.0])
def test_same_bits_as_simulate(net, whole, chunk):
    out = run(net, record=RECORD, chunk=chunk)
    assert not out.interrupted
    equal((out.ts, out.outputs, out.state), (whole.ts, whole.outputs, whole.state))
    assert float(jnp.sum(whole.outputs["n"]["exc"])) > 100


def test_continues_with_spikes_in_flight(net, whole):
    """run(a + b) == run(a); run(b), whoever does which part."""
    record = {"v": voltage, "bits": bf.record.packed_spikes}
    a = run(net, 16.0, record=record, chunk=8.0)
    under_way = jax.tree.leaves((a.state.model_state.lines, a.state.model_state.rings))
    assert any(bool(jnp.any(x)) for x in under_way)
    b = run(net, 32.0, record=record, state=a.state, chunk=8.0)
    equal(b.state, whole.state)
    np.testing.assert_array_equal(np.concatenate([a.ts, b.ts]), whole.ts)
    joined = jax.tree.map(lambda x, y: np.concatenate([x, y]), a.outputs, b.outputs)
    equal(joined, {name: whole.outputs[name] for name in record})
    c = bf.simulate(net, duration=32.0, state=a.state, record=bf.record.nothing, **OPTIONS)
    equal(c.state, whole.state)


def test_every(net):
    """Rows are kept every 4 steps; events and reducers see all steps."""
    record = {**RECORD, "s": bf.record.Spikes()}
    a = bf.simulate(net, duration=48.0, record=record, every=4, **OPTIONS)
    b = run(net, record=record, every=4, chunk=12.0)
    assert b.ts.shape == (120,)
    equal((a.ts, a.state), (b.ts, b.state))
    for name in RECORD:
        equal(a.outputs[name], b.outputs[name])
    np.testing.assert_array_equal(b.outputs["s"]["exc"].count, b.outputs["n"]["exc"])
    packed, n = a.outputs["s"]["exc"], 43
    assert packed.shape == (480, 6)
    expected = np.unpackbits(np.asarray(packed), axis=1, count=n).astype(bool)
    np.testing.assert_array_equal(b.outputs["s"]["exc"].to_dense(), expected)


def test_spikes_as_events(net, whole):
    half = run(net, 24.0, record=bf.record.nothing)
    assert half.outputs is None
    record = bf.record.Spikes(["inh", "exc"])
    out = run(net, 24.0, record=record, state=half.state, chunk=6.0).outputs
    assert set(out) == {"exc", "inh"}
    for name, trains in out.items():
        bits = np.asarray(whole.outputs["bits"][name])[240:]
        expected = np.unpackbits(bits, axis=1, count=net.populations[name].size).astype(bool)
        steps, neurons = np.nonzero(expected)
        assert (trains.start, trains.stop, trains.size) == (240, 480, expected.shape[1])
        np.testing.assert_array_equal(trains.steps, steps + 240)
        np.testing.assert_array_equal(trains.neurons, neurons)
        np.testing.assert_array_equal(trains.times, np.asarray(whole.ts)[240:][steps])
        np.testing.assert_array_equal(trains.count, expected.sum(0))
        np.testing.assert_array_equal(trains.to_dense(), expected)
        assert len(trains) == expected.sum() > 0


def test_one_population_without_names():
    neuron = bf.neuron.LIF(9)
    out = bf.run(neuron, duration=50.0, dt=0.1, inputs=300.0, record=bf.record.Spikes())
    assert isinstance(out.outputs, bf.record.SpikeTrains) and len(out.outputs) == 9 * 4


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray])
def test_inputs_along_time_are_cut(net, kind):
    rng = np.random.default_rng(0)
    series = {"exc": kind(rng.normal(220, 40, (480, 43))), "inh": 200.0}
    options = {"record": voltage, "inputs": series}
    a = bf.simulate(net, duration=48.0, **{**OPTIONS, **options})
    b = run(net, chunk=16.0, **options)
    equal((a.outputs, a.state), (b.outputs, b.state))


def test_functions_of_time():
    options = {"dt": 0.1, "inputs": lambda t: 200 + 50 * jnp.sin(t), "duration": 48.0}
    a = bf.simulate(bf.neuron.LIF(3), **options)
    b = bf.run(bf.neuron.LIF(3), chunk=13.0, **options)
    equal((a.outputs, a.state), (b.outputs, b.state))


def test_float32():
    lif = bf.astype(bf.neuron.LIF(20, v_init=bf.init.Normal(-55.0, 3.0)), jnp.float32)
    options = {"dt": 0.1, "key": jr.key(2), "record": lambda s, o: s.v}
    inputs = bf.input.Constant(jnp.float32(250))
    a = bf.simulate(lif, duration=20.0, inputs=inputs, **options)
    b = bf.run(lif, duration=20.0, inputs=inputs, chunk=0.7, **options)
    assert b.outputs.dtype == np.float32
    equal((a.outputs, a.state), (b.outputs, b.state))


def test_one_compilation_and_one_for_the_rest():
    neuron, counted = bf.neuron.LIF(3), []

    def record(state, output):
        counted.append(None)
        return state.v

    def count(chunk):
        before = len(counted)
        options = {"duration": 48.0, "dt": 0.1, "inputs": 200.0}
        bf.run(neuron, record=record, chunk=chunk, **options)
        return len(counted) - before

    # Each run looks at the shapes; besides, each length of a chunk is traced once.
    once = count(12.0)
    assert once >= 2
    assert count(12.0) == 1
    assert count(20.0) == 1 + 2 * (once - 1)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("numbers", [10, 16_000, 4_000_000])
def test_chosen_chunks_are_equal(every, numbers):
    state = np.zeros(numbers)
    n_steps = 36_000
    steps = chunks.chunk_steps(None, n_steps, every, 0.1, 4000, state)
    assert n_steps % steps == 0 and steps % every == 0
    # Records bound a chunk: 64 MB, or a single row.
    steps = chunks.chunk_steps(None, n_steps, every, 0.1, 10**7, state)
    assert 0 < steps // every <= 6
    assert chunks.chunk_steps(None, n_steps, every, 0.1, 10**9, state) == every


def test_state_that_is_not_finite(net, tmp_path):
    """The message tells population and step; what was recorded is kept, in memory and on disk."""
    series = np.full((480, 43), 220.0)
    series[300] = np.nan
    record = {"v": voltage, "n": bf.record.SpikeCount(), "s": bf.record.Spikes("exc")}
    for folder in (None, tmp_path / "run"):
        with pytest.raises(bf.NonFiniteError, match=r"'exc' is not finite from step 300 ") as info:
            run(net, record=record, inputs={"exc": series, "inh": 0.0}, chunk=6.0, folder=folder)
        partial = info.value.partial
        assert partial.interrupted and int(partial.state.step) == 300
        assert len(partial.ts) == len(partial.outputs["v"]["exc"]) == 300
        assert np.isfinite(np.asarray(partial.outputs["v"]["exc"])).all()
        assert partial.outputs["n"]["exc"].sum() == len(partial.outputs["s"]["exc"])


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c(net, whole, monkeypatch, times):
    """The first Ctrl-C ends the run after the chunks that are under way, the second at once."""
    append, at = stream.MemoryStream.append, []

    def interrupted(self, first, last, rows):
        append(self, first, last, rows)
        if last == 240:
            at.append(last)
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(stream.MemoryStream, "append", interrupted)
    out = run(net, record=RECORD, chunk=6.0)
    assert out.interrupted and at == [240]
    # The chunk after the present one had been launched; at a second Ctrl-C even the present one,
    # which is stored but not yet counted, is given up.
    done = 300 if times == 1 else 180
    assert int(out.state.step) == len(out.ts) == len(out.outputs["bits"]["exc"]) == done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    monkeypatch.undo()
    rest = run(net, 48.0 - done * 0.1, state=out.state, record=RECORD, chunk=6.0)
    assert not rest.interrupted
    equal(rest.state, whole.state)
    equal(
        np.concatenate([out.outputs["v"]["exc"], rest.outputs["v"]["exc"]]),
        whole.outputs["v"]["exc"],
    )


def test_progress_bar():
    file = io.StringIO()
    with progress.Progress(0.0, 100.0, 1000.0, True, file=file) as bar:
        for now in (200.0, 600.0, 1000.0):
            bar._bar.mininterval = bar._bar.miniters = 0
            bar.update(now)
    text = file.getvalue()
    assert "100/1,000 ms, compiling" in text
    assert re.search(r"600/1,000 ms, [\d.e+]+ x real time, 0:00 left", text)
    assert "100%" in text
    silent = io.StringIO()
    with progress.Progress(0.0, 0.0, 1000.0, False, file=silent) as bar:
        bar.update(1000.0)
    assert silent.getvalue() == ""
    assert progress.clock_time(59.6) == "1:00" and progress.clock_time(3661.0) == "1:01:01"


def test_spike_times():
    rng = np.random.default_rng(0)
    for n, steps in [(1, 5), (8, 7), (13, 50), (64, 3), (0, 4), (1000, 0)]:
        for rate in (0.0, 0.05, 1.0):
            dense = rng.random((steps, n)) < rate
            ts = np.arange(steps) * 0.25
            packed = np.packbits(dense, axis=1)
            times, neurons = bf.record.spike_times(packed, ts, n)
            rows, columns = np.nonzero(dense)
            np.testing.assert_array_equal(times, ts[rows])
            np.testing.assert_array_equal(neurons, columns)
    both = bf.record.spike_times({"a": packed}, ts, {"a": n})
    assert both["a"][0].shape == (0,)
    with pytest.raises(ValueError, match=r"`packed\['a'\]` must be uint8 of shape"):
        bf.record.spike_times({"a": packed}, ts, {"a": 9})
    with pytest.raises(ValueError, match="`n` must give the number of neurons"):
        bf.record.spike_times({"a": packed}, ts, {"b": 9})


def test_wrong_calls(net, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    (tmp_path / "file").write_text("")
    wrong = [
        ({"duration": 0.0}, ValueError, "`duration` must be positive"),
        ({"duration": 1.05}, ValueError, "`duration` must be a whole number of steps"),
        ({"duration": "1"}, TypeError, "duration"),
        ({"dt": -0.1}, ValueError, "`dt` must be positive"),
        ({"chunk": 0.0}, ValueError, "`chunk` must be positive"),
        ({"chunk": 0.25}, ValueError, "`chunk` must be a whole number of steps"),
        ({"chunk": 0.5, "every": 2}, ValueError, r"`chunk` must be a .* Try 0.6 ms"),
        ({"every": 7}, ValueError, "`every` must divide"),
        ({"progress": "yes"}, TypeError, "progress"),
        ({"resume": True}, ValueError, "`resume` needs the `folder`"),
        ({"resume": 1, "folder": tmp_path}, TypeError, "resume"),
        ({"folder": 3}, TypeError, "folder"),
        ({"folder": tmp_path / "other"}, ValueError, "but .* holds 'thesis.tex'"),
        ({"folder": tmp_path / "file"}, ValueError, "is a file"),
        ({"snapshot_every": -1.0}, ValueError, "`snapshot_every` must be"),
        ({"record": bf.record.Spikes("ex")}, ValueError, "no output called 'ex'.*'exc'"),
        ({"record": 3}, TypeError, "`record` must be a function"),
        ({"inputs": {"exc": np.zeros((7, 43))}}, ValueError, "leading time axis of 480 steps"),
        ({"key": 3}, TypeError, "key"),
    ]
    for options, error, match in wrong:
        with pytest.raises(error, match=match):
            bf.run(net, **{"duration": 48.0, "progress": False, **OPTIONS, **options})
    with pytest.raises(TypeError, match=r"jax.jit.*Use brainfn.simulate"):
        jax.jit(lambda i: bf.run(net, duration=1.0, dt=0.1, inputs=i, key=jr.key(0)).state)(1.0)
    with pytest.raises(MemoryError, match="Give a `folder`"):
        run(net, 1e8, record=lambda s, o: jnp.zeros(100_000))
    assert list((tmp_path / "other").iterdir()) == [tmp_path / "other" / "thesis.tex"]
