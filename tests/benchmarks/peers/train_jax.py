"""A training step with brainfn's layers, and in plain JAX."""

import importlib.metadata as meta

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _training import BATCH, CLASSES, MEMBRANE, STEPS, SYNAPSE, options, task, timed


def cross_entropy(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def by_brainfn(first, second, packed):
    """Layers of neurons with exactly the equations of the task, written by a user."""
    import equinox as eqx

    import brainfn as bf

    surrogate = bf.surrogate.Arctan()
    hidden, size = first.shape[1], second.shape[1]

    class Filtered(bf.AbstractPopulation):
        """i <- a i + x, v <- b v + i, with or without spikes: the equations of the task."""

        size: int = bf.size()
        spikes: bool = bf.flag(True)

        @property
        def elementwise(self):
            return True

        def emits(self):
            return jax.ShapeDtypeStruct((self.size,), jnp.float32)

        def ports(self):
            return {"": self.size}

        def init(self, *, key=None):
            return jnp.zeros(self.size), jnp.zeros(self.size)

        def step(self, state, inputs, clock, *, key=None):
            i, v = state
            i = SYNAPSE * i + inputs(0.0, v)
            v = MEMBRANE * v + i
            if not self.spikes:
                return (i, v), v
            s = surrogate(v - 1)
            return (i, v - jax.lax.stop_gradient(s)), s

    net = bf.nn.Chain(
        bf.nn.Layer(first.shape[0], Filtered(hidden), weight=first),
        bf.nn.Layer(hidden, Filtered(size, spikes=False), weight=second),
    )
    parameters = [net[0].weight, net[1].weight]

    def loss(parameters, x, labels):
        model = eqx.tree_at(lambda n: [n[0].weight, n[1].weight], net, parameters)
        response = jax.vmap(model)(bf.nn.Packed(x, first.shape[0]) if packed else x)
        rate = response.totals[0].mean() / STEPS
        return cross_entropy(response.output.mean(axis=1), labels), rate

    def arranged(x):
        x = np.swapaxes(x, 0, 1)
        return np.packbits(x.astype(bool), axis=-1) if packed else np.ascontiguousarray(x)

    return loss, parameters, arranged


def by_jax(first, second, hoisted):
    @jax.custom_jvp
    def spike(v):
        return (v > 0).astype(v.dtype)

    @spike.defjvp
    def _(primals, tangents):
        (v,), (d,) = primals, tangents
        return spike(v), d / (1 + (jnp.pi * v) ** 2)

    def cell(i, v, x):
        i = SYNAPSE * i + x
        v = MEMBRANE * v + i
        s = spike(v - 1)
        return i, v - jax.lax.stop_gradient(s), s

    many, few = jnp.zeros((BATCH, first.shape[1])), jnp.zeros((BATCH, CLASSES))

    def in_loop(p, x, labels):
        def one(carry, row):
            i, v, j, u, out, n = carry
            i, v, s = cell(i, v, row @ p[0])
            j = SYNAPSE * j + s @ p[1]
            u = MEMBRANE * u + j
            return (i, v, j, u, out + u, n + s.mean()), None

        last, _ = jax.lax.scan(one, (many, many, few, few, few, 0.0), x)
        return cross_entropy(last[4] / STEPS, labels), last[5] / STEPS

    def by_layer(p, x, labels):
        def hidden(carry, row):
            i, v, s = cell(*carry, row)
            return (i, v), s

        def readout(carry, row):
            j, u, out = carry
            j = SYNAPSE * j + row
            u = MEMBRANE * u + j
            return (j, u, out + u), None

        s = jax.lax.scan(hidden, (many, many), x @ p[0])[1]
        out = jax.lax.scan(readout, (few, few, few), s @ p[1])[0][2]
        return cross_entropy(out / STEPS, labels), s.mean()

    return by_layer if hoisted else in_loop, [jnp.asarray(first), jnp.asarray(second)], lambda x: x


def main() -> None:
    o = options()
    x, labels, first, second = task(o)
    if o.case.startswith("brainfn"):
        loss, parameters, arranged = by_brainfn(first, second, o.case == "brainfn-packed")
    else:
        loss, parameters, arranged = by_jax(first, second, o.case == "jax-hoisted")
    x, labels = jnp.asarray(arranged(x)), jnp.asarray(labels)
    optimizer = optax.adam(1e-5)
    state = [parameters, optimizer.init(parameters)]

    @jax.jit
    def train(parameters, moments, x, labels):
        (value, rate), grads = jax.value_and_grad(loss, has_aux=True)(parameters, x, labels)
        updates, moments = optimizer.update(grads, moments, parameters)
        return optax.apply_updates(parameters, updates), moments, value, rate

    def step() -> tuple[float, float]:
        parameters, moments, value, rate = train(*state, x, labels)
        state[:] = parameters, moments
        return float(value), float(rate)

    timed(o, step, jax=meta.version("jax"))


if __name__ == "__main__":
    main()
