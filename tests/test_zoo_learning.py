"""Digits without a teacher, a hierarchy of areas, and the parts that they brought along."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _measured import measured

import brainfn as bf
from brainfn.event import CSR, Dense
from brainfn.zoo import _diehl_cook as digits, _multi_area as areas

KEY = jax.random.key(0)


def bars(number, key):
    """Images of 4 x 4 pixels with one bright row or column each, and which."""
    which = np.asarray(jax.random.randint(key, (number,), 0, 8, jnp.int32))
    sheets = np.zeros((number, 4, 4))
    for i, bar in enumerate(which):
        sheets[i, bar % 4, :] = bar < 4
        sheets[i, :, bar % 4] += bar >= 4
    return sheets.reshape(number, 16), which


@pytest.fixture(scope="module")
def seen():
    """Sixteen neurons that saw a hundred bars."""
    images, which = bars(160, jax.random.key(3))
    return digits.learn(images, 16, 0.5, KEY), images, which


def test_neurons_come_to_stand_for_bars(seen):
    (learned, _), images, which = seen
    weights = np.asarray(learned.weights)
    # The sum is that of the last normalisation, and nothing was learned in the rest after it.
    measured(
        "plasticity.Normalization",
        "sum of the weights onto a neuron that learned by STDP",
        against="78.4, by definition",
        error=weights.sum(0) / 78.4 - 1,
        bound=1e-13,  # some roundings
    )
    assert weights.min() >= 0
    fresh, other = bars(40, jax.random.key(4))
    counts = digits.respond(learned, np.concatenate([images[:60], fresh]), 0.5, jax.random.key(5))
    owners = digits.assign(counts[:60], which[:60], 8)
    answers = digits.predict(counts[60:], owners, 8)
    # One in eight by chance.
    assert np.mean(answers == other) > 0.8
    # Fields are bars: correlated with one of the eight.
    patterns = np.stack([bars_of(i) for i in range(8)])
    fit = np.corrcoef(weights.T, patterns)[:16, 16:].max(1)
    assert np.median(fit) > 0.6


def bars_of(bar):
    sheet = np.zeros((4, 4))
    if bar < 4:
        sheet[bar] = 1
    else:
        sheet[:, bar - 4] = 1
    return sheet.reshape(-1)


def test_thresholds_count_spikes(seen):
    """Each spike raises a threshold by 0.05 mV, and that decays within 1e7 ms."""
    (learned, counts), images, _ = seen
    total = counts.sum(0)
    rise, duration = np.asarray(learned.rise), 500.0 * len(images)
    assert np.all(rise <= 0.05 * total * (1 + 1e-12))
    assert np.all(rise >= 0.05 * total * np.exp(-duration / 1e7))


def test_digits_are_learned():
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    entry = bf.zoo.NETWORKS["diehl_cook"]
    out = entry.experiment("digits", scale=0.2, duration=300 * 500.0, dt=1.0, key=KEY)
    # Twenty neurons and 300 images: 0.6; one in ten by chance, a spread of 0.02 of 500 images.
    assert out.figures["accuracy"] > 0.5
    assert out.arrays["confusion"].sum() == 500
    assert out.picture().axes


def test_slow_thresholds_decay_in_float32():
    """In steps of 5e-8 of the time constant, which are below the resolution of float32."""
    cell = bf.neuron.ALIF(2, tau_a=1e7, rise_init=jnp.array([20.0, 9.0]), surrogate=None)
    net = bf.Network({"cell": cell}, [])
    net = bf.astype(net, jnp.float32)
    out = bf.simulate(net, duration=2e4, dt=0.5, record=bf.record.nothing)
    measured(
        "neuron.ALIF",
        "a threshold that decays by 0.2 % in 40 000 steps, in float32",
        against="closed form",
        error=np.asarray(out.state.model_state["cell"].rise, np.float64) / [20.0, 9.0]
        - np.exp(-2e4 / 1e7),
        bound=1.2e-7,  # the resolution of float32
    )


@pytest.mark.parametrize("stored", ["dense", "csr"])
def test_normalization(stored):
    weights = np.array([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0], [0.5, 0.25, 0.0]])
    matrix = Dense(jnp.asarray(weights)) if stored == "dense" else CSR.fromdense(weights)
    rule = bf.plasticity.Normalization(total=jnp.array([2.0, 3.0, 4.0]), interval=1.0)
    silent = bf.synapse.Activity(jnp.zeros(3), None)
    for n, total in ((0, weights.sum(0)), (1, np.array([2.0, 3.0, 0.0]))):
        clock = bf.Clock(jnp.asarray(n, jnp.int32), 0.5)
        _, new = rule.step(rule.init(matrix), matrix, silent, silent, None, clock)
        found = np.asarray(jnp.eye(3) @ new)
        share = weights / np.maximum(weights.sum(0), 1e-300)
        measured(
            "plasticity.Normalization", f"weights, {stored}", against="closed form",
            error=found - share * total, bound=1e-15,
        )  # fmt: skip


def test_dead_time():
    """Spikes by a loop over the membrane potential, which does not depend on them."""
    current = np.random.default_rng(0).normal(1500.0, 3000.0, (600, 4))
    dead = np.array([0.5, 1.0, 3.0, 5.0])
    series = bf.input.TimeSeries(np.repeat(current, 2, 0), interval=0.5)
    cells = bf.neuron.traub_miles(4, solver=bf.solver.ExponentialMidpoint(), surrogate=None)
    net = bf.Network({"cells": bf.neuron.DeadTime(cells, dead)}, [])
    out = bf.simulate(
        net,
        inputs={"cells": series},
        duration=600.0,
        dt=0.05,
        record=lambda state, output: (state["cells"].v, output["cells"]),
    )
    v, spikes = (np.asarray(x) for x in out.outputs)
    expected = np.zeros_like(spikes)
    for i, time in enumerate(dead):
        last = -np.inf
        for n in range(len(v)):
            if v[n, i] >= -20.0 and n - last > round(time / 0.05):
                expected[n, i], last = True, n
    measured(
        "neuron.DeadTime",
        "steps with spikes over 600 ms",
        against="a loop over the membrane potential",
        error=np.sum(spikes != expected),
        bound=0,
    )
    count = expected.sum(0)
    # With 0.5 ms a spike of the membrane, which is longer, counts twice.
    assert count[0] > count[2] > 20
    with pytest.raises(ValueError, match="`dead_time`"):
        bf.simulate(net, duration=0.9, dt=0.3)
    with pytest.raises(TypeError, match="['`]neuron['`]"):
        bf.neuron.DeadTime(bf.neuron.LIF(3))


@pytest.fixture(scope="module")
def pulses():
    """Half the neurons of each area, as the command has it in float32."""

    def response(regime, duration):
        network, inputs = bf.zoo.multi_area(
            regime, scale=0.5, key=jax.random.key(2), surrogate=None, dtype=jnp.float32
        )
        out = bf.run(
            network,
            inputs=inputs,
            duration=duration,
            dt=0.2,
            key=jax.random.key(7),
            record=bf.record.Spikes(),
            progress=False,
        )
        return out.outputs

    durations = {"strong": 700.0, "weak": 700.0, "unbalanced": 700.0}
    return {name: response(name, time) for name, time in durations.items()}


def test_a_pulse_reaches_the_last_area_or_dies_out(pulses):
    found = {name: areas.peaks(*areas.area_rates(trains["exc"])) for name, trains in pulses.items()}
    base, weak = found["weak"]
    assert weak[0] > 30 and np.all(weak[4:] < 0.25 * weak[0])
    _, strong = found["strong"]
    assert np.all(strong > 0.2 * strong[0]) and strong[-1] > 4 * weak[-1]
    # Sparse without a pulse; without inhibition to balance it, the same excitation explodes.
    assert np.all(base < 10) and np.all(found["strong"][0] < 30)
    assert np.all(found["unbalanced"][0] > 100)


def test_areas_are_counted():
    # Two areas of ten neurons, three steps of a bin each.
    trains = bf.record.SpikeTrains(
        np.array([0, 1, 1, 2, 2, 2]), np.array([0, 3, 12, 11, 12, 19]), 20, 0, 3, 10.0
    )
    ts, rates = areas.area_rates(trains, 2)
    np.testing.assert_array_equal(ts, [0.0, 10.0, 20.0])
    # One spike of ten neurons in 10 ms is 10 Hz.
    np.testing.assert_allclose(rates, [[10, 0], [10, 10], [0, 30]], rtol=1e-12)


def test_connectome_of_distance():
    share, distance = areas.connectome(4)
    np.testing.assert_allclose(share.sum(0), 1.0, rtol=1e-15)
    assert np.all(np.diag(share) == 0) and distance[0, 1] == 7 * bf.units.mm
    # Neighbours of the first: ratios of e^(-0.19 * 7).
    np.testing.assert_allclose(share[2, 0] / share[1, 0], np.exp(-0.19 * 7), rtol=1e-12)
    network, _ = bf.zoo.multi_area("weak", areas=4, scale=0.4, key=KEY)
    delays = np.asarray(network.projections["long->exc"].delay)
    np.testing.assert_allclose(np.unique(delays), [2.0, 4.0, 6.0], rtol=1e-6)


def test_programs_do_not_grow_with_the_number_of_areas():
    def equations(number):
        network, inputs = bf.zoo.multi_area("weak", areas=number, scale=0.4, key=KEY)

        def go(key):
            return bf.simulate(network, inputs=inputs, duration=10.0, dt=0.5, key=key).ts

        return str(jax.make_jaxpr(go)(KEY)).count(" = ")

    assert equations(2) == equations(8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bf.zoo.multi_area("storng", key=KEY), "Did you mean 'strong'"),
        (lambda: bf.zoo.multi_area(areas=1, key=KEY), "`areas` must be at least 2"),
        (lambda: bf.zoo.diehl_cook(np.ones(3), key=KEY), "`images` must have shape"),
        (lambda: bf.zoo.diehl_cook(np.full((1, 4), 2.0), key=KEY), "between 0 and 1"),
        (lambda: bf.zoo.diehl_cook(np.ones((1, 4)), neurons=1, key=KEY), "`neurons` must be"),
        (
            lambda: bf.zoo.NETWORKS["diehl_cook"].experiment(
                "digits", scale=1.0, duration=5e3, dt=0.5, key=KEY
            ),
            "`duration` must be at least 50000 ms",
        ),
    ],
)
def test_wrong_calls_raise(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_missing_digits_say_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'brainfn\[data\]'"):
        digits.digits()
