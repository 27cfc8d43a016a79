"""`connect.FromPairs` and `connect.FromMask`: structure, order of weights and delays, networks."""

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.sparse
from _measured import measured
from hypothesis import given

import brainfn as bf
from brainfn import connect

DT = 0.1


def dense(pre, post, values, shape):
    out = np.zeros(shape)
    np.add.at(out, (np.asarray(pre, int), np.asarray(post, int)), values)
    return out


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=40))
def test_pairs_in_any_order_with_their_weights(pairs):
    pre, post = [p for p, _ in pairs], [q for _, q in pairs]
    rule = connect.FromPairs(pre, post)
    weight = np.arange(len(pairs)) + 1.0
    matrix = connect.csr(rule, 5, 7, weight=weight)
    assert matrix.indices.dtype == matrix.indptr.dtype == jnp.int32
    assert matrix.nnz == len(pairs)
    measured(
        "connect.FromPairs", "weights in any order of the pairs", against="NumPy",
        error=matrix.todense() - dense(pre, post, weight, (5, 7)), bound=0,
    )  # fmt: skip
    # Pairs that repeat keep their order.
    order = np.lexsort((post, pre)).astype(int)
    np.testing.assert_array_equal(matrix.data, weight[order])
    np.testing.assert_array_equal(rule.arrange(np.arange(len(pairs))), order)


def test_pairs_as_arrays_of_any_kind():
    pre, post = np.array([3, 0, 3, 1]), np.array([0, 2, 0, 1])
    expected = connect.FromPairs(pre, post).build(4, 3)
    for kind in (list, tuple, jnp.asarray, lambda x: x.astype(np.uint8)):
        got = connect.FromPairs(kind(pre), kind(post)).build(4, 3, key=jr.key(0), diagonal=0)
        for a, b in zip(expected, got, strict=True):
            np.testing.assert_array_equal(a, b)
    # What is given may change afterwards.
    rule = connect.FromPairs(pre, post)
    pre[:] = 0
    np.testing.assert_array_equal(rule.build(4, 3)[1], expected[1])


@pytest.mark.parametrize("n", [0, 4])
def test_no_pairs(n):
    indices, indptr = connect.FromPairs([], []).build(n, 3)
    assert indices.shape == (0,)
    np.testing.assert_array_equal(indptr, np.zeros(n + 1))


def test_weights_are_differentiable_in_the_order_of_the_pairs():
    rule = connect.FromPairs([1, 0, 1], [0, 1, 1])
    spikes, cotangent = jnp.asarray([2.0, 3.0]), jnp.asarray([5.0, 7.0])

    def total(weight):
        return jnp.sum(cotangent * (spikes @ connect.csr(rule, 2, 2, weight=weight)))

    for f in (jax.grad(total), jax.jit(jax.grad(total))):
        np.testing.assert_array_equal(f(jnp.ones(3)), [15.0, 14.0, 21.0])


def test_a_law_with_a_parameter_for_each_synapse():
    rule = connect.FromPairs([1, 0], [0, 1])
    law = bf.init.Normal(np.array([10.0, 20.0]), 1e-3)
    matrix = connect.csr(rule, 2, 2, weight=law, key=jr.key(0)).todense()
    np.testing.assert_allclose(matrix, [[0.0, 20.0], [10.0, 0.0]], atol=0.01)


def network(rule, post, **options):
    """Sources that spike at 1 ms, onto neurons whose synapse holds what has arrived."""
    sizes = {"a": 3, "b": 4}
    populations = {
        "source": bf.input.SpikeTimes(3, [1.0, 1.0, 1.0], [0, 1, 2]),
        **{name: bf.neuron.LIF(size) for name, size in sizes.items()},
    }
    projection = bf.Projection(
        "source",
        post,
        rule,
        synapse=bf.synapse.Exponential(1e9),
        output=bf.synapse.Current(),
        **options,
    )
    return bf.Network(populations, [projection], key=jr.key(0))


PRE = [2, 0, 1, 2, 0, 2, 2]
POST = [6, 5, 0, 1, 3, 3, 3]
WEIGHT = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
DELAY = np.array([0.3, 0.1, 1.2, 0.7, 0.2, 0.5, 0.9])


@pytest.mark.parametrize(
    ("post", "delay"),
    [(["a", "b"], None), (["b", "a"], DELAY), (["a", "b"], bf.delay.Synaptic(DELAY))],
    ids=["one step", "array", "Synaptic"],
)
def test_weights_and_delays_of_a_network_are_in_the_order_of_the_pairs(post, delay):
    net = network(connect.FromPairs(PRE, POST), post, weight=WEIGHT, delay=delay)
    reference = []
    each = np.full(7, DT) if delay is None else DELAY
    for pre, to, weight, d in zip(PRE, POST, WEIGHT, each, strict=True):
        # One synapse at a time, as a matrix of its own.
        matrix = bf.event.CSR.fromdense(dense([pre], [to], [weight], (3, 7)))
        reference.append(network(matrix, post, delay=float(d)))

    def potentials(net):
        record = lambda state, output: (state["a"].v, state["b"].v)  # noqa: E731
        return np.concatenate(bf.simulate(net, duration=4.0, dt=DT, record=record).outputs, axis=1)

    rest = potentials(network(connect.FromPairs([], []), post, weight=1.0))
    # Below threshold everything is linear; sums in another order.
    expected = rest + sum(potentials(r) - rest for r in reference)
    assert np.ptp(expected[-1]) > 0.1
    np.testing.assert_allclose(potentials(net), expected, rtol=1e-11)


def test_pairs_of_one_synapse_each_leave_a_doubt():
    def build(pre, delay):
        return network(connect.FromPairs(pre, [1, 0, 2]), "a", weight=1.0, delay=delay)

    delays = np.array([0.1, 0.2, 0.3])
    # Sorted by source, a delay of synapse i is one of neuron i.
    build([0, 1, 2], delays)
    with pytest.raises(ValueError, match="Specify which"):
        build([2, 0, 1], delays)
    for pre, kind in (([0, 1, 2], bf.delay.Axonal), ([2, 0, 1], bf.delay.Synaptic)):
        delay = build(pre, kind(delays)).projections["source"].delay
        np.testing.assert_array_equal(delay, delays[np.argsort(pre)])


MASK = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1]], bool)


@pytest.mark.parametrize(
    "kind",
    [
        np.asarray,
        jnp.asarray,
        np.ndarray.tolist,
        scipy.sparse.csr_array,
        scipy.sparse.coo_matrix,
        scipy.sparse.csc_array,
        lambda mask: scipy.sparse.coo_array(mask * 3.5),
        # Stored, but zero.
        lambda mask: (
            scipy.sparse.csr_array((mask[mask] * 0.0, np.nonzero(mask)), (3, 4))
            + scipy.sparse.csr_array(mask)
        ),
    ],
)
def test_masks(kind):
    matrix = connect.csr(connect.FromMask(kind(MASK)), 3, 4, weight=np.arange(4.0) + 1)
    expected = np.zeros((3, 4))
    expected[MASK] = np.arange(4.0) + 1
    measured(
        "connect.FromMask", "weights", against="NumPy", error=matrix.todense() - expected, bound=0
    )
    assert matrix.indices.dtype == matrix.indptr.dtype == jnp.int32
    assert matrix.nnz == 4


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_empty_masks(shape):
    for mask in (np.zeros(shape, bool), scipy.sparse.csr_array(shape, dtype=bool)):
        indices, indptr = connect.FromMask(mask).build(*shape)
        assert indices.shape == (0,)
        np.testing.assert_array_equal(indptr, np.zeros(shape[0] + 1))


PAIRS = connect.FromPairs([0, 3], [1, 2])
WRONG = {
    "lengths": (
        ValueError,
        "`pre` and `post`.*2 and 3",
        lambda: connect.FromPairs([0, 1], [0] * 3),
    ),
    "negative": (
        ValueError,
        r"`pre`.*\[0, .*from -1 to 2",
        lambda: connect.FromPairs([2, -1], [0, 0]),
    ),
    "too large": (ValueError, "`post`", lambda: connect.FromPairs([2], [2**31])),
    "floats": (TypeError, "`post`.*float64.*astype", lambda: connect.FromPairs([2], [1.0])),
    "bool": (TypeError, "`pre`.*bool.*FromMask", lambda: connect.FromPairs([True], [1])),
    "text": (TypeError, "`pre`.*whole numbers", lambda: connect.FromPairs(["a"], [1])),
    "ragged": (TypeError, "`pre`.*list", lambda: connect.FromPairs([[1], [1, 2]], [1])),
    "number": (ValueError, r"`pre`.*\(\)", lambda: connect.FromPairs(3, 4)),
    "matrix": (ValueError, r"`post`.*\(1, 2\)", lambda: connect.FromPairs([0, 1], [[0, 1]])),
    "traced": (
        TypeError,
        "`pre` is traced",
        lambda: jax.jit(lambda x: connect.FromPairs(x, x).build(3, 3))(jnp.arange(3)),
    ),
    "traced rule": (
        TypeError,
        "`pre` is traced",
        lambda: jax.jit(lambda rule: rule.build(5, 5))(PAIRS),
    ),
    "beyond pre": (ValueError, r"`pre`.*\[0, 3\).*0 to 3", lambda: PAIRS.build(3, 3)),
    "beyond post": (ValueError, r"`post`.*\[0, 2\).*1 to 2", lambda: PAIRS.build(4, 2)),
    "of nobody": (ValueError, r"`pre`.*\[0, 0\)", lambda: PAIRS.build(0, 3)),
    "weights": (
        ValueError,
        r"`weight`.*\(2,\).*\(3,\)",
        lambda: connect.csr(PAIRS, 4, 4, weight=np.ones(3)),
    ),
    "delays": (
        ValueError,
        "`delay`.*each synapse",
        lambda: network(
            connect.FromPairs([0], [0]), "a", weight=1.0, delay=bf.delay.Synaptic(np.ones(2))
        ),
    ),
    "just in time": (TypeError, "`rule`.*FromPairs", lambda: connect.JustInTime(PAIRS)),
    "mask shape": (
        ValueError,
        r"`mask`.*\(4, 3\).*\(3, 4\).*mask.T",
        lambda: connect.FromMask(MASK).build(4, 3),
    ),
    "mask of numbers": (
        TypeError,
        "`mask`.*float64.*fromdense",
        lambda: connect.FromMask(np.ones((3, 3))),
    ),
    "mask of one dimension": (ValueError, "`mask`.*two", lambda: connect.FromMask(MASK[0])),
    "mask a word": (TypeError, "`mask`.*'all'", lambda: connect.FromMask("all")),
    "mask traced": (TypeError, "`mask` is traced", lambda: jax.jit(connect.FromMask)(MASK)),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls(name):
    error, message, call = WRONG[name]
    with pytest.raises(error, match=f"(?s){message}"):
        call()
