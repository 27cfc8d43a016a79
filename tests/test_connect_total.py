"""`connect.FixedTotalNumber`: exact totals, uniform pairs, ascending order, streams."""

import itertools
import math

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats
from _measured import measured

import brainfn as bf
from brainfn import connect
from brainfn.connect import _total

# A correct rule has a p-value below this once in ten thousand tests; all keys are stated.
ALPHA = 1e-4


def structure(rule, n_pre, n_post, seed=0, diagonal=None):
    indices, indptr = rule.build(n_pre, n_post, key=jr.key(seed), diagonal=diagonal)
    assert indices.dtype == indptr.dtype == jnp.int32
    assert indices.shape == (rule.n,)
    assert indptr.shape == (n_pre + 1,)
    indices, indptr = np.asarray(indices), np.asarray(indptr)
    assert indptr[0] == 0
    assert indptr[-1] == rule.n
    rows = np.repeat(np.arange(n_pre), np.diff(indptr))
    flat = rows.astype(np.int64) * n_post + indices
    assert (np.diff(flat) >= (0 if rule.multapses else 1)).all()
    if indices.size:
        assert indices.min() >= 0
        assert indices.max() < n_post
    return rows, indices


SIZES = [
    (1, 1, 1),
    (1, 1, 0),
    (0, 5, 0),
    (5, 0, 0),
    (0, 0, 0),
    (3, 7, 20),
    (7, 3, 21),
    (1, 900, 5),
    (900, 1, 17),
    (100, 100, 1),
    (100, 101, 9_000),
    (300, 290, 80_000),
]


@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize(("n_pre", "n_post", "n"), SIZES)
def test_totals_are_exact(n_pre, n_post, n, multapses):
    for autapses, diagonal in itertools.product((True, False), (None, 0, 5, -3)):
        rule = connect.FixedTotalNumber(n, autapses=autapses, multapses=multapses)
        own = 0 if autapses or diagonal is None else np.eye(n_pre, n_post, diagonal).sum()
        pairs = n_pre * n_post - own
        if n > pairs and not (multapses and pairs):
            with pytest.raises(ValueError, match="`n` must be at most the number of pairs"):
                structure(rule, n_pre, n_post, diagonal=diagonal)
            continue
        rows, columns = structure(rule, n_pre, n_post, diagonal=diagonal)
        if own:
            assert not np.any(rows + diagonal == columns)


@pytest.mark.parametrize("n", [1, 2, 5, 64])
@pytest.mark.parametrize("autapses", [True, False])
def test_all_pairs_when_n_is_their_number(n, autapses):
    everyone = connect.AllToAll(autapses=autapses).build(n, n, diagonal=0)
    total = everyone[0].shape[0]
    rule = connect.FixedTotalNumber(total, autapses=autapses, multapses=False)
    got = rule.build(n, n, key=jr.key(0), diagonal=0)
    np.testing.assert_array_equal(got[0], everyone[0])
    np.testing.assert_array_equal(got[1], everyone[1])


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("autapses", "diagonal"), [(True, None), (False, 0), (False, 3), (False, -4)]
)
@pytest.mark.parametrize("multapses", [True, False])
def test_pairs_are_uniform(multapses, autapses, diagonal, seed):
    n_pre, n_post = 9, 11
    own = np.zeros((n_pre, n_post), bool)
    if not autapses:
        own |= np.eye(n_pre, n_post, diagonal, dtype=bool)
    counts = np.zeros((n_pre, n_post))
    n, turns = (40_000, 1) if multapses else (40, 60)
    rule = connect.FixedTotalNumber(n, autapses=autapses, multapses=multapses)
    for turn in range(turns):
        np.add.at(counts, structure(rule, n_pre, n_post, 1000 * seed + turn, diagonal=diagonal), 1)
    assert (counts[own] == 0).all()
    counts = counts[~own]
    statistic = np.sum((counts - counts.mean()) ** 2) / counts.mean()
    if not multapses:
        # A pair is drawn at most once in each turn: hypergeometric, so the variance is smaller.
        statistic /= 1 - n / counts.size
    chi2 = scipy.stats.chi2(counts.size - 1)
    measured(
        "connect.FixedTotalNumber", "all pairs equally likely, -log10 p of chi-square",
        against="closed form", error=-math.log10(min(chi2.cdf(statistic), chi2.sf(statistic))),
        bound=-math.log10(ALPHA),
    )  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1])
def test_numbers_per_pair_are_multinomial(seed):
    """All outcomes of few synapses among few pairs, with their probabilities."""
    n, n_pre, n_post, turns = 3, 2, 2, 1500
    place = _total._Place.of(n_pre, n_post, 0, 0, 0)
    # What the rule calls, without the dispatch of a key for each of so many turns.
    words = np.asarray(jr.bits(jr.key(seed), (turns, 2), jnp.uint32))
    made = [_total._draw_on_host(mine, n, n_pre, place) for mine in words]
    indices, indptr = (np.stack(x) for x in zip(*made, strict=True))
    rows = np.arange(n) >= indptr[:, 1:2]
    counts = ((rows * n_post + indices)[:, :, None] == np.arange(4)).sum(axis=1)
    codes = counts @ (n + 1) ** np.arange(4)
    possible = np.array([c for c in itertools.product(range(n + 1), repeat=4) if sum(c) == n])
    observed = [(codes == c @ (n + 1) ** np.arange(4)).sum() for c in possible]
    expected = scipy.stats.multinomial(n, [1 / 4] * 4).pmf(possible) * turns
    p = scipy.stats.chisquare(observed, expected, sum_check=False).pvalue
    measured(
        "connect.FixedTotalNumber", "numbers of pairs are multinomial, -log10 p of chi-square",
        against="SciPy's distributions", error=-math.log10(p), bound=-math.log10(ALPHA),
    )  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("n", "n_pre", "n_post"), [(2, 2, 3), (5, 2, 3), (1, 3, 2)])
def test_every_set_is_equally_likely(n, n_pre, n_post, seed):
    rule = connect.FixedTotalNumber(n, multapses=False)
    sets = math.comb(n_pre * n_post, n)
    turns = 25 * sets
    seen: dict[tuple, int] = {}
    for turn in range(turns):
        rows, columns = structure(rule, n_pre, n_post, seed * 10_000 + turn)
        pairs = tuple(rows * n_post + columns)
        seen[pairs] = seen.get(pairs, 0) + 1
    assert len(seen) == sets
    assert scipy.stats.chisquare(list(seen.values())).pvalue > ALPHA


@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_columns_and_rows_are_uniform_in_every_digit(multapses, seed):
    n_pre, n_post = 30_011, 400_003
    rule = connect.FixedTotalNumber(300_000, multapses=multapses)
    rows, columns = structure(rule, n_pre, n_post, seed)
    for size, at in ((n_pre, rows), (n_post, columns)):
        for part in (at % 64, at % 1000, at.astype(np.int64) * 500 // size):
            counts = np.bincount(part)
            # The last residues occur once less: by at most 1/30 of the expected counts of about
            # 300, a tenth of their deviation, for rows modulo 1000.
            assert scipy.stats.chisquare(counts[: part.max()]).pvalue > ALPHA


def test_row_counts_are_multinomial():
    n_pre, n = 500, 100_000
    rows, _ = structure(connect.FixedTotalNumber(n), n_pre, 37)
    counts = np.bincount(rows, minlength=n_pre)
    statistic = np.sum((counts - n / n_pre) ** 2) / (n / n_pre)
    chi2 = scipy.stats.chi2(n_pre - 1)
    assert min(chi2.cdf(statistic), chi2.sf(statistic)) > ALPHA


@pytest.mark.parametrize("n", [1, 700, 70_000])
def test_jit_vmap_and_width_change_nothing(n):
    rule = connect.FixedTotalNumber(n, autapses=False)

    def build(key):
        return rule.build(90, 90, key=key, diagonal=0)

    keys = jr.split(jr.key(3), 2)
    batched = jax.vmap(build)(keys)
    for i, key in enumerate(keys):
        eager, compiled = build(key), jax.jit(build)(key)
        with jax.enable_x64(False):
            narrow = [build(key), jax.jit(build)(key)]
        for j in range(2):
            for other in (compiled, narrow[0], narrow[1]):
                np.testing.assert_array_equal(eager[j], other[j])
                assert other[j].dtype == jnp.int32
            np.testing.assert_array_equal(eager[j], batched[j][i])


def test_without_jit():
    rule = connect.FixedTotalNumber(50)
    compiled = rule.build(20, 30, key=jr.key(0))
    with jax.disable_jit():
        eager = rule.build(20, 30, key=jr.key(0))
    for a, b in zip(compiled, eager, strict=True):
        np.testing.assert_array_equal(a, b)


def test_chunks_change_nothing(monkeypatch):
    rule = connect.FixedTotalNumber(30_001)
    large = rule.build(70, 80, key=jr.key(0))
    monkeypatch.setattr(_total, "_CHUNK", 1024)
    small = rule.build(70, 80, key=jr.key(0))
    compiled = jax.jit(lambda key: rule.build(70, 80, key=key))(jr.key(0))
    for a, b, c in zip(large, small, compiled, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


@pytest.mark.parametrize("multapses", [True, False])
def test_keys(multapses):
    rule = connect.FixedTotalNumber(100, multapses=multapses)
    first, _ = rule.build(40, 60, key=jr.key(0))
    np.testing.assert_array_equal(first, rule.build(40, 60, key=jr.key(0))[0])
    np.testing.assert_array_equal(first, rule.build(40, 60, key=jr.PRNGKey(0))[0])
    assert not np.array_equal(first, rule.build(40, 60, key=jr.key(1))[0])


def test_too_few_pairs_are_drawn_again(monkeypatch):
    """What happens once in 10^9 times, made to happen each second time."""
    asked = []

    class Meagre(connect.AbstractRule):
        rule: connect.FixedProbability

        def __init__(self, p, autapses):
            self.rule = connect.FixedProbability(p / 1.3, autapses)

        def build(self, n_pre, n_post, *, key=None, diagonal=None):
            made = self.rule.build(n_pre, n_post, key=key, diagonal=diagonal)
            asked.append(made[0].shape[0])
            return made

    monkeypatch.setattr(_total, "FixedProbability", Meagre)
    rule = connect.FixedTotalNumber(500, multapses=False)
    for seed in range(10):
        structure(rule, 60, 70, seed)
    assert min(asked) < 500 <= max(asked)
    assert len(asked) > 10


def test_in_a_network():
    n = round(math.log(1 - 0.1) / math.log(1 - 1 / (40 * 40)))
    projection = bf.Projection(
        "a",
        "a",
        connect.FixedTotalNumber(n, autapses=False),
        weight=1.0,
        synapse=bf.synapse.Exponential(5.0),
        output=bf.synapse.Current(),
    )
    net = bf.Network({"a": bf.neuron.LIF(40)}, [projection], key=jr.key(0))
    matrix = net.matrix("a").tocsr()
    assert matrix.nnz == n == 169
    np.testing.assert_array_equal(np.diag(matrix.todense()), np.zeros(40))
