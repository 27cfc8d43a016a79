"""`connect.FixedOutDegree` and `connect.FixedInDegree`: exact degrees, uniform choices, streams."""

import itertools
import math

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats
from _measured import measured

from brainfn import connect
from brainfn.connect import _degree

# A correct rule has a p-value below this once in ten thousand tests; all keys are stated.
ALPHA = 1e-4


def structure(rule, n_pre, n_post, seed=0, diagonal=None):
    indices, indptr = rule.build(n_pre, n_post, key=jr.key(seed), diagonal=diagonal)
    assert indices.dtype == jnp.int32
    assert indptr.dtype == jnp.int32
    assert indptr.shape == (n_pre + 1,)
    indices, indptr = np.asarray(indices), np.asarray(indptr)
    assert indptr[0] == 0
    assert indptr[-1] == indices.size
    rows = np.repeat(np.arange(n_pre), np.diff(indptr))
    flat = rows.astype(np.int64) * n_post + indices
    least = 0 if rule.multapses else 1
    assert (np.diff(flat) >= least).all()
    if indices.size:
        assert indices.min() >= 0
        assert indices.max() < n_post
    return rows, indices


SIZES = [
    (5, 4, 0),
    (0, 3, 2),
    (100, 100, 1),
    (100, 100, 10),
    (100, 100, 99),
    (101, 97, 60),
    (97, 101, 80),
    (1, 2, 1),
    (700, 200, 17),
    (30, 3000, 2100),
]


@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize(("n_from", "n_to", "k"), SIZES)
def test_degrees_are_exact(n_from, n_to, k, multapses):
    for autapses, diagonal in itertools.product((True, False), (None, 0, 5, -3)):
        rule = connect.FixedOutDegree(k, autapses=autapses, multapses=multapses)
        rows, columns = structure(rule, n_from, n_to, diagonal=diagonal)
        measured(
            "connect.FixedOutDegree", "out-degrees", against="their number",
            error=np.bincount(rows, minlength=n_from) - k, bound=0,
        )  # fmt: skip
        if not autapses and diagonal is not None:
            assert not np.any(rows + diagonal == columns)
        rule = connect.FixedInDegree(k, autapses=autapses, multapses=multapses)
        rows, columns = structure(rule, n_to, n_from, diagonal=diagonal)
        measured(
            "connect.FixedInDegree", "in-degrees", against="their number",
            error=np.bincount(columns, minlength=n_from) - k, bound=0,
        )  # fmt: skip
        if not autapses and diagonal is not None:
            assert not np.any(rows + diagonal == columns)


@pytest.mark.parametrize("autapses", [True, False])
@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_all_others_when_k_is_their_number(n, autapses):
    k = n if autapses else n - 1
    everyone = connect.AllToAll(autapses=autapses).build(n, n, diagonal=0)
    for rule in (connect.FixedOutDegree, connect.FixedInDegree):
        got = rule(k, autapses=autapses, multapses=False).build(n, n, key=jr.key(0), diagonal=0)
        np.testing.assert_array_equal(got[0], everyone[0])
        np.testing.assert_array_equal(got[1], everyone[1])


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    # Few of many columns are drawn again where they repeat; of few columns each is looked at.
    ("n_columns", "k"),
    [(13, 2), (7, 1), (20, 3), (6, 3), (7, 5), (4, 4)],
)
def test_every_set_is_equally_likely(n_columns, k, seed):
    rule = connect.FixedOutDegree(k, multapses=False)
    sets = math.comb(n_columns, k)
    n_rows = 30 * sets
    _, columns = structure(rule, n_rows, n_columns, seed)
    codes = (n_columns ** np.arange(k)) @ columns.reshape(n_rows, k).T
    _, counts = np.unique(codes, return_counts=True)
    assert counts.size == sets
    if sets > 1:
        measured(
            ["connect.FixedOutDegree", "connect.FixedInDegree"],
            "all sets of partners equally likely, -log10 p of chi-square",
            against="closed form",
            error=-math.log10(scipy.stats.chisquare(counts).pvalue),
            bound=-math.log10(ALPHA),
        )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_multapses_are_multinomial(seed):
    n_columns, k, n_rows = 4, 5, 20_000
    _, columns = structure(connect.FixedOutDegree(k), n_rows, n_columns, seed)
    rows = columns.reshape(n_rows, k)
    counts = (rows[:, :, None] == np.arange(n_columns)).sum(axis=1)
    codes = counts @ (k + 1) ** np.arange(n_columns)
    law = scipy.stats.multinomial(k, [1 / n_columns] * n_columns)
    possible = np.array(
        [c for c in itertools.product(range(k + 1), repeat=n_columns) if sum(c) == k]
    )
    observed = [(codes == c @ (k + 1) ** np.arange(n_columns)).sum() for c in possible]
    expected = [law.pmf(c) * n_rows for c in possible]
    assert scipy.stats.chisquare(observed, expected, sum_check=False).pvalue > ALPHA


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize(("n", "k"), [(1000, 40), (300, 100)])
def test_the_other_degree_is_binomial(n, k, multapses, seed):
    # Without autapses: each of the other n - 1 rows reaches a column k times, or with k / (n - 1).
    rule = connect.FixedOutDegree(k, autapses=False, multapses=multapses)
    rows, columns = structure(rule, n, n, seed, diagonal=0)
    if multapses:
        law = scipy.stats.binom((n - 1) * k, 1 / (n - 1))
    else:
        law = scipy.stats.binom(n - 1, k / (n - 1))
    counts = np.bincount(columns, minlength=n)
    # Degrees sum to n k, so they are not independent: their variance is 1 - 1/n of the law's.
    statistic = np.sum((counts - k) ** 2) / law.var()
    chi2 = scipy.stats.chi2(n - 1)
    assert min(chi2.cdf(statistic), chi2.sf(statistic)) > ALPHA
    ahead = np.bincount((columns - rows) % n, minlength=n)
    assert ahead[0] == 0
    assert (
        scipy.stats.chi2(n - 2).sf(np.sum((ahead[1:] - n * k / (n - 1)) ** 2) / law.var()) > ALPHA
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_columns_are_uniform_in_every_digit(seed):
    n_columns = 400_003
    _, columns = structure(connect.FixedOutDegree(80, multapses=False), 4000, n_columns, seed)
    for part in (columns % 64, columns % 1000, columns * np.int64(500) // n_columns):
        counts = np.bincount(part)
        size = part.max() + 1
        # The last residues have one column less; that is less than 1e-4 of the expected counts.
        assert scipy.stats.chisquare(counts[: size - 1]).pvalue > ALPHA


@pytest.mark.parametrize("multapses", [True, False])
def test_in_degree_is_out_degree_transposed(multapses):
    options = {"autapses": False, "multapses": multapses}
    rows, columns = structure(connect.FixedInDegree(7, **options), 60, 50, diagonal=-4)
    targets, sources = structure(connect.FixedOutDegree(7, **options), 50, 60, diagonal=4)
    order = np.lexsort((targets, sources))
    np.testing.assert_array_equal(rows, sources[order])
    np.testing.assert_array_equal(columns, targets[order])


@pytest.mark.parametrize(("k", "multapses"), [(5, True), (5, False), (40, False)])
def test_jit_and_vmap_change_nothing(k, multapses):
    # In-degrees are out-degrees, transposed: this tests both.
    rule = connect.FixedInDegree(k, autapses=False, multapses=multapses)

    def build(key):
        return rule.build(90, 90, key=key, diagonal=0)

    keys = jr.split(jr.key(3), 3)
    batched = jax.vmap(build)(keys)
    for i, key in enumerate(keys):
        eager, compiled = build(key), jax.jit(build)(key)
        for j in range(2):
            np.testing.assert_array_equal(eager[j], compiled[j])
            np.testing.assert_array_equal(eager[j], batched[j][i])


@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize("k", [9, 60])
def test_chunks_change_nothing_and_rows_stand_on_their_own(monkeypatch, k, multapses):
    rule = connect.FixedOutDegree(k, multapses=multapses)
    few, _ = rule.build(33, 150, key=jr.key(0))
    many, _ = rule.build(3001, 150, key=jr.key(0))
    np.testing.assert_array_equal(few, many[: few.size])
    monkeypatch.setattr(_degree, "_CHUNK", 1024)
    small, _ = rule.build(3001, 150, key=jr.key(0))
    np.testing.assert_array_equal(small, many)


def test_keys():
    rule = connect.FixedOutDegree(11, multapses=False)
    first, _ = rule.build(40, 60, key=jr.key(0))
    np.testing.assert_array_equal(first, rule.build(40, 60, key=jr.key(0))[0])
    np.testing.assert_array_equal(first, rule.build(40, 60, key=jr.PRNGKey(0))[0])
    assert not np.array_equal(first, rule.build(40, 60, key=jr.key(1))[0])


def test_golden_values():
    # Integer arithmetic alone: the same on every machine.
    for x64 in (True, False):
        with jax.enable_x64(x64):
            drawn, _ = connect.FixedOutDegree(3).build(3, 1000, key=jr.key(0))
            redrawn, _ = connect.FixedOutDegree(3, multapses=False).build(3, 20, key=jr.key(0))
            scanned, _ = connect.FixedOutDegree(3, multapses=False).build(3, 5, key=jr.key(0))
        assert drawn.tolist() == DRAWN
        assert redrawn.tolist() == REDRAWN
        assert scanned.tolist() == SCANNED


DRAWN = [75, 248, 474, 71, 456, 686, 73, 279, 888]
REDRAWN = [1, 4, 9, 1, 9, 13, 1, 5, 17]
SCANNED = [0, 1, 2, 0, 2, 3, 0, 2, 3]
