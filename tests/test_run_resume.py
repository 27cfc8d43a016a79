"""Runs in a folder: records on disk, snapshots, and going on after a kill with the same bits."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import brainfn as bf

# What the killed process runs; tests read it as a module, so that both run the same model.
SCRIPT = """
import os
import signal
import sys

import brainfn as bf
import jax
import jax.numpy as jnp
import jax.random as jr

KEY = jr.key(1)


def model(weight=20.0):
    lif = bf.neuron.LIF(20, v_init=bf.init.Normal(-55.0, 3.0))
    loop = bf.Projection(
        "a", "a", bf.connect.FixedProbability(0.3), weight=weight,
        synapse=bf.synapse.Exponential(5.0), output=bf.synapse.Current(), delay=2.3,
    )
    return bf.Network({"a": lif}, [loop], key=jr.key(0))


def voltage(state, output):
    return state["a"].v


def drive(t):
    return 250 + 20 * jnp.cos(t)


RECORD = {"v": voltage, "n": bf.record.SpikeCount(), "s": bf.record.Spikes()}


def run(folder, **options):
    options = {"duration": 60.0, "chunk": 5.0, "snapshot_every": 0.0, **options}
    options = {"inputs": drive, "record": RECORD, "key": KEY, "progress": False, **options}
    return bf.run(options.pop("model", None) or model(), dt=0.1, folder=folder, **options)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    folder, last = sys.argv[1], int(sys.argv[2])
    replace, calls = os.replace, []

    def kill(*paths):
        calls.append(paths)
        if len(calls) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*paths)

    os.replace = kill
    run(folder, resume=True)
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("script") / "killed.py"
    path.write_text(SCRIPT)
    namespace = {"__name__": "killed"}
    exec(compile(SCRIPT, str(path), "exec"), namespace)
    return path, namespace


@pytest.fixture(scope="module")
def run(script):
    return script[1]["run"]


@pytest.fixture(scope="module")
def whole(run):
    return run(None)


def equal(a, b):
    a, b = jax.tree.leaves((a.ts, a.outputs, a.state)), jax.tree.leaves((b.ts, b.outputs, b.state))
    assert len(a) == len(b) > 5
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y), strict=True)


def test_folder_gives_the_same(run, whole, tmp_path):
    out = run(tmp_path / "run")
    equal(out, whole)
    stored = out.outputs["v"]
    assert isinstance(stored, bf.StoredArray)
    assert (stored.shape, stored.dtype, stored.ndim) == ((600, 20), np.float64, 2)
    v = whole.outputs["v"]
    for index in (0, -1, 77, slice(45, 105), slice(None), slice(10, 400, 7), slice(9, 3), (3, 4),
                  (slice(20, 60), slice(2, 5)), slice(None, None, -1), [5, 2], ...):  # fmt: skip
        np.testing.assert_array_equal(stored[index], v[index], strict=True)
    assert [piece.shape for piece in stored.chunks()] == [(50, 20)] * 12
    with pytest.raises(IndexError):
        stored[600]
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "lock", "records", "run.json", "snapshot.npz",
    ]  # fmt: skip


# The process dies when the n-th file is written but does not have its name yet: in a new folder
# the manifest, then for each chunk its records and a snapshot.
@pytest.mark.parametrize("last", [(1, 2), (3, 8)])
def test_resume_after_kill(script, run, whole, tmp_path, last):
    """Killed again and again, at different moments: the same bits in the end."""
    folder = tmp_path / "run"
    # The tests may run on sources that are not installed.
    paths = [str(Path(bf.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    for n in last:
        call = [sys.executable, str(script[0]), str(folder), str(n)]
        killed = subprocess.run(call, capture_output=True, timeout=300, env=environment)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    out = run(folder, resume=True)
    equal(out, whole)
    names = sorted(p.name for p in (folder / "records").iterdir())
    assert len(names) == 12 and not any(name.endswith(".tmp") for name in names)


def test_resume_with_other_chunks_and_longer(run, whole, tmp_path):
    """Resuming a finished run returns it; a longer duration prolongs it."""
    folder = tmp_path / "run"
    first = run(folder, duration=25.0)
    again = run(folder, duration=25.0, resume=True)
    equal(first, again)
    equal(run(folder, resume=True, chunk=7.0), whole)
    with pytest.raises(ValueError, match=r"`duration`: .* has already made 60 ms, got 25 ms"):
        run(folder, duration=25.0, resume=True)


def test_resume_with_something_else(script, run, tmp_path):
    folder, model = tmp_path / "run", script[1]["model"]
    run(folder, duration=5.0)
    with pytest.raises(ValueError, match=r"holds a run already\. Try resume=True"):
        run(folder, duration=10.0)
    other = eqx.tree_at(lambda m: m.populations["a"].tau, model(), jnp.asarray(21.0))
    wrong = [
        ({"model": other}, r"differs: model.populations\['a'\].tau. Give"),
        ({"model": model(weight=3.0)}, r"model.pathways\['a'\].weight"),
        ({"key": jr.key(7)}, "differs: key"),
        ({"every": 2}, "differs: every"),
        ({"inputs": 3.0}, "inputs"),
        ({"record": bf.record.nothing}, "record"),
        ({"state": model().init(key=jr.key(0), dt=0.1)}, "state"),
    ]
    for options, match in wrong:
        with pytest.raises(ValueError, match=r"`resume`: the run in .* made of something else"):
            run(folder, duration=10.0, resume=True, **options)
        with pytest.raises(ValueError, match=match):
            run(folder, duration=10.0, resume=True, **options)
    manifest = folder / "run.json"
    old = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**old, "format": 0}))
    with pytest.raises(ValueError, match="another version"):
        run(folder, duration=10.0, resume=True)


def test_resume_with_other_series(run, whole, tmp_path):
    """Arrays along time are compared as far as they were used."""
    values = np.random.default_rng(0).normal(250, 30, 600)
    options = {"record": script_record, "resume": True}
    reference = run(None, inputs={"a": values}, record=script_record)
    run(tmp_path / "run", inputs={"a": values[:250]}, duration=25.0, **options)
    for place in (0, 249):
        other = values.copy()
        other[place] += 1
        with pytest.raises(ValueError, match="driven by other `inputs` in its first 25 ms"):
            run(tmp_path / "run", inputs={"a": other}, **options)
    equal(run(tmp_path / "run", inputs={"a": values}, **options), reference)


def script_record(state, output):
    return {"v": state["a"].v, "s": output["a"]}


def test_records_that_are_missing(run, tmp_path):
    run(tmp_path, duration=25.0)
    next((tmp_path / "records").glob("0000000050-*")).unlink()
    with pytest.raises(ValueError, match="records of steps 50 to 250 are missing"):
        run(tmp_path, duration=30.0, resume=True)


def test_two_processes_do_not_meet(run, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    with open(tmp_path / "lock", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="another process is running"):
            run(tmp_path)


class Walk(bf.AbstractModel):
    """A state with a random key and a dtype that NumPy lacks."""

    def init(self, *, key=None):
        return {"key": key, "x": jnp.zeros(3, jnp.bfloat16)}

    def step(self, state, inputs, clock, *, key=None):
        key, sub = jr.split(state["key"])
        x = state["x"] + jr.normal(sub, 3, jnp.bfloat16)
        return {"key": key, "x": x}, x


def test_states_that_numpy_lacks(tmp_path):
    options = {"dt": 1.0, "key": jr.key(3), "progress": False}
    a = bf.run(Walk(), duration=20.0, **options)
    bf.run(Walk(), duration=10.0, folder=tmp_path, **options)
    b = bf.run(Walk(), duration=20.0, folder=tmp_path, resume=True, **options)
    assert b.outputs.dtype == jnp.bfloat16
    np.testing.assert_array_equal(np.asarray(b.outputs), a.outputs)
    x, y = a.state.model_state, b.state.model_state
    np.testing.assert_array_equal(x["x"], y["x"])
    assert jnp.all(jr.key_data(x["key"]) == jr.key_data(y["key"]))
