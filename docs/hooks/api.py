"""Lists public names on the API pages, so that no exported name can be missing there.

- `::: names brainfn A B` becomes one mkdocstrings directive for each name.
- `::: room brainfn.x` becomes the text of that module and a directive for each class and function
  that it exports, in the order of export. What `brainfn` itself exports too is left to the page
  that names it.
- `::: rest brainfn` becomes a directive for each name of `brainfn` that no page names.
- `::: units brainfn.units` becomes a table of names and sizes.
"""

import importlib
import inspect
import pathlib
import re
import sys

_DIRECTIVE = re.compile(r"^::: (names|rest|room|units) ([\w.]+)((?: \w+)*)$", re.MULTILINE)
_PAGES = pathlib.Path(__file__).parents[1] / "api"


def on_page_markdown(markdown, **_):
    return _DIRECTIVE.sub(lambda match: _EXPAND[match[1]](match[2], match[3].split()), markdown)


def _names(module, names):
    return "\n\n".join(_directive(module, name) for name in names)


def _rest(module, _):
    pages = "\n".join(page.read_text() for page in sorted(_PAGES.glob("*.md")))
    named = {
        n for kind, _, names in _DIRECTIVE.findall(pages) if kind == "names" for n in names.split()
    }
    return _names(module, [name for name in _public_names(module) if name not in named])


def _room(module, _):
    top = vars(importlib.import_module("brainfn"))
    room = vars(importlib.import_module(module))
    names = [name for name in _public_names(module) if top.get(name) is not room[name]]
    return f"{_text(module)}\n\n{_names(module, names)}"


def _units(module, _):
    members = vars(importlib.import_module(module)).items()
    rows = [f"| `{n}` | {v:g} |" for n, v in members if isinstance(v, float) and n[0] != "_"]
    return "\n".join([_text(module), "", "| unit | size |", "|---|---|", *rows])


_EXPAND = {"names": _names, "rest": _rest, "room": _room, "units": _units}


def _public_names(module):
    """The public classes and functions that a module exports, in the order of export."""
    return [
        name
        for name, value in vars(importlib.import_module(module)).items()
        if not name.startswith("_")
        and callable(value)
        and f"{getattr(value, '__module__', '')}.".startswith("brainfn.")
    ]


def _text(module):
    # The page has a heading of its own; of the module only the text is shown.
    return f"::: {module}\n    options:\n        show_root_heading: false\n        members: []"


def _directive(module, name):
    value = getattr(importlib.import_module(module), name)
    path, options = f"{module}.{name}", []
    if path in sys.modules:
        # A function that hides the room it comes from: `brainfn.simulate`.
        directive = f"[](){{ #{path} }}\n\n::: {path}.{name}"
        options += [f"heading: {path}", f"toc_label: {name}"]
    else:
        directive = f"::: {path}"
    members = vars(value).items() if inspect.isclass(value) else ()
    shown = [member for member, content in members if _is_documented(member, content)]
    if shown:
        options += ["members:", *(f"    - {member}" for member in shown)]
    lines = "".join(f"\n        {line}" for line in options)
    return f"{directive}\n    options:{lines}" if options else directive


def _is_documented(name, member):
    if name.startswith("_") and name not in ("__call__", "__matmul__", "__rmatmul__"):
        return False
    # Equinox wraps the methods of a module.
    function = getattr(member, "method", getattr(member, "__wrapped__", member))
    is_member = callable(function) or isinstance(member, property | classmethod | staticmethod)
    return is_member and bool(getattr(function, "__doc__", None))
