"""Reservoirs, against reservoirpy and closed forms; and FORCE learning."""

import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _measured import measured

import brainfn as bf
from brainfn.zoo import _force as force, _reservoir as tasks

KEY = jr.key(0)
ORACLE = json.loads((Path(__file__).parent / "oracle" / "reservoirs_reservoirpy.json").read_text())


def oracle_reservoir(sparse):
    n = ORACLE["size"]
    dense = np.zeros((n, n))
    # In reservoirpy targets are rows.
    dense[ORACLE["columns"], ORACLE["rows"]] = ORACLE["values"]
    recurrent = bf.event.CSR.fromdense(dense) if sparse else dense
    return bf.nn.EchoState(
        1,
        n,
        leak=ORACLE["leak"],
        bias=np.array(ORACLE["bias"]),
        weight=np.array(ORACLE["input_weights"])[None],
        recurrent=recurrent,
    )


@pytest.mark.parametrize(("task", "sparse"), [("narma10", True), ("mackey_glass", False)])
def test_states_and_errors_of_reservoirpy(task, sparse):
    if task == "narma10":
        inputs = np.array(ORACLE["u"])
        targets = tasks.narma10(inputs)
    else:
        series = np.array(ORACLE["mackey_glass_series"])
        # The same recursion; 12 digits are stored, and it is chaotic: an e-fold in 170 steps.
        np.testing.assert_allclose(tasks.mackey_glass(400), series[:400], rtol=1e-9)
        inputs, targets = series[:-1], series[1:]
    reservoir = oracle_reservoir(sparse)
    states = bf.nn.Chain(reservoir)(jnp.asarray(inputs[:102, None])).output
    wanted = ORACLE["results"][task]
    # The same arithmetic in another order, in a reservoir that forgets; 12 digits are stored.
    measured(
        "nn.EchoState", "states after 100 steps", against=f"reservoirpy {ORACLE['reservoirpy']}",
        error=np.asarray(states[99:102]) - np.array(wanted["states"]), bound=1e-11,
    )  # fmt: skip
    error, _ = tasks.predict(
        reservoir, inputs, targets, skip=ORACLE["washout"], train=ORACLE["train"],
        penalty=ORACLE["ridge"],
    )  # fmt: skip
    # Normal equations with a condition number of 1e8: eight digits are left.
    measured(
        "nn.EchoState", f"error of a ridge readout, {task}",
        against=f"reservoirpy {ORACLE['reservoirpy']}", error=error / wanted["nrmse"] - 1,
        bound=1e-6,
    )  # fmt: skip


def test_memory_of_a_delay_line():
    """A line of ten linear units, each with the input of one step: it remembers no more."""
    n = 10
    line = np.eye(n, k=1)
    first = np.eye(n)[:1] * 1e-5
    u = np.random.default_rng(0).uniform(-1, 1, 2000)
    reservoir = bf.nn.EchoState(1, n, weight=first, recurrent=line)
    x = bf.nn.Chain(reservoir)(jnp.asarray(u[:, None])).output
    found = bf.learn.memory_capacity(x, u, 14, skip=20)
    # The unit k has the input of k steps before; that of this step takes one unit. tanh is linear
    # to the square of 1e-5. By chance each of the others is worth 10 / 2000.
    measured(
        "learn.memory_capacity", "memory function of a delay line", against="closed form",
        error=found[: n - 1] - 1, bound=1e-6,
    )  # fmt: skip
    assert found[n - 1 :].max() < 0.03


def test_spectral_radius():
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(300, 300)) * (rng.random((300, 300)) < 0.2)
    wanted = np.max(np.abs(np.linalg.eigvals(dense)))
    stored = bf.event.CSR.fromdense(dense)
    generated = bf.connect.JustInTime(bf.connect.FixedProbability(0.1)).matrix(
        250, 250, weight=bf.init.Normal(0.0, 0.2), key=KEY
    )
    theirs = np.max(np.abs(np.linalg.eigvals(np.asarray(generated.todense()))))
    error = [
        bf.nn.spectral_radius(stored) / wanted - 1,
        bf.nn.spectral_radius(generated) / theirs - 1,
        bf.nn.spectral_radius(dense[:40, :40]) / np.max(np.abs(np.linalg.eigvals(dense[:40, :40])))
        - 1,
    ]
    # ARPACK was asked for 1e-6; eigenvalues of non-normal matrices are off by some of that.
    measured("nn.spectral_radius", "radius", against="NumPy eigvals", error=error, bound=1e-5)
    scaled = bf.nn.EchoState(1, 250, recurrent=generated, spectral_radius=0.8, key=KEY).recurrent
    assert isinstance(scaled, bf.event.JIT)
    radius = np.max(np.abs(np.linalg.eigvals(np.asarray(scaled.todense()))))
    assert radius == pytest.approx(0.8, rel=1e-5)


def test_kinds_of_reservoirs():
    """Stored and generated weights are the same network; the circular law is near the radius; and
    a batch, single steps and `simulate` agree."""
    rule = bf.connect.FixedProbability(0.2)
    options = {"exact": False, "spectral_radius": 0.9, "leak": 0.3, "key": KEY}
    jit = bf.nn.EchoState(2, 150, connectivity=bf.connect.JustInTime(rule), **options)
    csr = eqx.tree_at(lambda m: m.recurrent, jit, jit.recurrent.tocsr())
    for model in (jit, bf.nn.EchoState(2, 150, connectivity=rule, **options)):
        dense = np.asarray(model.recurrent.todense())
        # The edge of 150 eigenvalues scatters by some percent about the circle.
        assert np.max(np.abs(np.linalg.eigvals(dense))) == pytest.approx(0.9, rel=0.2)
    x = jr.normal(KEY, (3, 8, 2))
    batch = jax.jit(jax.vmap(lambda one: bf.nn.Chain(csr)(one).output))(x)
    by_jit = bf.nn.Chain(jit)(x[1]).output
    np.testing.assert_allclose(batch[1], by_jit, rtol=1e-12, atol=1e-14)
    out = bf.simulate(csr, inputs=x[1], duration=8.0, dt=1.0)
    np.testing.assert_allclose(out.outputs, by_jit, rtol=1e-12, atol=1e-14)


def liquid(recurrent, trace):
    lif = bf.neuron.LIF(
        3, tau=10.0, capacitance=10.0, v_rest=0.0, v_threshold=1.0, v_reset=0.0, refractory=0.0,
        surrogate=None,
    )  # fmt: skip
    weight = np.array([[2.0, 0.0, 0.0]])
    return bf.nn.LiquidState(1, lif, weight=weight, recurrent=recurrent, synapse=trace, trace=trace)


def test_filtered_spikes():
    """One neuron is driven; its spikes drive a second one, whose potential has a closed form."""
    recurrent = np.zeros((3, 3))
    recurrent[0, 1] = 0.05
    net = liquid(recurrent, bf.synapse.Exponential(10.0))
    dt, steps = 0.1, 120
    out = bf.simulate(
        net, inputs=np.ones((steps, 1)), duration=steps * dt, dt=dt,
        record=lambda state, out: (out, state.previous, state.population.v),
    )  # fmt: skip
    traces, spikes, v = (np.asarray(x) for x in out.outputs)
    # v = 2 (1 - exp(-t / 10)) reaches 1 at 10 ln 2 = 6.93 ms, in the 70th step.
    at = np.flatnonzero(spikes[:, 0])
    assert at.tolist() == [69]
    assert not spikes[:, 1:].any()
    after = dt * np.arange(steps - 69)
    error = traces[69:, 0] - np.exp(-after / 10)
    measured("nn.LiquidState", "filtered spikes", against="closed form", error=error, bound=1e-12)
    # A current 0.05 exp(-t / 10) into 10 pF with tau 10: v = 0.05 (t / 10) exp(-t / 10), and it
    # arrives in the step after the spike, at whose end t is dt.
    t = dt * np.arange(1, steps - 69)
    error = v[70:, 1] - 0.05 * (t / 10) * np.exp(-t / 10)
    measured("nn.LiquidState", "potential", against="closed form", error=error, bound=1e-12)


def test_force_is_least_squares_under_feedback():
    """While it learns, its outputs are those of ridge regression from the steps so far on; without
    targets nothing is learned; and simulations join."""
    net = bf.zoo.sussillo_abbott(60, 2, every=1, key=KEY)
    targets = jnp.asarray(
        np.concatenate([force.sine(np.arange(60)), force.sine(np.arange(60), 0.013)], 1)
    )
    record = {"z": bf.record.outputs, "r": lambda s, _: s.reservoir.previous}
    out = bf.simulate(net, inputs=targets, duration=60.0, dt=1.0, key=KEY, record=record)
    r, state = np.asarray(out.outputs["r"]), out.state.model_state
    wanted = bf.learn.ridge(r, targets, 1.0, intercept=False).weight
    # 60 features, condition number 1e2, float64.
    measured(
        "learn.Force", "weights after 60 steps", against="ridge of its own states",
        error=state.readout.weight - wanted, bound=1e-9,
    )  # fmt: skip
    np.testing.assert_array_equal(out.outputs["z"][-1], state.output)
    free = bf.simulate(net, state=out.state, duration=60.0, dt=1.0, key=KEY)
    np.testing.assert_array_equal(free.state.model_state.readout.weight, state.readout.weight)


def test_rates_learn_a_sine():
    with jax.enable_x64(False):
        net = bf.zoo.sussillo_abbott(200, key=KEY)
        learned = force.run_force(net, force.sine(np.arange(2000)), 1.0, KEY, free=1000.0)
    found = force.sine_figures(learned)
    assert found["rms"] < 0.02 and found["correlation"] > 0.999
    assert found["frequency"] == pytest.approx(5.0, abs=0.05)
    assert found["amplitude"] == pytest.approx(1.0, abs=0.05)
    # Without learning it does not: an untrained readout is silent.
    assert np.abs(learned.learning[0]).max() == 0.0


def test_spiking_neurons_learn_a_sine():
    """As in the paper, smaller and shorter: the error while learning is some percent."""
    with jax.enable_x64(False):
        net = bf.zoo.nicola_clopath("lif", 200, key=KEY)
        learned = force.run_force(net, force.sine(np.arange(1000)), 0.05, KEY, free=400.0)
    found = force.sine_figures(learned)
    assert found["rms"] < 0.2
    assert found["correlation"] > 0.9
    assert 5 < 1000 * learned.signals.mean() / learned.dt < 100
    assert force._sine_picture(learned, found, "lif").axes


def test_constants_of_the_spiking_networks():
    net = bf.zoo.nicola_clopath("izhikevich", 200, 3, key=KEY)
    matrix = net.reservoir.recurrent
    targets = np.asarray(matrix.indices)
    means = np.bincount(targets, np.asarray(matrix.data), minlength=200)
    np.testing.assert_allclose(means, 0.0, atol=1e-9)
    # 5000 / (sqrt(N) p) / 20, less the mean of 20: a factor of sqrt(19 / 20).
    assert np.std(matrix.data) == pytest.approx(5000 / (200**0.5 * 0.1) / 20, rel=0.05)
    assert float(net.reservoir.population.v_threshold) == pytest.approx(-19.2)
    assert float(bf.zoo.nicola_clopath("lif", 100, key=KEY).readout.regularisation) == 80
    with pytest.raises(ValueError, match="Did you mean 'lif'"):
        bf.zoo.nicola_clopath("lff", key=KEY)


def test_return_map_of_the_lorenz_system():
    path = (force.lorenz(20000.0, 1.0) - force._CENTRE) / force._SPREAD
    curve = force.pairs(path[:, 2])
    # Known periods: about 0.75 units of 500 ms for a turn.
    assert 45 < len(curve) < 62
    # The cusp: rises, then falls, and expands everywhere, so a slope beyond 1.
    top = curve[np.argmax(curve[:, 1]), 0]
    left, right = curve[curve[:, 0] < top - 0.02], curve[curve[:, 0] > top + 0.02]
    assert np.polyfit(*left.T, 1)[0] > 1 and np.polyfit(*right.T, 1)[0] < -1
    assert force.map_distance(curve, curve).max() == 0
    learned = force.Learned(None, path, path + 0.01, path, path, 1.0, 1.0)
    found = force.lorenz_figures(learned, curve)
    assert found["rms"] == pytest.approx(0.01, rel=1e-6) and found["map"] == 0
    assert 0.2 < found["right"] < 0.8 and found["changes"] > 5


def test_images():
    """Two classes that differ in time only are told apart."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    images = 0.1 * rng.random((60, 28, 28))
    images[labels == 1, :14] += 1.0
    images[labels == 0, 14:] += 1.0
    reservoir = tasks.image_reservoir(60, key=KEY)
    train, test = (images[:40], labels[:40]), (images[40:], labels[40:])
    assert tasks.classify(reservoir, train, test, batch=20) == 1.0
    assert tasks._curve({500: 0.8, 1000: 0.9}, 100).axes


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: bf.nn.EchoState(1, 5), ValueError, "`key` is needed to draw `weight`"),
        (lambda: bf.nn.EchoState(1, 5, leak=1.5, key=KEY), ValueError, "`leak` must lie in"),
        (lambda: bf.nn.EchoState(1, 5, connectivity=0.1, key=KEY), TypeError, "must be a rule"),
        (
            lambda: bf.nn.EchoState(1, 5, spectral_radius=-1.0, key=KEY),
            ValueError,
            "`spectral_radius` must be positive",
        ),
        (
            lambda: bf.nn.EchoState(1, 3, recurrent=np.zeros((3, 3)), spectral_radius=1.0, key=KEY),
            ValueError,
            "all its eigenvalues are zero",
        ),
        (lambda: bf.nn.spectral_radius(np.ones((2, 3))), ValueError, "must be square"),
        (lambda: bf.nn.LiquidState(1, None, recurrent=0.0), TypeError, "`population` must be"),
        (
            lambda: bf.learn.Force(bf.nn.EchoState, bf.learn.RLS(3, 1)),
            TypeError,
            "`reservoir` must be",
        ),
        (
            lambda: bf.simulate(
                bf.learn.Force(bf.nn.EchoState(1, 5, key=KEY), bf.learn.RLS(3, 1)),
                duration=1.0,
                dt=1.0,
            ),
            ValueError,
            "`readout` has 3 features",
        ),
    ],
)
def test_wrong_arguments(call, error, text):
    with pytest.raises(error, match=text):
        call()
