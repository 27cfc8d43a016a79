"""The tables that `brainfn run` prints."""

import math
from collections.abc import Mapping
from typing import Any


def print_figures(
    title: str,
    entry: Any,
    ours: Mapping[str, float],
    theirs: Mapping[str, Mapping[str, float]],
    scale: float,
) -> None:
    """Prints results next to those of others; `entry` is of the zoo or of the tasks."""
    heads = ["brainfn", *theirs]
    widths = [max(12, len(head) + 2) for head in heads]
    print(f"\n{title:<32}" + _cells(heads, widths))
    for figure in {**entry.rows, **ours}:
        if figure not in ours:
            continue
        text, form = entry.rows.get(figure, (figure, "{:.3g}"))
        values = [ours, *theirs.values()]
        cells = [_number(form, v.get(figure)) for v in values]
        print(f"  {text:<30}" + _cells(cells, widths))
    if theirs and entry.note:
        print(f"  ({entry.note})")
    if theirs and scale != 1 and entry.scale_note:
        print(f"  ({entry.scale_note})")


def print_costs(rows: list[tuple[str, str, str]], peak: float | None) -> None:
    """Prints times and memory: what, how much, and a note."""
    if peak is not None:
        rows = [*rows, ("peak memory", f"{peak / 1e6:,.0f} MB", "of the whole process")]
    print()
    for text, value, note in rows:
        print(f"  {text:<18}{value:>14}   {note}".rstrip())
    print(flush=True)


def engineering(value: float) -> str:
    """Three digits and a prefix."""
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g} "


def _cells(texts: list[str], widths: list[int]) -> str:
    return "".join(f"{text:>{width}}" for text, width in zip(texts, widths, strict=True))


def _number(form: str, value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else form.format(value)
