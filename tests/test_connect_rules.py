"""Rules without randomness, rules of a user's own, matrices with weights, and wrong calls."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _connections import dense
from _measured import measured

import brainfn as bf
from brainfn import connect


@pytest.mark.parametrize(
    ("n_pre", "n_post"), [(0, 0), (0, 4), (4, 0), (1, 1), (1, 9), (9, 1), (6, 11), (11, 6), (8, 8)]
)
@pytest.mark.parametrize("diagonal", [None, 0, 1, -1, 4, -4, 100, -100])
@pytest.mark.parametrize("autapses", [True, False])
def test_all_to_all(n_pre, n_post, diagonal, autapses):
    structure = connect.AllToAll(autapses=autapses).build(n_pre, n_post, diagonal=diagonal)
    expected = np.ones((n_pre, n_post), int)
    if diagonal is not None and not autapses:
        expected -= np.eye(n_pre, n_post, diagonal, dtype=int)
    measured(
        "connect.AllToAll", "number of synapses of each pair", against="NumPy",
        error=dense(structure, n_post) - expected, bound=0,
    )  # fmt: skip
    assert all(x.dtype == jnp.int32 for x in structure)
    rows = np.split(np.asarray(structure[0]), np.asarray(structure[1])[1:-1])
    assert all((np.diff(row) > 0).all() for row in rows)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_one_to_one(n):
    structure = connect.OneToOne().build(n, n, diagonal=2)
    measured(
        "connect.OneToOne", "number of synapses of each pair", against="NumPy",
        error=dense(structure, n) - np.eye(n, dtype=int), bound=0,
    )  # fmt: skip
    assert all(x.dtype == jnp.int32 for x in structure)


def test_rules_with_static_shapes_under_jit():
    for rule in (connect.AllToAll(autapses=False), connect.OneToOne()):
        eager = rule.build(6, 6, diagonal=0)
        compiled = jax.jit(lambda rule=rule: rule.build(6, 6, diagonal=0))()
        for a, b in zip(eager, compiled, strict=True):
            np.testing.assert_array_equal(a, b)


def test_rules_are_equal_by_value_and_have_no_leaves():
    rule = connect.FixedProbability(0.1, autapses=False)
    assert rule == connect.FixedProbability(0.1, autapses=False)
    assert rule != connect.FixedProbability(0.2, autapses=False)
    assert jax.tree.leaves([rule, connect.FixedInDegree(3), connect.AllToAll()]) == []
    assert "0.1" in repr(rule)


class NextNeighbour(connect.AbstractRule):
    def build(self, n_pre, n_post, *, key=None, diagonal=None):
        del key, diagonal
        n = min(n_pre, n_post - 1)
        indices = jnp.arange(1, n + 1, dtype=jnp.int32)
        return indices, jnp.minimum(jnp.arange(n_pre + 1, dtype=jnp.int32), n)


def test_a_rule_of_ones_own():
    matrix = connect.csr(NextNeighbour(), 5, 5, weight=2.0)
    np.testing.assert_array_equal(matrix.todense(), 2 * np.eye(5, k=1))


class Descending(connect.AbstractRule):
    def build(self, n_pre, n_post, *, key=None, diagonal=None):
        del n_post, key, diagonal
        start = jnp.arange(n_pre + 1, dtype=jnp.int32) * 2
        return jnp.tile(jnp.asarray([1, 0], jnp.int32), n_pre), start


def test_a_wrong_rule_of_ones_own_is_reported():
    with pytest.raises(ValueError, match="ascend"):
        connect.csr(Descending(), 5, 5, weight=2.0)


RULE = connect.FixedProbability(0.3)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_weights(dtype):
    key = jr.key(0)
    one = connect.csr(RULE, 20, 30, weight=1.5, key=key, dtype=dtype)
    assert one.shape == (20, 30)
    # One number for all synapses is stored once.
    assert one.data.shape == ()
    assert one.data.dtype == dtype
    assert float(one.data) == 1.5
    many = connect.csr(RULE, 20, 30, weight=np.arange(one.nnz) + 1.0, key=key, dtype=dtype)
    assert many.data.dtype == dtype
    np.testing.assert_array_equal(many.data, np.arange(one.nnz) + 1.0)
    drawn = connect.csr(RULE, 20, 30, weight=bf.init.Normal(3.0, 0.1), key=key, dtype=dtype)
    assert drawn.data.dtype == dtype
    assert drawn.data.shape == (one.nnz,)
    assert np.std(drawn.data) > 0.05
    for other in (many, drawn):
        np.testing.assert_array_equal(one.indices, other.indices)
        np.testing.assert_array_equal(one.indptr, other.indptr)
    spikes = jnp.asarray(np.arange(20) % 3 == 0, dtype)
    # Sums of up to 20 terms in another order: a few eps.
    expected = np.asarray(spikes, float) @ np.asarray(drawn.todense(), float)
    tolerance = 50 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(spikes @ drawn, expected, rtol=tolerance)


def test_dtype_of_weights():
    key = jr.key(0)
    assert connect.csr(RULE, 9, 9, weight=1.0, key=key).data.dtype == jnp.float64
    assert connect.csr(RULE, 9, 9, weight=2, key=key).data.dtype == jnp.float64
    single = jnp.asarray(1.0, jnp.float32)
    assert connect.csr(RULE, 9, 9, weight=single, key=key).data.dtype == jnp.float32
    with jax.enable_x64(False):
        assert connect.csr(RULE, 9, 9, weight=1.0, key=key).data.dtype == jnp.float32


def test_connections_do_not_depend_on_weights_and_both_on_the_key():
    normal = bf.init.Normal(0.0, 1.0)
    first = connect.csr(RULE, 50, 50, weight=normal, key=jr.key(0))
    again = connect.csr(RULE, 50, 50, weight=normal, key=jr.key(0))
    other = connect.csr(RULE, 50, 50, weight=normal, key=jr.key(1))
    np.testing.assert_array_equal(first.data, again.data)
    assert first.nnz != other.nnz or not np.array_equal(first.indices, other.indices)
    assert not np.allclose(first.data[:100], other.data[:100])


def test_weights_are_differentiable():
    spikes = jnp.ones(8)

    def total(weight):
        return jnp.sum(spikes @ connect.csr(connect.AllToAll(), 8, 5, weight=weight))

    assert float(jax.grad(total)(2.0)) == 40.0
    np.testing.assert_array_equal(jax.grad(total)(jnp.ones(40)), np.ones(40))


K = jr.key(0)
WRONG = {
    "p above 1": (ValueError, "`p`.*2.0.*FixedInDegree", lambda: connect.FixedProbability(2)),
    "p below 0": (ValueError, "`p`", lambda: connect.FixedProbability(-0.1)),
    "p is NaN": (ValueError, "`p`.*nan", lambda: connect.FixedProbability(float("nan"))),
    "k negative": (ValueError, "`k`.*-1", lambda: connect.FixedOutDegree(-1)),
    "k too large": (ValueError, "`k`", lambda: connect.FixedInDegree(2**40)),
    "k more than there are": (
        ValueError,
        "`k`.*`n_post` = 5.*at most k=5, or `multapses=True`",
        lambda: connect.FixedOutDegree(6, multapses=False).build(4, 5, key=K),
    ),
    "k more than the others": (
        ValueError,
        "`k`.*other than the neuron itself.*k=4",
        lambda: connect.FixedInDegree(5, autapses=False, multapses=False).build(
            5, 5, key=K, diagonal=0
        ),
    ),
    "k of none": (
        ValueError,
        "`k`.*at most k=0",
        lambda: connect.FixedInDegree(1).build(0, 5, key=K),
    ),
    "n negative": (ValueError, "`n`.*-1", lambda: connect.FixedTotalNumber(-1)),
    "n too large": (ValueError, "`n`.*2147483647", lambda: connect.FixedTotalNumber(2**31)),
    "n more than pairs": (
        ValueError,
        "`n`.*leaves 20 pairs.*at most n=20, or `multapses=True`",
        lambda: connect.FixedTotalNumber(21, multapses=False).build(4, 5, key=K),
    ),
    "n more than other pairs": (
        ValueError,
        "`n`.*leaves 12 pairs",
        lambda: connect.FixedTotalNumber(13, autapses=False, multapses=False).build(
            4, 4, key=K, diagonal=0
        ),
    ),
    "n of none": (
        ValueError,
        "`n`.*`n_pre` = 0.*at most n=0",
        lambda: connect.FixedTotalNumber(1).build(0, 5, key=K),
    ),
    "n among too many pairs": (
        ValueError,
        "2\\^50.*`n_pre`.*split",
        lambda: connect.FixedTotalNumber(1).build(2**26, 2**26, key=K),
    ),
    "no key for total": (
        ValueError,
        "`key` is missing.*FixedTotalNumber",
        lambda: connect.FixedTotalNumber(2).build(4, 5),
    ),
    "traced key for distinct pairs": (
        TypeError,
        "`key` is traced.*multapses=True",
        lambda: jax.jit(
            lambda key: connect.FixedTotalNumber(2, multapses=False).build(4, 5, key=key)
        )(K),
    ),
    "no key": (ValueError, "`key` is missing.*FixedProb", lambda: RULE.build(4, 5)),
    "no key for degree": (
        ValueError,
        "`key` is missing.*FixedOutDegree",
        lambda: connect.FixedOutDegree(2).build(4, 5),
    ),
    "no key for csr": (
        ValueError,
        "`key` is missing",
        lambda: connect.csr(RULE, 4, 5, weight=1.0),
    ),
    "no key for weights": (
        ValueError,
        "key",
        lambda: connect.csr(connect.OneToOne(), 5, 5, weight=bf.init.Normal()),
    ),
    "many keys": (TypeError, "key", lambda: RULE.build(4, 5, key=jr.split(K, 3))),
    "traced key": (
        TypeError,
        "`key` is traced.*FixedOutDegree",
        lambda: jax.jit(lambda key: RULE.build(4, 5, key=key))(K),
    ),
    "size negative": (ValueError, "`n_pre`.*-1", lambda: RULE.build(-1, 5, key=K)),
    "size too large": (ValueError, "`n_post`", lambda: RULE.build(1, 2**31, key=K)),
    "size not whole": (TypeError, "n_post", lambda: RULE.build(4, 5.5, key=K)),
    "sizes differ": (
        ValueError,
        "OneToOne.*`n_pre` = 4.*`n_post` = 5",
        lambda: connect.OneToOne().build(4, 5),
    ),
    "too many synapses by chance": (
        ValueError,
        r"FixedProbability\(p=0.3\).*2.7e\+10.*2147483647",
        lambda: RULE.build(300_000, 300_000, key=K),
    ),
    "too many synapses": (
        ValueError,
        r"FixedOutDegree\(k=50000\).*1.5e\+10",
        lambda: connect.FixedOutDegree(50_000).build(300_000, 300_000, key=K),
    ),
    "too many synapses in": (
        ValueError,
        r"FixedInDegree\(k=50000\)",
        lambda: connect.FixedInDegree(50_000).build(300_000, 300_000, key=K),
    ),
    "too many synapses of all": (
        ValueError,
        "AllToAll.*2.5e",
        lambda: connect.AllToAll().build(50_000, 50_000),
    ),
    "weight of wrong length": (
        ValueError,
        r"`weight`.*\(12,\).*\(7,\).*initializer",
        lambda: connect.csr(connect.AllToAll(), 3, 4, weight=np.ones(7)),
    ),
    "weight dense": (
        ValueError,
        r"`weight`.*\(3, 4\).*fromdense",
        lambda: connect.csr(connect.AllToAll(), 3, 4, weight=np.ones((3, 4))),
    ),
    "weight NaN": (
        ValueError,
        "`weight`.*finite.*nan",
        lambda: connect.csr(connect.AllToAll(), 3, 4, weight=float("nan")),
    ),
    "weights with NaN": (
        ValueError,
        "`weight`.*finite.*1 of them",
        lambda: connect.csr(connect.AllToAll(), 3, 4, weight=jnp.ones(12).at[3].set(jnp.nan)),
    ),
    "weights complex": (
        TypeError,
        "`weight`",
        lambda: connect.csr(connect.AllToAll(), 3, 4, weight=np.ones(12, complex)),
    ),
    "dtype integer": (
        TypeError,
        "`dtype`.*int32",
        lambda: connect.csr(connect.AllToAll(), 3, 4, weight=1.0, dtype=jnp.int32),
    ),
    "no rule": (TypeError, "rule", lambda: connect.csr(0.3, 3, 4, weight=1.0)),
    "p a word": (TypeError, "p", lambda: connect.FixedProbability("a")),
    "autapses a number": (
        TypeError,
        "autapses",
        lambda: connect.FixedProbability(0.1, autapses=0),
    ),
    "diagonal not whole": (
        TypeError,
        "diagonal",
        lambda: connect.AllToAll(False).build(3, 3, diagonal=0.5),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls(name):
    error, message, call = WRONG[name]
    with pytest.raises(error, match=f"(?s){message}"):
        call()
