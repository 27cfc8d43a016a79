"""Layers over time: the fused operator, its adjoint, and the laws of a chain."""

import os
import pathlib
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import brainfn as bf
from brainfn import nn

KEYS = jr.split(jr.key(7), 8)
T = 12


def exponential():
    return bf.synapse.Exponential(5.0)


SMOOTH = bf.surrogate.Sigmoid(4.0)


def chains():
    """One chain of each kind; the first inputs are spikes of 20 neurons."""
    lif, out = nn.lif, nn.integrator
    first = nn.Layer(
        20, lif(70), weight=bf.init.Normal(0.5, 1.0), synapse=exponential(), key=KEYS[0]
    )
    last = nn.Layer(70, out(3), synapse=exponential(), key=KEYS[1])
    hard = lif(33, soft_reset=False, refractory=2.0, surrogate=SMOOTH)
    adex = bf.neuron.AdEx(9)
    return {
        "feed-forward": nn.Chain(first, last),
        "recurrent": nn.Chain(
            nn.Layer(
                20,
                hard,
                weight=bf.init.Normal(1.0, 1.0),
                recurrent=bf.init.Normal(0.0, 0.5),
                bias=0.3,
                key=KEYS[2],
            ),
            nn.Layer(33, out(1), key=KEYS[3]),
        ),
        "detached": nn.Chain(
            nn.Layer(20, lif(16, detach_reset=True), weight=bf.init.Normal(1, 1), key=KEYS[2]),
            last16(),
        ),
        "adaptive": nn.Chain(
            nn.Layer(
                20, adex, weight=bf.init.Uniform(0.0, 900.0), synapse=exponential(), key=KEYS[4]
            )
        ),
        "one neuron": nn.Chain(nn.Layer(20, lif(1), weight=bf.init.Constant(0.9), key=KEYS[5])),
        "containers": nn.Chain(
            nn.Chain(first),
            nn.Residual(nn.Layer(70, lif(70), weight=bf.init.Normal(0, 0.3), key=KEYS[3])),
            last,
        ),
        "with a function": nn.Chain(first, lambda x: 2 * x, nn.Layer(None, lif(70)), last),
    }


def last16():
    return nn.Layer(16, nn.integrator(4), key=KEYS[6])


NAMES = list(chains())


def spikes(batch=3, time=T, n=20, p=0.3):
    return jr.bernoulli(KEYS[7], p, (batch, time, n)).astype(jnp.result_type(float))


def by_xla(function, *args):
    """The same without native code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAINFN_GENERATE", "0")
        jax.clear_caches()
        out = function(*args)
    jax.clear_caches()
    return out


def close(a, b, rtol=1e-11):
    """Equal up to the order of sums."""
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        scale = np.abs(np.asarray(y)).max(initial=1e-30)
        np.testing.assert_allclose(x, y, rtol=0, atol=rtol * scale)


def objective(both):
    """A loss of everything that a chain returns."""
    net, x = both

    def one(x):
        r = net(x)
        floats = [s for s in jax.tree.leaves(r.state) if jnp.issubdtype(s.dtype, jnp.inexact)]
        ramp = jnp.arange(r.output.size, dtype=x.dtype).reshape(r.output.shape)
        parts = [(r.output * jnp.cos(ramp)).sum(), *((s**2).sum() for s in floats)]
        return sum(parts) + sum((t**2).sum() for t in jax.tree.leaves(r.totals))

    return jax.vmap(one)(x).sum()


@pytest.mark.parametrize("name", NAMES)
def test_the_operator_and_its_adjoint_equal_the_plain_scan(name):
    both = (chains()[name], spikes())
    run = eqx.filter_jit(eqx.filter_value_and_grad(objective))
    value, grads = run(both)
    reports = bf.kernel.reports()
    assert any(how == "generated" and "adjoint" in who for who, how in reports.items())
    expected, reference = by_xla(run, both)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    close(grads, reference)
    assert max(float(jnp.abs(g).max()) for g in jax.tree.leaves(grads)) > 0


@pytest.mark.parametrize("name", NAMES)
def test_layer_by_layer_equals_step_by_step(name):
    net, x = chains()[name], spikes(1)[0]
    response = net(x)
    stepped = bf.simulate(net, inputs=x, dt=1.0, duration=float(T))
    # Products of one step and of all steps are summed in another order.
    close(response.output, stepped.outputs, 1e-12)


@pytest.mark.parametrize("name", ["feed-forward", "recurrent"])
def test_two_halves_equal_the_whole_bit_for_bit(name):
    net, x = chains()[name], spikes(2)
    whole = jax.vmap(net)(x)
    first = jax.vmap(net)(x[:, :5])
    second = jax.vmap(lambda x, s: net(x, state=s))(x[:, 5:], first.state)
    np.testing.assert_array_equal(
        jnp.concatenate([first.output, second.output], axis=1), whole.output
    )
    for a, b in zip(jax.tree.leaves(second.state), jax.tree.leaves(whole.state), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_batch_equals_its_examples_and_packed_inputs_equal_numbers():
    net, x = chains()["recurrent"], spikes(4)
    batch = jax.vmap(net)(x)
    one = net(x[2])
    np.testing.assert_array_equal(batch.output[2], one.output)
    for other in (nn.pack(x), x.astype(bool)):
        np.testing.assert_array_equal(jax.vmap(net)(other).output, batch.output)
    np.testing.assert_array_equal(net(nn.pack(x)[2]).output, one.output)


_BITS = """
import hashlib, sys
sys.path.insert(0, {folder!r})
import jax
jax.config.update("jax_enable_x64", True)
import equinox as eqx
from test_nn_chain import chains, objective, spikes
# Nine examples are one more than the parts in which gradients are summed.
grads = eqx.filter_jit(eqx.filter_grad(objective))((chains()["recurrent"], spikes(9)))
print(hashlib.sha256(b"".join(x.tobytes() for x in jax.tree.leaves(grads))).hexdigest())
"""


def test_the_number_of_threads_changes_no_bit():
    code = _BITS.format(folder=str(pathlib.Path(__file__).parent))
    found = set()
    for threads in ("1", "3"):
        environment = {**os.environ, "BRAINFN_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout.strip())
    assert len(found) == 1
    assert len(found.pop()) == 64


def test_gradients_are_those_of_the_relaxed_network():
    """The surrogate's antiderivative in place of the step: central differences of that network
    are what the gradient of a single step is (one step, so that no reset acts)."""
    weight = jr.normal(KEYS[0], (20, 6)) * 2
    x = spikes(1, 1)[0]
    layer = nn.Layer(20, nn.lif(6, surrogate=SMOOTH), weight=weight)
    net = nn.Chain(layer)
    ramp = jnp.arange(1.0, 7.0)

    def loss(w):
        return (eqx.tree_at(lambda n: n.layers[0].weight, net, w)(x).output[0] * ramp).sum()

    def relaxed(w):
        v = (x[0] @ w) * (1 - jnp.exp(-1 / 20.0))
        return (jax.nn.sigmoid(4.0 * (v - 1)) * ramp).sum()

    step = 1e-5
    gradient = jax.grad(loss)(weight)
    for i, j in ((0, 0), (3, 4), (11, 5)):
        bump = jnp.zeros_like(weight).at[i, j].set(step)
        difference = (relaxed(weight + bump) - relaxed(weight - bump)) / (2 * step)
        # Central differences in double precision.
        np.testing.assert_allclose(gradient[i, j], difference, atol=1e-8)


def test_forward_mode_and_second_derivatives():
    net, x = chains()["feed-forward"], spikes(2)
    w = net[0].weight

    def loss(w):
        return objective((eqx.tree_at(lambda n: n.layers[0].weight, net, w), x))

    direction = jr.normal(KEYS[3], w.shape)
    along = jax.jvp(loss, (w,), (direction,))[1]
    gradient = jax.grad(loss)(w)
    np.testing.assert_allclose(along, (gradient * direction).sum(), rtol=1e-10)
    product = jax.jvp(jax.grad(loss), (w,), (direction,))[1]
    again = jax.grad(lambda w: (jax.grad(loss)(w) * direction).sum())(w)
    # Symmetric: both are the same product with the matrix of second derivatives.
    close(product, again, 1e-9)


def test_gradients_of_single_examples():
    net, x = chains()["feed-forward"], spikes(2)
    each = jax.vmap(lambda x: eqx.filter_grad(lambda n: objective((n, x[None])))(net))(x)
    total = eqx.filter_grad(lambda n: objective((n, x)))(net)
    close(jax.tree.map(lambda g: g.sum(axis=0), each), total, 1e-9)


def test_no_memory_for_the_steps_in_between():
    net, x = chains()["feed-forward"], spikes(8, 100)
    compiled = jax.jit(lambda x: jax.grad(lambda x: jax.vmap(net)(x).output.sum())(x)).lower(x)
    used = compiled.compile().memory_analysis()
    # The membrane potentials of all steps alone are 8 * 100 * 70 numbers of 8 bytes.
    assert used.temp_size_in_bytes < 8 * 100 * 70 * 8


def test_sparse_weights_and_populations_that_are_stepped():
    csr = bf.connect.csr(bf.connect.FixedProbability(0.4), 20, 50, weight=0.7, key=KEYS[0])
    sparse = nn.Chain(
        nn.Layer(20, nn.lif(50), weight=csr), nn.Layer(50, nn.integrator(3), key=KEYS[1])
    )
    dense = eqx.tree_at(lambda n: n.layers[0].weight, sparse, csr.todense())
    x = spikes()
    close(jax.vmap(sparse)(x).output, jax.vmap(dense)(x).output, 1e-12)
    recurrent = bf.connect.csr(bf.connect.FixedProbability(0.2), 50, 50, weight=0.2, key=KEYS[2])
    a = nn.Chain(nn.Layer(20, nn.lif(50), weight=csr, recurrent=recurrent))
    b = nn.Chain(nn.Layer(20, nn.lif(50), weight=csr, recurrent=recurrent.todense()))
    close(jax.vmap(a)(x).output, jax.vmap(b)(x).output, 1e-12)
    random = nn.Chain(nn.Layer(20, bf.neuron.GIF(5), key=KEYS[3]))
    with pytest.raises(ValueError, match="key"):
        random(x[0])
    assert random(x[0], key=KEYS[4]).output.shape == (T, 5)


def test_layers_of_equinox_are_used_as_they_are():
    keys = jr.split(KEYS[0], 3)
    net = nn.Chain(
        eqx.nn.Conv2d(1, 2, 3, key=keys[0]),
        nn.Layer(None, nn.lif(2 * 4 * 4)),
        eqx.nn.AvgPool2d(2, 2),
        jnp.ravel,
        eqx.nn.Dropout(0.5),
        eqx.nn.Linear(8, 3, key=keys[1]),
        nn.Layer(None, nn.integrator(3)),
    )
    x = jr.normal(KEYS[1], (T, 1, 6, 6)) * 20
    response = net(x, key=keys[2])
    assert response.output.shape == (T, 3)
    assert response.totals[0] is None
    assert response.totals[1].sum() > 0
    stepped = bf.simulate(nn.Chain(*net.layers[:4]), inputs=x, dt=1.0, duration=float(T))
    close(nn.Chain(*net.layers[:4])(x).output, stepped.outputs, 1e-12)
    assert response.output[0].any() or response.output.any()
    # The same units are dropped in all steps: with one key, each step repeats.
    dropped = nn.Chain(eqx.nn.Dropout(0.5))(jnp.ones((4, 50)), key=keys[2]).output
    np.testing.assert_array_equal(dropped, np.broadcast_to(dropped[0], dropped.shape))
    assert 0 < (dropped[0] == 0).sum() < 50


def test_packed_spikes():
    x = spikes(2, 5, 19).astype(bool)
    packed = nn.pack(x)
    assert packed.shape == (2, 5, 19)
    np.testing.assert_array_equal(packed.unpack(bool), x)
    np.testing.assert_array_equal(packed[1, :3].unpack(), x[1, :3])
    np.testing.assert_array_equal(packed.bits, np.packbits(np.asarray(x), axis=-1))
    w = jr.normal(KEYS[0], (19, 130))
    close(packed @ w, x.astype(w.dtype) @ w, 1e-13)
    close(
        jax.grad(lambda w: jnp.cos(packed @ w).sum())(w),
        jax.grad(lambda w: jnp.cos(x.astype(w.dtype) @ w).sum())(w),
        1e-12,
    )
    with pytest.raises(IndexError, match="unpack"):
        packed[0, 0, 0]
    with pytest.raises(ValueError, match="19 neurons"):
        packed @ jnp.zeros((20, 3))
    with pytest.raises(ValueError, match="spikes"):
        nn.pack(True)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 31, 64, 65, 100, 129])
def test_every_width_of_a_layer(width):
    w = jr.normal(KEYS[0], (33, width))
    x = jr.normal(KEYS[1], (2, 3, 33)) * spikes(2, 3, 33)
    x = x.at[0, 1].set(0.0)
    net = nn.Chain(nn.Layer(33, nn.integrator(width, tau=1.0), weight=w))

    def reference(w):
        v, out = jnp.zeros((2, width)), []
        for t in range(3):
            v = v * np.exp(-1.0) + (x[:, t] @ w) * (1 - np.exp(-1.0))
            out.append(v)
        return jnp.stack(out, axis=1)

    def made(w):
        return jax.vmap(eqx.tree_at(lambda n: n.layers[0].weight, net, w))(x).output

    close(made(w), reference(w), 1e-13)
    a = jax.grad(lambda w: jnp.sin(made(w)).sum())(w)
    close(a, jax.grad(lambda w: jnp.sin(reference(w)).sum())(w), 1e-12)


def test_float32():
    with jax.enable_x64(False):
        net = nn.Chain(nn.Layer(20, nn.lif(40), weight=bf.init.Normal(1, 1), key=KEYS[0]))
        x = spikes().astype(jnp.float32)
        response = jax.vmap(net)(nn.pack(x))
        assert response.output.dtype == jnp.float32
        assert response.totals[0].sum() > 0


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: nn.Chain(), ValueError, "layers"),
        (lambda: nn.Chain(3), TypeError, r"layers\[0\]"),
        (lambda: nn.Layer(5, 3), TypeError, "population"),
        (lambda: nn.Layer(0, nn.lif(3), key=KEYS[0]), ValueError, "n_in"),
        (lambda: nn.Layer(2.0, nn.lif(3), key=KEYS[0]), ValueError, "n_in"),
        (lambda: nn.Layer(5, nn.lif(3)), ValueError, "key"),
        (lambda: nn.Layer(5, nn.lif(3), weight=np.zeros((3, 5))), ValueError, "weight.T"),
        (lambda: nn.Layer(5, nn.lif(3), weight="x"), TypeError, "weight"),
        (lambda: nn.Layer(2, nn.lif(3), weight=np.full((2, 3), np.nan)), ValueError, "weight.*fin"),
        (lambda: nn.Layer(2, nn.lif(3), weight=np.inf), ValueError, "weight.*finite"),
        (lambda: nn.Layer(2, nn.lif(3), weight=1.0, bias=np.nan), ValueError, "bias.*finite"),
        (lambda: nn.Layer(2, nn.lif(3), weight=1.0, bias=np.zeros(2)), ValueError, "bias"),
        (lambda: nn.Layer(2, nn.lif(3), weight=1.0, bias="x"), TypeError, "bias"),
        (lambda: nn.Layer(None, nn.lif(3), weight=1.0), ValueError, "n_in"),
        (
            lambda: nn.Layer(5, nn.lif(3), weight=1.0, synapse=bf.synapse.Current()),
            TypeError,
            "synapse",
        ),
        (lambda: nn.Layer(5, nn.lif(3), weight=1.0, output=exponential()), TypeError, "output"),
        (lambda: nn.Layer(5, nn.lif(3), weight=1.0, port="dendrite"), ValueError, "port"),
        (lambda: nn.Layer(5, bf.input.Poisson(3, 10.0), weight=1.0), ValueError, "source"),
        (
            lambda: nn.Chain(
                nn.Layer(5, nn.lif(3), weight=1.0), nn.Layer(4, nn.lif(3), weight=1.0)
            ),
            ValueError,
            r"layers\[1\].*takes 4",
        ),
        (lambda: chains()["feed-forward"](jnp.zeros((T, 19))), ValueError, "20 in each step"),
        (lambda: chains()["feed-forward"]([1, 2]), TypeError, "inputs"),
        (lambda: chains()["feed-forward"](spikes()[0], dt=0), ValueError, "dt"),
        (lambda: chains()["feed-forward"](spikes()[0], state=(1,)), ValueError, "state"),
        (lambda: chains()["feed-forward"](nn.pack(jnp.zeros((T, 21)))), ValueError, "20 in each"),
    ],
)
def test_wrong_calls(make, error, words):
    with pytest.raises(error, match=words):
        make()
