"""The page of networks: `::: networks` becomes a section for each entry of `brainfn.zoo.NETWORKS`.

Pictures and figures are those of runs of the command, in `docs/assets/networks`;
`docs/networks/make.py` makes them.
"""

import json
import pathlib
import re

_DIRECTIVE = re.compile(r"^::: networks$", re.MULTILINE)
_DOCS = pathlib.Path(__file__).parents[1]
_ASSETS = _DOCS / "assets" / "networks"


def on_page_markdown(markdown, **_):
    return _DIRECTIVE.sub(lambda match: page(), markdown)


def page():
    """The sections of all networks."""
    from brainfn.zoo import NETWORKS

    return "\n\n".join(_section(entry) for entry in NETWORKS.values())


def _section(entry):
    first = next(iter(entry.variants))
    lines = [
        f"## {entry.name}",
        "",
        f"{_capital(entry.title)}. {_linked(entry.source)}. {_capital(entry.size)}.",
        "",
        f"Expected: {entry.expected}.",
        "",
        "```",
        f"python -m brainfn run {entry.name}",
        "```",
        "",
    ]
    if entry.python:
        lines += [f"In Python: `{entry.python.replace('VARIANT', first)}`.", ""]
    if len(entry.variants) > 1:
        lines += ["| `--variant` | source | expected |", "|---|---|---|"]
        for name, variant in entry.variants.items():
            lines.append(f"| `{name}` | {variant.source} | {variant.expected} |")
        lines.append("")
    for name, variant in entry.variants.items():
        lines += _shown(entry, name, variant)
    return "\n".join(lines).rstrip()


def _shown(entry, name, variant):
    """What a run gave, and its picture, where there are such of this variant."""
    picture = f"assets/networks/{entry.name}-{name}.png"
    shown = ["", f"![{variant.title}]({picture})", ""] if (_DOCS / picture).exists() else []
    path = _ASSETS / f"{entry.name}-{name}.json"
    if not path.exists():
        return shown
    run = json.loads(path.read_text())
    lines = [f"`{run['command']}`" + (f", {run['size']}:" if run["size"] else ":"), ""]
    window = run["window"]
    theirs = {who: x.get(window, x.get("")) for who, x in variant.reference.items()}
    theirs = {who: figures for who, figures in theirs.items() if figures}
    lines += [f"| | {' | '.join(['brainfn', *theirs])} |", "|---" * (2 + len(theirs)) + "|"]
    for figure, value in run["figures"].items():
        label, form = entry.rows.get(figure, (figure, "{:.3g}"))
        values = [value, *(figures.get(figure) for figures in theirs.values())]
        cells = ["" if x is None else form.format(x) for x in values]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return [*lines, *shown]


def _capital(text):
    return text[:1].upper() + text[1:]


def _linked(text):
    return re.sub(r"doi:(10\.\S+?)(?=[,;]?(?:\s|$))", r"[doi:\1](https://doi.org/\1)", text)
