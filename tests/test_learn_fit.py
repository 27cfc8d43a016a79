"""The training loop."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest

import brainfn as bf
from brainfn import learn

KEY = jr.key(0)
RNG = np.random.default_rng(1)
X = RNG.normal(size=(20, 3))
DATA = bf.data.Examples(X, X @ np.array([1.0, -2.0, 0.5]))


def loss(w, batch, key):
    keep = jr.bernoulli(key, 0.8, w.shape)
    error = jnp.mean((batch.x @ jnp.where(keep, w, 0) - batch.y) ** 2)
    return error, {"size": jnp.linalg.norm(w)}


STEP = learn.make_step(loss, optax.adam(0.05))
BATCHES = bf.data.batches(DATA, 6, key=KEY)


def begin():
    return STEP.init(jnp.zeros(3), key=jr.key(5))


def run(data=BATCHES, **kwargs):
    return learn.fit(STEP, begin(), data, progress=False, **{"epochs": 4, **kwargs})


def same(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jr.key_data(x), jr.key_data(y)
        np.testing.assert_array_equal(x, y)


def numbers(records):
    return [{k: v for k, v in r.items() if k != "seconds"} for r in records]


def test_the_loop_is_the_loop_by_hand():
    state, expected = begin(), []
    for epoch in range(4):
        found = []
        for batch in BATCHES.epoch(epoch):
            state, record = STEP(state, batch)
            found.append(record)
        means = {k: float(np.mean([float(r[k]) for r in found])) for k in found[0]}
        expected.append({"epoch": epoch, **means})
    done = run()
    same(done.state, state)
    assert not done.interrupted and int(done.state.step) == 12
    for ours, theirs in zip(numbers(done.records), expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-14)
    assert done.records[-1]["loss"] < done.records[0]["loss"]


def test_steps_by_hand_of_optax():
    state, record = STEP(begin(), bf.data.Examples(X[:6], DATA.y[:6]))
    key = jr.split(jr.key(5))[1]
    batch = bf.data.Examples(X[:6], DATA.y[:6])
    value, grad = jax.value_and_grad(lambda w: loss(w, batch, key)[0])(jnp.zeros(3))
    with jax.numpy_dtype_promotion("standard"):
        updates, _ = optax.adam(0.05).update(grad, optax.adam(0.05).init(jnp.zeros(3)))
    np.testing.assert_allclose(state.model, updates, rtol=1e-14)
    np.testing.assert_allclose(record["loss"], value, rtol=1e-14)


@pytest.mark.parametrize("after", [3, 4, 5])
def test_interrupted_and_resumed_is_uninterrupted(tmp_path, after):
    """After `after` batches, of which an epoch has three."""
    whole = run(evaluate=lambda state: {"loss": jnp.sum(state.model**2)})

    class Breaks:
        """A loader that raises Ctrl-C once."""

        drawn = 0

        def __call__(self, epoch):
            for batch in BATCHES.epoch(epoch):
                if self.drawn == after:
                    self.drawn += 1
                    raise KeyboardInterrupt
                self.drawn += 1
                yield batch

    data, given = Breaks(), {"evaluate": lambda s: {"loss": jnp.sum(s.model**2)}}
    first = run(data, checkpoint=tmp_path / "here", **given)
    assert first.interrupted and int(first.state.step) == after and len(first.records) == 1
    second = run(data, checkpoint=tmp_path / "here", **given)
    same((second.state, second.best), (whole.state, whole.best))
    assert numbers(second.records) == numbers(whole.records)
    # A finished one returns at once, and one of more epochs goes on.
    again = run(checkpoint=tmp_path / "here", **given)
    same(again.state, whole.state)
    more = run(checkpoint=tmp_path / "here", epochs=5, **given)
    same(more.state, run(epochs=5).state)


def test_any_source_of_batches(tmp_path):
    lists = [list(BATCHES.epoch(e)) for e in range(4)]
    whole = run()
    same(run(lambda epoch: iter(lists[epoch])).state, whole.state)
    same(run((b for batches in lists for b in batches), steps=3).state, whole.state)
    # Resumed, an iterator is drawn again up to the place.
    flat = [b for batches in lists for b in batches]
    run(iter(flat), steps=3, epochs=2, checkpoint=tmp_path)
    same(run(iter(flat), steps=3, checkpoint=tmp_path).state, whole.state)
    same(run(lists[0], epochs=1).state, run(epochs=1).state)
    assert int(run(BATCHES, steps=2).state.step) == 8


def test_early_stop_keeps_the_best():
    scores = [0.1, 0.5, 0.4, 0.5, 0.9]
    seen = []
    done = run(
        epochs=9,
        patience=2,
        evaluate=lambda state: {"accuracy": scores[len(seen)]},
        on_epoch=lambda state, record: seen.append((state, record)),
    )
    assert [r["test_accuracy"] for _, r in seen] == scores[:4] == [
        r["test_accuracy"] for r in done.records
    ]  # fmt: skip
    same(done.best, seen[1][0])
    same(done.state, seen[3][0])
    assert len(run(on_epoch=lambda state, record: record["epoch"] == 1).records) == 2
    last = run(score=lambda record: record["epoch"])
    same(last.best, last.state)


def test_an_interrupt_before_the_first_record():
    def nothing():
        raise KeyboardInterrupt
        yield

    done = run(lambda epoch: nothing())
    assert done.interrupted and done.records == []
    same(done.best, begin())


def test_progress_prints_a_line_per_epoch(capsys):
    learn.fit(STEP, begin(), BATCHES, epochs=2, evaluate=lambda s: {"accuracy": 0.5})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith("epoch 2/2: loss ")
    assert "test_accuracy 0.5" in lines[1]


def test_weights_are_trained_and_time_constants_are_not():
    net = bf.nn.Chain(
        bf.nn.Layer(4, bf.nn.lif(3), bias=0.1, recurrent=0.2, key=KEY),
        eqx.nn.Linear(3, 2, key=KEY),
        jax.nn.relu,
    )
    chosen = eqx.filter(net, learn.weights(net))
    assert sorted(x.shape for x in jax.tree.leaves(chosen)) == [(2,), (2, 3), (3,), (3, 3), (4, 3)]
    every = learn.make_step(lambda n, b: 0.0, optax.sgd(1.0), trainable=eqx.is_inexact_array)
    only = learn.make_step(lambda n, b: 0.0, optax.sgd(1.0), trainable=learn.weights(net))
    assert len(jax.tree.leaves(every.init(net).model)) == len(jax.tree.leaves(net))
    assert len(jax.tree.leaves(only._split(net)[0])) == 5


def test_wrong_calls(tmp_path):
    with pytest.raises(TypeError, match=r"optax\.adam"):
        learn.make_step(loss, 0.1)
    with pytest.raises(TypeError, match="`loss`"):
        learn.make_step(0.1, optax.adam(1.0))
    with pytest.raises(ValueError, match="no parameters"):
        STEP.init(jnp.arange(3))
    with pytest.raises(ValueError, match="how many `steps`"):
        run(iter([1]))
    with pytest.raises(TypeError, match="`data` must give batches"):
        run(3)
    with pytest.raises(ValueError, match="no batches in epoch 0"):
        run([])
    with pytest.raises(ValueError, match="scalars"):
        learn.fit(lambda s, b: (s, {"x": X}), 0.0, [1], epochs=1, progress=False)
    run(epochs=1, checkpoint=tmp_path)
    other = learn.make_step(lambda w, b: jnp.sum(w**2), optax.sgd(0.1))
    with pytest.raises(ValueError, match="another model"):
        learn.fit(other, other.init(jnp.zeros(2)), BATCHES, epochs=1, checkpoint=tmp_path)
    path = tmp_path / "training.eqx"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match="damaged"):
        run(checkpoint=tmp_path)
