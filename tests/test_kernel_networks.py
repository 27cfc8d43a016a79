"""Steps of networks by generated kernels are those of XLA."""

import jax
import jax.numpy as jnp
import jax.random as jr
import models
import numpy as np
import pytest

import brainfn as bf
from brainfn.network import _local

N = 523  # of each population; not a multiple of the number of lanes


def wired(neuron, dtype):
    """Two populations of a neuron with three kinds of receptors, as a stepper and a state."""
    a, b = neuron(N), neuron(N)
    ports = tuple(a.ports())
    matrix = bf.connect.FixedOutDegree(5)
    first, last = ports[0] or None, ports[-1] or None
    conductance = {"synapse": bf.synapse.Exponential(5.0), "output": bf.synapse.Conductance(0.0)}
    current = {"synapse": bf.synapse.Alpha(2.0), "output": bf.synapse.Current()}
    exc = bf.Projection("a", ["a", "b"], matrix, weight=5.0, port=first, **conductance)
    inh = bf.Projection("b", "b", matrix, weight=3.0, port=last, **current)
    net = bf.Network({"a": a, "b": b}, {"exc": exc, "inh": inh}, key=jr.key(0))
    stepper = bf._field.astype(net, dtype).prepare(0.1)
    key = jr.key(1)
    state = stepper.init(key=key)
    clock = bf.Clock(jnp.asarray(7, jnp.int32), 0.1)

    # States on the way, and some of everything.
    def scattered(x, k):
        if not jnp.issubdtype(x.dtype, jnp.floating):
            return jr.randint(k, x.shape, 0, 3, x.dtype)
        low, high = (-80.0, -20.0) if jnp.all(x < -20) else (0.0, 1.0)
        return jr.uniform(k, x.shape, x.dtype, low, high)

    leaves, structure = jax.tree.flatten((state.groups, state.layers))
    leaves = [scattered(x, jr.fold_in(key, i)) for i, x in enumerate(leaves)]
    groups, layers = structure.unflatten(leaves)
    return stepper.local, groups, layers, clock, key


def both(local, groups, layers, clock, key, monkeypatch, names, batch=None):
    """A step with generated kernels, and one by XLA."""
    injected = [None] * len(groups)

    def step(groups, layers, key):
        return local.step(groups, layers, injected, clock, key)

    if batch is not None:
        step = jax.vmap(step, in_axes=batch)
    ours = jax.jit(step)(groups, layers, key)
    for name in names:
        assert bf.kernel.reports()[name] == "generated", bf.kernel.reports()[name]

    def plain(name, size, constants, context, variables):
        return _local.advance_group(constants, context, variables)

    monkeypatch.setattr(_local, "_generated", plain)
    return ours, jax.jit(lambda *xs: step(*xs))(groups, layers, key)


def close(ours, xla, dtype):
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(ours), jax.tree.leaves(xla), strict=True
    ):
        assert a.dtype == b.dtype and a.shape == b.shape, path
        if not jnp.issubdtype(a.dtype, jnp.floating):
            np.testing.assert_array_equal(a, b, str(path))
            continue
        # Rounding, in units of the largest number of each array: differences of potentials and of
        # rates lose a few bits. A residue is what the potentials, up to 80 mV, were rounded by.
        largest = np.max(np.abs(np.asarray(b)), initial=1e-30)
        unit = jnp.finfo(dtype).eps * (80.0 if "residue" in str(path) else largest)
        np.testing.assert_allclose(a, b, rtol=0, atol=100 * unit, err_msg=str(path))


# Both precisions use the same functions, of which a few neurons have all.
IN_FLOAT64 = ("AdEx", "GIF", "MorrisLecar", "PointNeuron", "PinskyRinzel")
CASES = [(name, jnp.float32) for name in models.all_neurons]
CASES += [(name, jnp.float64) for name in IN_FLOAT64]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_every_neuron(name, dtype, monkeypatch):
    local, groups, layers, clock, key = wired(models.all_neurons[name], dtype)
    ours, xla = both(local, groups, layers, clock, key, monkeypatch, ["a, b"])
    close(ours, xla, dtype)
