"""`brainfn run`: build, compile, simulate, measure, print, draw, write."""

import os
import time
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import numpy as np

from .. import measure, record
from .._errors import whole_steps
from ..driver import Run, run
from ..event import CSR
from ..record import SpikeTrains
from ..units import second
from ..zoo import Entry, Finished, Variant
from ._report import engineering, print_costs, print_figures
from ._settings import Settings, Timing, check_plot, peak_memory, write_summary

# Neurons of each population whose membrane potential is recorded; a few of them are drawn.
_TRACED = 10
# Steps in a chunk, so that the progress bar moves; and the spikes that it may hold, as bits.
_CHUNK, _CHUNK_SPIKES = 1000, 2**29


def run_network(entry: Entry, settings: Settings) -> None:
    """Simulate, print the results, and write them to the folder."""
    check_plot(settings)
    variant = entry.variants[settings.variant]
    print(f"{variant.title}: {variant.source}", flush=True)
    key_build, key_run = jr.split(jr.key(settings.seed))
    start = time.perf_counter()
    assert entry.build is not None and entry.figures is not None
    network, inputs = entry.build(
        settings.variant, scale=settings.scale, key=key_build, dt=settings.dt
    )
    jax.block_until_ready(eqx.filter(network, eqx.is_array))
    build = time.perf_counter() - start
    synapses = sum(p.synapses for p in network.projections.values())
    cells = sum(p.size for p in network.populations.values() if p.ports())
    size = f"{cells:,} neurons, {synapses:,.0f} synapses"
    print(f"{size}, dt {settings.dt:g} ms", flush=True)
    out, compiling, running = _simulate(network, inputs, entry, settings, key_run)
    timing = Timing(build, compiling, running)
    trains = out.outputs["spikes"]
    if out.interrupted:
        settings = settings._replace(duration=float(int(out.state.step) * settings.dt))
        print(f"interrupted after {settings.duration:g} ms; the results below cover that time")
    window = entry.window(settings.duration)
    finished = Finished(
        network=network,
        trains=trains,
        potentials=out.outputs.get("v", {}),
        figures=entry.figures(trains, window),
        window=window,
        duration=settings.duration,
        dt=settings.dt,
        title=variant.title,
    )
    _print_report(entry, variant, finished, settings, timing, synapses)
    about = {
        "window_ms": window,
        "seconds": timing._asdict(),
        "neurons": cells,
        "synapses": synapses,
        "synaptic_events": _synaptic_events(network, trains),
    }
    paths = [_write_spikes(settings, trains), write_summary(settings, finished.figures, about)]
    if settings.plot:
        paths.insert(0, os.path.join(settings.folder, "overview.png"))
        _draw(entry, finished, size).savefig(paths[0])
    print("\n".join(f"wrote {path}" for path in paths))


def _simulate(
    network: Any, inputs: Any, entry: Entry, settings: Settings, key: Any
) -> tuple[Run, float, float]:
    """The run, and the times of compilation and of the run itself."""
    dt, cells = settings.dt, sum(p.size for p in network.populations.values())
    steps = whole_steps("duration", settings.duration, dt)
    chunk = min(steps, max(10, min(_CHUNK, _CHUNK_SPIKES // cells)))

    def potentials(state: Any, output: Any) -> Any:
        del output
        return {name: state[name].v[:_TRACED] for name in entry.drawn}

    kept: dict[str, Any] = {"spikes": record.Spikes()}
    if settings.plot and entry.drawn:
        kept["v"] = potentials

    def go(n: int, progress: bool) -> Run:
        return run(
            network,
            inputs=inputs,
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


def _print_report(
    entry: Entry,
    variant: Variant,
    finished: Finished,
    settings: Settings,
    timing: Timing,
    synapses: int,
) -> None:
    begin, end = finished.window
    label = f"{begin:g}-{end:g}"
    theirs = {
        who: windows.get(label, windows.get("", {})) for who, windows in variant.reference.items()
    }
    theirs = {who: figures for who, figures in theirs.items() if figures}
    title = f"from {begin:g} to {end:g} ms"
    print_figures(title, entry, finished.figures, theirs, settings.scale)
    if variant.reference and not theirs:
        known = next(iter(variant.reference.values()))
        print(f"  (reference figures are for {' and '.join(known)} ms: try another --duration)")
    seconds = settings.duration / second
    events = _synaptic_events(finished.network, finished.trains)
    rows = [
        ("build", f"{timing.build:.2f} s", f"{synapses:,.0f} synapses"),
        ("compile", f"{timing.compile:.2f} s", ""),
        ("run", f"{timing.run:.3f} s", f"for {seconds:g} s of model time"),
        ("real-time factor", f"{timing.run / seconds:.3g}", "run time / model time"),
        ("synaptic events", f"{engineering(events / timing.run)}/s", f"{events:,} in all"),
    ]
    print_costs(rows, peak_memory())


def _synaptic_events(network: Any, trains: dict[str, SpikeTrains]) -> int:
    """The number of synaptic events: each spike counts once per synapse, or once per mean number
    of synapses of a neuron if these are not listed."""
    total = 0.0
    for p in network.projections.values():
        count = trains[p.pre].count
        for m in p.matrices:
            if isinstance(m, CSR):
                total += int(np.dot(count, np.diff(np.asarray(m.indptr))))
            else:
                total += float(np.sum(count)) * m.synapses / m.shape[0]
    return round(total)


def _draw(entry: Entry, finished: Finished, size: str) -> Any:
    """The picture of a run."""
    if entry.picture is not None:
        return entry.picture(finished)
    from .. import plot

    trains, dt, end = finished.trains, finished.dt, finished.duration
    begin = 0.0 if end <= 2000.0 else round((end - 1000.0) / dt) * dt
    shown = {name: measure.window(trains[name], begin, end) for name in entry.drawn}
    first = next(iter(shown.values()))
    v, spikes = {}, {}
    for name, number in entry.drawn.items():
        if number == 0:
            continue
        # Typical neurons: those whose number of spikes is nearest to the median.
        traced = shown[name].count[:_TRACED]
        nearest = np.argsort(np.abs(traced - np.median(shown[name].count)), kind="stable")
        picked = np.sort(nearest[:number])
        v[name] = finished.potentials[name][first.start : first.stop, picked]
        few = measure.select(shown[name], picked)
        spikes[name] = few.to_dense()
    facts = [] if entry.facts is None else entry.facts(finished.figures)
    return plot.overview(
        shown,
        title=finished.title,
        subtitle="   ·   ".join([size, *facts]),
        ts=np.arange(first.start, first.stop) * dt,
        v=v or None,
        spikes=spikes,
        v_threshold=entry.v_threshold,
        bin_size=max(1, round(2.0 / dt)) * dt,
        statistics={name: measure.window(trains[name], *finished.window) for name in entry.drawn},
    )


def _write_spikes(settings: Settings, trains: dict[str, SpikeTrains]) -> str:
    path = os.path.join(settings.folder, "spikes.npz")
    arrays: dict[str, Any] = {}
    for name, p in trains.items():
        arrays[f"{name}_times"] = p.times
        arrays[f"{name}_neurons"] = np.asarray(p.neurons, np.int32)
        arrays[f"{name}_size"] = np.asarray(p.size)
    np.savez(path, duration=settings.duration, dt=settings.dt, seed=settings.seed, **arrays)
    return path
