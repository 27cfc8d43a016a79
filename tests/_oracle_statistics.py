"""What the oracles' JSON files hold, and the functions that made their figures."""

import importlib.util
import json
import pathlib
from types import ModuleType
from typing import Any

_ORACLE = pathlib.Path(__file__).parent / "oracle"


def load_statistics() -> ModuleType:
    """`oracle/_spike_statistics.py`: plain NumPy, independent of brainfn."""
    path = _ORACLE / "_spike_statistics.py"
    spec = importlib.util.spec_from_file_location("_spike_statistics", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_json(name: str) -> Any:
    """A frozen reference."""
    return json.loads((_ORACLE / name).read_text())
