"""`connect.ByDistance`: probabilities, fixed degrees, kernels, positions; values of distance.

Random results are compared at fixed seeds. A chi-square or Kolmogorov-Smirnov test passes where
p > 1e-4, and is noted as -log10(p) <= 4.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats
from _connections import pairs
from _measured import measured

import brainfn as bf
from brainfn import connect
from brainfn.connect._kernel import on_host

SHEET = connect.grid((30, 30), spacing=10.0, periodic=True)
N = SHEET.size
KEYS = [jr.key(seed) for seed in range(3)]


def vectors(pre, post):
    """All vectors from source to target, with periodic images; not as brainfn computes them."""
    x = np.asarray(post.values)[None] - np.asarray(pre.values)[:, None]
    for axis, side in enumerate(pre.period):
        if side is not None:
            images = np.stack([x[..., axis] + k * side for k in (-1, 0, 1)])
            best = np.argmin(np.abs(images), axis=0)[None]
            x[..., axis] = np.take_along_axis(images, best, axis=0)[0]
    return x


def gaussian(d, width, peak):
    return peak * np.exp(-(d**2) / (2 * width**2))


def gabor(x, width, wavelength, orientation, phase, aspect, peak):
    x, y = -x[..., 0], -x[..., 1]
    u = x * np.cos(orientation) + y * np.sin(orientation)
    v = -x * np.sin(orientation) + y * np.cos(orientation)
    envelope = np.exp(-(u**2 + aspect**2 * v**2) / (2 * width**2))
    return peak * envelope * np.cos(2 * np.pi * u / wavelength + phase)


ANGLES = np.linspace(0, np.pi, N)
SCATTERED = connect.scattered(400, (300.0, 200.0), key=jr.key(9))
VOLUME = connect.scattered(300, (90.0, 90.0, 90.0), key=jr.key(8), periodic=True)


def norm(x):
    return np.sqrt((x**2).sum(-1))


# Kernel, positions, options, and the probability of each pair from the vectors.
CASES = {
    "Gaussian": (
        connect.GaussianKernel(40.0, peak=0.25),
        (SHEET, SHEET),
        {},
        lambda x: gaussian(norm(x), 40.0, 0.25),
    ),
    "Gaussian, certain": (
        connect.GaussianKernel(20.0),
        (SCATTERED, connect.scattered(500, (350.0, 250.0), key=jr.key(7))),
        {},
        lambda x: gaussian(norm(x), 20.0, 1.0),
    ),
    "Gaussian, one for each": (
        connect.GaussianKernel(np.linspace(5.0, 40.0, N), peak=0.5),
        (SHEET, SHEET),
        {},
        lambda x: gaussian(norm(x), np.linspace(5.0, 40.0, N), 0.5),
    ),
    "Exponential": (
        connect.ExponentialKernel(25.0, peak=0.6),
        (VOLUME, VOLUME),
        {},
        lambda x: 0.6 * np.exp(-norm(x) / 25.0),
    ),
    "Doughnut": (
        connect.DoughnutKernel(60.0, 10.0, peak=0.4),
        (SHEET, SHEET),
        {},
        lambda x: gaussian(norm(x) - 60.0, 10.0, 0.4),
    ),
    "MexicanHat": (
        connect.MexicanHatKernel(20.0, 50.0, peak=0.9, surround_peak=0.4),
        (SHEET, SHEET),
        {},
        lambda x: np.maximum(gaussian(norm(x), 20.0, 0.9) - gaussian(norm(x), 50.0, 0.4), 0),
    ),
    "MexicanHat, surround": (
        connect.MexicanHatKernel(20.0, 50.0, peak=0.9, surround_peak=0.4),
        (SHEET, SHEET),
        {"part": "negative"},
        lambda x: np.maximum(gaussian(norm(x), 50.0, 0.4) - gaussian(norm(x), 20.0, 0.9), 0),
    ),
    "Disc": (
        connect.DiscKernel(35.0, peak=0.7),
        (SHEET, SHEET),
        {},
        lambda x: 0.7 * (norm(x) <= 35.0),
    ),
    "Box": (
        connect.BoxKernel(65.0, peak=0.2),
        (SHEET, SHEET),
        {},
        lambda x: 0.2 * (np.abs(x).max(-1) <= 32.5),
    ),
    "Function": (
        connect.FunctionKernel(lambda d: 0.3 / (1 + d / 30.0), peak=0.3, reach=80.0),
        (SHEET, SHEET),
        {},
        lambda x: 0.3 / (1 + norm(x) / 30.0) * (norm(x) <= 80.0),
    ),
    "Gabor": (
        connect.GaborKernel(25.0, wavelength=60.0, orientation=ANGLES, phase=0.5, aspect=0.7),
        (SHEET, SHEET),
        {"part": "both"},
        lambda x: np.abs(gabor(x, 25.0, 60.0, ANGLES, 0.5, 0.7, 1.0)),
    ),
}


def chi_square(observed, expected, variance):
    """-log10 of the probability of a larger sum of squared deviations, over what is not rare."""
    enough = variance > 10
    z = (observed - expected)[enough] ** 2 / variance[enough]
    return -scipy.stats.chi2.logsf(z.sum(), z.size) / math.log(10)


@pytest.mark.parametrize("name", CASES)
def test_probability_of_each_distance(name):
    """Numbers of synapses in bins of probability and of distance are those of the kernel."""
    kernel, (pre, post), options, law = CASES[name]
    rule = connect.ByDistance(kernel, pre, post, **options)
    x = vectors(pre, post)
    p = law(x)
    counts = np.zeros(p.shape)
    for key in KEYS:
        i, j = pairs(rule.build(pre.size, post.size, key=key))
        assert np.all(np.diff(i * post.size + j) > 0)
        counts[i, j] += 1
    assert not np.any(counts[p == 0])
    d = norm(x)
    bins = np.digitize(d, np.linspace(0, d.max(), 40))
    bins = bins * 4 + np.digitize(p, [0.02, 0.1, 0.3])  # of equal distance, as with orientations
    observed, expected, variance = (
        np.bincount(bins.reshape(-1), weights=w.reshape(-1))
        for w in (counts, len(KEYS) * p, len(KEYS) * p * (1 - p))
    )
    part = ["connect.ByDistance", f"connect.{type(kernel).__name__}"]
    level = chi_square(observed, expected, variance)
    measured(
        part,
        "synapses in bins of distance, -log10 p of chi-square",
        against="the kernel in closed form",
        error=level,
        bound=4.0,
    )
    # In-degrees and out-degrees of single neurons.
    for axis in (0, 1):
        rows = counts.sum(axis), len(KEYS) * p.sum(axis), len(KEYS) * (p * (1 - p)).sum(axis)
        assert chi_square(*rows) < 4.0
    # A mean of the pairs, or an estimate from some rows.
    assert rule.expected(pre.size, post.size) == pytest.approx(p.sum(), rel=0.1)


def test_choice_of_a_fixed_number():
    """The probability of each set is that of drawing one after the other without putting back."""
    line = connect.Positions(np.array([0.0, 1.0, 2.5, 4.0, 4.5]))
    weights = np.exp(-np.abs(np.asarray(line.values)[:, 0] - 1.0) / 1.5)

    def probability(chosen):
        total = 0.0
        for order in itertools.permutations(chosen):
            left, product = weights.sum(), 1.0
            for one in order:
                product *= weights[one] / left
                left -= weights[one]
            total += product
        return total

    sets = list(itertools.combinations(range(5), 3))
    n = 4000
    target = connect.Positions(np.full(n, 1.0))
    kernel = connect.ExponentialKernel(1.5)
    sides = {
        "fan_in": (line, target, 5, n),
        "fan_out": (target, line, n, 5),
    }
    for argument, (pre, post, n_pre, n_post) in sides.items():
        rule = connect.ByDistance(kernel, pre, post, **{argument: 3})
        i, j = pairs(rule.build(n_pre, n_post, key=jr.key(1)))
        neuron, partner = (j, i) if argument == "fan_in" else (i, j)
        chosen = partner[np.lexsort((partner, neuron))].reshape(n, 3)
        counts = np.array([np.sum(np.all(chosen == s, axis=1)) for s in sets])
        expected = n * np.array([probability(s) for s in sets])
        level = -math.log10(scipy.stats.chisquare(counts, expected).pvalue)
        measured(
            "connect.ByDistance",
            f"sets of partners with {argument}, -log10 p of chi-square",
            against="enumeration of all orders",
            error=level,
            bound=4.0,
        )


@pytest.mark.parametrize("k", [3, 60, 90])
def test_fixed_degrees(k):
    """Exactly `k` different partners, also where few are left and rejection would not end."""
    pre = connect.ring(100, 100.0)
    kernel = connect.GaussianKernel(12.0, peak=1e3)  # only its shape matters
    for argument in ("fan_in", "fan_out"):
        rule = connect.ByDistance(kernel, pre, autapses=False, **{argument: k})
        assert rule.expected(100, 100) == 100 * k
        i, j = pairs(rule.build(100, 100, key=KEYS[0], diagonal=0))
        assert np.all(i != j)
        assert np.unique(i * 100 + j).size == 100 * k
        assert np.all(np.bincount(j if argument == "fan_in" else i) == k)
    if k == 3:
        d = np.minimum(np.abs(i - j), 100 - np.abs(i - j))
        assert 6 < d.mean() < 12  # the mean of a half-Gaussian of width 12 is 9.6


def test_too_few_partners():
    rule = connect.ByDistance(connect.DiscKernel(2.0), connect.ring(50, 50.0), fan_in=6)
    with pytest.raises(ValueError, match="`fan_in`.*neuron 0 has 5.*fan_in = 6"):
        rule.build(50, 50, key=KEYS[0])
    nobody = connect.Positions(np.zeros((0, 1)), period=50.0)
    rule = connect.ByDistance(connect.DiscKernel(2.0), connect.ring(5, 50.0), nobody, fan_out=1)
    with pytest.raises(ValueError, match="`fan_out`.*has 0"):
        rule.build(5, 0, key=KEYS[0])


def test_positions():
    grid = connect.grid((2, 3), spacing=(10.0, 2.0), periodic=(True, False))
    expected = [[-5, -2], [-5, 0], [-5, 2], [5, -2], [5, 0], [5, 2]]
    np.testing.assert_array_equal(grid.values, expected)
    assert grid.period == (20.0, None)
    assert (grid.size, grid.dimensions) == (6, 2)
    np.testing.assert_array_equal(connect.grid(3).values, [[-1], [0], [1]])
    ring = connect.ring(4, 360.0)
    np.testing.assert_array_equal(ring.values[:, 0], [0, 90, 180, 270])
    x = np.asarray(connect.scattered(2000, (4.0, 2.0, 1.0), key=jr.key(0)).values)
    for axis, side in enumerate((4.0, 2.0, 1.0)):
        law = scipy.stats.uniform(-side / 2, side)
        assert scipy.stats.kstest(x[:, axis], law.cdf).pvalue > 1e-4
    rule = connect.ByDistance(connect.DiscKernel(1.0), ring)
    np.testing.assert_array_equal(rule.offsets(np.array([0, 3]), np.array([3, 0]))[:, 0], [-90, 90])


def test_bounds_hold():
    """For every kernel, between all boxes: drawing is wrong where a bound is too small."""
    rng = np.random.default_rng(0)
    for name, (kernel, (pre, _), _, _) in CASES.items():
        if name == "Gaussian, one for each":
            continue
        if name == "Gabor":  # bounds are those of one target
            kernel = connect.GaborKernel(25.0, wavelength=60.0, orientation=1.0, aspect=0.7)
        x = rng.uniform(-120, 120, (4000, pre.dimensions))
        d = norm(x)
        kernel = on_host(kernel)
        low, high = kernel.bounds(d * rng.uniform(0, 1, d.shape), d * rng.uniform(1, 2, d.shape))
        values = np.asarray(kernel(x))
        assert np.all(values <= np.asarray(high) + 1e-12), name
        assert np.all(values >= np.asarray(low) - 1e-12), name
        assert not np.any(np.abs(values[d > kernel.reach()]) > 2.0**-60), name


def value_network(weight, delay, rule=None):
    return bf.Network(
        {"a": bf.neuron.LIF(N)},
        [
            bf.Projection(
                "a",
                "a",
                connect.ByDistance(connect.GaussianKernel(20.0, peak=0.3), SHEET)
                if rule is None
                else rule,
                weight=weight,
                delay=delay,
                synapse=bf.synapse.Exponential(5.0),
                output=bf.synapse.Current(),
            )
        ],
        key=jr.key(0),
    )


def test_weights_and_delays_of_distance():
    weight = connect.OfDistance(connect.ExponentialKernel(50.0, peak=2.0))
    delay = connect.OfDistance(connect.Conduction(velocity=200.0, latency=0.5))
    net = value_network(weight, delay)
    matrix = net.matrix("a")
    i, j = pairs((matrix.indices, matrix.indptr))
    d = norm(vectors(SHEET, SHEET))[i, j]
    closed = [2 * np.exp(-d / 50.0), 0.5 + d / 200.0]
    for got, expected, what in zip(
        (net.projections["a"].weight, net.pathways["a"].delays),
        closed,
        ["weight", "delay"],
        strict=True,
    ):
        measured(
            ["connect.OfDistance", "connect.Conduction", "connect.ExponentialKernel"],
            what,
            against="closed form",
            error=got / expected - 1,
            bound=1e-13,
        )
    # Any function, positions of one's own, and a factor that is drawn.
    options = {"pre": SHEET, "factor": bf.init.LogNormal(1.0, 0.1), "transform": jnp.sqrt}
    of = connect.OfDistance(lambda d: 4 + 0 * d, **options)
    matrix = connect.csr(connect.FixedProbability(0.1), N, N, weight=of, key=jr.key(0))
    assert np.std(matrix.data) > 0.1
    # Five standard errors.
    assert abs(np.mean(matrix.data) - 2) < 5 * 0.2 / math.sqrt(matrix.nnz)


def test_weights_of_distance_have_derivatives():
    rule = connect.ByDistance(connect.DiscKernel(15.0), connect.grid((5, 5), spacing=10.0))
    spikes = jnp.linspace(0.0, 1.0, 25)

    def total(scale):
        weight = connect.OfDistance(connect.ExponentialKernel(scale, peak=2.0))
        return jnp.sum((spikes @ connect.csr(rule, 25, 25, weight=weight, key=jr.key(0))) ** 2)

    step = 1e-4
    slope = (total(30.0 + step) - total(30.0 - step)) / (2 * step)
    # Central differences in float64.
    np.testing.assert_allclose(jax.grad(total)(30.0), slope, rtol=1e-6)


def test_a_mexican_hat_of_weights():
    """The sign of the weights is that of the kernel; what is connected is |k|."""
    hat = connect.MexicanHatKernel(20.0, 50.0, peak=0.9, surround_peak=0.4)
    rule = connect.ByDistance(hat, SHEET, part="both")
    weight = connect.OfDistance(hat, transform=jnp.sign)
    matrix = connect.csr(rule, N, N, weight=weight, key=jr.key(0))
    i, j = pairs((matrix.indices, matrix.indptr))
    d = norm(vectors(SHEET, SHEET))[i, j]
    k = gaussian(d, 20.0, 0.9) - gaussian(d, 50.0, 0.4)
    np.testing.assert_array_equal(matrix.data, np.sign(k))


G = connect.GaussianKernel(10.0)
WRONG = {
    "no kernel": (TypeError, "kernel", lambda: connect.ByDistance(0.3, SHEET)),
    "no positions": (TypeError, "pre", lambda: connect.ByDistance(G, np.zeros((3, 2)))),
    "spaces differ": (
        ValueError,
        "`pre` and `post`.*same space",
        lambda: connect.ByDistance(G, SHEET, SCATTERED),
    ),
    "both degrees": (
        ValueError,
        "`fan_in` and `fan_out`",
        lambda: connect.ByDistance(G, SHEET, fan_in=3, fan_out=3),
    ),
    "part": (ValueError, "`part`", lambda: connect.ByDistance(G, SHEET, part="centre")),
    "sizes": (
        ValueError,
        "`pre`.*5 neurons, got 900",
        lambda: connect.ByDistance(G, SHEET).build(5, 900, key=KEYS[0]),
    ),
    "parameters": (
        ValueError,
        r"`width` of `kernel`.*\(900,\)",
        lambda: connect.ByDistance(connect.GaussianKernel(np.ones(3)), SHEET).build(
            900, 900, key=KEYS[0]
        ),
    ),
    "traced": (
        TypeError,
        "`kernel` has `width` traced",
        lambda: jax.jit(
            lambda w: connect.ByDistance(connect.GaussianKernel(w), SHEET).build(
                900, 900, key=KEYS[0]
            )
        )(1.0),
    ),
    "width": (ValueError, "`width` must be positive", lambda: connect.GaussianKernel(-1.0)),
    "hat": (
        ValueError,
        "`width` must lie below `surround_width`",
        lambda: connect.MexicanHatKernel(30.0, 20.0),
    ),
    "peak": (
        ValueError,
        "`peak`.*largest magnitude",
        lambda: connect.ByDistance(connect.FunctionKernel(lambda d: 3 + d), SHEET).build(
            900, 900, key=KEYS[0]
        ),
    ),
    "gabor in 3d": (
        ValueError,
        "GaborKernel needs positions in two dimensions, got 3",
        lambda: connect.ByDistance(connect.GaborKernel(9.0, wavelength=9.0), VOLUME).build(
            300, 300, key=KEYS[0]
        ),
    ),
    "values": (ValueError, "`values`", lambda: connect.Positions(np.zeros((2, 2, 2)))),
    "NaN": (ValueError, "`values` must be finite", lambda: connect.Positions([0.0, math.nan])),
    "period": (ValueError, "`period`", lambda: connect.Positions([0.0], period=-1.0)),
    "spacing": (ValueError, "`spacing`", lambda: connect.grid((2, 2), spacing=0.0)),
    "no function": (TypeError, "function", lambda: connect.OfDistance(3.0)),
    "factor": (
        TypeError,
        "factor",
        lambda: connect.OfDistance(lambda d: d, factor=2.0),
    ),
    "no places": (
        ValueError,
        "`pre` of OfDistance is missing: OneToOne",
        lambda: connect.csr(connect.OneToOne(), 3, 3, weight=connect.OfDistance(lambda d: d)),
    ),
    "shape of values": (
        ValueError,
        "`function` of OfDistance",
        lambda: connect.csr(
            connect.OneToOne(),
            9,
            9,
            weight=connect.OfDistance(lambda d: d[:2], pre=connect.ring(9, 9.0)),
        ),
    ),
    "just in time": (
        TypeError,
        "`weight` of just-in-time",
        lambda: connect.matrix(
            connect.FixedProbability(0.1),
            9,
            9,
            weight=connect.OfDistance(lambda d: d, pre=connect.ring(9, 9.0)),
            format="jit",
            key=KEYS[0],
        ),
    ),
    "negative delays": (
        ValueError,
        "`delay`.*negative",
        lambda: value_network(1.0, connect.OfDistance(lambda d: d - 5.0)),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls(name):
    error, message, call = WRONG[name]
    with pytest.raises(error, match=f"(?s){message}"):
        call()
