"""`brainfn run`: build, compile, simulate, measure, print, draw, write."""

import json
import os
import sys
import time
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.random as jr
import numpy as np

from .. import measure, record
from .._config import config_dict
from .._errors import whole_steps
from ..driver import Run, run
from ..record import SpikeTrains
from ..zoo import VOGELS_ABBOTT, vogels_abbott
from ._report import figures_of, print_report, window_of

# Neurons of each population whose membrane potential is recorded; a few of them are drawn.
_TRACED = 10
_DRAWN = {"exc": 2, "inh": 1}
# Steps in a chunk, so that the progress bar moves; and the spikes that it may hold, as bits.
_CHUNK, _CHUNK_SPIKES = 1000, 2**29


class Settings(NamedTuple):
    """The user's settings."""

    name: str
    scale: float
    duration: float
    dt: float
    seed: int
    precision: int
    folder: str
    plot: bool


class Timing(NamedTuple):
    """Wall time in seconds."""

    build: float
    compile: float
    run: float


def run_network(settings: Settings) -> None:
    """Simulate, print the results, and write them to the folder."""
    if settings.plot:
        # Fail before the work, not after it.
        from ..plot import new_figure

        new_figure(1.0, 1.0)
    variant = VOGELS_ABBOTT[settings.name]
    print(f"{variant.title}: {variant.source}", flush=True)
    key_build, key_run = jr.split(jr.key(settings.seed))
    start = time.perf_counter()
    network, drive = vogels_abbott(
        settings.name, scale=settings.scale, key=key_build, surrogate=None
    )
    jax.block_until_ready(eqx.filter(network, eqx.is_array))
    build = time.perf_counter() - start
    synapses = sum(p.synapses for p in network.projections.values())
    sizes = {name: p.size for name, p in network.populations.items()}
    cells = sizes["exc"] + sizes["inh"]
    print(f"{cells:,} neurons, {synapses:,} synapses, dt {settings.dt:g} ms", flush=True)
    out, compiling, running = _simulate(network, drive, settings, key_run)
    timing = Timing(build, compiling, running)
    trains = out.outputs["spikes"]
    if out.interrupted:
        settings = settings._replace(duration=float(int(out.state.step) * settings.dt))
        print(f"interrupted after {settings.duration:g} ms; the results below cover that time")
    events = _synaptic_events(network, trains)
    window = window_of(settings.duration)
    ours = figures_of(trains, window)
    print_report(
        variant,
        ours,
        window,
        settings=settings,
        timing=timing,
        events=events,
        synapses=synapses,
        peak=_peak_memory(),
    )
    paths = [_write_spikes(settings, trains), _write_summary(settings, ours, timing, events)]
    if settings.plot:
        paths.insert(0, _draw(settings, trains, out.outputs["v"], ours, synapses, window))
    print("\n".join(f"wrote {path}" for path in paths))


def _simulate(network: Any, drive: Any, settings: Settings, key: Any) -> tuple[Run, float, float]:
    """The run, and the times of compilation and of the run itself."""
    dt, cells = settings.dt, sum(p.size for p in network.populations.values())
    steps = whole_steps("duration", settings.duration, dt)
    chunk = min(steps, max(10, min(_CHUNK, _CHUNK_SPIKES // cells)))

    def potentials(state: Any, output: Any) -> Any:
        del output
        return {name: state[name].v[:_TRACED] for name in _DRAWN}

    kept: dict[str, Any] = {"spikes": record.Spikes()}
    if settings.plot:
        kept["v"] = potentials

    def go(n: int, progress: bool) -> Run:
        return run(
            network,
            inputs=drive,
            duration=n * dt,
            dt=dt,
            key=key,
            record=kept,
            chunk=chunk * dt,
            progress=progress,
        )

    # Chunks of both lengths that occur are run once before, so that the time of the run itself
    # includes no compilation.
    few = min(steps, chunk + steps % chunk)
    first = go(few, progress=False)
    if first.interrupted:
        raise KeyboardInterrupt
    out = go(steps, progress=True)
    if out.state.step == 0:
        raise KeyboardInterrupt
    done = int(out.state.step)
    return out, max(first.wall_time - out.wall_time * few / done, 0.0), out.wall_time


def _synaptic_events(network: Any, trains: dict[str, SpikeTrains]) -> int:
    """The number of synaptic events: each spike counts once per synapse."""
    return sum(
        int(np.dot(trains[p.pre].count, np.diff(np.asarray(m.indptr))))
        for p in network.projections.values()
        for m in p.matrices
    )


def _peak_memory() -> float | None:
    """The peak memory of this process in bytes; `None` if the system doesn't report it."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)


def _draw(
    settings: Settings,
    trains: dict[str, SpikeTrains],
    potentials: dict[str, np.ndarray],
    ours: dict[str, float],
    synapses: int,
    window: tuple[float, float],
) -> str:
    from .. import plot

    end = settings.duration
    begin = 0.0 if end <= 2000.0 else round((end - 1000.0) / settings.dt) * settings.dt
    shown = {name: measure.window(trains[name], begin, end) for name in _DRAWN}
    first, last = shown["exc"].start, shown["exc"].stop
    v, spikes = {}, {}
    for name, number in _DRAWN.items():
        # Typical neurons: those whose number of spikes is nearest to the median.
        traced = shown[name].count[:_TRACED]
        nearest = np.argsort(np.abs(traced - np.median(shown[name].count)), kind="stable")
        picked = np.sort(nearest[:number])
        v[name] = potentials[name][first:last, picked]
        spikes[name] = shown[name].to_dense()[:, picked]
    cells = trains["exc"].size + trains["inh"].size
    facts = [
        f"{cells:,} neurons, {synapses:,} synapses",
        f"rate {ours['rate_exc']:.1f} Hz excitatory, {ours['rate_inh']:.1f} Hz inhibitory",
        f"CV {ours['cv']:.2f}",
    ]
    subtitle = "   ·   ".join(facts)
    figure = plot.overview(
        shown,
        title=VOGELS_ABBOTT[settings.name].title,
        subtitle=subtitle,
        ts=np.arange(first, last) * settings.dt,
        v=v,
        spikes=spikes,
        v_threshold=-50.0,
        bin_size=_bin_size(settings.dt),
        statistics={name: measure.window(trains[name], *window) for name in _DRAWN},
    )
    path = os.path.join(settings.folder, "overview.png")
    figure.savefig(path)
    return path


def _bin_size(dt: float) -> float:
    """2 ms, or the nearest whole number of steps."""
    return max(1, round(2.0 / dt)) * dt


def _write_spikes(settings: Settings, trains: dict[str, SpikeTrains]) -> str:
    path = os.path.join(settings.folder, "spikes.npz")
    arrays: dict[str, Any] = {}
    for name, p in trains.items():
        arrays[f"{name}_times"] = p.times
        arrays[f"{name}_neurons"] = np.asarray(p.neurons, np.int32)
        arrays[f"{name}_size"] = np.asarray(p.size)
    np.savez(path, duration=settings.duration, dt=settings.dt, seed=settings.seed, **arrays)
    return path


def _write_summary(settings: Settings, ours: dict[str, float], timing: Timing, events: int) -> str:
    path = os.path.join(settings.folder, "summary.json")
    finite = {name: value if np.isfinite(value) else None for name, value in ours.items()}
    document = {
        "settings": settings._asdict(),
        "window_ms": window_of(settings.duration),
        "figures": finite,
        "seconds": timing._asdict(),
        "synaptic_events": events,
        "peak_memory_bytes": _peak_memory(),
        "config": config_dict(),
    }
    with open(path, "w") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
    return path
