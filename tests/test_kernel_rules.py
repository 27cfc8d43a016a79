"""Plasticity in the native loop changes weights bit for bit as in the scan of steps."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _loops import KEY, both, learning, same

import brainfn as bf


@pytest.mark.parametrize(
    ("case", "dtype"), [("some", jnp.float32), ("others, float spikes", jnp.float64)]
)
def test_rules_are_those_of_the_scan(case, dtype, monkeypatch):
    net = bf._field.astype(learning(case), dtype)
    ours, scan = both(net, monkeypatch, "loop of a, b", steps=400, inputs=jnp.asarray(300.0, dtype))
    same(ours, scan)
    for name, weights in ours.state.model_state.weights.items():
        before = net.projections[name].weight
        assert np.mean(weights != before) > 0.2, name


def test_a_run_goes_on_where_it_stopped(monkeypatch):
    net = learning("some")
    options = {"dt": 0.1, "key": KEY, "inputs": 300.0, "record": bf.record.SpikeCount()}
    whole = bf.simulate(net, duration=30.0, **options)
    first = bf.simulate(net, duration=17.0, **options)
    second = bf.simulate(net, duration=13.0, state=first.state, **options)
    same(second.state, whole.state)


PROGRAM = """
import jax, numpy as np, brainfn as bf
from _loops import KEY, learning
net = learning("some")
out = bf.simulate(net, inputs=300.0, duration=40.0, dt=0.1, key=KEY, record=bf.record.nothing)
assert bf.kernel.reports()["loop of a, b"] == "generated"
print([float(np.asarray(x, np.float64).sum()).hex() for x in jax.tree.leaves(out.state)])
"""


def test_the_bits_do_not_depend_on_threads():
    said = []
    for threads in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env={**os.environ, "BRAINFN_NUM_THREADS": threads},
            cwd=Path(__file__).parent, capture_output=True, text=True, check=True,
        )  # fmt: skip
        said.append(done.stdout)
    assert said[0] == said[1] == said[2] and len(said[0]) > 100


class Homeostatic(bf.plasticity.AbstractPlasticity[None]):
    """Of weights that all change in each step, which no list of spikes tells."""

    def init(self, matrix, *, key=None):
        return None

    def step(self, traces, matrix, pre, post, modulator, clock, *, key=None):
        return None, matrix.with_weight(matrix.weight * 0.99)


def test_another_rule_runs_as_a_scan():
    net = bf.Network(
        {"a": bf.neuron.LIF(300, surrogate=None)},
        {
            "aa": bf.Projection(
                "a", "a", bf.connect.FixedOutDegree(5), weight=bf.init.Constant(1.0),
                plasticity=Homeostatic(), synapse=bf.synapse.Exponential(5.0),
                output=bf.synapse.Current(),
            )
        },
        key=KEY,
    )  # fmt: skip
    out = bf.simulate(net, duration=15.0, dt=0.1, key=KEY, record=bf.record.nothing)
    why = "XLA: a rule changes weights not only where neurons spike"
    assert bf.kernel.reports()["loop of a"] == why
    np.testing.assert_allclose(jax.tree.leaves(out.state.model_state.weights)[0], 0.99**150, 1e-12)
