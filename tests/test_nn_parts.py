"""Delays, residual blocks, attention, graphs and adaptive neurons: laws, and plain rewrites."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _differences import assert_gradient
from _measured import measured

import brainfn as bf
from brainfn import nn

KEYS = jr.split(jr.key(11), 8)
T, N = 9, 6
SMOOTH = bf.surrogate.Sigmoid(4.0)


@pytest.fixture(autouse=True)
def by_xla(monkeypatch):
    """Compiling kernels takes longer than running them; test_nn_chain.py has them."""
    monkeypatch.setenv("BRAINFN_GENERATE", "0")


def layer(n_in, n, key, **options):
    return nn.Layer(
        n_in,
        nn.lif(n, tau=5.0, surrogate=SMOOTH),
        weight=bf.init.Normal(1.0, 3.0),
        key=key,
        **options,
    )


def models():
    a, b, c = layer(N, N, KEYS[0]), layer(N, N, KEYS[1]), layer(N, N, KEYS[2])
    return {
        "delays": nn.Delays(N, bf.init.Uniform(0.0, 4.0), max_delay=4.0, key=KEYS[3]),
        "residual": nn.Residual(a, b),
        "residual, iand, shortcut": nn.Residual(
            nn.Delays(N, 1.5, max_delay=3.0), b, join="iand", shortcut=c
        ),
        "attention": nn.Chain(
            lambda x: x.reshape(3, 2),
            nn.SelfAttention(3, 2, scale=9.0, gain=9.0, key=KEYS[4]),
            jnp.ravel,
        ),
        "graph": nn.Graph(
            {"b": b, "a": a, "scaled": lambda x: 0.5 * x, "out": nn.Layer(None, nn.integrator(N))},
            [("input", "a"), ("a", "b"), ("b", "out"), ("input", "scaled"), ("scaled", "out")],
        ),
        # A loop of a and b, before it a layer, behind it one that hears it twice, once late.
        "graph, recurrent": nn.Graph(
            {
                "first": c,
                "b": b,
                "a": a,
                "out": nn.Layer(None, nn.integrator(N)),
            },
            [("input", "first"), ("first", "a"), ("a", "b"), ("b", "out")],
            recurrent=[("b", "a"), ("first", "out"), ("b", "b")],
        ),
        "a chain in a chain": nn.Chain(nn.Chain(a, lambda x: 0.5 * x), nn.Residual(nn.Chain(b))),
    }


NAMES = list(models())


def spikes(*shape, p=0.4):
    return jr.bernoulli(KEYS[7], p, shape).astype(jnp.result_type(float))


@pytest.mark.parametrize("name", NAMES)
def test_over_time_equals_step_by_step_in_parts_and_batches(name):
    net, x = models()[name], spikes(2, T, N)

    @eqx.filter_jit
    def both(net, x):
        whole = jax.vmap(net)(x)
        first = jax.vmap(net)(x[:, :4])
        second = jax.vmap(lambda x, s: net(x, state=s))(x[:, 4:], first.state)

        def stepped(x):
            model = net.prepare(1.0)

            def one(state, row):
                return model.step(state, row[1], bf.Clock(row[0], 1.0))

            return jax.lax.scan(one, model.init(), (jnp.arange(T, dtype=jnp.int32), x))

        return whole, second, jax.vmap(stepped)(x)

    whole, second, (end, outputs) = both(net, x)
    assert np.asarray(whole.output).any() and whole.output.shape == (2, T, N)
    # Products of one step and of all steps are summed in another order.
    np.testing.assert_allclose(whole.output, outputs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(whole.output[:, 4:], second.output, rtol=0, atol=1e-12)
    for state in (end, second.state):
        for a, b in zip(jax.tree.leaves(whole.state), jax.tree.leaves(state), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_drivers_and_checks_take_them():
    net, x = models()["graph, recurrent"], spikes(T, N)
    run = bf.simulate(net, inputs=x, dt=1.0, duration=float(T))
    np.testing.assert_allclose(run.outputs, net(x).output, rtol=0, atol=1e-12)
    np.testing.assert_allclose(net(nn.pack(x)).output, net(x).output, rtol=0, atol=1e-12)
    assert set(net(x).totals) == set(net.nodes)


def test_whole_delays_are_exact_and_fractions_interpolated():
    x = jr.normal(KEYS[0], (T, 4))
    delays = nn.Delays(4, np.array([0.0, 1.0, 2.5, 3.0]), max_delay=3.0)
    padded = np.concatenate([np.zeros((4, 4)), x])
    shifted = [padded[4 - k : 4 - k + T] for k in range(5)]
    wanted = np.stack(
        [shifted[0][:, 0], shifted[1][:, 1], (shifted[2] + shifted[3])[:, 2] / 2, shifted[3][:, 3]],
        axis=1,
    )
    got = delays(x).output
    np.testing.assert_array_equal(got[:, [0, 1, 3]], wanted[:, [0, 1, 3]])
    # Half and half: the last digit.
    np.testing.assert_allclose(got, wanted, rtol=1e-15)
    # A delay of 0.3 ms is three steps of 0.1 ms, though 0.3 / 0.1 is less than 3.
    three = nn.Delays(4, 0.3, max_delay=0.3)(x, dt=0.1)
    np.testing.assert_allclose(three.output, shifted[3], rtol=0, atol=1e-14)
    assert three.state.buffer.shape == (3, 4)
    moved = eqx.tree_at(lambda d: d.delay, delays, jnp.array([-1.0, 9.0, 1.0, 1.0])).clipped()
    np.testing.assert_array_equal(moved.delay, [0.0, 3.0, 1.0, 1.0])


def test_the_gradient_of_delays_is_that_of_central_differences():
    x = jr.normal(KEYS[0], (12, 4))
    delays = nn.Delays(4, np.array([0.3, 1.2, 2.5, 3.9]), max_delay=5.0)
    net = nn.Chain(delays, nn.Layer(4, nn.integrator(2), weight=jr.normal(KEYS[1], (4, 2))))

    def loss(delay):
        return (eqx.tree_at(lambda n: n.layers[0].delay, net, delay)(x).output ** 2).sum()

    assert_gradient(loss, delays.delay)


def test_a_delay_is_learned():
    """Gradient descent finds the delays that made a smooth signal, 1 ms away at first."""
    t = jnp.arange(40.0)[:, None]
    x = jnp.sin(t / 3.0 + jnp.array([[0.0, 1.0, 2.0]]))
    true = jnp.array([2.3, 4.6, 6.1])
    target = nn.Delays(3, true, max_delay=10.0)(x).output

    @jax.jit
    def learned(delay):
        def loss(d):
            made = eqx.tree_at(lambda m: m.delay, nn.Delays(3, 1.0, max_delay=10.0), d)(x).output
            return ((made - target)[10:] ** 2).mean()

        return jax.lax.fori_loop(0, 200, lambda _, d: d - 10.0 * jax.grad(loss)(d), delay)

    # Where the interpolated signal has kinks the descent may jump by its last step.
    error = learned(true + jnp.array([-1.0, 0.7, 1.0])) - true
    measured("nn.Delays", "delays learned back", against="the true ones", error=error, bound=1e-3)


@pytest.mark.parametrize("join", ["add", "and", "iand"])
def test_joints_of_residual_blocks(join):
    x = np.array([[0.0, 0.0, 1.0, 1.0]])
    f = np.array([[0.0, 1.0, 0.0, 1.0]])
    wanted = {"add": x + f, "and": x * f, "iand": (1 - x) * f}[join]
    got = nn.Residual(lambda x: jnp.asarray(f[0]), join=join)(x).output
    np.testing.assert_array_equal(got, wanted)


def lif_over_time(current, tau, surrogate):
    """Soft-reset neurons, in plain JAX."""
    a = np.exp(-1 / tau)

    def one(v, i):
        v = a * v + (1 - a) * i
        s = surrogate(v - 1.0)
        return v - s, s

    return jax.lax.scan(one, jnp.zeros(current.shape[1:]), current)[1]


@pytest.mark.parametrize(("tokens", "features", "heads"), [(3, 8, 2), (6, 4, 2)])
def test_attention_is_that_of_plain_jax_with_its_gradients(tokens, features, heads):
    """The second case takes the product of keys and values first."""
    block = nn.SelfAttention(
        tokens,
        features,
        heads=heads,
        scale=4.0,
        neurons=lambda n: nn.lif(n, tau=2.0, surrogate=SMOOTH),
        gain=7.0,
        key=KEYS[5],
    )
    x = spikes(T, tokens, features)
    assert all(total.any() for total in block(x).totals)

    def plain(weights):
        w_in, w_out, scale = weights
        q, k, v = (lif_over_time(x @ w, 2.0, SMOOTH) for w in w_in)
        q, k, v = (y.reshape(T, tokens, heads, -1).swapaxes(1, 2) for y in (q, k, v))
        mixed = (q @ k.swapaxes(-1, -2) @ v).swapaxes(1, 2).reshape(x.shape)
        return lif_over_time(lif_over_time(scale * mixed, 2.0, SMOOTH) @ w_out, 2.0, SMOOTH)

    def ours(weights):
        at = eqx.tree_at(lambda b: (b.weight_in, b.weight_out, b.scale), block, weights)
        return at(x).output

    weights = (block.weight_in, block.weight_out, block.scale)
    ramp = jnp.cos(jnp.arange(float(x.size))).reshape(x.shape)

    @jax.jit
    def both(weights):
        return [
            jax.value_and_grad(lambda w, f=f: (f(w) * ramp).sum())(weights) for f in (ours, plain)
        ]

    (value, gradient), (expected, reference) = both(weights)
    errors = [value - expected]
    for a, b in zip(gradient, reference, strict=True):
        assert np.abs(b).max() > 0
        errors.append(np.abs(a - b).max() / np.abs(b).max())
    # Another order of sums.
    measured(
        "nn.SelfAttention", "output and gradients", against="plain JAX", error=errors, bound=1e-11
    )


def test_a_graph_is_that_of_plain_jax_with_its_gradients():
    net, x = models()["graph, recurrent"], spikes(T, N)
    weights = tuple(net.nodes[name].weight for name in ("first", "a", "b"))
    ramp = jnp.cos(jnp.arange(float(x.size))).reshape(x.shape)

    def plain(weights):
        first, wa, wb = weights
        decay, slow = np.exp(-1 / 5.0), np.exp(-1 / 20.0)

        def lif(v, i):
            v = decay * v + (1 - decay) * i
            s = SMOOTH(v - 1.0)
            return v - s, s

        def one(carry, x):
            vf, va, vb, vo, last_f, last_b = carry
            vf, f = lif(vf, x @ first)
            va, a = lif(va, (f + last_b) @ wa)
            vb, b = lif(vb, (a + last_b) @ wb)
            vo = slow * vo + (1 - slow) * (b + last_f)
            return (vf, va, vb, vo, f, b), vo

        return jax.lax.scan(one, (jnp.zeros(N),) * 6, x)[1]

    def ours(weights):
        at = eqx.tree_at(
            lambda n: tuple(n.nodes[name].weight for name in ("first", "a", "b")), net, weights
        )
        return at(x).output

    @jax.jit
    def both(weights):
        return [
            jax.value_and_grad(lambda w, f=f: (f(w) * ramp).sum())(weights) for f in (ours, plain)
        ]

    (value, gradient), (expected, reference) = both(weights)
    errors = [value - expected]
    for a, b in zip(gradient, reference, strict=True):
        assert np.abs(b).max() > 0
        errors.append(np.abs(a - b).max() / np.abs(b).max())
    measured("nn.Graph", "output and gradients", against="plain JAX", error=errors, bound=1e-11)


def test_adaptive_neurons():
    """Closed form: after a spike in the first step, the threshold decays from 1 + beta."""
    neurons = nn.alif(2, tau=20.0, tau_adaptation=50.0, beta=np.array([0.0, 0.5]))
    out = nn.Chain(nn.Layer(None, neurons))(jnp.full((60, 2), 3.0))
    v, rise, expected = np.zeros(2), np.zeros(2), []
    for _ in range(60):
        v, rise = 3.0 + (v - 3.0) * np.exp(-1 / 20), rise * np.exp(-1 / 50)
        s = v >= 1.0 + rise
        v, rise = v - s * (1.0 + rise), rise + s * np.array([0.0, 0.5])
        expected.append(s)
    np.testing.assert_array_equal(out.output, expected)
    assert 0 < out.output[:, 1].sum() < out.output[:, 0].sum()


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: nn.Delays(0, 1.0), ValueError, "size"),
        (lambda: nn.Delays(3), ValueError, "key"),
        (lambda: nn.Delays(3, "x"), TypeError, "delay"),
        (lambda: nn.Delays(3, 1.0, max_delay=0), ValueError, "max_delay"),
        (lambda: nn.Delays(3, 30.0), ValueError, "max_delay"),
        (lambda: nn.Delays(3, np.zeros(2)), ValueError, "delay"),
        (lambda: nn.Delays(3, 1.0)(jnp.zeros((2, 4))), ValueError, "inputs"),
        (lambda: nn.Delays(3, 1.0).init(), ValueError, "prepare"),
        (lambda: nn.Residual(abs, join="or"), ValueError, "join"),
        (lambda: nn.Residual(3), TypeError, "layers"),
        (lambda: nn.Residual(lambda x: x[:1])(jnp.zeros((2, 4))), ValueError, "shortcut"),
        (lambda: nn.SelfAttention(3, 4, heads=3, key=KEYS[0]), ValueError, "heads"),
        (lambda: nn.SelfAttention(3, 4, key=KEYS[0])(jnp.zeros((2, 4, 3))), ValueError, "inputs"),
        (lambda: nn.Graph({}, []), ValueError, "nodes"),
        (lambda: nn.Graph({"a": 3}, [("input", "a")]), TypeError, "nodes"),
        (lambda: nn.Graph({"a": abs}, [("input", "b")]), ValueError, "edges"),
        (lambda: nn.Graph({"a": abs}, []), ValueError, "nothing leads"),
        (lambda: nn.Graph({"a": abs}, ["ab"]), TypeError, "edges"),
        (lambda: nn.Graph({"a": abs}, [("input", "a")] * 2), ValueError, "twice"),
        (
            lambda: nn.Graph({"a": abs, "b": abs}, [("a", "b"), ("b", "a")]),
            ValueError,
            "loop.*recurrent",
        ),
        (
            lambda: nn.Graph({"a": abs}, [("input", "a")], recurrent=[("a", "a")]),
            TypeError,
            "recurrent",
        ),
        (lambda: nn.Graph({"a": abs}, [("input", "a")], output="c"), ValueError, "output"),
    ],
)
def test_wrong_calls(make, error, words):
    with pytest.raises(error, match=words):
        make()
