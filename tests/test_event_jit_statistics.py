"""Just-in-time matrices have the distribution that they claim. Seeds are fixed; every bound is a
stated number of standard deviations of the exact law, 5 where nothing else is said."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import brainfn as bf
import brainfn.event as ev
from brainfn.event._jit_reference import _permute


@functools.cache
def synapses(p, shape, seed=1, **more):
    """Rows and columns."""
    csr = ev.JIT(1.0, shape=shape, seed=seed, probability=p, **more).tocsr()
    rows = np.repeat(np.arange(shape[0]), np.diff(csr.indptr))
    return rows, np.asarray(csr.indices)


def normalised(chi2, dof):
    return (chi2 - dof) / np.sqrt(2 * dof)


@pytest.mark.parametrize("p", [1e-4, 0.0021, 0.02, 0.3, 0.5, 0.97])
def test_degrees_are_binomial(p):
    shape = (2000, 30_000) if p < 0.01 else (1500, 2500)
    for n, m, index in zip(shape, shape[::-1], synapses(p, shape), strict=True):
        degree = np.bincount(index, minlength=n)
        variance = m * p * (1 - p)
        assert abs(degree.sum() - n * m * p) < 5 * np.sqrt(n * variance)
        # sum (d - m p)^2 / variance has mean n and variance n (2 + (1 - 6 p q) / (m p q)).
        chi2 = ((degree - m * p) ** 2).sum() / variance
        spread = n * (2 + (1 - 6 * p * (1 - p)) / variance)
        assert abs(chi2 - n) < 5 * np.sqrt(spread)
        if variance > 10:
            # The whole distribution, in bins of at least 20 expected.
            edges = np.unique(scipy.stats.binom.ppf(np.linspace(0, 1, n // 40 + 2)[1:-1], m, p))
            below = np.concatenate([[0], scipy.stats.binom.cdf(edges, m, p), [1]])
            found = np.bincount(np.searchsorted(edges, degree), minlength=edges.size + 1)
            expected = n * np.diff(below)
            keep = expected > 5
            chi2 = ((found - expected)[keep] ** 2 / expected[keep]).sum()
            assert normalised(chi2, keep.sum() - 1) < 5


@pytest.mark.parametrize("p", [0.05, 0.5])
def test_cells_are_independent(p):
    """Numbers of synapses that two rows or two columns share, and neighbours in both
    directions."""
    shape = (300, 1024)
    rows, cols = synapses(p, shape, seed=8)
    b = np.zeros(shape)
    b[rows, cols] = 1
    for x in (b, b.T):
        n, m = x.shape
        centred = (x - p) / np.sqrt(p * (1 - p))
        gram = (centred @ centred.T)[np.triu_indices(n, 1)] / np.sqrt(m)
        assert abs(gram.mean()) < 5 / np.sqrt(gram.size)
        # Entries have variance 1 and are uncorrelated; kurtosis about 3 + 1 / (m p^2 q^2).
        kurtosis = 3 + (1 / (p * (1 - p)) - 3) ** 2 / m
        assert abs((gram**2).mean() - 1) < 5 * np.sqrt((kurtosis - 1) / gram.size)
        shared = (x @ x.T)[np.triu_indices(n, 1)]
        # A fair matrix fails once in 10^6.
        assert shared.max() <= scipy.stats.binom.isf(1e-6 / shared.size, m, p * p)
        for lag in (1, 2, 16, 32, 64, 128, 256, 512):
            if lag < m:
                pairs = centred[:, lag:] * centred[:, :-lag]
                assert abs(pairs.mean()) < 5 / np.sqrt(pairs.size), lag


def test_rows_tiles_and_seeds_are_independent():
    shape, p = (400, 4096), 0.01
    whole = []
    for seed in (0, 1, 2, 1 << 32, (1 << 63) + 1):
        rows, cols = synapses(p, shape, seed=seed)
        x = np.zeros(shape)
        x[rows, cols] = 1
        whole.append(((x - p) / np.sqrt(p * (1 - p))).reshape(-1))
    correlation = np.corrcoef(whole)[np.triu_indices(len(whole), 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(whole[0].size)
    counts = whole[0].reshape(400, 4, 1024).sum(2)  # synapses in each tile
    between = np.corrcoef(counts.T)[np.triu_indices(4, 1)]
    assert np.abs(between).max() < 5 / np.sqrt(400)
    along = np.corrcoef(counts[:-1].reshape(-1), counts[1:].reshape(-1))[0, 1]
    assert abs(along) < 5 / np.sqrt(1600)


@pytest.mark.parametrize("k", [2, 3, 12])
def test_order_of_a_tile_is_uniform(k):
    """The first k of the permutation: every pair of the 1024 columns is equally likely, tested on
    the residues and the high bits, where a weak permutation fails first."""
    n, rng = 400_000, np.random.default_rng(k)
    words = [jnp.asarray(rng.integers(0, 2**32, n, np.uint32)) for _ in range(6)]
    count, order = (None, None, *words[:2]), tuple(words[2:])
    j = jnp.broadcast_to(jnp.arange(k, dtype=np.uint32), (n, k))
    columns = np.asarray(jax.jit(lambda j: _permute(j, count, order, 10))(j)).astype(np.int64)
    singles = np.stack([np.bincount(columns[:, i], minlength=1024) for i in range(k)])
    assert (abs(normalised(((singles - n / 1024) ** 2 / (n / 1024)).sum(1), 1023)) < 5).all()
    for part in (lambda q: q % 64, lambda q: q // 16, lambda q: q // 4 % 64):
        classes = part(columns)
        expected = np.full((64, 64), n / 1024 * 16 * 16 / 1023)
        np.fill_diagonal(expected, n / 1024 * 16 * 15 / 1023)
        for a, b in ((0, 1), (0, k - 1), (k // 2, k - 1)):
            if a != b:
                table = np.bincount(classes[:, a] * 64 + classes[:, b], minlength=4096)
                chi2 = ((table.reshape(64, 64) - expected) ** 2 / expected).sum()
                assert abs(normalised(chi2, 4095)) < 5


def test_fan_out_is_exact_and_uniform():
    n, m, k = 4000, 1300, 40
    csr = ev.JIT(1.0, shape=(n, m), seed=4, fan_out=k).tocsr()
    indices = np.asarray(csr.indices).reshape(n, k)
    assert (np.diff(csr.indptr) == k).all() and (np.diff(indices, axis=1) > 0).all()
    in_degree = np.bincount(indices.reshape(-1), minlength=m)
    # Multinomial without replacement: variance n k/m (1 - k/m), one constraint.
    chi2 = ((in_degree - n * k / m) ** 2).sum() / (n * k / m * (1 - k / m)) * (1 - 1 / m)
    assert abs(normalised(chi2, m - 1)) < 5
    alone = ev.JIT(1.0, shape=(m, m), seed=4, fan_in=k, autapses=False).tocsr()
    columns = np.asarray(alone.indices)
    assert (np.bincount(columns, minlength=m) == k).all()
    assert (np.repeat(np.arange(m), np.diff(alone.indptr)) != columns).all()


def test_weights_follow_their_law():
    shape, p = (500, 20_000), 0.05
    uniform = np.asarray(
        ev.JIT(bf.init.Uniform(0.0, 1.0), shape=shape, seed=6, probability=p).tocsr().data
    )
    csr = ev.JIT(bf.init.Normal(0.0, 1.0), shape=shape, seed=6, probability=p).tocsr()
    normal, n = np.asarray(csr.data), uniform.size
    assert n > 490_000
    # Kolmogorov-Smirnov: exceeded with probability 3e-7.
    assert scipy.stats.kstest(uniform, "uniform").statistic < 2.8 / np.sqrt(n)
    assert scipy.stats.kstest(normal, "norm").statistic < 2.8 / np.sqrt(n)
    assert uniform.min() >= 0 and uniform.max() < 1
    # Moments of the normal law: the variance of z^k is E z^2k - (E z^k)^2.
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10_170)):
        assert abs((normal**power).mean() - mean) < 5 * np.sqrt(variance / n)
    rows = np.repeat(np.arange(shape[0]), np.diff(csr.indptr))
    cols = np.asarray(csr.indices)
    for x in (normal, (uniform - 0.5) * np.sqrt(12)):
        for where in (rows, cols, cols % 2, cols % 1024, rows % 2):
            assert abs(np.corrcoef(x, where)[0, 1]) < 5 / np.sqrt(n)
        assert abs(np.mean(x[1:] * x[:-1])) < 5 / np.sqrt(n)
        sums = np.bincount(cols, x, shape[1]) / np.sqrt(np.maximum(np.bincount(cols), 1))
        assert abs(normalised((sums**2).sum(), (np.bincount(cols) > 0).sum())) < 5


def test_quantiles_of_the_normal_law_are_accurate():
    """Piecewise linear in the tail probability: the worst error of z, up to 6 sigma."""
    from brainfn.event._jit_counts import normal_quantiles
    from brainfn.event._jit_reference import NORMAL, _law

    top = 2.0 ** np.arange(1, 31)[:, None] * (1 + np.arange(0, 1, 1 / 1023)[None, :])
    h = top.reshape(-1).astype(np.uint32) | np.uint32(1)
    z = np.asarray(_law(jnp.asarray(h), NORMAL, jnp.asarray(normal_quantiles()), np.float64))
    np.testing.assert_allclose(z, -scipy.stats.norm.ppf(h / 2.0**32), rtol=0, atol=3e-5)
    negative = _law(
        jnp.asarray(h | np.uint32(1 << 31)), NORMAL, jnp.asarray(normal_quantiles()), np.float64
    )
    np.testing.assert_array_equal(negative, -z)
