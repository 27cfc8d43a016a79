"""NIR: round trips by simulation, its equations, and what it can't say."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _measured import measured

import brainfn as bf
from brainfn import io, nn

nir = pytest.importorskip("nir")

KEYS = jr.split(jr.key(5), 8)
T = 15


@pytest.fixture(autouse=True)
def by_xla(monkeypatch):
    monkeypatch.setenv("BRAINFN_GENERATE", "0")


def lif(n, **options):
    return nn.lif(n, tau=np.linspace(3.0, 8.0, n), soft_reset=False, **options)


def layer(n_in, neurons, key, **options):
    return nn.Layer(n_in, neurons, weight=bf.init.Normal(1.0, 2.0), key=key, **options)


def exponential():
    return bf.synapse.Exponential(4.0)


def chain():
    """Images, and one layer of each kind."""
    return nn.Chain(
        eqx.nn.Conv2d(2, 3, 3, stride=2, padding=1, key=KEYS[0]),
        nn.Layer(None, lif(3 * 3 * 3)),
        io.Pool2d((2, 2), (1, 1), (0, 0), False),
        eqx.nn.AvgPool2d(2, 1),
        io.Flatten(),
        io.Scale(jnp.array([5.0, 7.0, 9.0])),
        layer(3, lif(4), KEYS[1], synapse=exponential(), bias=0.1),
        nn.Delays(4, np.array([0.0, 1.5, 2.0, 3.0]), max_delay=3.0),
        layer(4, lif(5), KEYS[2], recurrent=jr.normal(KEYS[3], (5, 5)) / 2),
        eqx.nn.Linear(5, 4, use_bias=False, key=KEYS[4]),
        io.Accumulator(jnp.full(4, 1.5)),
        io.Threshold(jnp.full(4, 0.2)),
        nn.Layer(4, nn.integrator(2), weight=jr.normal(KEYS[5], (4, 2)), synapse=exponential()),
    )


def graph():
    return nn.Graph(
        {
            "a": layer(6, lif(5), KEYS[0], synapse=exponential()),
            "b": layer(5, bf.neuron.IF(5, capacitance=3.0, v_threshold=1.0, v_reset=0.0), KEYS[1]),
            "back": eqx.nn.Linear(5, 6, key=KEYS[2]),
            "out": nn.Layer(None, nn.integrator(5)),
        },
        [("input", "a"), ("a", "b"), ("b", "out"), ("a", "out"), ("back", "a")],
        recurrent=[("b", "back")],
    )


@pytest.mark.parametrize(("make", "shape", "size"), [(chain, (2, 6, 6), 40.0), (graph, (6,), 3.0)])
def test_a_round_trip_by_simulation(make, shape, size, tmp_path):
    net = make()
    x = jr.bernoulli(KEYS[7], 0.4, (T, *shape)).astype(jnp.result_type(float)) * size
    io.write_nir(tmp_path / "net.nir", net, shape)
    again = io.read_nir(tmp_path / "net.nir")
    assert type(again) is type(net)
    for node in nir.read(tmp_path / "net.nir").nodes.values():
        assert node.input_type["input"] is not None
    wanted, got = net(x), again(x)
    assert np.ptp(np.asarray(wanted.output), axis=0).all()
    # Time constants go from ms to seconds and back.
    measured(
        "io.to_nir",
        f"outputs of a {type(net).__name__.lower()} after a round trip through a file",
        against="nir 1.0",
        error=got.output - wanted.output,
        bound=1e-12,
    )


def test_a_graph_written_by_hand_is_its_equations():
    """A recurrent subgraph, as other libraries write it, against the equations of NIR."""
    rng = np.random.default_rng(0)
    w, r = rng.normal(size=(3, 2)) * 3, rng.normal(size=(3, 3))
    one, zero = np.ones(3), np.zeros(3)
    cells = nir.CubaLIF(
        tau_syn=0.004 * one,
        tau_mem=0.01 * one,
        r=2.0 * one,
        v_leak=0.1 * one,
        v_threshold=one,
        v_reset=-0.2 * one,
        w_in=3.0 * one,
    )
    inside = nir.NIRGraph(
        nodes={
            "input": nir.Input(input_type={"input": np.array([3])}),
            "cells": cells,
            "w_rec": nir.Linear(weight=r),
            "output": nir.Output(output_type={"output": np.array([3])}),
        },
        edges=[
            ("input", "cells"),
            ("cells", "w_rec"),
            ("w_rec", "cells"),
            ("cells", "output"),
        ],
        metadata={},
    )
    graph = nir.NIRGraph(
        nodes={
            "input": nir.Input(input_type={"input": np.array([2])}),
            "w": nir.Affine(weight=w, bias=zero + 0.3),
            "rnn": inside,
            "leak": nir.LI(tau=0.02 * one, r=one, v_leak=zero),
            "output": nir.Output(output_type={"output": np.array([3])}),
        },
        edges=[("input", "w"), ("w", "rnn"), ("rnn", "leak"), ("leak", "output")],
        metadata={},
    )
    dt = 0.5
    net = io.from_nir(graph, dt=dt)
    assert isinstance(net, nn.Chain) and net[0].recurrent is not None
    x = rng.integers(0, 2, (40, 2)).astype(float)
    out = net(x, dt=dt)

    i, v, s, y, expected = zero, zero + 0.1, zero, zero, []
    ts, tm, tl = 4.0, 10.0, 20.0
    for row in x:
        i = i + 3.0 * dt / ts * (w @ row + 0.3 + r @ s)
        # Exactly, for the current that decays within the step.
        held = 2.0 * i * ts / (ts - tm) * (np.exp(-dt / ts) - np.exp(-dt / tm))
        v = 0.1 + (v - 0.1) * np.exp(-dt / tm) + held
        i = i * np.exp(-dt / ts)
        s = (v >= 1.0) * 1.0
        v = np.where(s > 0, -0.2, v)
        y = y * np.exp(-dt / tl) + (1 - np.exp(-dt / tl)) * s
        expected.append(y)
    assert (expected[-1] != 0).sum() >= 2
    measured(
        "io.from_nir",
        "outputs of a recurrent graph",
        against="its equations, solved exactly",
        error=out.output - np.stack(expected),
        bound=1e-12,
    )


def test_soft_resets_and_sums():
    net = nn.Chain(layer(3, nn.lif(4, tau=3.0), KEYS[0]))
    with pytest.raises(ValueError, match="soft reset"):
        io.to_nir(net, 3)
    again = io.from_nir(io.to_nir(net, 3, soft_reset=True), soft_reset=True)
    assert again[0].population.soft_reset
    summed = nir.NIRGraph(
        nodes={
            "input": nir.Input(input_type={"input": np.array([2])}),
            "a": nir.Scale(scale=np.array([2.0, 3.0])),
            "b": nir.Scale(scale=np.array([1.0, 1.0])),
            "output": nir.Output(output_type={"output": np.array([2])}),
        },
        edges=[("input", "a"), ("input", "b"), ("a", "output"), ("b", "output")],
        metadata={},
    )
    out = io.from_nir(summed)(np.ones((1, 2))).output
    np.testing.assert_array_equal(out, [[3.0, 4.0]])


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: layer(3, lif(2, refractory=2.0), KEYS[0]), ValueError, "refractory"),
        (lambda: layer(3, nn.alif(2), KEYS[0]), TypeError, "ALIF"),
        (lambda: layer(3, bf.neuron.AdEx(2), KEYS[0]), TypeError, "AdEx"),
        (
            lambda: layer(3, lif(2), KEYS[0], output=bf.synapse.Conductance(0.0)),
            ValueError,
            "Conductance",
        ),
        (lambda: layer(3, lif(2), KEYS[0], synapse=bf.synapse.Alpha(2.0)), ValueError, "Alpha"),
        (lambda: layer(3, bf.neuron.LIF(2, v_init=0.1), KEYS[0]), ValueError, "initial"),
        (lambda: jax.nn.relu, TypeError, "no node"),
        (lambda: nn.Residual(jax.nn.relu), TypeError, "Residual"),
    ],
)
def test_what_can_not_be_written_is_refused(make, error, words):
    net = nn.Chain(make())
    with pytest.raises(error, match=words):
        io.to_nir(net, 3)


def test_what_can_not_be_read_is_refused():
    def between(*nodes, edges):
        named = {str(i): node for i, node in enumerate(nodes)}
        named["input"] = nir.Input(input_type={"input": np.array([2])})
        named["output"] = nir.Output(output_type={"output": np.array([2])})
        return nir.NIRGraph(nodes=named, edges=edges, metadata={}, type_check=False)

    one = nir.Scale(scale=np.ones(2))
    loop = between(one, one, edges=[("input", "0"), ("0", "1"), ("1", "0"), ("1", "output")])
    with pytest.raises(ValueError, match="loop"):
        io.from_nir(loop)
    unknown = between(nir.Input(input_type={"input": np.array([2])}), edges=[("input", "output")])
    with pytest.raises(ValueError, match="one input"):
        io.from_nir(unknown)
    with pytest.raises(TypeError, match="NIRGraph"):
        io.from_nir(3)
