"""Every part is compared with something that brainfn did not compute."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

import brainfn as bf

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
ROWS = json.loads((HERE / "oracle" / "measured.json").read_text())["rows"]
ROOMS = re.findall(r"^::: parts (\w+)$", (DOCS / "parts.md").read_text(), re.MULTILINE)


def hook():
    spec = importlib.util.spec_from_file_location("parts_hook", DOCS / "hooks" / "parts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PARTS = {f"{room}.{name}": value for room in ROOMS for name, value in hook().parts(room).items()}
TESTS = "\n".join(path.read_text() for path in HERE.glob("test_*.py"))


@pytest.mark.parametrize("name", PARTS)
def test_it_is_compared_with_something_that_we_did_not_compute(name):
    """By the record; for a part that is newer than the record, by a test that notes it."""
    assert any(name in row["parts"] for row in ROWS) or f'"{name}"' in TESTS


def test_the_record_is_of_parts_and_tests_that_exist():
    for row in ROWS:
        for part in row["parts"]:
            room, name = part.split(".")
            assert hasattr(getattr(bf, room), name), row
        assert row["error"] <= row["bound"], row
        file, function = row["test"].split("::")
        assert re.search(rf"^def {function}\(", (HERE / file).read_text(), re.MULTILINE), row


def test_the_table_shows_source_oracle_and_error():
    page = hook().on_page_markdown("::: parts neuron")
    line = next(line for line in page.splitlines() if "brainfn.neuron.AdEx" in line)
    assert "Brette and Gerstner (2005)" in line and "doi.org" in line
    assert len({line.count("|") for line in page.splitlines()}) == 1
