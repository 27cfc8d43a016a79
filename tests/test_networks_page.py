"""The page of networks has a section for each, and pictures of the runs it names."""

import importlib.util
import json
from pathlib import Path

import pytest

import brainfn as bf

DOCS = Path(__file__).parents[1] / "docs"
ASSETS = DOCS / "assets" / "networks"
RUNS = sorted(path.stem for path in ASSETS.glob("*.json"))


def hook():
    spec = importlib.util.spec_from_file_location("networks", DOCS / "hooks" / "networks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_them_all():
    page = hook().on_page_markdown((DOCS / "networks.md").read_text())
    assert "::: networks" not in page
    for name, entry in bf.zoo.NETWORKS.items():
        assert f"## {name}\n" in page and entry.expected in page
        assert f"python -m brainfn run {name}\n" in page
    for run in RUNS:
        assert f"(assets/networks/{run}.png)" in page


@pytest.mark.parametrize("run", RUNS)
def test_a_run_that_the_page_shows(run):
    name, variant = run.split("-", 1)
    entry = bf.zoo.NETWORKS[name]
    assert variant in entry.variants
    about = json.loads((ASSETS / f"{run}.json").read_text())
    assert about["command"].startswith(f"python -m brainfn run {name}")
    assert about["figures"] and set(entry.rows) <= set(about["figures"])
    assert (ASSETS / f"{run}.png").stat().st_size < 400_000
