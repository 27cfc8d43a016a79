"""The command line of training, and the tasks it knows."""

import json
import pathlib

import jax
import numpy as np
import pytest
from test_data import write_idx

import brainfn as bf
from brainfn.__main__ import main


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    jax.config.update("jax_enable_x64", True)


def test_digits_learn_and_go_on(tmp_path, capsys):
    assert main(["train", "digits", "--epochs", "4", "--precision", "64"]) == 0
    out = capsys.readouterr().out
    for text in ("digits, 64-64-10", "epoch 4/4: loss ", "test accuracy", "an epoch", "examples"):
        assert text in out
    folder = tmp_path / "results" / "train-digits"
    assert {p.name for p in folder.iterdir()} == {"overview.png", "summary.json", "checkpoint"}
    summary = json.loads((folder / "summary.json").read_text())
    assert [r["epoch"] for r in summary["records"]] == [0, 1, 2, 3]
    # Chance is 0.1; it was 0.80 with float32.
    assert summary["figures"]["test_accuracy"] > 0.7
    assert main(["train", "digits", "--epochs", "5", "--precision", "64", "--resume"]) == 0
    again = json.loads((folder / "summary.json").read_text())["records"]
    assert again[:4] == summary["records"] and len(again) == 5


def test_fashion_mnist_from_a_folder(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for part, n in (("train", 20), ("t10k", 8)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", rng.integers(0, 256, (n, 28, 28)))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", rng.integers(0, 10, n))
    given = ["--data", str(tmp_path), "--epochs", "1", "--batch", "10", "--no-plot"]
    assert main(["train", "fashion-mnist", *given, "--precision", "64"]) == 0
    out = capsys.readouterr().out
    assert "784-100-10, 100 steps; 20 examples" in out and "SpyTorch" in out
    assert not list(pathlib.Path("results").rglob("overview.png"))


@pytest.mark.parametrize("name", bf.tasks.TASKS)
def test_every_task_says_what_it_is(name, capsys):
    task = bf.tasks.TASKS[name]
    assert task.name == name and task.title and task.source and task.variants
    assert main(["train", "--list"]) == 0
    out = capsys.readouterr().out
    assert f"{name}: {task.title}" in out
    for variant in task.variants:
        assert f"{name} --variant {variant}" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which task"),
        (["digit"], "Did you mean 'digits'"),
        (["fashion-mnist", "--variant", "recurent"], "Did you mean 'recurrent'"),
        (["digits", "--epochs", "0"], "--epochs: must be a positive whole number"),
        (["digits", "--batch", "many"], "--batch: must be"),
        (["fashion-mnist", "--data", "nowhere"], "apt-get install dataset-fashion-mnist"),
        (["digits", "--batch", "2000"], "`size` 2000 is more than the 1437 examples"),
        (["digits", "--data", "here"], "scikit-learn"),
    ],
)
def test_wrong_words_are_one_line_and_exit_code_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", *arguments])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1 and err.startswith("brainfn")
