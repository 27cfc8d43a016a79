"""Small worlds, scale-free networks and blocks against closed forms; convolutions, matrices of
SciPy and tables against what they are made of; formats and own weights in networks.

Random results are compared at fixed seeds; a test passes where p > 1e-4.
"""

import math

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.sparse
import scipy.stats
from _connections import dense, pairs
from _measured import measured
from scipy.sparse.csgraph import shortest_path

import brainfn as bf
from brainfn import connect


def adjacency(rule, n, seed=0):
    i, j = pairs(rule.build(n, n, key=jr.key(seed)))
    return scipy.sparse.csr_array((np.ones(i.size), (i, j)), shape=(n, n))


def clustering(a):
    """The mean over neurons of the fraction of their pairs of neighbours that are neighbours."""
    degree = np.asarray(a.sum(1))
    triangles = np.asarray((a @ a).multiply(a).sum(1))
    return float(np.mean(triangles / (degree * (degree - 1))))


def distance(a):
    d = shortest_path(a, unweighted=True)
    return float(d[np.isfinite(d) & (d > 0)].mean())


def test_small_world_limits():
    n, k = 1000, 10
    lattice = adjacency(connect.SmallWorld(k, 0.0), n)
    measured(
        "connect.SmallWorld",
        "clustering of the ring",
        against="closed form",
        error=clustering(lattice) / (3 * (k - 2) / (4 * (k - 1))) - 1,
        bound=1e-12,
    )
    # The distance of neurons s steps apart is s k/2 rounded up.
    steps = np.minimum(np.arange(1, n), n - np.arange(1, n))
    measured(
        "connect.SmallWorld",
        "mean distance on the ring",
        against="closed form",
        error=distance(lattice) / np.ceil(steps / (k / 2)).mean() - 1,
        bound=1e-12,
    )
    # Rewired altogether: a random graph, C = k / n and L = log n / log k but for a constant.
    random = adjacency(connect.SmallWorld(k, 1.0), n)
    assert 0.5 < clustering(random) / (k / n) < 2
    assert 0.9 < distance(random) / (math.log(n) / math.log(k)) < 1.2


@pytest.mark.parametrize("p", [0.05, 0.3])
def test_small_world_between(p):
    """Degrees and numbers of connections, and clustering, which falls as (1 - p)^3."""
    n, k = 2000, 10
    a = adjacency(connect.SmallWorld(k, p), n)
    assert (a != a.T).nnz == 0 and a.nnz == n * k and a.diagonal().sum() == 0 and a.max() == 1
    # Corrections are of order 1 / n, and the number of triangles varies by 1 %.
    measured(
        "connect.SmallWorld",
        f"clustering at p = {p}",
        against="Barrat and Weigt",
        error=clustering(a) / (0.75 * (k - 2) / (k - 1) * (1 - p) ** 3) - 1,
        bound=0.05,
    )
    # k / 2 connections of its own, and those of others: kept, binomial, and moved here, Poisson.
    degree = np.asarray(a.sum(1)).astype(int) - k // 2
    c = np.arange(40)
    pmf = np.convolve(
        scipy.stats.binom(k // 2, 1 - p).pmf(c), scipy.stats.poisson(k / 2 * p).pmf(c)
    )
    counts, law = np.bincount(degree, minlength=40)[:40], n * pmf[:40]
    often = law > 5
    grouped = [np.append(x[often], x[~often].sum()) for x in (counts, law)]
    level = -math.log10(scipy.stats.chisquare(*grouped, sum_check=False).pvalue)
    measured(
        "connect.SmallWorld",
        f"degrees at p = {p}, -log10 p of chi-square",
        against="Barrat and Weigt",
        error=level,
        bound=4.0,
    )


def test_small_world_variants():
    n, k, p = 2000, 6, 0.2
    added = adjacency(connect.SmallWorld(k, p, added=True), n)
    ring = adjacency(connect.SmallWorld(k, 0.0), n)
    assert (ring - ring.multiply(added)).nnz == 0  # every connection stays
    new = (added.nnz - ring.nnz) // 2
    assert scipy.stats.binomtest(new, n * k // 2, p).pvalue > 1e-4
    directed = adjacency(connect.SmallWorld(k, p, directed=True), n)
    assert np.all(directed.sum(1) == k) and directed.max() == 1 and directed.diagonal().sum() == 0
    moved = n * k - int(ring.multiply(directed).sum())
    assert scipy.stats.binomtest(moved, n * k, p).pvalue > 1e-4
    # Both directions of a pair are rewired by themselves.
    assert (directed != directed.T).nnz > 0
    # Long connections go anywhere.
    i, j = (directed - directed.multiply(ring)).nonzero()
    assert scipy.stats.kstest((j - i) % n / n, scipy.stats.uniform.cdf).pvalue > 1e-4


@pytest.mark.parametrize("m", [1, 5])
def test_scale_free_degrees(m):
    n = 20_000
    a = adjacency(connect.ScaleFree(m), n)
    assert (a != a.T).nnz == 0 and a.nnz == 2 * m * (n - m) and a.max() == 1
    degree = np.asarray(a.sum(1)).astype(int)
    k = np.arange(m, degree.max() + 1)
    law = 1 - m * (m + 1) / ((k + 1.0) * (k + 2))  # the sum of 2 m (m + 1) / (k (k + 1) (k + 2))
    found = np.cumsum(np.bincount(degree, minlength=k[-1] + 1)[m:]) / n
    # Kolmogorov's distance exceeds 2.2 / sqrt(n) with probability 1e-4.
    measured(
        "connect.ScaleFree",
        f"distribution of degrees, m = {m}, Kolmogorov's distance",
        against="Bollobas et al.",
        error=found - law,
        bound=2.2 / math.sqrt(n),
    )
    # Hill's estimate of the exponent from the tail; its standard error is 2 / sqrt(number).
    tail = degree[degree >= 10 * m] - 0.5
    exponent = 1 + tail.size / np.sum(np.log(tail / (10 * m - 0.5)))
    measured(
        "connect.ScaleFree",
        f"exponent of the tail, m = {m}",
        against="3, Barabasi and Albert",
        error=exponent - 3,
        bound=0.1 + 4 * 2 / math.sqrt(tail.size),
    )


def test_scale_free_directions():
    n, m = 200, 3
    both, receive, send = (
        adjacency(connect.ScaleFree(m, hubs), n) for hubs in ("both", "receive", "send")
    )
    assert (receive != send.T).nnz == 0 and (receive + send != both).nnz == 0
    assert np.all(receive.sum(1)[m:] == m) and np.all(receive.sum(1)[:m] == 0)
    i, j = receive.nonzero()
    assert np.all(j < i)


def test_preferential_attachment_in_a_small_network():
    """The choice of two among three neurons that have 1, 1 and 2 connections."""
    counts, trials = np.zeros(3), 400
    for seed in range(trials):
        i, j = pairs(connect.ScaleFree(2, "receive").build(4, 4, key=jr.key(seed)))
        counts[3 - j[i == 3].sum()] += 1  # who is left out: 0 + 1 + 2 less the two chosen
    # Neuron 2 is left out with 2 * 1/4 * 1/3, each other with 5/12.
    law = np.array([5, 5, 2]) / 12
    level = -math.log10(scipy.stats.chisquare(counts, trials * law).pvalue)
    measured(
        "connect.ScaleFree",
        "choice among three, -log10 p of chi-square",
        against="closed form",
        error=level,
        bound=4.0,
    )


def test_block_densities():
    p = np.array([[0.5, 0.01, 0.0], [0.2, 1.0, 0.03]])
    rng = np.random.default_rng(0)
    pre, post = rng.integers(0, 2, 300), rng.integers(0, 3, 400)
    rule = connect.Blocks(p, pre, post, autapses=False)
    matrix = dense(rule.build(300, 400, key=jr.key(0)), 400)
    assert matrix.max() == 1
    levels = []
    for a in range(2):
        for b in range(3):
            block = matrix[pre == a][:, post == b]
            level = scipy.stats.binomtest(int(block.sum()), block.size, p[a, b]).pvalue
            levels.append(-math.log10(level))
    measured(
        "connect.Blocks",
        "densities of blocks, -log10 p of binomial tests",
        against="the probabilities",
        error=levels,
        bound=4.0,
    )
    # Degrees of single neurons are binomial.
    mean, variance = (f[pre][:, post].sum(1) for f in (p, p * (1 - p)))
    z = (matrix.sum(1) - mean) / np.sqrt(variance)
    assert scipy.stats.chi2.sf((z**2).sum(), z.size) > 1e-4


def test_clusters():
    rule = connect.clustered(4000, 50)
    p = np.asarray(rule.p)
    # Litwin-Kumar and Doiron: p_EE = 0.2 and R_EE = 2.5 with 50 clusters.
    measured(
        "connect.clustered", "ratio and mean of the probabilities", against="the paper's figures",
        error=(p[0, 0] / p[0, 1] / 2.5 - 1, p.mean() / 0.2 - 1), bound=1e-12,
    )  # fmt: skip
    assert connect.clustered(10, 1, 0.3).p[0, 0] == pytest.approx(0.3)
    weight = connect.OfBlocks([[1.0, 2.0], [3.0, 4.0]], [0, 1, 1], [0, 0, 1, 1])
    matrix = connect.csr(connect.AllToAll(), 3, 4, weight=weight)
    expected = np.array([[1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])
    measured(
        "connect.OfBlocks", "weights", against="written out",
        error=np.asarray(matrix.todense()) - expected, bound=0,
    )  # fmt: skip


CONVOLUTIONS = {
    "valid": ((3, 2), (5, 6), {}),
    "stride and padding": ((3, 3), (6, 7), {"stride": (2, 3), "padding": (1, 2)}),
    "channels": ((4, 2, 3, 3), (2, 5, 5), {"stride": 2, "padding": 1}),
    "one dimension": ((2, 1, 4), (1, 9), {"padding": 2}),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution(name):
    kernel_shape, shape, options = CONVOLUTIONS[name]
    rng = np.random.default_rng(0)
    kernel, image = rng.normal(size=kernel_shape), rng.normal(size=shape)
    rule = connect.Convolution(kernel, shape, **options)
    n_pre, n_post = math.prod(shape), math.prod(rule.output_shape)
    matrix = connect.csr(rule, n_pre, n_post)
    assert matrix.nnz == rule.expected(n_pre, n_post)
    channels = len(kernel_shape) > len(shape)
    axes = len(rule.stride)
    expected = jax.lax.conv_general_dilated(
        image[None] if channels else image[None, None],
        kernel if channels else kernel[None, None],
        window_strides=rule.stride,
        padding=[(n, n) for n in rule.padding],
    )[0]
    assert expected.shape[-axes:] == rule.output_shape[-axes:]
    got = (jnp.asarray(image.reshape(-1)) @ matrix).reshape(expected.shape)
    # Sums of up to 18 terms in another order.
    measured(
        "connect.Convolution",
        name,
        against="lax.conv_general_dilated",
        error=got - expected,
        bound=1e-13,
    )
    # The derivative in the kernel is that of the convolution.
    if name == "valid":

        def total(k):
            made = connect.csr(connect.Convolution(k, shape), n_pre, n_post)
            return jnp.sum((jnp.asarray(image.reshape(-1)) @ made) ** 2)

        def other(k):
            return jnp.sum(jax.scipy.signal.correlate2d(jnp.asarray(image), k, "valid") ** 2)

        slope, reference = (jax.grad(f)(jnp.asarray(kernel)) for f in (total, other))
        np.testing.assert_allclose(slope, reference, rtol=1e-11)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil"])
def test_from_scipy(kind):
    stored = scipy.sparse.random(6, 9, 0.4, format="coo", rng=np.random.default_rng(0))
    matrix = stored.asformat(kind)
    rule = connect.FromScipy(matrix)
    measured(
        "connect.FromScipy", "weights", against="SciPy's toarray",
        error=connect.csr(rule, 6, 9).todense() - stored.toarray(), bound=0,
    )  # fmt: skip
    np.testing.assert_array_equal(
        connect.csr(rule, 6, 9, weight=2.0).todense(), 2.0 * (stored.toarray() != 0)
    )


def test_from_scipy_of_other_numbers():
    twice = scipy.sparse.coo_array(([1, 2, 5], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    np.testing.assert_array_equal(
        connect.csr(connect.FromScipy(twice), 2, 2).todense(), [[0.0, 3.0], [5.0, 0.0]]
    )
    zero = scipy.sparse.csr_array((np.array([0.0, 1.0]), [0, 1], [0, 1, 2]), shape=(2, 2))
    assert connect.csr(connect.FromScipy(zero), 2, 2).nnz == 2
    single = scipy.sparse.csr_array(np.eye(2, dtype=np.float32))
    assert connect.csr(connect.FromScipy(single), 2, 2).dtype == np.float32


TABLE = {
    "source": np.array([2, 0, 1, 0]),
    "target": np.array([1, 2, 0, 0]),
    "weight": np.array([0.5, 1.0, 2.0, 4.0]),
    "delay": np.array([0.5, 0.33, 1.2, 0.04]),
}
FULL = np.array([[4.0, 0.0, 1.0], [2.0, 0.0, 0.0], [0.0, 0.5, 0.0]])


def test_from_table(tmp_path):
    path = tmp_path / "synapses.csv"
    rows = list(zip(*TABLE.values(), strict=True))
    lines = [",".join(map(str, row)) for row in [TABLE, *rows]]
    path.write_text("\n".join(lines) + "\n")
    fields = [(name, x.dtype) for name, x in TABLE.items()]
    structured = np.array(rows, dtype=fields)

    class Frame:
        columns = list(TABLE)  # noqa: RUF012

        def __getitem__(self, name):
            return TABLE[name].tolist()

    for table in (TABLE, path, str(path), structured, Frame()):
        rule = connect.FromTable(table)
        measured(
            "connect.FromTable", "weights", against="written out",
            error=connect.csr(rule, 3, 3).todense() - FULL, bound=0,
        )  # fmt: skip
        np.testing.assert_array_equal(rule.delays(), [0.04, 0.33, 1.2, 0.5])
    names = {"from": ["b", "a"], "to": [70, 50], "w": [1.0, 2.0]}
    rule = connect.FromTable(
        names, source="from", target="to", weight="w", pre_ids=["a", "b"], post_ids=[50, 60, 70]
    )
    np.testing.assert_array_equal(
        connect.csr(rule, 2, 3).todense(), [[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    )
    assert connect.FromTable(TABLE, weight=None, delay=None).weights() is None


def network(rule, **options):
    return bf.Network(
        {"a": bf.input.SpikeTimes(3, [0.1, 0.1, 0.1], [0, 1, 2]), "b": bf.neuron.LIF(3)},
        [
            bf.Projection(
                "a",
                "b",
                rule,
                synapse=bf.synapse.Instant(),
                output=bf.synapse.Current(),
                **options,
            )
        ],
        key=jr.key(0),
    )


def test_weights_and_delays_of_a_table_in_a_network():
    net = network(connect.FromTable(TABLE))
    assert net.projections["a"].delay is not None
    record = lambda state, output: state["b"].v  # noqa: E731
    v = np.asarray(bf.simulate(net, duration=2.0, dt=0.1, record=record).outputs)
    # The membrane jumps when a spike arrives: after 0.1 ms and the delay, rounded.
    first = [np.flatnonzero(np.abs(np.diff(v[:, n])) > 1e-9)[0] for n in range(3)]
    arrivals = {0: 1, 1: 5, 2: 3}  # the earliest: 0.04 -> 1 step, 0.5 -> 5, 0.33 -> 3
    offsets = {first[n] - arrivals[n] for n in range(3)}
    assert len(offsets) == 1
    # What a projection says takes precedence.
    other = network(connect.FromTable(TABLE), weight=1.0, delay=0.3)
    assert other.projections["a"].delay == 0.3
    assert np.shape(other.projections["a"].weight) == ()


FORMATS = {
    "csr": bf.event.CSR,
    "fixed_fanout": bf.event.FixedFanout,
    "dense": bf.event.Dense,
    "jit": bf.event.JIT,
}


def test_formats_in_a_network():
    """One argument; the same membrane potentials, except just in time."""
    rule = connect.FixedOutDegree(2, multapses=False)
    found = {}
    for name, cls in FORMATS.items():
        law = bf.init.Uniform(50.0, 90.0)
        net = network(rule, weight=law, format=name)
        assert type(net.matrix("a")) is cls
        record = lambda state, output: state["b"].v  # noqa: E731
        found[name] = bf.simulate(net, duration=0.5, dt=0.1, record=record).outputs
    for name in ("fixed_fanout", "dense"):
        # The same sums in another order.
        np.testing.assert_allclose(found[name], found["csr"], rtol=1e-14)


def test_given_delays_of_a_matrix_stored_by_target():
    """They are in the order of its weights."""
    rows = np.array([[0, 2], [1, 2], [0, 1]], np.int32)
    weight = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    delay = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    net = network(bf.event.FixedFanin(weight, rows, shape=(3, 3)), delay=bf.delay.Synaptic(delay))
    matrix, delays = net.matrix("a"), net.pathways["a"].delays
    # Each weight is ten times its delay.
    np.testing.assert_allclose(matrix.data, 10 * np.asarray(delays), rtol=1e-14)


WRONG = {
    "k odd": (ValueError, "`k` must be even", lambda: connect.SmallWorld(3, 0.1)),
    "k large": (
        ValueError,
        "`k` must be at most half of 10",
        lambda: connect.SmallWorld(6, 0.1).build(10, 10, key=jr.key(0)),
    ),
    "two populations": (
        ValueError,
        "`n_pre` = 9 and `n_post` = 10",
        lambda: connect.SmallWorld(2, 0.1).build(9, 10, key=jr.key(0)),
    ),
    "m": (ValueError, "`m` must be at least 1", lambda: connect.ScaleFree(0)),
    "m large": (
        ValueError,
        "`m` must be less than the number of neurons, 4",
        lambda: connect.ScaleFree(4).build(4, 4, key=jr.key(0)),
    ),
    "hubs": (ValueError, "`hubs`", lambda: connect.ScaleFree(2, "none")),
    "p of blocks": (ValueError, "`p`.*1.5", lambda: connect.Blocks([[1.5]], [0, 0])),
    "blocks": (ValueError, r"`pre`.*\[0, 1\)", lambda: connect.Blocks([[0.5]], [0, 1])),
    "no matrix": (ValueError, "`p` must be a matrix", lambda: connect.Blocks([0.5], [0])),
    "block of each": (
        ValueError,
        "`post` of Blocks.*3 neurons, got 2",
        lambda: connect.Blocks([[0.5]], [0, 0]).build(2, 3, key=jr.key(0)),
    ),
    "clusters": (ValueError, "`n` must be a multiple", lambda: connect.clustered(10, 3)),
    "ratio": (ValueError, "`ratio`.*within a cluster", lambda: connect.clustered(10, 5, 0.5, 9.0)),
    "kernel axes": (
        ValueError,
        "`kernel` must have as many axes",
        lambda: connect.Convolution(np.ones(3), (4, 4)),
    ),
    "channels": (
        ValueError,
        "2 channels in",
        lambda: connect.Convolution(np.ones((1, 3, 2, 2)), (2, 4, 4)),
    ),
    "window": (ValueError, "does not fit", lambda: connect.Convolution(np.ones((5, 5)), (4, 4))),
    "stride": (
        ValueError,
        "`stride`",
        lambda: connect.Convolution(np.ones((2, 2)), (4, 4), stride=0),
    ),
    "sheet": (
        ValueError,
        "`n_post` must be 9 for Convolution",
        lambda: connect.Convolution(np.ones((2, 2)), (4, 4)).build(16, 16),
    ),
    "not sparse": (TypeError, "`matrix`.*csr_array", lambda: connect.FromScipy(np.eye(3))),
    "transposed": (
        ValueError,
        "`matrix` must have shape.*matrix.T",
        lambda: connect.FromScipy(scipy.sparse.eye_array(3, 4)).build(4, 3),
    ),
    "no column": (
        ValueError,
        "`source`: the table has no column 'pre'",
        lambda: connect.FromTable(TABLE, source="pre"),
    ),
    "misspelt": (
        ValueError,
        "`weight`: the table has no column 'weigth'.*Did you mean 'weight'",
        lambda: connect.FromTable(TABLE, weight="weigth"),
    ),
    "negative delay": (
        ValueError,
        "`delay`.*not be negative",
        lambda: connect.FromTable(TABLE | {"delay": -TABLE["delay"]}),
    ),
    "strange neuron": (
        ValueError,
        "`source`: 1 rows name neurons.*`pre_ids`",
        lambda: connect.FromTable(TABLE, pre_ids=[0, 1]),
    ),
    "no table": (TypeError, "`table`", lambda: connect.FromTable(3)),
    "no weight": (
        ValueError,
        "`weight` is missing: OneToOne",
        lambda: connect.csr(connect.OneToOne(), 3, 3),
    ),
    "format": (
        ValueError,
        "`format` must be one of .*'csr'.*got 'coo'",
        lambda: connect.matrix(connect.OneToOne(), 3, 3, weight=1.0, format="coo"),
    ),
    "format of a projection": (
        ValueError,
        "`format` of `projection 'a'` must be one of",
        lambda: network(connect.OneToOne(), weight=1.0, format="coo"),
    ),
    "format of a matrix": (
        ValueError,
        "`format` of projection 'a'.*has a format",
        lambda: network(bf.event.Dense(np.eye(3)), format="csr"),
    ),
    "just in time stored": (
        ValueError,
        "`format` must be 'jit'",
        lambda: connect.matrix(
            connect.JustInTime(connect.AllToAll()), 3, 3, weight=1.0, format="csr", key=jr.key(0)
        ),
    ),
    "delays in a format": (
        ValueError,
        "`format` of projection 'a' must be 'csr'",
        lambda: network(
            connect.OneToOne(), weight=1.0, delay=bf.init.Uniform(1.0, 2.0), format="dense"
        ),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls(name):
    error, message, call = WRONG[name]
    with pytest.raises(error, match=f"(?s){message}"):
        call()
