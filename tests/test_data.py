"""Data: files, batches, generated tasks."""

import gzip
import os

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _measured import measured

import brainfn as bf
from brainfn import data

KEY = jr.key(3)


def write_idx(path, array, opened=gzip.open):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    with opened(path, "wb") as file:
        file.write(head + array.astype(np.uint8).tobytes())


def test_idx_files(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 4, 3))
    labels = np.array([0, 9, 3, 3, 1])
    for part in ("train", "t10k"):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels, open)
    train, test = data.fashion_mnist(tmp_path)
    np.testing.assert_array_equal(train.x, (images / np.float32(255)).astype(np.float32))
    np.testing.assert_array_equal(test.y, labels)
    assert train.x.dtype == np.float32 and test.y.dtype == np.int32
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", labels[:4], open)
    with pytest.raises(ValueError, match="5 images for 4 labels"):
        data.fashion_mnist(tmp_path)
    whole = (tmp_path / "train-images-idx3-ubyte.gz").read_bytes()
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(whole[:40])
    with pytest.raises(ValueError, match="damaged"):
        data.fashion_mnist(tmp_path)
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", labels)
    with pytest.raises(ValueError, match="not an IDX file"):
        data.fashion_mnist(tmp_path)
    with pytest.raises(FileNotFoundError, match="apt-get install dataset-fashion-mnist"):
        data.fashion_mnist(tmp_path / "nowhere")


@pytest.mark.skipif(
    not os.path.exists("/usr/share/datasets/fashion-mnist"), reason="Debian's package is missing"
)
def test_fashion_mnist_is_balanced():
    train, test = data.fashion_mnist()
    assert train.x.shape == (60_000, 28, 28) and test.x.shape == (10_000, 28, 28)
    assert np.all(np.bincount(train.y) == 6000) and np.all(np.bincount(test.y) == 1000)
    # The mean and standard deviation that its users normalise with.
    np.testing.assert_allclose([train.x.mean(), train.x.std()], [0.2860, 0.3530], atol=1e-4)


def test_digits():
    from sklearn.datasets import load_digits

    train, test = data.digits(test=97)
    assert len(train.y) == 1700 and len(test.y) == 97
    np.testing.assert_array_equal(np.concatenate([train.x, test.x]), load_digits().images / 16)


def test_batches_are_a_function_of_the_key_and_the_epoch():
    arrays = data.Examples(np.arange(10) * 2, np.arange(10))
    made = data.batches(arrays, 4, key=KEY)
    assert len(made) == 2 and len(data.batches(arrays, 4, keep_rest=True)) == 3
    first, again, next_ = ([b.y for b in made.epoch(i)] for i in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, [b.y for b in made])
    assert not np.array_equal(first, next_)
    np.testing.assert_array_equal(next(made.epoch(0, 1)).y, first[1])
    rest = list(data.batches(arrays, 4, key=KEY, keep_rest=True))
    assert [len(b.y) for b in rest] == [4, 4, 2]
    seen = np.concatenate([b.y for b in rest])
    assert sorted(seen) == list(range(10)) and not np.array_equal(seen, np.arange(10))
    np.testing.assert_array_equal(np.concatenate([b.x for b in rest]), 2 * seen)
    np.testing.assert_array_equal(next(iter(data.batches(arrays, 4))).y, np.arange(4))


def test_yin_yang():
    points = data.yin_yang(3000, key=KEY)
    x, y, *mirror = np.asarray(points.x).T
    np.testing.assert_allclose(mirror, [1 - x, 1 - y])
    assert np.all(np.hypot(x - 0.5, y - 0.5) <= 0.5)
    label = np.asarray(points.y)
    dots = np.minimum(np.hypot(x - 0.25, y - 0.5), np.hypot(x - 0.75, y - 0.5)) <= 0.1
    np.testing.assert_array_equal(label == 2, dots)
    # Turned by half a circle, one half is the other.
    yang = np.asarray(jax.vmap(data._points._yin_yang_class)(1 - points.x[:, :2]))
    np.testing.assert_array_equal(yang[label < 2], 1 - label[label < 2])
    # Equal classes: five standard deviations of a binomial count.
    assert np.all(np.abs(np.bincount(label) - 1000) < 5 * np.sqrt(3000 * 2 / 9))
    # Even within a class: each half has the area (1 - 2 * 0.1^2 / 0.5^2) / 2 of the disc, and the
    # small left disc, without its dot, belongs to one half.
    one = label == 1
    part = np.mean(np.hypot(x - 0.25, y - 0.5)[one] <= 0.25)
    area = (0.25**2 - 0.1**2) / ((0.5**2 - 2 * 0.1**2) / 2)
    assert abs(part - area) < 5 * np.sqrt(area * (1 - area) / one.sum())


def test_randman():
    given = {"classes": 3, "units": 6, "steps": 50, "harmonics": 50, "manifold": jr.key(1)}
    a = data.randman(400, key=KEY, **given)
    x = np.asarray(a.x)
    assert x.shape == (400, 6) and x.min() >= 0 and x.max() < 50
    assert x.dtype == np.int32 and np.unique(np.asarray(a.y)).tolist() == [0, 1, 2]
    # The same manifolds with another key: each example lies near one of its class.
    b = data.randman(100, key=jr.key(8), **given)
    distance = np.abs(np.asarray(b.x)[:, None] - x).max(-1)
    assert np.mean(np.asarray(a.y)[distance.argmin(1)] == np.asarray(b.y)) > 0.9
    c = data.randman(100, key=jr.key(8), **{**given, "manifold": jr.key(2)})
    distance = np.abs(np.asarray(c.x)[:, None] - x).max(-1)
    assert np.mean(np.asarray(a.y)[distance.argmin(1)] == np.asarray(c.y)) < 0.7


def test_mackey_glass():
    x = data.mackey_glass(101, substeps=10)
    known = {10: 0.652404292505001, 17: 0.491972096710356, 34: 1.0323271882947,
             50: 1.0609543628975, 100: 1.01372401652412}  # fmt: skip
    measured(
        "data.mackey_glass", "values up to t = 100", against="Taylor series of 40 digits",
        # Order four at h = 0.1.
        error=[x[t] - value for t, value in known.items()], bound=1e-6,
    )  # fmt: skip
    np.testing.assert_array_equal(data.mackey_glass(20, skip=81), x[81:])
    other = data.mackey_glass(101, key=KEY)
    assert 0 < abs(float(other[0]) - 1.2) <= 0.1


def test_sequential():
    images = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    np.testing.assert_array_equal(data.sequential(images)[..., 0], images.reshape(2, 12))
    np.testing.assert_array_equal(data.sequential(images, "row"), images)
    permuted = data.sequential(images, key=KEY)
    assert permuted.shape == (2, 12, 1)
    np.testing.assert_array_equal(np.sort(permuted[0, :, 0]), np.arange(12))
    np.testing.assert_array_equal(permuted[1], permuted[0] + 12)
    assert not np.array_equal(permuted[0, :, 0], np.arange(12))


def test_evidence_accumulation():
    trials = data.evidence_accumulation(200, key=KEY)
    x, y = np.asarray(trials.x), np.asarray(trials.y)
    assert x.shape == (200, 2250, 40) and x.dtype == bool
    np.testing.assert_array_equal(np.flatnonzero(trials.mask), np.arange(2100, 2250))
    groups = x.reshape(200, 2250, 4, 10)
    # Rates in Hz; five standard errors of Poisson counts.
    for part, hz in ((groups[:, 2100:, 2], 40), (groups[:, :, 3], 10)):
        assert abs(part.mean() * 1000 - hz) < 5 * np.sqrt(hz * 1000 / part.size)
    assert not groups[:, :2100, 2].any() and not groups[:, 1050:, :2].any()
    cue = groups[:, :1050, :2].reshape(200, 7, 150, 2, 10)
    assert not cue[:, :, :25].any() and not cue[:, :, 125:].any()
    counts = cue.sum(axis=(2, 4))  # about 40 spikes on one side
    assert np.all((counts == 0).sum(-1) == 1)
    side = counts.argmax(-1)
    np.testing.assert_array_equal(side.sum(1) > 3, y)
    # 0.7 of the cues are on the likely side, which is that of most of them: majority of 7.
    agree = (side == y[:, None]).mean()
    n = np.arange(8)
    p = np.array([1, 7, 21, 35, 35, 21, 7, 1]) * 0.7**n * 0.3 ** (7 - n)
    assert abs(agree - (p * np.maximum(n, 7 - n)).sum() / 7) < 5 * 0.5 / np.sqrt(1400)


def test_delayed_match_to_sample():
    trials = data.delayed_match_to_sample(120, key=KEY, dt=2.0)
    x, y = np.asarray(trials.x), np.asarray(trials.y)
    assert x.shape == (120, 1250, 100) and np.asarray(trials.mask).sum() == 250
    quiet = np.concatenate([x[:, :250], x[:, 500:1000]], axis=1)
    assert abs(quiet.mean() - 0.002) < 5 * np.sqrt(0.002 / quiet.size)
    # The direction from the population vector of either stimulus.
    angle = np.exp(2j * np.pi * np.arange(100) / 100)
    shown = [np.angle((x[:, a:b].sum(1) * angle).sum(1)) for a, b in ((250, 500), (1000, 1250))]
    apart = np.abs(np.angle(np.exp(1j * (shown[0] - shown[1]))))
    np.testing.assert_array_equal(apart < np.pi / 8, y)
    assert 30 < y.sum() < 90
    # The tuning's mean is 40 Hz times that of exp(2 (cos - 1)), a Bessel function, plus 1 Hz.
    from scipy.special import ive

    hz = x[:, 250:500].mean() / 0.002
    assert abs(hz - (40 * ive(0, 2.0) + 1)) < 5 * np.sqrt(hz * 500 / (120 * 250 * 100))


def test_saccades():
    image = np.zeros((2, 9, 9), np.float32)
    image[0, 3:6, 3:6] = 1.0
    events = np.asarray(data.saccades(image, 60, size=2.0, threshold=0.2, floor=0.5))
    assert events.shape == (2, 60, 2, 9, 9) and events.dtype == bool
    assert not events[1].any()  # nothing in the dark
    on, off = events[0].sum(axis=0)
    # The gaze comes back, and so does brightness, up to the last threshold, which is met exactly.
    assert np.all((on - off.astype(int)) ** 2 <= 1) and on.sum() > 20
    # The first saccade moves the image up: OFF at its lower edge, ON above its upper one.
    early = events[0, :19]
    assert early[:, 0, 2, 4].any() and early[:, 1, 5, 4].any() and not early[:, 1, 2, 4].any()
    noisy = data.saccades(image, 60, size=2.0, noise=0.02, key=KEY)
    rate = np.asarray(noisy)[1].mean()
    assert abs(rate - 0.02) < 5 * np.sqrt(0.02 / noisy[1].size)


def test_steps_of_a_latency_code_as_bits():
    x = jr.uniform(KEY, (3, 13))
    spikes = jax.vmap(lambda x: bf.input.encode_latency(x, 40, 1.0, tau=20.0, threshold=0.2))(x)
    bits = bf.nn.pack_steps(bf.input.latency(x, 20.0, threshold=0.2), 40)
    assert bits.shape == (3, 40, 13) and 0 < float(spikes.sum()) < 39
    np.testing.assert_array_equal(bits.bits, bf.nn.pack(spikes).bits)
    many = bf.nn.pack_steps(jnp.array([-1, 0, 299, 300]), 300).unpack()
    np.testing.assert_array_equal(many.sum(1).nonzero()[0], [0, 299])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.digits(test=0), "`test`"),
        (lambda: data.batches([np.ones(3), np.ones(4)], 2), "same number of examples"),
        (lambda: data.batches(np.ones(3), 4), "keep_rest"),
        (lambda: data.batches({}, 4), "`arrays`"),
        (lambda: data.evidence_accumulation(1, key=KEY, cues=4), "odd"),
        (lambda: data.evidence_accumulation(1, key=KEY, cue=0.5), "`cue`"),
        (lambda: data.evidence_accumulation(1, key=KEY, probability=2.0), "`probability`"),
        (lambda: data.mackey_glass(3, tau=0.05), "`tau`"),
        (lambda: data.sequential(np.ones(3)), "rows and columns"),
        (lambda: data.sequential(np.ones((3, 3)), "column"), "'pixel' or 'row'"),
        (lambda: data.saccades(np.ones((3, 3)), noise=0.1), "`noise`"),
        (lambda: bf.nn.pack_steps(3, 10), "axis of neurons"),
    ],
)
def test_wrong_calls(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
