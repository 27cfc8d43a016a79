"""Lists a room's public names on its API page, so that no exported name can be missing there.

- `::: room brainfn.x` becomes the text of the room's module and one mkdocstrings directive for each
  class and function that it exports, in the order of export.
- `::: units brainfn.units` becomes a table of names and sizes.
"""

import importlib
import inspect
import re

_DIRECTIVE = re.compile(r"^::: (room|units) ([\w.]+)$", re.MULTILINE)


def public_names(room: str) -> list[str]:
    """The public classes and functions that a module exports, in the order of export."""
    return [
        name
        for name, value in vars(importlib.import_module(room)).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or callable(value))
        and f"{getattr(value, '__module__', '')}.".startswith(f"{room}.")
    ]


def on_page_markdown(markdown, **_):
    return _DIRECTIVE.sub(lambda match: _EXPAND[match[1]](match[2]), markdown)


def _room(room):
    # A page has its own heading; of the module itself only the text is shown.
    text = f"::: {room}\n    options:\n        show_root_heading: false\n        members: []"
    return "\n\n".join([text, *(_directive(room, name) for name in public_names(room))])


def _directive(room, name):
    value = getattr(importlib.import_module(room), name)
    directive = f"::: {room}.{name}"
    members = (
        [m for m in vars(value) if _is_documented(vars(value)[m], m)] if _is_ours(value) else []
    )
    if members:
        lines = "".join(f"\n            - {member}" for member in members)
        directive += f"\n    options:\n        members:{lines}"
    return directive


def _is_ours(value):
    return inspect.isclass(value) and value.__module__.startswith("brainfn")


def _is_documented(member, name):
    if name.startswith("_") and name not in ("__call__", "__matmul__", "__rmatmul__"):
        return False
    # Equinox wraps the methods of a module.
    function = getattr(member, "method", getattr(member, "__wrapped__", member))
    return (callable(function) or isinstance(member, property)) and bool(
        getattr(function, "__doc__", None)
    )


def _units(module):
    units = {n: v for n, v in vars(importlib.import_module(module)).items() if _is_unit(n, v)}
    rows = [f"| `{name}` | {value:g} |" for name, value in units.items()]
    text = f"::: {module}\n    options:\n        show_root_heading: false\n        members: []"
    return "\n".join([text, "", "| unit | size |", "|---|---|", *rows])


def _is_unit(name, value):
    return not name.startswith("_") and isinstance(value, float)


_EXPAND = {"room": _room, "units": _units}
