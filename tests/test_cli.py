"""The command line: what it prints and writes, and how it says that something is wrong."""

import json
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

import brainfn as bf
from brainfn.__main__ import main

FAST = ["--scale", "0.1", "--duration", "20"]


@pytest.fixture(autouse=True)
def restore_precision(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    jax.config.update("jax_enable_x64", True)


def run(*arguments):
    return main(["run", *arguments])


def test_run_prints_and_writes(tmp_path, capsys):
    assert run("coba", *FAST, "--precision", "64", "--seed", "3") == 0
    out = capsys.readouterr().out
    for text in (
        "COBA with 20 mV drive",
        "excitatory rate (Hz)",
        "CV of intervals",
        "synchrony",
        "build",
        "compile",
        "run",
        "real-time factor",
        "synaptic events",
        "400 neurons",
    ):
        assert text in out
    folder = tmp_path / "results" / "coba-drive"
    written = {path.name for path in folder.iterdir()}
    assert written == {"overview.png", "spikes.npz", "summary.json"}
    for path in folder.iterdir():
        assert path.name in out
    summary = json.loads((folder / "summary.json").read_text())
    spikes = np.load(folder / "spikes.npz")
    in_window = spikes["exc_times"] < 20.0
    assert summary["settings"]["seed"] == 3
    # 320 neurons, 20 ms.
    assert summary["figures"]["rate_exc"] == pytest.approx(in_window.sum() / 320 / 0.02)
    assert summary["config"]["x64"] is True


def test_run_gives_what_simulate_gives(tmp_path):
    run("cuba", *FAST, "--precision", "64", "--out", "here", "--no-plot")
    spikes = np.load(tmp_path / "here" / "spikes.npz")
    build, key = jax.random.split(jax.random.key(0))
    network, drive = bf.zoo.vogels_abbott("cuba-brian", scale=0.1, key=build, surrogate=None)
    out = bf.simulate(network, inputs=drive, duration=20.0, dt=0.1, key=key)
    steps, neurons = np.nonzero(np.asarray(out.outputs["exc"]))
    np.testing.assert_allclose(spikes["exc_times"], steps * 0.1, rtol=1e-12)
    np.testing.assert_array_equal(spikes["exc_neurons"], neurons)
    assert not (tmp_path / "here" / "overview.png").exists()


def test_variant_with_another_source_of_spikes(tmp_path):
    run("coba", "--variant", "kick", *FAST, "--precision", "64", "--no-plot")
    spikes = np.load(tmp_path / "results" / "coba-kick" / "spikes.npz")
    assert spikes["kick_size"] == 50
    assert spikes["kick_times"].min() >= 1.0


def test_list_names_all_variants_and_their_sources(capsys):
    assert run("--list") == 0
    out = capsys.readouterr().out
    for name, entry in bf.zoo.VOGELS_ABBOTT.items():
        network, variant = name.split("-")
        assert f"{network} --variant {variant}" in out
        assert entry.source.split(":")[0] in out


def test_an_experiment_takes_the_place_of_a_run(tmp_path, capsys, monkeypatch):
    def drawn():
        return bf.plot.new_figure(1.0, 1.0)

    def experiment(variant, *, scale, duration, dt, key):
        assert (variant, scale, duration, dt) == ("only", 2.0, 30.0, 0.5)
        draws = np.asarray(jax.random.normal(key, 3))
        return bf.zoo.Outcome({"accuracy": 0.75}, {"draws": draws}, "3 trials", 90.0, drawn)

    entry = bf.zoo.Entry(
        name="coin",
        title="a coin",
        source="nobody",
        size="1 neuron",
        expected="half",
        variants={
            "only": bf.zoo.Variant("Coin", "none", reference={"Bernoulli": {"": {"accuracy": 0.5}}})
        },
        experiment=experiment,
        rows={"accuracy": ("how often right", "{:.2f}")},
        scale=2.0,
        dt=0.5,
    )
    monkeypatch.setitem(bf.zoo.NETWORKS, "coin", entry)
    assert run("coin", "--duration", "30") == 0
    out = capsys.readouterr().out
    for text in ("how often right", "0.75", "0.50", "Bernoulli", "3 trials", "real-time factor"):
        assert text in out
    folder = tmp_path / "results" / "coin"
    assert {p.name for p in folder.iterdir()} == {"overview.png", "results.npz", "summary.json"}
    assert json.loads((folder / "summary.json").read_text())["figures"] == {"accuracy": 0.75}
    assert np.load(folder / "results.npz")["draws"].shape == (3,)


@pytest.mark.parametrize("name", bf.zoo.NETWORKS)
def test_every_network_says_what_it_is(name, capsys):
    entry = bf.zoo.NETWORKS[name]
    assert entry.name == name and name.isidentifier()
    assert (entry.build is None) != (entry.experiment is None)
    assert entry.build is None or entry.figures is not None
    for text in (entry.title, entry.source, entry.size, entry.expected, entry.python):
        assert text
    assert entry.variants and all(v.title and v.source for v in entry.variants.values())
    assert run("--list") == 0
    out = capsys.readouterr().out
    assert f"{name}: {entry.title}" in out and entry.expected[:40] in out


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["info", "--help"]])
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    assert len(capsys.readouterr().out) > 50


def test_version_and_info_and_nothing(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert "brainfn" in capsys.readouterr().out
    assert main(["info"]) == 0
    assert "jaxlib" in capsys.readouterr().out
    assert main([]) == 0
    assert "examples:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "invalid choice"),
        (["run"], "which network"),
        (["run", "cobra"], "Did you mean 'coba'"),
        (["run", "coba-brian1"], "write 'coba-brian1' as `coba --variant brian1`"),
        (["run", "coba", "--variant", "brain1"], "Did you mean 'brian1'"),
        (["run", "cuba", "--variant", "drive"], "It belongs to coba"),
        (["run", "coba", "--scale", "big"], "--scale: 'big' is not a number; e.g. 1"),
        (["run", "coba", "--scale", "-1"], "--scale: must be positive"),
        (["run", "coba", "--scale", "0.001"], "`scale` must be at least 0.02"),
        (["run", "coba", "--scale", "1e6"], "`scale` must be at most"),
        (["run", "coba", "--duration", "nan"], "--duration: must be positive and finite"),
        (["run", "coba", "--duration", "0.25"], "Try 0.2 ms or 0.3 ms"),
        (["run", "coba", "--dt", "0"], "--dt: must be positive"),
        (["run", "coba", "--dt", "0.3", "--duration", "3"], "refractory"),
        (["run", "coba", "--seed", "1.5"], "--seed: '1.5' is not a whole number"),
        (["run", "coba", "--seed", "-1"], "--seed: must lie in"),
        (["run", "coba", "--precision", "16"], "--precision: must be 32 or 64"),
        (["run", "coba", "--out", "file/x"], "Try another folder with --out"),
        (["run", "coba", "--speed", "9"], "unrecognized arguments: --speed"),
    ],
)
def test_wrong_words_are_one_line_and_exit_code_2(arguments, message, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1 and error.startswith("brainfn")


def test_python_m_brainfn():
    done = subprocess.run(
        [sys.executable, "-m", "brainfn", "run", "cobra"],
        cwd=pathlib.Path(bf.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
