"""Every neuron uses the surrogate that was chosen, whichever it is."""

import jax
import jax.numpy as jnp
import jax.random as jr
import models
import numpy as np
import pytest
from test_surrogate import CASES

import brainfn as bf

DT = 0.05
KINDS = tuple(surrogate for surrogate, _, _ in CASES.values())


class Mixed(bf.surrogate.AbstractSurrogate):
    """A weighted sum of all of them, of a constant, and of the distance itself."""

    weights: jax.Array

    def derivative(self, x):
        terms = [*(kind.derivative(x) for kind in KINDS), jnp.ones_like(x), x]
        return sum(w * term for w, term in zip(self.weights, terms, strict=True))

    @property
    def support(self):
        return np.inf


@pytest.mark.parametrize("name", models.all_neurons)
def test_the_surrogate_that_was_chosen_is_used(name):
    """The gradient of a step is that of the distance, times the surrogate's derivative at it. A
    constant surrogate tells the former, and one that is the distance tells the latter."""
    quiet = models.currents[name][1]
    n = len(KINDS) + 2

    def spikes(current, weights):
        model = models.all_neurons[name](surrogate=Mixed(weights)).prepare(DT)
        state = model.init(key=jr.key(1))
        clock = bf.Clock(jnp.zeros((), jnp.int32), DT)
        return model.step(state, current, clock, key=jr.key(0))[1].sum()

    gradients = jax.jit(jax.vmap(jax.grad(spikes), (None, 0)))(jnp.full(3, quiet), jnp.eye(n))
    slope, product = gradients[-2], gradients[-1]
    assert np.all(slope != 0)
    x = product / slope
    wanted = jnp.stack([kind.derivative(x) for kind in KINDS])
    # The distance is known to rounding, and enters sharp functions.
    np.testing.assert_allclose(gradients[:-2] / slope[None], wanted, rtol=1e-9, atol=1e-11)
    assert (np.asarray(wanted) != 0).sum() > wanted.size // 2


def test_it_is_an_option_of_each():
    for make in models.all_neurons.values():
        chosen = jax.tree.leaves(
            make(surrogate=bf.surrogate.Boxcar(0.123)), is_leaf=lambda x: isinstance(x, float)
        )
        assert any(isinstance(leaf, float) and leaf == 0.123 for leaf in chosen)
