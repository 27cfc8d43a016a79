"""What drives a model: constants, samples, functions of time, and Poisson sources."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _measured import measured

import brainfn as bf
from brainfn.input import Constant, Poisson, TimeSeries


def clock(step, dt=0.1):
    return bf.Clock(jnp.asarray(step, jnp.int32), dt)


def at(series, step):
    state, value = series.step(series.init(None), clock(step))
    assert state is None
    return float(value)


def test_time_series_holds_each_sample_and_is_zero_outside():
    series = TimeSeries(np.array([1.0, 2.0, 3.0]), interval=0.2, start=0.3)
    values = np.array([at(series, n) for n in range(12)])
    measured(
        "input.TimeSeries", "samples of 0.2 ms from 0.3 ms", against="written out",
        error=values - [0, 0, 0, 1, 1, 2, 2, 3, 3, 0, 0, 0], bound=0,
    )  # fmt: skip


def test_time_series_that_started_before():
    series = TimeSeries(np.arange(5.0), start=-0.2)
    assert [at(series, n) for n in range(4)] == [2, 3, 4, 0]


def test_every_form_of_a_current_is_the_same_current():
    """A number, an array along time, a function, and the inputs of the room agree bit for bit."""
    n_steps = 100
    values = np.where(np.arange(n_steps) < 50, 300.0, 0.0)
    neuron = bf.neuron.LIF(2)
    forms = [
        values,
        TimeSeries(values),
        lambda t: jnp.where(t < 4.95, 300.0, 0.0),
        np.broadcast_to(values[:, None], (n_steps, 2)),
        TimeSeries(values[::10], interval=1.0),
    ]
    runs = [
        bf.simulate(neuron, inputs=x, duration=10.0, dt=0.1, record=lambda s, o: s.v).outputs
        for x in forms
    ]
    for other in runs[1:]:
        np.testing.assert_array_equal(runs[0], other)


def test_constants_of_a_network():
    network = bf.Network({"a": bf.neuron.LIF(2), "b": bf.neuron.LIF(3)})
    forms = [
        {"a": 300.0, "b": 200},
        {"a": Constant(300.0), "b": np.full(100, 200.0)},
        {"a": Constant(np.full(2, 300.0)), "b": lambda t: 200.0 + 0 * t},
        {"b": np.full((100, 3), 200.0), "a": TimeSeries(np.full((100, 2), 300.0))},
    ]
    runs = [bf.simulate(network, inputs=x, duration=10.0, dt=0.1).state for x in forms]
    for other in runs[1:]:
        for name in "ab":
            np.testing.assert_array_equal(runs[0][name].v, other[name].v)
    alone = bf.simulate(network, inputs={"b": 200.0}, duration=10.0, dt=0.1).state
    np.testing.assert_array_equal(alone["b"].v, runs[0]["b"].v)
    np.testing.assert_array_equal(alone["a"].v, -60.0)
    everywhere = bf.simulate(network, inputs=200.0, duration=10.0, dt=0.1).state
    np.testing.assert_array_equal(everywhere["b"].v, runs[0]["b"].v)


def test_poisson_rate_and_window():
    rates = np.array([0.0, 0.02, 0.5, 1.9])
    n, n_steps, dt = 4, 20000, 0.1
    source = Poisson(n, rates, start=100.0, stop=1100.0)
    out = np.asarray(bf.simulate(source, duration=n_steps * dt, dt=dt, key=jr.key(3)).outputs)
    assert out.dtype == bool
    assert not out[:1000].any()
    assert not out[11000:].any()
    inside = out[1000:11000]
    p = -np.expm1(-rates * dt)
    assert not inside[:, 0].any()
    sigma = np.sqrt(10000 * p * (1 - p))[1:]
    measured(
        "input.Poisson", "number of steps with spikes, in standard errors", against="closed form",
        error=(inside.sum(0) - 10000 * p)[1:] / sigma, bound=5,
    )  # fmt: skip
    # Independent between trains and steps: correlations within 5 / sqrt(10000).
    busy = inside[:, 2:].astype(float)
    assert abs(np.corrcoef(busy.T)[0, 1]) < 0.05
    assert abs(np.corrcoef(busy[1:, 1], busy[:-1, 1])[0, 1]) < 0.05


def test_poisson_window_edges_are_exact():
    source = Poisson(1, 1e3, start=0.3, stop=0.7)
    with pytest.warns(UserWarning, match="counts=True"):
        out = bf.simulate(source, duration=1.0, dt=0.1, key=jr.key(0)).outputs
    assert np.flatnonzero(np.asarray(out)[:, 0]).tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize("rates", [(0.5, 0.5), (0.5, 0.1)], ids=["equal", "different"])
def test_poisson_populations_of_different_sizes(rates):
    """Sources of one kind are merged; each keeps its size and rate."""
    network = bf.Network({"a": Poisson(30, rates[0]), "b": Poisson(200, rates[1])})
    out = bf.simulate(network, duration=100.0, dt=0.1, key=jr.key(0)).outputs
    for name, size, rate in zip("ab", (30, 200), rates, strict=True):
        spikes = np.asarray(out[name])
        assert spikes.shape == (1000, size)
        p = -np.expm1(-rate * 0.1)
        assert abs(spikes.mean() - p) < 5 * np.sqrt(p * (1 - p) / spikes.size)


def test_noise_does_not_depend_on_other_kinds_of_populations():
    """The random numbers of a population hang on names, not on what else is in the network."""

    def noise(*others):
        populations = dict(others) | {"noise": Poisson(50, 0.3)}
        out = bf.simulate(bf.Network(populations), duration=5.0, dt=0.1, key=jr.key(2))
        return np.asarray(out.outputs["noise"])

    alone = noise()
    np.testing.assert_array_equal(noise(("a", bf.neuron.LIF(3))), alone)
    two = noise(("a", bf.neuron.LIF(3)), ("b", bf.neuron.LIF(3, solver=bf.solver.Heun())))
    np.testing.assert_array_equal(two, alone)
    other = bf.simulate(
        bf.Network({"other": Poisson(50, 0.3)}), duration=5.0, dt=0.1, key=jr.key(2)
    )
    assert np.any(np.asarray(other.outputs["other"]) != alone)


def test_poisson_drives_neurons_through_a_projection():
    """Each spike of the source adds its weight to the target's current exactly one delay later."""
    network = bf.Network(
        {"in": Poisson(5, 0.5), "a": bf.neuron.LIF(5, v_threshold=1e6)},
        [
            bf.Projection(
                "in",
                "a",
                bf.connect.OneToOne(),
                weight=3.0,
                synapse=bf.synapse.Exponential(5.0),
                output=bf.synapse.Current(),
                delay=0.2,
            )
        ],
    )
    record = {"spikes": lambda s, o: o["in"], "g": lambda s, o: s.layers[0].g}
    out = bf.simulate(network, duration=20.0, dt=0.1, key=jr.key(1), record=record).outputs
    spikes = np.asarray(out["spikes"]).astype(float)
    decay, g = np.exp(-0.1 / 5.0), np.zeros(5)
    for n in range(200):
        arrived = spikes[n - 2] if n >= 2 else 0.0
        g = (g + 3.0 * arrived) * decay
        np.testing.assert_allclose(out["g"][n], g, rtol=1e-12)
