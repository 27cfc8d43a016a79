"""Spike trains as two lists, the input of all measures."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from .._errors import count, time_step, whole_steps
from ..record import SpikeTrains


def from_events(
    steps: Any, neurons: Any, *, size: int, dt: float, start: int = 0, stop: int
) -> SpikeTrains:
    r"""The spikes of a population from lists of steps and neurons.

    A spike of step $n$ crossed the threshold between $n\,\Delta t$ and $(n + 1)\,\Delta t$; its
    time is $n\,\Delta t$, as in `Simulation.ts`. Windows are half open and counted in steps, so no
    spike is lost or counted twice by rounding.

    **Arguments:**

    - `steps`: the step of each spike, whole numbers, shape `(spike,)`, in any order.
    - `neurons`: the neuron of each spike, in `[0, size)`, shape `(spike,)`.
    - `size`: number of neurons, including silent ones.
    - `dt`: step size in ms.
    - `start`, `stop`: the observed window `[start, stop)` in steps, which must contain every spike.

    **Returns:** a [`brainfn.record.SpikeTrains`][], ordered by time and then by neuron. The records
    of [`brainfn.record.Spikes`][] from [`brainfn.run`][] already are such objects.

    **Raises:** `ValueError` or `TypeError`, naming the argument, for lists of different lengths,
    neurons or steps out of range, an empty window.
    """
    steps, neurons = _whole("steps", steps), _whole("neurons", neurons)
    if steps.shape != neurons.shape:
        raise ValueError(
            "`steps` and `neurons` must be lists of equal length, got shapes "
            f"{steps.shape} and {neurons.shape}."
        )
    size, dt = count("size", size, minimum=1), time_step(dt)
    start, stop = count("start", start), count("stop", stop)
    if stop <= start:
        raise ValueError(f"`stop` must come after `start`, got {stop} and {start} (steps).")
    if steps.size and not (steps.min() >= start and steps.max() < stop):
        raise ValueError(
            f"`steps` must lie in [start, stop) = [{start}, {stop}), got values from "
            f"{steps.min()} to {steps.max()}."
        )
    if neurons.size and not (neurons.min() >= 0 and neurons.max() < size):
        raise ValueError(
            f"`neurons` must lie in [0, size) = [0, {size}), got values from "
            f"{neurons.min()} to {neurons.max()}."
        )
    order = np.lexsort((neurons, steps))
    return SpikeTrains(steps[order], neurons[order], size, start, stop, dt)


def from_dense(spikes: Any, *, dt: float, start: int = 0) -> SpikeTrains:
    """The spikes of a population from the default record of [`brainfn.simulate`][].

    **Arguments:**

    - `spikes`: 0/1 or bool, shape `(time, n)`.
    - `dt`: step size in ms.
    - `start`: the step of the first row.

    **Raises:** `ValueError` for another shape.
    """
    spikes = np.asarray(spikes)
    if spikes.ndim != 2 or spikes.shape[0] == 0:
        raise ValueError(
            f"`spikes` must have shape (time, n) with at least one step, got {spikes.shape}. "
            "Measure one population at a time, e.g. out.outputs['exc']."
        )
    steps, neurons = np.nonzero(spikes)
    stop = start + spikes.shape[0]
    return from_events(steps + start, neurons, size=spikes.shape[1], dt=dt, start=start, stop=stop)


def from_times(
    times: Any,
    neurons: Any,
    *,
    size: int,
    dt: float,
    duration: float,
    stamp: str = "beginning",
) -> SpikeTrains:
    """The spikes of a population from times in ms, e.g. of another simulator or of
    [`brainfn.record.spike_times`][]. The window is `[0, duration)`.

    **Arguments:**

    - `times`: in ms, shape `(spike,)`. A time between two grid points belongs to the step that
      contains it; one on the grid to the step that begins there, or ends there (see `stamp`).
    - `neurons`: the neuron of each spike.
    - `size`: number of neurons.
    - `dt`: the grid spacing in ms.
    - `duration`: the length of the window in ms, a whole number of steps.
    - `stamp`: `"beginning"`, or `"end"` where spikes are stamped with the end of the step in which
        the threshold was crossed, as NEST does: their times lie in `(0, duration]`.

    **Raises:** as [`brainfn.measure.from_events`][]; `ValueError` for times that are not finite or
    not in the window.
    """
    if stamp not in ("beginning", "end"):
        raise ValueError(f"`stamp` must be 'beginning' or 'end', got {stamp!r}.")
    stop = whole_steps("duration", milliseconds("duration", duration), time_step(dt), minimum=1)
    host = np.asarray(times, np.float64)
    if not np.all(np.isfinite(host)):
        raise ValueError("`times` must be finite.")
    ratio = host / dt
    # Times may come from float32, which has 7 digits.
    on_grid = np.abs(ratio - np.rint(ratio)) <= np.minimum(1e-3 + 1.2e-7 * np.abs(ratio), 0.25)
    steps = np.where(on_grid, np.rint(ratio) - (stamp == "end"), np.floor(ratio))
    if steps.size and not (steps.min() >= 0 and steps.max() < stop):
        window = f"[0, {duration:g})" if stamp == "beginning" else f"(0, {duration:g}]"
        raise ValueError(
            f"`times` must lie in {window} ms, got values from {host.min():g} to {host.max():g}. "
            "Where spikes are stamped with the end of their step, as NEST does, give stamp='end'."
        )
    return from_events(steps.astype(np.int64), neurons, size=size, dt=dt, stop=stop)


def window(trains: SpikeTrains, start: int | float, stop: int | float | None = None) -> SpikeTrains:
    """The spikes from `start` up to, not including, `stop`.

    **Arguments:**

    - `trains`: the spikes.
    - `start`, `stop`: in ms, whole numbers of steps; `None` for the end of the window.

    **Raises:** `ValueError` if they don't lie in order within what was observed.
    """
    check_trains(trains)
    first = whole_steps("start", milliseconds("start", start), trains.dt)
    last = (
        trains.stop if stop is None else whole_steps("stop", milliseconds("stop", stop), trains.dt)
    )
    if not trains.start <= first < last <= trains.stop:
        raise ValueError(
            f"`start` and `stop` must lie in order within the observed window "
            f"[{trains.start * trains.dt:g}, {trains.stop * trains.dt:g}] ms, got {start} and "
            f"{stop}."
        )
    steps, neurons = np.asarray(trains.steps), np.asarray(trains.neurons)
    low, high = np.searchsorted(steps, [first, last])
    return SpikeTrains(steps[low:high], neurons[low:high], trains.size, first, last, trains.dt)


def pool(populations: Sequence[SpikeTrains]) -> SpikeTrains:
    """Several populations as one, with their neurons concatenated.

    **Arguments:**

    - `populations`: a list of spikes over the same window and `dt`.

    **Raises:** `ValueError` if there are none, or windows differ.
    """
    if isinstance(populations, Mapping):
        raise TypeError(
            "`populations` must be a list of spike trains, got a dictionary. Try "
            "pool(list(populations.values()))."
        )
    for population in populations:
        check_trains(population, "populations")
    if not populations:
        raise ValueError("`populations` must hold at least one, got none.")
    first = populations[0]
    for p in populations:
        if (p.dt, p.start, p.stop) != (first.dt, first.start, first.stop):
            raise ValueError(
                "`populations` must share their `dt` and window, got "
                f"{(p.dt, p.start, p.stop)} and {(first.dt, first.start, first.stop)}."
            )
    offsets = np.cumsum([0] + [p.size for p in populations])
    return from_events(
        np.concatenate([np.asarray(p.steps) for p in populations]),
        np.concatenate(
            [np.asarray(p.neurons) + o for p, o in zip(populations, offsets, strict=False)]
        ),
        size=int(offsets[-1]),
        dt=first.dt,
        start=first.start,
        stop=first.stop,
    )


def select(trains: SpikeTrains, neurons: Any) -> SpikeTrains:
    """The spikes of some neurons, numbered anew in the order given.

    **Arguments:**

    - `trains`: the spikes.
    - `neurons`: indices, each at most once: a list, an array or a slice.

    **Raises:** `TypeError` or `ValueError` naming `neurons`.
    """
    check_trains(trains)
    if isinstance(neurons, slice):
        neurons = np.arange(trains.size)[neurons]
    chosen = _whole("neurons", neurons)
    if chosen.size == 0:
        raise ValueError("`neurons` must name at least one neuron, got none.")
    if chosen.min() < 0 or chosen.max() >= trains.size:
        raise ValueError(
            f"`neurons` must lie in [0, {trains.size}), got values from {chosen.min()} to "
            f"{chosen.max()}."
        )
    new = np.full(trains.size, -1)
    new[chosen] = np.arange(chosen.size)
    if np.count_nonzero(new >= 0) != chosen.size:
        raise ValueError("`neurons` must name each neuron at most once.")
    steps, labels = np.asarray(trains.steps), new[np.asarray(trains.neurons)]
    steps, labels = steps[labels >= 0], labels[labels >= 0]
    order = np.lexsort((labels, steps))
    return SpikeTrains(
        steps[order], labels[order], chosen.size, trains.start, trains.stop, trains.dt
    )


def times_by_neuron(trains: SpikeTrains) -> list[Float[np.ndarray, " spike"]]:
    """The spike times of each neuron in ms, a list of `size` sorted arrays."""
    check_trains(trains)
    neurons = np.asarray(trains.neurons)
    order = np.argsort(neurons, kind="stable")
    bounds = np.searchsorted(neurons[order], np.arange(1, trains.size))
    return np.split(trains.times[order], bounds)


def duration(trains: SpikeTrains) -> float:
    """Length of the window in ms."""
    return (trains.stop - trains.start) * trains.dt


def check_trains(trains: Any, name: str = "trains") -> None:
    """Raise `TypeError` for anything but spike trains."""
    if not isinstance(trains, SpikeTrains):
        hint = "Measure one population at a time, e.g. out.outputs['exc']."
        if isinstance(trains, np.ndarray | jax.Array):
            hint = "Try brainfn.measure.from_dense(spikes, dt=0.1)."
        raise TypeError(
            f"`{name}` must be a brainfn.record.SpikeTrains, got {type(trains).__name__}. {hint}"
        )


def milliseconds(name: str, value: Any) -> float:
    """A number of ms as a Python float."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"`{name}` must be a number in ms, got {value!r}. Try 2.0.")
    return float(value)


def _whole(name: str, x: Any) -> np.ndarray:
    x = np.asarray(x)
    if x.size == 0:
        x = x.astype(np.int64)
    if x.ndim != 1 or not np.issubdtype(x.dtype, np.integer):
        raise TypeError(
            f"`{name}` must be a list of whole numbers, got {x.dtype} of shape {x.shape}. For "
            "times in ms use brainfn.measure.from_times."
        )
    return x.astype(np.int64)
