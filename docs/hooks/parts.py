"""The page of parts: what there is, its source, what it was compared with and the measured error.

`::: parts neuron` becomes a table of the parts of a room: its classes that are not abstract (parts
and models), or its functions. Sources are the `cite` blocks of their docstrings; errors are in
`tests/oracle/measured.json`, which `tests/oracle/measured.py` makes from a run of the tests.
"""

import importlib
import inspect
import json
import pathlib
import re

_DIRECTIVE = re.compile(r"^::: parts (\w+)$", re.MULTILINE)
_MEASURED = pathlib.Path(__file__).parents[2] / "tests" / "oracle" / "measured.json"
# What parts are made of or turned into, and what only changes the form of data.
_NOT_PARTS = {
    "neuron": {"ConstantDrive", "FunctionDrive"},
    "channel": {"Gate", "FixedReversal"},
    "input": {"MembraneFunction", "MembraneNoise", "Negative", "Product", "Sum"},
    "measure": {"from_dense", "from_events", "from_times", "pool", "select", "window"},
}
_CITE = re.compile(r"\?\?\? cite\n+((?: {4,}.*\n?|\n)+)")


def on_page_markdown(markdown, **_):
    rows = json.loads(_MEASURED.read_text())["rows"]
    return _DIRECTIVE.sub(lambda match: _table(match[1], rows), markdown)


def parts(room):
    """The parts of a room by name."""
    module = importlib.import_module(f"brainfn.{room}")
    found = {}
    for name, value in vars(module).items():
        if name in _NOT_PARTS.get(room, ()) or name.startswith("_"):
            continue
        if not getattr(value, "__module__", "").startswith("brainfn."):
            continue
        if inspect.isclass(value):
            final = any(cls.__name__.startswith("Abstract") for cls in value.__mro__)
            if final and not inspect.isabstract(value) and not name.startswith("Prepared"):
                found[name] = value
        elif inspect.isfunction(value) and (_is_part(value) or room == "measure"):
            found[name] = value
    return found


def _is_part(function):
    """Whether a function makes a part, such as a named cell: its docstring says its source."""
    return "??? cite" in (function.__doc__ or "")


def source(value):
    """The first source of a part in short, with a link if it has a DOI."""
    text = inspect.getdoc(value) or ""
    match = _CITE.search(text + "\n")
    if match is None:
        return ""
    words = " ".join(match[1].split())
    doi = re.search(r"doi:(10\.\S+?)[.,;)]*(?:\s|$)", words)
    short = re.match(r"(.*?\(\d{4}\))", words)
    label = short[1] if short and len(short[1]) < 90 else words[:80]
    label = re.sub(r"\[`[\w.]*?(\w+)`\]\[\]", r"\1", label)
    return f"[{label}](https://doi.org/{doi[1]})" if doi else label


def _table(room, rows):
    lines = [
        "| part | source | compared with | quantity | largest error | bound |",
        "|---|---|---|---|---|---|",
    ]
    for name, value in parts(room).items():
        mine = [row for row in rows if f"{room}.{name}" in row["parts"]]
        first = f"[`{name}`][brainfn.{room}.{name}] | {source(value)}"
        for row in mine or [{"against": "", "what": "", "error": None}]:
            lines.append(f"| {first} | {row['against']} | {row['what']} | {_numbers(row)} |")
            first = " | "
    return "\n".join(lines)


def _numbers(row):
    if row["error"] is None:
        return " | "
    unit = f" {row['unit']}" if row["unit"] else ""
    return f"{row['error']:.1e}{unit} | {row['bound']:.0e}{unit}"
