"""The table that `brainfn run` prints."""

import math
from typing import Any

import numpy as np

from .. import measure
from ..record import SpikeTrains
from ..units import Hz, second
from ..zoo import VogelsAbbott

_ROWS = (
    ("rate_exc", "excitatory rate (Hz)", "{:.2f}"),
    ("rate_inh", "inhibitory rate (Hz)", "{:.2f}"),
    ("cv", "CV of intervals", "{:.3f}"),
    ("fano", "synchrony (Fano factor, 2 ms)", "{:.2f}"),
)


def window_of(duration: float) -> tuple[float, float]:
    """The window in ms for measurements: that of the references if the run is long enough."""
    if duration >= 1200.0:
        return 200.0, 1200.0
    return 0.0, min(duration, 1000.0)


def figures_of(trains: dict[str, SpikeTrains], window: tuple[float, float]) -> dict[str, float]:
    """Rates, CV and synchrony in a window, as the references define them."""
    exc = measure.window(trains["exc"], *window)
    inh = measure.window(trains["inh"], *window)
    both = measure.pool([exc, inh])
    cv = measure.cv_isi(both)
    bin_size = max(1, round(2.0 / both.dt)) * both.dt
    return {
        "rate_exc": measure.mean_rate(exc) / Hz,
        "rate_inh": measure.mean_rate(inh) / Hz,
        "cv": float(np.nanmean(cv)) if np.isfinite(cv).any() else math.nan,
        "fano": measure.fano_factor(both, bin_size)
        if bin_size <= window[1] - window[0]
        else math.nan,
    }


def print_report(
    variant: VogelsAbbott,
    ours: dict[str, float],
    window: tuple[float, float],
    *,
    settings: Any,
    timing: Any,
    events: int,
    synapses: int,
    peak: float | None,
) -> None:
    """Prints results next to those of other simulators, then the costs."""
    label = f"{window[0]:g}-{window[1]:g}"
    theirs = {
        simulator: windows[label]
        for simulator, windows in variant.reference.items()
        if label in windows
    }
    heads = ["brainfn", *theirs]
    print(f"\n{f'from {window[0]:g} to {window[1]:g} ms':<32}" + _cells(heads))
    for figure, text, form in _ROWS:
        values = [ours, *theirs.values()]
        print(f"  {text:<30}" + _cells([_number(form, v.get(figure)) for v in values]))
    if theirs:
        print("  (others: means over five seeds of 4000 neurons, dt 0.1 ms)")
        if settings.scale != 1:
            print(
                "  (shared fluctuations add up: the Fano factor grows with the number of neurons)"
            )
    elif variant.reference:
        known = next(iter(variant.reference.values()))
        print(f"  (reference figures are for {' and '.join(known)} ms: try --duration 1200)")
    seconds = settings.duration / second
    rows = [
        ("build", f"{timing.build:.2f} s", f"{synapses:,} synapses"),
        ("compile", f"{timing.compile:.2f} s", ""),
        ("run", f"{timing.run:.3f} s", f"for {seconds:g} s of model time"),
        ("real-time factor", f"{timing.run / seconds:.3g}", "run time / model time"),
        ("synaptic events", f"{_engineering(events / timing.run)}/s", f"{events:,} in all"),
    ]
    if peak is not None:
        rows.append(("peak memory", f"{peak / 1e6:,.0f} MB", "of the whole process"))
    print()
    for text, value, note in rows:
        print(f"  {text:<18}{value:>14}   {note}".rstrip())
    print(flush=True)


def _cells(texts: list[str]) -> str:
    return "".join(f"{text:>12}" for text in texts)


def _number(form: str, value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else form.format(value)


def _engineering(value: float) -> str:
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g} "
