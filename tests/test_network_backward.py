"""The event-driven spike gradient of networks: it skips neurons, and changes nothing."""

import collections
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import brainfn as bf
from brainfn.event import block_matvec
from brainfn.network import _exchange, _local, _near, _prepare

DT = 0.1
STEPS = 120
N_EXC, N_INH = 30, 10
DELAYS = {
    "one step": 0.1,
    "seven steps": 0.7,
    "one for each neuron": 0.1 * (1 + np.arange(N_EXC) % 5),
}


def network(surrogate, delay=0.1, detach=False, dtype=None):
    lif = {
        "v_init": bf.init.Uniform(-58.0, -50.0),
        "surrogate": surrogate,
        "refractory": 1.0,
        "detach_reset": detach,
    }
    rule = bf.connect.FixedOutDegree(8)
    both = ["exc", "inh"]
    net = bf.Network(
        {"exc": bf.neuron.LIF(N_EXC, **lif), "inh": bf.neuron.LIF(N_INH, **lif)},
        {
            "exc": bf.Projection(
                "exc",
                both,
                rule,
                weight=bf.init.Uniform(10.0, 30.0),
                synapse=bf.synapse.Exponential(5.0),
                output=bf.synapse.Conductance(0.0),
                delay=delay,
            ),
            "inh": bf.Projection(
                "inh",
                both,
                rule,
                weight=40.0,
                synapse=bf.synapse.Exponential(10.0),
                output=bf.synapse.Conductance(-80.0),
            ),
        },
        key=jr.key(0),
    )
    return net if dtype is None else bf.astype(net, dtype)


def parameters(net):
    p = net.projections
    return (
        p["exc"].weight,
        p["inh"].weight,
        net.populations["exc"].tau,
        p["exc"].synapse.tau,
        net.populations["inh"].v_threshold,
    )


def loss(theta, net, checkpoint=False):
    record = bf.record.Mean(lambda state, output: (state["exc"].v, output["exc"], output["inh"]))
    out = bf.simulate(
        eqx.tree_at(parameters, net, theta),
        inputs=300.0,
        duration=STEPS * DT,
        dt=DT,
        key=jr.key(1),
        record=record,
        checkpoint=checkpoint,
    )
    v, exc, inh = out.outputs
    return jnp.mean(v) / 10 + 20 * jnp.mean(exc) + 10 * jnp.mean(inh)


def without_marks(monkeypatch):
    for module in (_near, _prepare):
        monkeypatch.setattr(module, "has_marks", lambda model: False)


SURROGATES = {
    "relu": bf.surrogate.ReluGrad(width=0.2),
    "boxcar": bf.surrogate.Boxcar(width=0.3),
    "cut": bf.surrogate.TruncatedFastSigmoid(slope=5.0, width=0.1),
}


@pytest.mark.parametrize(
    ("surrogate", "delay", "detach", "checkpoint"),
    [
        ("relu", "one step", False, False),
        ("boxcar", "seven steps", False, True),
        ("cut", "one for each neuron", True, False),
    ],
)
def test_gradient_is_that_without_the_mask(monkeypatch, surrogate, delay, detach, checkpoint):
    net = network(SURROGATES[surrogate], DELAYS[delay], detach)
    theta = parameters(net)
    masked = jax.grad(loss)(theta, net, checkpoint)
    without_marks(monkeypatch)
    full = jax.grad(loss)(theta, net, checkpoint)
    for x, y in zip(masked, full, strict=True):
        assert np.any(np.asarray(y) != 0)
        # The same terms; those that are zero are left out of the sums.
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def test_batch_of_masks():
    """The members of a batch have masks of their own."""
    net = network(SURROGATES["boxcar"])
    theta = parameters(net)
    stacked = jax.tree.map(lambda x: jnp.stack([x, 1.01 * x]), theta)
    batch = jax.vmap(lambda t: jax.grad(loss)(t, net))(stacked)
    single = jax.grad(loss)(theta, net)
    for x, y in zip(batch, single, strict=True):
        np.testing.assert_allclose(x[0], y, rtol=1e-9, atol=1e-12)
        assert np.any(np.asarray(x[1]) != np.asarray(y))


def test_float32(monkeypatch):
    net = network(SURROGATES["boxcar"], 0.7, dtype=jnp.float32)
    assert parameters(net)[0].dtype == jnp.float32
    masked = jax.grad(loss)(parameters(net), net)
    without_marks(monkeypatch)
    for x, y in zip(masked, jax.grad(loss)(parameters(net), net), strict=True):
        # Sums of up to STEPS * N terms in float32 in another order.
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6 * float(jnp.max(jnp.abs(y))))


@pytest.mark.parametrize("steps", [1, 4])
def test_against_a_dense_network_written_by_hand(steps):
    """Spikes through a dense matrix and a delay by hand, differentiated by JAX alone."""
    rng = np.random.default_rng(3)
    n, dt, tau, tau_syn = 12, 0.1, 20.0, 5.0
    dense = np.where(rng.random((n, n)) < 0.4, rng.uniform(100, 400, (n, n)), 0.0)
    matrix = bf.event.CSR.fromdense(dense)
    v0, width = rng.uniform(-58.0, -50.0, n), 0.15
    net = bf.Network(
        {
            "a": bf.neuron.LIF(
                n, refractory=0.0, v_init=v0, surrogate=bf.surrogate.Boxcar(width=width)
            )
        },
        {
            "a": bf.Projection(
                "a",
                "a",
                matrix,
                synapse=bf.synapse.Exponential(tau_syn),
                output=bf.synapse.Current(),
                delay=steps * dt,
            )
        },
    )

    @jax.custom_jvp
    def spike(x):
        return jnp.where(x >= 0, 1.0, 0.0)

    @spike.defjvp
    def _(primals, tangents):
        (x,), (dx,) = primals, tangents
        return spike(x), jnp.where(jnp.abs(x) < width, 0.5 / width, 0.0) * dx

    # The mean of exp(-t / tau_syn) over a step, weighted with exp(-(dt - t) / tau).
    held = (np.exp(-dt / tau_syn) - np.exp(-dt / tau)) / (1 / tau - 1 / tau_syn)
    held = held / tau / (1 - np.exp(-dt / tau))

    def by_hand(weights):
        v, g, spikes, total = jnp.asarray(v0), jnp.zeros(n), [], 0.0
        for i in range(60):
            if i >= steps:
                g = g + spikes[i - steps] @ weights
            end = -60.0 + (250.0 + g * held) * tau / 200.0
            v = end + (v - end) * np.exp(-dt / tau)
            s = spike((v + 50.0) / 10.0)
            v = v + s * (-60.0 - v)
            g = g * np.exp(-dt / tau_syn)
            spikes.append(s)
            total = total + jnp.sum(v**2) / 100 + jnp.sum(s)
        return total

    def by_network(data):
        changed = eqx.tree_at(lambda m: m.projections["a"].weight, net, data)

        def record(state, output):
            return jnp.sum(state["a"].v ** 2) / 100 + jnp.sum(output["a"])

        out = bf.simulate(changed, inputs=250.0, duration=60 * dt, dt=dt, record=record)
        return jnp.sum(out.outputs)

    value, expected = jax.value_and_grad(by_hand)(jnp.asarray(dense))
    got_value, got = jax.value_and_grad(by_network)(matrix.data)
    np.testing.assert_allclose(got_value, value, rtol=1e-12)
    picked = np.asarray(expected)[dense != 0]
    assert np.count_nonzero(picked) > 20
    # Other order of sums, and exp against phi1: a few hundred ulp over 60 steps.
    np.testing.assert_allclose(got, picked, rtol=1e-9, atol=1e-12)


def test_marks_are_the_neurons_without_a_derivative():
    """In derivatives only, and in the line only."""
    model = bf.neuron.LIF(5, surrogate=bf.surrogate.Boxcar(width=0.1))
    #           far, just outside, just inside, above threshold, spiked
    v = jnp.asarray([-60.0, -51.01, -50.99, -49.5, -60.0])
    spikes = jnp.asarray([0.0, 0.0, 0.0, 0.0, 1.0])
    state = bf.neuron.SpikingState(bf.neuron.Voltage(v), jnp.zeros(5, jnp.int32))
    plain = _near.mark(spikes, model, state)
    assert not np.signbit(plain).any()
    marked, tangent = jax.jvp(lambda s: _near.mark(s, model, state), (spikes,), (spikes + 1,))
    assert np.signbit(marked).tolist() == [True, True, False, False, False]
    np.testing.assert_array_equal(marked, spikes)
    np.testing.assert_array_equal(tangent, spikes + 1)
    for other in (bf.surrogate.Arctan(), None):
        wide = bf.neuron.LIF(5, surrogate=other)
        assert not _near.has_marks(wide)
    matrix = bf.event.Dense(np.ones((5, 3)))

    def total(s):
        (y,) = _near.deliver((jnp.zeros(3),), (s,), (bf.event.Block(matrix),), (True,), None)
        return jnp.sum(y)

    np.testing.assert_array_equal(jax.grad(total)(marked), [0.0, 0.0, 3.0, 3.0, 3.0])


def test_support_may_be_learned():
    """A width that is traced, or differs between neurons, is a mask all the same."""
    widths = jnp.linspace(0.05, 0.5, N_EXC)
    net = network(bf.surrogate.Boxcar(width=0.3))
    net = eqx.tree_at(lambda m: m.populations["exc"].surrogate.width, net, widths)

    @jax.jit
    def gradient(w):
        traced = eqx.tree_at(lambda m: m.populations["exc"].surrogate.width, net, w)
        return jax.grad(loss)(parameters(net), traced)

    assert all(bool(jnp.any(g != 0)) for g in gradient(widths))


def scans(jaxpr):
    found = []
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            found.append(equation.params["jaxpr"].jaxpr)
        for value in jax.tree.leaves(tuple(equation.params.values())):
            inner = getattr(value, "jaxpr", None)
            if inner is not None and equation.primitive.name != "scan":
                found += scans(getattr(inner, "jaxpr", inner))
    return found


def test_backward_loop_is_event_driven():
    """One gather, which has the mask, and nothing of the size of the weights but their gradient,
    carried in place."""
    net = network(SURROGATES["relu"], 0.7)
    theta = parameters(net)
    jaxpr = jax.make_jaxpr(jax.grad(loss))(theta, net).jaxpr
    backward = scans(jaxpr)[-1]
    names = [e.primitive.name for e in backward.eqns]
    assert names.count("event_gather") == 1
    assert names.count("event_sddmm") == 1
    assert "event_scatter" not in names
    (gather,) = [e for e in backward.eqns if e.primitive.name == "event_gather"]
    assert all(block.need >= 0 for block in gather.params["spec"].blocks)
    nnz = theta[0].shape
    full = [
        e.primitive.name
        for e in backward.eqns
        for out in e.outvars
        if out.aval.shape == nnz and jnp.issubdtype(out.aval.dtype, jnp.floating)
    ]
    assert full == ["event_sddmm"]


def test_simulation_without_derivatives_pays_nothing(monkeypatch):
    """The optimised program has the same instructions as without any marks."""
    net = network(SURROGATES["relu"], 0.7)

    def instructions():
        compiled = jax.jit(lambda theta: loss(theta, net)).lower(parameters(net)).compile()
        found = re.findall(r"= (\w+\[\S*) ([\w-]+)\(", compiled.as_text())
        return collections.Counter(found)

    marked = instructions()
    assert sum(marked.values()) > 100
    jax.clear_caches()
    monkeypatch.setattr(_local, "mark", lambda spikes, model, state: spikes)
    monkeypatch.setattr(_exchange, "deliver", lambda a, s, b, *_: block_matvec(a, s, b))
    assert instructions() == marked
