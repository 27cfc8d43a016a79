"""Lists a room's public names on its API page, so that no exported name can be missing there.

A line `::: room brainfn.x` becomes one mkdocstrings directive for each public class or function of
`brainfn.x`, in the order in which its `__init__.py` exports them. Names given after the room are
left out, because another page shows them: `::: room brainfn.x -name`.
"""

import functools
import importlib
import inspect
import re
import types

_ROOM = re.compile(r"^::: room (?P<room>[\w.]+)(?P<without>( -\w+)*)$", re.MULTILINE)


def public_names(room: str) -> list[str]:
    """The public names of a module, in the order of export, submodules left out."""
    members = vars(importlib.import_module(room))
    return [
        name
        for name, value in members.items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    ]


def on_page_markdown(markdown, **_):
    return _ROOM.sub(_directives, markdown)


def _directives(match):
    room, without = match["room"], {name.strip("- ") for name in match["without"].split()}
    names = public_names(room)
    if unknown := without - set(names):
        raise ValueError(f"{room} exports no {', '.join(sorted(unknown))}.")
    return "\n\n".join(_directive(room, name) for name in names if name not in without)


def _directive(room, name):
    value = getattr(importlib.import_module(room), name)
    directive = f"::: {room}.{name}"
    if inspect.isclass(value):
        members = [member for member in vars(value) if _is_documented(vars(value)[member], member)]
        if members:
            lines = "".join(f"\n            - {member}" for member in members)
            directive += f"\n    options:\n        members:{lines}"
    return directive


def _is_documented(member, name):
    # Equinox wraps methods; what counts is that somebody wrote a text for this class's users.
    if name.startswith("_") and name != "__call__":
        return False
    if isinstance(member, functools.cached_property | property):
        return bool(inspect.getdoc(member))
    function = getattr(member, "__wrapped__", getattr(member, "method", member))
    return callable(function) and bool(getattr(function, "__doc__", None))
