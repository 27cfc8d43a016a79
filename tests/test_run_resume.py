"""Runs in a folder: records on disk, snapshots, and going on after a kill with the same bits."""

import functools
import io
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
    assert len(a) == len(b) >= 5
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
        "lock", "records", "run.json", "snapshot.before.npz", "snapshot.npz",
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
    with pytest.raises(ValueError, match=r"`duration`: .* has already reached 60 ms, got 25 ms"):
        run(folder, duration=25.0, resume=True)


def test_resume_with_something_else(script, run, tmp_path):
    folder, model = tmp_path / "run", script[1]["model"]
    run(folder, duration=5.0)
    with pytest.raises(ValueError, match=r"already contains a run\. Try resume=True"):
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
        with pytest.raises(
            ValueError, match=r"`resume`: the run in .* started with other arguments"
        ):
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


def lif_run(folder, duration=20.0, **options):
    options = {"inputs": 300.0, "dt": 0.1, "progress": False, "chunk": 5.0, **options}
    return bf.run(bf.neuron.LIF(5), duration=duration, folder=folder, **options)


def test_only_our_own_files_are_read_or_removed(tmp_path):
    (tmp_path / "records").mkdir()
    foreign = ["2024-2025.npz", "draft.tmp", "0-9.npz", "0000000001-0000000002.npz.bak"]
    for name in foreign:
        (tmp_path / "records" / name).write_text("precious")
    with pytest.raises(ValueError, match=r"`folder` must be new, empty .*holds 'records/"):
        lif_run(tmp_path)
    assert sorted(os.listdir(tmp_path / "records")) == sorted(foreign)
    folder = tmp_path / "run"
    lif_run(folder, 10.0)
    for name in foreign:
        (folder / "records" / name).write_text("precious")
    equal(lif_run(folder, resume=True), lif_run(None))
    assert set(foreign) < set(os.listdir(folder / "records"))


DAMAGE = {
    "zeros": lambda raw: bytes(len(raw)),
    "half": lambda raw: raw[: len(raw) // 2],
    "empty": lambda raw: b"",
    "a bit": lambda raw: raw[:100] + bytes([raw[100] ^ 1]) + raw[101:],
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_files_are_named(tmp_path, how):
    folder = tmp_path / "run"
    lif_run(folder, 10.0, snapshot_every=0.0)
    snapshots = ["snapshot.npz", "snapshot.before.npz"]
    whole = {name: (folder / name).read_bytes() for name in snapshots}
    (folder / snapshots[0]).write_bytes(DAMAGE[how](whole[snapshots[0]]))
    with pytest.warns(
        UserWarning, match=r"snapshot.npz' is damaged.* continues from .* after 50 st"
    ):
        equal(lif_run(folder, 15.0, resume=True), lif_run(None, 15.0))
    for name in snapshots:
        (folder / name).write_bytes(DAMAGE[how]((folder / name).read_bytes()))
    with pytest.raises(ValueError, match=r"snapshot.npz.*snapshot.before.npz.*Remove it"):
        lif_run(folder, resume=True)
    for name in snapshots:
        (folder / name).unlink()
    out = lif_run(folder, resume=True)
    equal(out, lif_run(None))
    record = folder / "records" / "0000000050-0000000100.npz"
    record.write_bytes(DAMAGE[how](record.read_bytes()))
    with pytest.raises(ValueError, match=r"0000000050-0000000100.npz' is damaged"):
        np.asarray(out.outputs)
    # The other pieces are as they were.
    np.testing.assert_array_equal(out.outputs[:50], np.asarray(lif_run(None).outputs)[:50])
    if how != "a bit":
        with pytest.raises(ValueError, match=r"0000000050-.* is damaged .* steps 50 to 100"):
            lif_run(folder, 25.0, resume=True)
        (folder / "run.json").write_bytes(DAMAGE[how]((folder / "run.json").read_bytes()))
        with pytest.raises(ValueError, match=r"run.json' is damaged"):
            lif_run(folder, 25.0, resume=True)


@pytest.mark.parametrize("name", ["a\0b", "file/run", "file"])
def test_folders_that_can_not_be(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="`folder`"):
        lif_run(tmp_path / name)


AMPLITUDE = 300.0


class Stimulus:
    def __init__(self, amplitude):
        self.amplitude = amplitude

    def __call__(self, t):
        return self.amplitude + 0 * t

    def method(self, t):
        return self.amplitude + 0 * t


def closure(amplitude):
    return lambda t: amplitude + 0 * t


def default(amplitude):
    def drive(t, a=amplitude):
        return a + 0 * t

    return drive


def uses_a_global(amplitude):
    globals()["AMPLITUDE"] = amplitude
    return lambda t: AMPLITUDE + 0 * t


FUNCTIONS = {
    "constant": lambda a: (lambda t: 300.0 + 0 * t) if a == 300.0 else (lambda t: 400.0 + 0 * t),
    "closure": closure,
    "array in a closure": lambda a: closure(jnp.full(5, a)),
    "default": default,
    "partial": lambda a: functools.partial(lambda a, t: a + 0 * t, a),
    "callable object": Stimulus,
    "method": lambda a: Stimulus(a).method,
    "jitted": lambda a: jax.jit(closure(a)),
    "nested": lambda a: closure(closure(a)(0.0)),
    "global": uses_a_global,
}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_functions_are_compared_by_what_they_do(tmp_path, kind):
    make = FUNCTIONS[kind]
    lif_run(tmp_path, 5.0, inputs=make(300.0))
    lif_run(tmp_path, 6.0, inputs=make(300.0), chunk=None, resume=True)
    with pytest.raises(ValueError, match=r"`resume`: .* started with other arguments.*inputs"):
        lif_run(tmp_path, 7.0, inputs=make(400.0), chunk=None, resume=True)


class Broken(io.StringIO):
    def isatty(self):
        return True

    def write(self, text):
        raise OSError(28, "No space left on device")


class Asks(io.StringIO):
    def isatty(self):
        raise RuntimeError


def closed():
    file = io.StringIO()
    file.close()
    return file


@pytest.mark.parametrize("make", [lambda: None, closed, object, Broken, Asks])
def test_a_progress_bar_never_stops_a_run(monkeypatch, make):
    monkeypatch.setattr(sys, "stderr", make())
    out = lif_run(None, progress=True)
    assert len(out.ts) == 200


def test_load_without_the_model(run, whole, tmp_path):
    run(tmp_path, duration=30.0)
    run(tmp_path, resume=True)
    out = bf.load(tmp_path)
    assert out.steps == 600 and out.dt == 0.1 and set(out.records) == {"v", "s.a"}
    np.testing.assert_array_equal(out.ts, whole.ts)
    np.testing.assert_array_equal(out["v"], whole.outputs["v"])
    for name in ("steps", "neurons", "size", "start", "stop", "dt"):
        np.testing.assert_array_equal(
            getattr(out["s.a"], name), getattr(whole.outputs["s"]["a"], name)
        )
    with pytest.raises(KeyError, match="there is no record 'w', only"):
        out["w"]
    # What is there of a run that was killed: all before the first gap.
    next((tmp_path / "records").glob("0000000300-*")).unlink()
    part = bf.load(os.fspath(tmp_path))
    assert part.steps == 300 == len(part.ts) == len(np.asarray(part["v"]))
    np.testing.assert_array_equal(part["v"], whole.outputs["v"][:300])
    for folder in (tmp_path / "records", tmp_path / "none", "a\0b"):
        with pytest.raises(ValueError, match="`folder`: .* contains no run"):
            bf.load(folder)


def test_load_one_record_of_a_lone_model(tmp_path):
    lif_run(tmp_path, record=bf.record.Spikes(), every=5)
    out = bf.load(tmp_path)
    assert out["outputs"].size == 5 and out["outputs"].stop == 200 and len(out.ts) == 40
