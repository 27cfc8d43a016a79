"""Laws that every connection rule keeps: `models.all_rules`."""

import jax
import jax.numpy as jnp
import jax.random as jr
import models
import numpy as np
import pytest
from _connections import dense, pairs

import brainfn as bf
from brainfn import connect
from brainfn.connect import _cells, _chunk

SQUARE, WIDE = (24, 24), (12, 24)
# Sizes that each rule is asked for; some only connect populations of equal or of given sizes.
EQUAL = {
    "NewmanWatts",
    "OneToOne",
    "ScaleFree",
    "ScaleFree, receiving hubs",
    "SmallWorld",
    "SmallWorld, directed",
    "clustered",
}
GIVEN = {"FromScipy", "FromMask", "Convolution"}
each = pytest.mark.parametrize("name", models.all_rules)


def shape(name):
    return SQUARE if name in EQUAL else WIDE


def build(name, seed=0, diagonal=0, size=None):
    n_pre, n_post = size or shape(name)
    rule = models.all_rules[name](n_pre, n_post)
    return rule, rule.build(n_pre, n_post, key=jr.key(seed), diagonal=diagonal)


@each
def test_structure(name):
    """Targets in ascending order, row pointers, dtypes, the number that was expected."""
    n_pre, n_post = shape(name)
    rule, structure = build(name)
    indices, indptr = structure
    assert indices.dtype == indptr.dtype == jnp.int32
    assert indptr.shape == (n_pre + 1,)
    i, j = pairs(structure)
    assert indptr[0] == 0 and indptr[-1] == indices.shape[0] > 0
    assert np.all((j >= 0) & (j < n_post))
    assert np.all(np.diff(i * n_post + j) >= 0)
    expected = rule.expected(n_pre, n_post, diagonal=0)
    # Binomial numbers of a few hundred: five standard deviations of a Poisson number.
    assert abs(expected - j.size) <= (0 if isinstance(expected, int) else 5 * expected**0.5)
    assert rule.expected(n_pre, n_post, diagonal=None) >= expected


@each
def test_same_key_same_synapses(name):
    _, first = build(name)
    _, again = build(name)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    if name in models.random_rules:
        _, other = build(name, seed=1)
        assert not np.array_equal(dense(first, shape(name)[1]), dense(other, shape(name)[1]))


@pytest.mark.parametrize("name", models.random_rules)
def test_the_key_is_needed(name):
    n_pre, n_post = shape(name)
    rule = models.all_rules[name](n_pre, n_post)
    with pytest.raises(ValueError, match="`key` is missing"):
        rule.build(n_pre, n_post)


@each
def test_autapses(name):
    """A rule with `autapses=False` leaves out the pairs that `diagonal` says, and only these."""
    n_pre, n_post = shape(name)
    rule = models.all_rules[name](n_pre, n_post)
    if not hasattr(rule, "autapses"):
        return
    assert not rule.autapses  # that of the list
    for diagonal in (0, 3, -2):
        _, structure = build(name, diagonal=diagonal)
        i, j = pairs(structure)
        assert not np.any(j == i + diagonal)
    found = [pairs(build(name, seed=s, diagonal=None)[1]) for s in range(10)]
    assert any(np.any(i == j) for i, j in found)


# What can't be had in small populations: partners that are too few, hubs and rings.
IMPOSSIBLE = {
    "FixedInDegree": {(0, 5), (1, 1)},
    "FixedInDegree, distinct": {(1, 1)},
    "FixedOutDegree": {(5, 0), (1, 1)},
    "FixedOutDegree, distinct": {(1, 1)},
    "FixedTotalNumber": {(5, 0), (1, 1)},
    "FixedTotalNumber, distinct": {(1, 1)},
    "ByDistance, fan-in": {(1, 1)},
    "ByDistance, fan-out": {(1, 1)},
    "NewmanWatts": {(1, 1)},
    "ScaleFree": {(1, 1)},
    "ScaleFree, receiving hubs": {(1, 1)},
    "SmallWorld": {(1, 1)},
    "SmallWorld, directed": {(1, 1)},
}


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0), (1, 1)])
@each
def test_small_sizes(name, size):
    """No neuron, or one: no synapse, a single one, or an error that names what is wrong."""
    if name in GIVEN or (name in EQUAL and size[0] != size[1]):
        return
    if size in IMPOSSIBLE.get(name, ()):
        with pytest.raises(ValueError, match="`[a-z_]+`"):
            build(name, size=size)
        return
    _, structure = build(name, size=size)
    assert structure[1].shape == (size[0] + 1,)
    assert structure[0].shape[0] <= 100 * size[0] * size[1]


@pytest.mark.parametrize("name", models.random_rules)
def test_chunks_and_threads_change_nothing(name, monkeypatch):
    if name in ("FixedProbability",):
        return  # its chunks are part of what a key means
    _, expected = build(name)
    monkeypatch.setattr(_cells, "_PIECE", 7)
    monkeypatch.setattr(_chunk.os, "cpu_count", lambda: 1)
    _, structure = build(name)
    for a, b in zip(structure, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@each
def test_formats_are_the_same_connections(name):
    """Where a format is impossible, the error says so."""
    n_pre, n_post = shape(name)
    rule = models.all_rules[name](n_pre, n_post)
    options = {"weight": bf.init.Normal(2.0, 0.5), "key": jr.key(3), "diagonal": 0}
    expected = connect.csr(rule, n_pre, n_post, **options)
    kinds = {"dense": bf.event.Dense, "csr": bf.event.CSR}
    degrees = dense((expected.indices, expected.indptr), n_post)
    for kind, axis, cls in (
        ("fixed_fanout", 1, bf.event.FixedFanout),
        ("fixed_fanin", 0, bf.event.FixedFanin),
    ):
        if np.ptp(degrees.sum(axis)) == 0:
            kinds[kind] = cls
        else:
            with pytest.raises(ValueError, match=f"`format` '{kind}' needs as many synapses.*from"):
                connect.matrix(rule, n_pre, n_post, format=kind, **options)
    for kind, cls in kinds.items():
        made = connect.matrix(rule, n_pre, n_post, format=kind, **options)
        assert type(made) is cls
        # Several synapses of a pair are added up in the same order.
        np.testing.assert_allclose(made.todense(), expected.todense(), rtol=1e-14)
        one = connect.matrix(rule, n_pre, n_post, format=kind, **options | {"weight": 3.0})
        np.testing.assert_array_equal(one.todense(), 3.0 * degrees)


@each
def test_just_in_time_or_an_error(name):
    n_pre, n_post = shape(name)
    rule = models.all_rules[name](n_pre, n_post)
    make = lambda: connect.matrix(  # noqa: E731
        rule, n_pre, n_post, weight=1.0, key=jr.key(0), diagonal=0, format="jit"
    )
    if name in models.just_in_time_rules:
        assert isinstance(make(), bf.event.JIT)
    else:
        with pytest.raises((TypeError, ValueError), match="just.in.time"):
            make()


@each
def test_other_sizes_are_not_compiled(name):
    """Building a network must not cost a compilation for each number of neurons or synapses."""
    if name in GIVEN:
        return
    law = bf.init.Normal(1.0, 0.1)

    def make(n):
        size = (n, n) if name in EQUAL else (n, n + 5)
        rule = models.all_rules[name](*size)
        return connect.csr(rule, *size, weight=law, key=jr.key(n), diagonal=0)

    compiled = []

    def listen(event, duration, **_):
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(duration)

    make(40)
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        for n in (41, 46):
            make(n)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert not compiled
