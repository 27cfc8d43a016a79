"""`connect.FixedProbability` is exactly Bernoulli: its laws, its edges, its streams."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats
from _measured import measured

import brainfn as bf
from brainfn import connect
from brainfn.connect import _chunk, _probability
from brainfn.connect._counter import bounded, threefry, unit_exponential

# Each statistical test draws from stated keys, so it always gives the same value. A correct rule
# has a p-value below this once in ten thousand tests.
ALPHA = 1e-4


def build(rule, n_pre, n_post, seed=0, diagonal=None):
    """Row and column of each synapse, after a check that the structure is sound."""
    indices, indptr = rule.build(n_pre, n_post, key=jr.key(seed), diagonal=diagonal)
    assert indices.dtype == jnp.int32
    assert indptr.dtype == jnp.int32
    indices, indptr = np.asarray(indices), np.asarray(indptr)
    assert indptr.shape == (n_pre + 1,)
    assert indptr[0] == 0
    assert indptr[-1] == indices.size
    assert (np.diff(indptr) >= 0).all()
    rows = np.repeat(np.arange(n_pre), np.diff(indptr))
    if indices.size:
        assert indices.min() >= 0
        assert indices.max() < n_post
    flat = rows.astype(np.int64) * n_post + indices
    assert (np.diff(flat) > 0).all()
    return rows, indices


def goodness(counts, law, trials):
    """p-value of counts being drawn from a discrete law, with rare values put together."""
    counts = np.asarray(counts)
    values = np.arange(counts.max() + 2)
    expected = law.pmf(values) * trials
    expected[-1] += law.sf(values[-1]) * trials
    observed = np.bincount(counts, minlength=values.size).astype(float)
    merged_o, merged_e, o, e = [], [], 0.0, 0.0
    for a, b in zip(observed, expected, strict=True):
        o, e = o + a, e + b
        if e >= 8:
            merged_o.append(o)
            merged_e.append(e)
            o = e = 0.0
    merged_o[-1] += o
    merged_e[-1] += e
    return scipy.stats.chisquare(merged_o, merged_e, sum_check=False).pvalue


def uniformity(values, size):
    counts = np.bincount(values, minlength=size)
    assert counts.size == size
    assert counts.sum() >= 5 * size
    return scipy.stats.chisquare(counts).pvalue


@pytest.mark.parametrize("p", [0.0, 1e-300, 1e-9, 1e-4, 0.02, 0.5, 0.97, 1 - 1e-12, 1.0])
@pytest.mark.parametrize(
    ("n_pre", "n_post"), [(0, 0), (0, 5), (5, 0), (1, 1), (1, 7), (7, 1), (33, 57), (301, 203)]
)
def test_structure(n_pre, n_post, p):
    for autapses in (True, False):
        for diagonal in (None, 0, 3, -2, 1000):
            rule = connect.FixedProbability(p, autapses=autapses)
            rows, columns = build(rule, n_pre, n_post, diagonal=diagonal)
            own = 0 if diagonal is None else np.sum(rows + diagonal == columns)
            if not autapses:
                assert own == 0
            if p in (0.0, 1e-300):
                assert columns.size == 0
            if p in (1.0, 1 - 1e-12):
                left_out = 0
                if not autapses and diagonal is not None:
                    i = np.arange(n_pre) + diagonal
                    left_out = np.sum((i >= 0) & (i < n_post))
                assert columns.size == n_pre * n_post - left_out


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("n_pre", "n_post", "p"),
    [
        (4000, 1000, 0.5),
        (4000, 3001, 0.02),
        (3000, 20000, 0.001),
        (3000, 40000, 1e-4),
        (500, 30, 0.9),
    ],
)
def test_degrees_are_binomial(n_pre, n_post, p, seed):
    rows, columns = build(connect.FixedProbability(p), n_pre, n_post, seed)
    out_degree = np.bincount(rows, minlength=n_pre)
    in_degree = np.bincount(columns, minlength=n_post)
    levels = [
        goodness(out_degree, scipy.stats.binom(n_post, p), n_pre),
        goodness(in_degree, scipy.stats.binom(n_pre, p), n_post),
    ]
    measured(
        "connect.FixedProbability", "degrees are binomial, -log10 p of chi-square",
        against="SciPy's distributions", error=-np.log10(levels), bound=-np.log10(ALPHA),
    )  # fmt: skip
    total = scipy.stats.binom(n_pre * n_post, p)
    assert min(total.cdf(rows.size), total.sf(rows.size - 1)) > ALPHA


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("p", [0.3, 0.01, 1e-4])
def test_gaps_are_geometric(p, seed):
    n = int(20_000 / (400 * p))
    _, columns = build(connect.FixedProbability(p), 400, n, seed)
    rows, _ = build(connect.FixedProbability(p), 400, n, seed)
    flat = rows.astype(np.int64) * n + columns
    gaps = np.diff(flat)
    cdf = np.floor(-np.expm1(np.log1p(-p) * gaps) * 50).clip(0, 49).astype(int)
    edges = -np.expm1(np.log1p(-p) * np.arange(0, gaps.max() + 1))
    expected = np.bincount(
        np.floor(edges[1:] * 50).clip(0, 49).astype(int), weights=np.diff(edges), minlength=50
    )
    expected[-1] += 1 - edges[-1]
    keep = expected > 0
    observed = np.bincount(cdf, minlength=50)
    expected = expected[keep] / expected.sum() * gaps.size
    assert scipy.stats.chisquare(observed[keep], expected, sum_check=False).pvalue > ALPHA
    # Consecutive gaps are independent.
    assert scipy.stats.spearmanr(gaps[:-1], gaps[1:]).pvalue > ALPHA


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("n_pre", "n_post", "p"),
    [
        (1000, 1_000_003, 3e-5),
        (40, 2**31 - 2, 1e-6),
        (3000, 2**31 - 2, 1e-8),
        (65536 * 3, 1000, 4e-4),
    ],
)
def test_columns_of_rare_synapses_are_uniform_in_every_digit(n_pre, n_post, p, seed):
    # Gaps beyond 2^24 have no float32 of their own; columns must still take every value.
    rows, columns = build(connect.FixedProbability(p), n_pre, n_post, seed)
    assert rows.size > 10_000
    whole = n_post // 64 * 64
    assert uniformity(columns[columns < whole] % 64, 64) > ALPHA
    assert uniformity(columns[columns < whole] // (whole // 64), 64) > ALPHA
    whole = n_post // 1000 * 1000
    assert uniformity(columns[columns < whole] % 1000 // 10, 100) > ALPHA
    assert uniformity(rows * 8 // n_pre, 8) > ALPHA
    total = scipy.stats.norm(n_pre * n_post * p, np.sqrt(n_pre * n_post * p))
    assert min(total.cdf(rows.size), total.sf(rows.size)) > ALPHA


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_without_autapses_all_others_are_equally_likely(seed):
    n = 600
    rows, columns = build(connect.FixedProbability(0.1, autapses=False), n, n, seed, diagonal=0)
    ahead = (columns - rows) % n
    assert not np.any(ahead == 0)
    law = scipy.stats.binom(n, 0.1)
    assert goodness(np.bincount(ahead, minlength=n)[1:], law, n - 1) > ALPHA
    law = scipy.stats.binom(n - 1, 0.1)
    assert goodness(np.bincount(rows, minlength=n), law, n) > ALPHA
    assert goodness(np.bincount(columns, minlength=n), law, n) > ALPHA


@pytest.mark.parametrize("diagonal", [-150, 0, 40, 390])
def test_autapses_are_left_out_where_the_diagonal_runs(diagonal):
    rule = connect.FixedProbability(0.9, autapses=False)
    n_pre, n_post = 300, 400
    counts = np.zeros((n_pre, n_post))
    for seed in range(10):
        rows, columns = build(rule, n_pre, n_post, seed, diagonal)
        counts[rows, columns] += 1
    row, column = np.indices(counts.shape)
    own = column == row + diagonal
    assert np.all(counts[own] == 0)
    # Ten draws are all empty with probability 1e-10 for each of 1.2e5 pairs.
    assert np.all(counts[~own] > 0)
    # The neighbours of the left out are as likely as all others.
    near = np.abs(column - row - diagonal) == 1
    z = (counts[near].sum() - 9 * near.sum()) / np.sqrt(0.9 * near.sum())
    assert abs(z) < 4


def test_same_key_same_bits():
    rule = connect.FixedProbability(0.03, autapses=False)
    first = rule.build(500, 700, key=jr.key(5), diagonal=0)
    again = rule.build(500, 700, key=jr.key(5), diagonal=0)
    other = rule.build(500, 700, key=jr.key(6), diagonal=0)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[1], other[1])
    raw = rule.build(500, 700, key=jr.PRNGKey(5), diagonal=0)
    np.testing.assert_array_equal(first[0], raw[0])


@pytest.mark.parametrize("p", [0.2, 0.01, 1e-5])
def test_more_neurons_before_leave_the_others_as_they_were(p):
    # 8000 rows of 3000 are 80 chunks at p = 0.2; the small one ends within a chunk.
    rule = connect.FixedProbability(p)
    rows, columns = build(rule, 777, 3000)
    more_rows, more_columns = build(rule, 8000, 3000)
    inside = more_rows < 777
    np.testing.assert_array_equal(rows, more_rows[inside])
    np.testing.assert_array_equal(columns, more_columns[inside])


def test_rows_do_not_repeat_across_chunks():
    rows, columns = build(connect.FixedProbability(0.2), 2000, 3000)
    dense = np.zeros((2000, 3000), bool)
    dense[rows, columns] = True
    packed = np.packbits(dense, axis=1)
    assert np.unique(packed, axis=0).shape[0] == 2000
    # Any two rows share about p of their targets.
    shared = dense[:200].astype(float) @ dense[200:400].T.astype(float)
    z = (shared - 3000 * 0.04) / np.sqrt(3000 * 0.04 * 0.96)
    assert np.abs(z).max() < 5.5  # 40 000 pairs


@pytest.mark.parametrize("p", [0.1, 1e-6])
def test_a_chunk_that_needs_more_numbers_than_foreseen(monkeypatch, p):
    rule = connect.FixedProbability(p)
    expected = rule.build(2000, 5000, key=jr.key(1))
    monkeypatch.setattr(_probability, "_MARGIN", -6.0)
    got = rule.build(2000, 5000, key=jr.key(1))
    for a, b in zip(expected, got, strict=True):
        np.testing.assert_array_equal(a, b)


def test_cores_change_nothing(monkeypatch):
    for rule in (connect.FixedProbability(0.1), connect.FixedOutDegree(40, multapses=False)):
        threads = rule.build(3000, 400, key=jr.key(1))
        monkeypatch.setattr(_chunk.os, "cpu_count", lambda: 1)
        alone = rule.build(3000, 400, key=jr.key(1))
        monkeypatch.undo()
        for a, b in zip(threads, alone, strict=True):
            np.testing.assert_array_equal(a, b)


def test_golden_values():
    indices, indptr = connect.FixedProbability(0.3).build(4, 10, key=jr.key(0))
    assert indptr.tolist() == GOLDEN_INDPTR
    assert indices.tolist() == GOLDEN_INDICES


def test_probability_without_x64():
    with jax.enable_x64(False):
        indices, indptr = connect.FixedProbability(0.3).build(4, 10, key=jr.key(0))
    assert indptr.tolist() == GOLDEN_INDPTR
    assert indices.tolist() == GOLDEN_INDICES


GOLDEN_INDPTR = [0, 2, 3, 5, 10]
GOLDEN_INDICES = [2, 3, 1, 0, 4, 0, 1, 6, 8, 9]


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((2**32 - 1,) * 2, (2**32 - 1,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_against_the_published_vectors(key, counter, expected):
    # Known answers that come with Random123, the authors' library.
    c0, c1 = (np.full(1, x, np.uint32) for x in counter)
    assert tuple(int(x[0]) for x in threefry(np.array(key, np.uint32), c0, c1)) == expected
    words = tuple(jnp.asarray(x, jnp.uint32) for x in key)
    c0, c1 = (jnp.asarray(x, jnp.uint32) for x in counter)
    assert tuple(int(x) for x in bf.random.threefry(words, c0, c1)) == expected


@pytest.mark.parametrize("width", [1, 2, 3, 7, 65_535, 65_536, 400_000, 2**31 - 1, 2**32 - 1])
def test_bounded_against_wide_integers(width):
    rng = np.random.default_rng(width)
    high, low = rng.integers(0, 2**32, (2, 1000), dtype=np.uint32)
    high[:4], low[:4] = [0, 0, 2**32 - 1, 2**32 - 1], [0, 2**32 - 1, 0, 2**32 - 1]
    got = bounded((high, low), np.full(1000, width, np.uint32))
    wide = [(int(a) << 32 | int(b)) * width >> 64 for a, b in zip(high, low, strict=True)]
    assert got.tolist() == wide


def test_exponential_numbers_are_accurate_at_both_ends():
    bits = np.array(
        [0, 1, 2**31 - 1, 2**31, 3 * 2**30, 2**32 - 1000, 2**32 - 2, 2**32 - 1], np.uint32
    )
    got = unit_exponential(bits)
    assert got.dtype == np.float32
    exact = -np.log1p((bits.astype(float) + 0.5) * 2.0**-32 - 1)
    # float32 rounding of the argument, of the series and of the logarithm.
    np.testing.assert_allclose(got, exact, rtol=5e-7)
