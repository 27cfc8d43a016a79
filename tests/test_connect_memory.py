"""Rules whose result does not fit into memory are refused before anything is allocated."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import brainfn as bf
from brainfn import _memory, connect

GB = 10**9
N = 44_000
KEY = jr.key(0)


@pytest.fixture
def free(monkeypatch):
    """Sets how many bytes are free."""

    def set_to(n):
        monkeypatch.setattr(_memory, "free_memory", lambda: n)

    set_to(GB)
    return set_to


# Each would take 4 to 16 GB.
LARGE = {
    "AllToAll": connect.AllToAll(),
    "FixedProbability": connect.FixedProbability(0.6),
    "FixedOutDegree": connect.FixedOutDegree(30_000),
    "FixedInDegree": connect.FixedInDegree(30_000),
    "FixedTotalNumber": connect.FixedTotalNumber(1_500_000_000),
    "FixedTotalNumber, distinct": connect.FixedTotalNumber(1_500_000_000, multapses=False),
    "JustInTime": connect.JustInTime(connect.AllToAll()),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_connections_are_refused(free, name):
    rule = LARGE[name]
    message = rf"`rule`: the [\d.]+e\+09 synapses of {name[:6]}.* GB, but 1.0 GB.*JustInTime"
    with pytest.raises(MemoryError, match=message):
        connect.csr(rule, N, N, weight=1.0, key=KEY)
    with pytest.raises(MemoryError, match=message):
        rule.build(N, N, key=KEY)
    with pytest.raises(MemoryError, match=message + r".*FixedProbability.*Dense"):
        connect.csr(rule, N, N, weight=bf.init.Normal(), key=KEY)


@pytest.mark.parametrize(
    ("weight", "dtype", "each"),
    [
        (1.0, None, 4),
        (np.float32(1.0), None, 4),
        (bf.init.Constant(1.0), None, 12),
        (bf.init.Constant(1.0), jnp.float32, 8),
    ],
)
def test_weights_count_where_they_are_stored(free, weight, dtype, each):
    free(each * 4_000_000)
    matrix = connect.csr(connect.AllToAll(), 2000, 2000, weight=weight, dtype=dtype)
    assert matrix.nnz == 4_000_000
    free(each * 4_000_000 - 1)
    if each > 4:
        with pytest.raises(MemoryError, match=f"indices and weights, would take {each * 4}.0 MB"):
            connect.csr(connect.AllToAll(), 2000, 2000, weight=weight, dtype=dtype)


def test_given_connections(free):
    index = np.zeros(6_000_000, np.int32)
    rule = connect.FromPairs(index, index)
    free(10**7)
    for call in (
        lambda: connect.FromPairs(index, index),
        lambda: connect.csr(rule, 1, 1, weight=1.0),
        lambda: connect.csr(rule, 1, 1, weight=np.ones(6_000_000)),
        lambda: connect.FromMask(np.ones((2500, 2500), bool)),
    ):
        with pytest.raises(MemoryError, match="`rule`: the 6.*e.06 synapses of From"):
            call()


def test_copies_count(free):
    """In-degrees are made target by target and then sorted, which takes the indices twice."""
    free(30_000_000)
    connect.FixedOutDegree(5000).build(1000, 6000, key=KEY)
    with pytest.raises(MemoryError, match="FixedInDegree"):
        connect.FixedInDegree(5000).build(6000, 1000, key=KEY)


def test_what_fits_or_is_small_or_is_not_stored(free):
    free(0)
    connect.csr(connect.AllToAll(), 100, 100, weight=bf.init.Normal(), key=KEY)
    matrix = connect.JustInTime(connect.AllToAll()).matrix(N, N, weight=1.0, key=KEY)
    assert matrix.shape == (N, N)
    free(None)
    assert connect.csr(connect.AllToAll(), 2100, 2100, weight=1.0).nnz == 2100**2


def test_more_than_indices_count_stays_a_value_error(free):
    with pytest.raises(ValueError, match="32-bit"):
        connect.csr(connect.AllToAll(), 50_000, 50_000, weight=1.0)


def test_a_network_names_the_projection(free):
    projection = bf.Projection(
        "a",
        "a",
        connect.AllToAll(),
        weight=bf.init.Normal(1.0, 0.1),
        synapse=bf.synapse.Exponential(5.0),
        output=bf.synapse.Current(),
    )
    with pytest.raises(MemoryError, match=r"`rule`.* GB") as info:
        bf.Network({"a": bf.neuron.LIF(N)}, {"recurrent": projection}, key=KEY)
    assert "'recurrent'" in info.value.__notes__[0]


class Silent(connect.AbstractRule):
    def build(self, n_pre, n_post, *, key=None, diagonal=None):
        return jnp.zeros(0, jnp.int32), jnp.zeros(n_pre + 1, jnp.int32)


def test_a_rule_that_does_not_say(free):
    free(0)
    assert Silent().expected(3, 4) is None
    assert connect.csr(Silent(), 3, 4, weight=1.0).nnz == 0


@pytest.mark.parametrize("diagonal", [None, 0, 3, -2])
@pytest.mark.parametrize(
    "rule",
    [
        connect.AllToAll(autapses=False),
        connect.OneToOne(),
        connect.FixedOutDegree(5, autapses=False),
        connect.FixedInDegree(5, autapses=False),
        connect.FixedTotalNumber(70, autapses=False),
        connect.FromPairs([1, 2], [0, 0]),
        connect.FromMask(np.eye(20, dtype=bool)),
        connect.FixedProbability(1.0, autapses=False),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_expected_numbers(rule, diagonal):
    indices, _ = rule.build(20, 20, key=KEY, diagonal=diagonal)
    assert rule.expected(20, 20, diagonal=diagonal) == indices.shape[0]
