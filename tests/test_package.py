"""The package as a user meets it: metadata, layout, `show_config`, the command line."""

import ast
import io
import json
import os
import re
import subprocess
import sys
import types
from importlib import metadata
from pathlib import Path

import jax
import pytest

import brainfn as bf

SOURCES = Path(bf.__file__).parent

# The rooms from the ground floor up. A room imports only from rooms above it in this list; what
# stands on one line may import from each other. `__init__` and `__main__` see everything.
ROOMS = [
    ["units", "_custom_types", "_errors", "_memory", "random", "_field", "_named"],
    ["_model", "_population"],
    ["init"],
    ["event"],
    ["connect", "solver", "surrogate", "delay"],
    ["channel"],
    ["neuron", "synapse", "input", "plasticity"],
    ["rate"],
    ["kernel"],
    ["_config"],
    ["network"],
    ["nn"],
    ["data"],
    ["record"],
    ["driver"],
    ["nn"],
    ["io"],
    ["learn"],
    ["measure"],
    ["plot"],
    ["zoo"],
    ["tasks"],
    ["_cli"],
]
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}


def _modules():
    return sorted(path for path in SOURCES.rglob("*.py"))


def _room(path):
    return path.relative_to(SOURCES).parts[0].removesuffix(".py")


def _imported_rooms(path):
    """The rooms of brainfn that a file imports from, at its top level or inside functions."""
    package = ["brainfn", *path.relative_to(SOURCES).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            names = [base] if len(base) > 1 else [[*base, alias.name] for alias in node.names]
        else:
            continue
        yield from (name[1] for name in names if name[0] == "brainfn" and len(name) > 1)


def test_version_is_that_of_the_installed_package():
    assert metadata.version("brainfn") == bf.__version__


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(SOURCES)))
def test_rooms_import_only_downwards(path):
    room = _room(path)
    if room in ("__init__", "__main__"):
        return
    assert room in FLOOR, f"add the room {room!r} to the list in this test"
    above = {other for other in _imported_rooms(path) if other != room}
    assert all(FLOOR[other] <= FLOOR[room] for other in above), above


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(SOURCES)))
def test_no_private_files_of_other_rooms(path):
    private = re.compile(r"^\s*from \.\.+[a-z]\w*(\.\w+)*\._\w+ import", re.M)
    assert not private.search(path.read_text())


def _imported_files(path):
    """The files of its own room that a file imports from at its top level."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for name in names:
                yield path.parent / f"{name.split('.')[0]}.py"


@pytest.mark.parametrize(
    "room", sorted({path.parent for path in _modules()}), ids=lambda p: p.name or "brainfn"
)
def test_files_of_a_room_import_in_no_circle(room):
    left = {
        path: {other for other in _imported_files(path) if other.exists()}
        for path in room.glob("*.py")
        if path.name != "__init__.py"
    }
    while left:
        free = {path for path, needed in left.items() if not needed & left.keys()}
        assert free, {path.name: [p.name for p in left[path]] for path in left}
        left = {path: needed for path, needed in left.items() if path not in free}


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(SOURCES)))
def test_no_private_modules_of_other_libraries(path):
    private = re.compile(
        r"^\s*(from|import)\s+(jax|equinox|diffrax|lineax|optimistix|optax)(\.\w+)*\._\w+", re.M
    )
    # All contact with the inside of JAX is in one file.
    assert path.name == "_prim.py" or not private.search(path.read_text())


def test_importing_brainfn_starts_no_backend_and_needs_no_extra():
    # A library that starts a backend on import takes the choice of devices from its user.
    code = (
        "import sys, brainfn; from jax.extend import backend; import jax;"
        "jax.config.update('jax_num_cpu_devices', 3); assert len(jax.devices()) == 3;"
        "assert 'matplotlib' not in sys.modules; assert 'scipy.stats' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    environment.pop("PYTHONPATH", None)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert result.returncode == 0, result.stderr


def test_public_names_are_ours_and_have_docstrings():
    modules = [m for m in vars(bf).values() if isinstance(m, types.ModuleType)]
    rooms = [bf, *(m for m in modules if m.__name__.startswith("brainfn."))]
    checked = 0
    for room in rooms:
        for name, value in vars(room).items():
            if name.startswith("_") or isinstance(value, types.ModuleType) or not callable(value):
                continue
            where = f"{room.__name__}.{name}"
            ours = value.__module__.startswith("brainfn")
            # A package only re-exports; a room of one file also holds what that file imports.
            assert ours or "__path__" not in vars(room), where
            if ours:
                assert (value.__doc__ or "").strip(), f"{where} has no docstring"
                checked += 1
    assert checked > 20


def test_config_dict_is_json_and_true():
    config = bf.config_dict()
    assert json.loads(json.dumps(config)) == config
    assert config["jax"] == jax.__version__
    assert config["python"] == ".".join(map(str, sys.version_info[:3]))
    assert config["x64"] is True
    assert len(config["devices"]) == len(jax.devices()) == 2
    assert config["kernels"] == bf.event.kernels()
    assert config["cpu_count"] >= 1


def test_show_config_prints_every_fact_and_returns_none(capsys):
    stream = io.StringIO()
    assert bf.show_config(stream) is None
    assert capsys.readouterr().out == ""
    for name, value in bf.config_dict().items():
        assert re.search(rf"^{name}\b", stream.getvalue(), re.M), name
        if isinstance(value, str):
            assert value in stream.getvalue()
    bf.show_config()
    assert capsys.readouterr().out == stream.getvalue()


def test_installation_without_the_native_library_says_so_once_and_runs():
    code = (
        "import brainfn as bf, jax.numpy as jnp;"
        "W = bf.event.CSR.fromdense(jnp.array([[0., 2.], [3., 0.]]));"
        "[print((jnp.array([1., 0.]) @ W).tolist()) for _ in range(2)];"
        "print(set(bf.event.kernels().values()))"
    )
    # A copy of the sources alone, as a machine without a compiler has them.
    result = subprocess.run(
        [sys.executable, "-W", "default", "-c", _WITHOUT_LIBRARY + code],
        capture_output=True,
        text=True,
        cwd=SOURCES.parent,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split("\n")[:2] == ["[0.0, 2.0]"] * 2
    assert "reference" in result.stdout and "native" not in result.stdout
    assert result.stderr.count("reference lowering") == 1, result.stderr


# Hides the native library from the loader, which looks for a file beside its own.
_WITHOUT_LIBRARY = """
import pathlib
exists = pathlib.Path.exists
pathlib.Path.exists = lambda p, **k: False if "brainfn_event." in p.name else exists(p, **k)
"""


def test_command_line_answers_help_and_wrong_words():
    ok = subprocess.run([sys.executable, "-m", "brainfn", "--help"], capture_output=True, text=True)
    assert ok.returncode == 0 and "run" in ok.stdout
    bad = subprocess.run(
        [sys.executable, "-m", "brainfn", "run", "cuab"], capture_output=True, text=True
    )
    assert bad.returncode != 0 and "Traceback" not in bad.stderr and "cuba" in bad.stderr
