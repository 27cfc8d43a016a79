"""Encoders against their definitions in NumPy, and spike trains from files."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _measured import measured

import brainfn as bf
from brainfn import input as inp


def test_rate_coding():
    x = np.array([[0.0, 0.02, 0.5], [0.9, 1.0, 0.3]])
    n = 20_000
    s = np.asarray(inp.encode_rate(x, n, key=jr.key(0)))
    assert s.shape == (n, 2, 3) and set(np.unique(s)) == {0.0, 1.0}
    # Five standard errors of a binomial count.
    measured(
        "input.encode_rate", "mean of 20 000 steps, in standard errors", against="closed form",
        error=(s.mean(0) - x)[x * (1 - x) > 0] / np.sqrt(x * (1 - x) / n)[x * (1 - x) > 0], bound=5,
    )  # fmt: skip
    assert s[:, 0, 0].sum() == 0 and s[:, 1, 1].sum() == n
    # The derivative is that of the mean.
    weights = jnp.asarray(np.random.default_rng(0).normal(size=(50, 2, 3)))
    slope = jax.jit(jax.grad(lambda x: jnp.sum(weights * inp.encode_rate(x, 50, key=jr.key(0)))))
    np.testing.assert_allclose(slope(jnp.asarray(x)), weights.sum(0), rtol=1e-12)
    # A source emits them as they are.
    net = bf.Network({"in": inp.Signal(3)})
    out = bf.simulate(net, inputs={"in": s[:20, 1]}, duration=2.0, dt=0.1).outputs["in"]
    measured("input.Signal", "values", against="the input", error=out - s[:20, 1], bound=0)
    narrow = inp.encode_rate(jnp.asarray(x, jnp.float32), 5, key=jr.key(0))
    assert narrow.dtype == jnp.float32


def test_latency_coding():
    x = np.array([0.005, 0.01, 0.0101, 0.02, 0.1, 0.5, 1.0, 3.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(x > 0.01, 5.0 * np.log(x / (x - 0.01)), np.inf)
    t = np.asarray(inp.latency(x, 5.0))
    np.testing.assert_array_equal(np.isinf(t), np.isinf(expected))
    measured(
        "input.latency", "time", against="snnTorch's formula in NumPy",
        # The difference x - 0.01 amplifies rounding by 100.
        error=t[2:] / expected[2:] - 1, bound=1e-13,
    )  # fmt: skip
    # A leaky membrane with that current reaches the threshold then.
    steady = x[3:]
    v = steady * (1 - np.exp(-t[3:] / 5.0))
    np.testing.assert_allclose(v, 0.01, rtol=1e-12)
    s = np.asarray(inp.encode_latency(x, 30, 0.1, tau=5.0))
    step = np.floor(np.where(np.isinf(expected), 1e9, expected) / 0.1)
    np.testing.assert_array_equal(s, np.arange(30)[:, None] == step)
    # Linear: spikingjelly's LatencyEncoder.
    y = np.linspace(0, 1, 12).reshape(3, 4)
    s = np.asarray(inp.encode_latency(y, 20, 0.1))
    np.testing.assert_array_equal(s.argmax(0), np.rint(19 * (1 - y)))
    np.testing.assert_array_equal(s.sum(0), 1)

    def loss(x, tau, threshold):
        t = inp.latency(x, tau, threshold=threshold)
        return jnp.sum(jnp.where(jnp.isinf(t), 0.0, t) * jnp.arange(1.0, 4.0))

    at = (jnp.asarray([0.005, 0.3, 0.8]), jnp.asarray(5.0), jnp.asarray(0.01))
    got = jax.jit(jax.grad(loss, (0, 1, 2)))(*at)
    f, h = jax.jit(loss), 1e-6
    assert float(got[0][0]) == 0
    for a, b in ((1, 0), (2, 0), (0, 1), (0, 2)):
        move = [jnp.zeros_like(z) for z in at]
        move[b] = move[b].at[a].set(h) if b == 0 else jnp.asarray(h * 0.1)
        up, down = (f(*[z + d * m for z, m in zip(at, move, strict=True)]) for d in (1, -1))
        slope = got[b][a] if b == 0 else got[b]
        # Central differences in float64: h^2 / x^2, and rounding / h.
        np.testing.assert_allclose(slope, (up - down) / (2 * (h if b == 0 else h * 0.1)), rtol=1e-6)


def test_phase_coding():
    rng = np.random.default_rng(0)
    x = np.concatenate([[0.0, 0.5, 0.75, 1.0, 1 / 3], rng.random(20)])
    bits = 6
    s = np.asarray(inp.encode_phase(x, 2 * bits + 2, bits=bits))
    # The successive comparison of spikingjelly's WeightedPhaseEncoder.
    rest = np.minimum(x, 1 - 2.0**-bits)
    expected = []
    for k in range(bits):
        spike = rest >= 2.0 ** -(k + 1)
        rest = rest - spike * 2.0 ** -(k + 1)
        expected.append(spike)
    expected = np.concatenate([expected, expected, expected[:2]])
    np.testing.assert_array_equal(s, expected)
    back = np.asarray(inp.decode_phase(s, bits=bits))
    measured(
        "input.encode_phase", "value of 6 bits", against="itself", error=back - x, bound=2.0**-bits
    )
    assert np.all(back <= x)
    slope = jax.grad(lambda s: jnp.sum(inp.decode_phase(s, bits=bits)))(jnp.asarray(s))
    np.testing.assert_array_equal(slope[: 2 * bits, 0], np.tile(2.0 ** -np.arange(1, 7), 2) / 2)


def test_delta_modulation():
    t = np.linspace(0, 20, 400)
    x = np.stack([np.sin(t), 0.187 * t, np.full_like(t, 0.3), -np.cumsum(0.0301 * np.ones(400))], 1)
    theta = 0.1
    on, off = (np.asarray(s) for s in inp.encode_delta(x, theta))
    # By hand, as the algorithm is published.
    base, up, down = x[0].copy(), [], []
    for now in x:
        u, d = now - base >= theta - 1e-12, now - base <= -theta + 1e-12
        base = base + theta * (u.astype(float) - d)
        up.append(u)
        down.append(d)
    np.testing.assert_array_equal(on, up)
    np.testing.assert_array_equal(off, down)
    assert not np.any(on * off) and not on[:, 2].any() and not on[:, 3].any()
    back = np.asarray(inp.decode_delta(on, off, theta, start=x[0]))
    # The signal moves by less than a threshold in a step; rounding of 400 sums.
    measured(
        "input.encode_delta", "signal from its spikes", against="the signal", error=back - x,
        bound=theta * (1 + 1e-9),
    )  # fmt: skip

    def loss(theta, start):
        return jnp.sum(inp.decode_delta(on, off, theta, start=start)[-1])

    slopes = jax.grad(loss, (0, 1))(jnp.asarray(theta), jnp.asarray(x[0]))
    np.testing.assert_allclose(slopes[0], (on - off).sum(), rtol=1e-12)
    np.testing.assert_array_equal(slopes[1], 1)


def test_population_coding():
    x = np.linspace(-1.0, 3.0, 9).reshape(3, 3)
    n, low, high, beta = 7, -1.0, 3.0, 1.5
    a = np.asarray(inp.encode_fields(x, n, low=low, high=high, beta=beta))
    i = np.arange(1, n + 1)
    centres = low + (2 * i - 3) / 2 * (high - low) / (n - 2)
    sigma = (high - low) / (beta * (n - 2))
    expected = np.exp(-((x[..., None] - centres) ** 2) / (2 * sigma**2))
    measured(
        "input.encode_fields", "responses", against="NumPy", error=a - expected, bound=1e-14
    )  # fmt: skip
    # As published: the responses become spike times.
    s = np.asarray(inp.encode_latency(a, 11, 1.0))
    np.testing.assert_array_equal(s.argmax(0), np.rint(10 * (1 - expected)))

    def loss(x, beta):
        return jnp.sum(inp.encode_fields(x, n, low=low, high=high, beta=beta) * jnp.arange(7.0))

    at, h = (jnp.asarray(0.37), jnp.asarray(1.5)), 1e-6
    got = jax.jit(jax.grad(loss, (0, 1)))(*at)
    for k in range(2):
        up, down = (loss(*[z + d * h * (j == k) for j, z in enumerate(at)]) for d in (1, -1))
        # Central differences in float64: h^2, and rounding / h.
        np.testing.assert_allclose(got[k], (up - down) / (2 * h), rtol=1e-7)


def test_encoders_in_a_batch():
    x = jnp.asarray(np.random.default_rng(0).random((4, 3)))

    def all_of(x):
        fields = inp.encode_fields(x, 5, low=0.0, high=1.0)
        return (
            inp.encode_latency(fields, 6, 0.1),
            inp.encode_phase(x, 8),
            inp.encode_delta(jnp.stack([x, 2 * x]), 0.2),
            inp.encode_rate(x, 4, key=jr.key(0)),
        )

    batch, single = jax.jit(jax.vmap(all_of))(x), jax.jit(all_of)
    for i in range(4):
        jax.tree.map(lambda a, b, i=i: np.testing.assert_array_equal(a[i], b), batch, single(x[i]))


def test_spikes_from_files(tmp_path):
    rng = np.random.default_rng(0)
    times, units = np.sort(rng.uniform(0, 100, 50)), rng.integers(0, 7, 50)
    np.savez(tmp_path / "a.npz", times=times, units=units)
    np.savez(tmp_path / "b.npz", senders=units + 1, time_ms=times)
    rows = list(zip(times, units, strict=True))
    (tmp_path / "a.csv").write_text("unit,time\n" + "\n".join(f"{u},{t!r}" for t, u in rows))
    (tmp_path / "b.csv").write_text("\n".join(f"{float(t)!r}, {u}" for t, u in rows) + "\n\n")
    (tmp_path / "a.gdf").write_text("\n".join(f"{u + 1}\t{float(t)!r}\t" for t, u in rows))
    header = "# NEST version: 3\n# RecordingBackendASCII version: 2\nsender\ttime_ms\n"
    (tmp_path / "b.dat").write_text(header + "\n".join(f"{u + 1}\t{float(t)!r}" for t, u in rows))
    (tmp_path / "c.txt").write_text("\n".join(f"{float(t)!r} {u}.0  # spike" for t, u in rows))
    text = (tmp_path / "a.csv").read_text().replace("np.float64(", "").replace(")", "")
    (tmp_path / "a.csv").write_text(text)
    for name, first in (
        ("a.npz", 0), ("b.npz", 1), ("a.csv", 0), ("b.csv", 0), ("a.gdf", 1), ("b.dat", 1),
        ("c.txt", 0),
    ):  # fmt: skip
        got = inp.load_spikes(tmp_path / name, first=first)
        np.testing.assert_array_equal(got[0], times, err_msg=name)
        np.testing.assert_array_equal(got[1], units, err_msg=name)
    source = inp.SpikeTimes(7, *inp.load_spikes(str(tmp_path / "a.gdf"), first=1), stamp="end")
    np.testing.assert_array_equal(source.times, times)
    (tmp_path / "empty.csv").write_text("")
    assert inp.load_spikes(tmp_path / "empty.csv")[0].shape == (0,)


BAD_FILES = {
    "no.npz": (None, "there is no file"),
    "x.mat": ("1 2", "must end with"),
    "a.npz": (b"PK not a zip", "a.npz is not a file of arrays"),
    "b.csv": ("1.0,2\n3.0\n", "b.csv, line 2: expected a time and a unit"),
    "c.csv": ("1.0,2\n3.0,x\n", "c.csv, line 2: expected a time and a unit"),
    "d.csv": ("when,who\n3.0,1\n", "d.csv, line 1: the names of the columns"),
    "e.gdf": ("0.5 1\n", "e.gdf, line 1: units must be whole numbers.*exchanged"),
    "f.csv": ("-1.0,2\n", "f.csv: times must be finite and not negative"),
    "g.csv": ("nan,2\n", "g.csv: times must be finite"),
    "h.csv": ("1.0,nan\n", "h.csv, line 1: units must be whole numbers"),
    "i.txt": (b"\xff\xfe\x00\x81", "i.txt is not a text file"),
    "j.csv": ("1.0,-2\n", "j.csv: units must be at least `first` = 0, got -2"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_named(tmp_path, name):
    content, message = BAD_FILES[name]
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FileNotFoundError if content is None else ValueError, match=message):
        inp.load_spikes(tmp_path / name)


def test_bad_archives_are_named(tmp_path):
    for arrays, message in (
        ({"times": [1.0]}, "there must be arrays `times` and `units`"),
        ({"times": [1.0], "units": [1, 2]}, "lists of equal length"),
        ({"times": [1.0], "units": [1.5]}, "`units` must be whole numbers"),
        ({"times": ["a"], "units": [1]}, "must hold numbers"),
        ({"times": np.array([None]), "units": [1]}, "is not a file of arrays"),
    ):
        np.savez(tmp_path / "x.npz", **arrays)
        with pytest.raises(ValueError, match=message):
            inp.load_spikes(tmp_path / "x.npz")
