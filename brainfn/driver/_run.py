"""The host driver for long simulations."""

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import equinox as eqx
import jax.tree_util as jtu
import numpy as np
from jaxtyping import Float

from .._custom_types import Key
from .._errors import count, is_concrete
from .._memory import check_memory
from .._model import AbstractModel
from ..record import outputs
from ._chunk import chunk_steps
from ._fingerprint import fingerprint
from ._finite import check_finite, is_finite
from ._folder import RunFolder
from ._loop import Example, advance, begin, examples
from ._progress import Interrupt, Progress
from ._records import Records
from ._result import Snapshot
from ._series import Series
from ._simulate import Setup, set_up
from ._stream import AbstractStream, FolderStream, MemoryStream


class Run(eqx.Module):
    """The result of [`brainfn.run`][].

    - `ts`: times in ms of the recorded steps (their beginning), NumPy float64, shape `(time,)`.
    - `outputs`: the records, stacked along a leading axis of time: NumPy arrays or, if a folder was
      given, arrays on disk that are read on access ([`brainfn.StoredArray`][]); results of reducers
      and [`brainfn.record.Spikes`][] unchanged.
    - `state`: a [`brainfn.Snapshot`][]; pass it as `state=` to continue.
    - `interrupted`: whether it was stopped by Ctrl-C; everything else then covers the finished
      part.
    - `wall_time`: wall time in seconds, including `compile_time` for compilation.
    """

    ts: Float[np.ndarray, " time"]
    outputs: Any
    state: Snapshot
    interrupted: bool
    wall_time: float
    compile_time: float


class NonFiniteError(FloatingPointError):
    """The state of a model stopped being finite during [`brainfn.run`][].

    - `partial`: the [`brainfn.Run`][] up to the last chunk whose state was finite.
    """

    partial: Run


def run(
    model: AbstractModel,
    *,
    duration: float,
    dt: float,
    inputs: Any = None,
    state: Any = None,
    key: Key | None = None,
    record: Any = outputs,
    every: int = 1,
    chunk: float | None = None,
    progress: bool = True,
    folder: str | os.PathLike[str] | None = None,
    snapshot_every: float = 60.0,
    resume: bool = False,
) -> Run:
    r"""Simulate a model in compiled chunks, driven from the host: for long simulations.

    The result is bit for bit that of [`brainfn.simulate`][], for any chunks, and `run(a + b)`
    equals `run(a)` followed by `run(b)`, including spikes in flight. Records leave the device after
    each chunk, so its memory does not grow with the duration; while the device computes one chunk,
    the host stores the previous one. Ctrl-C returns what was recorded so far (a second one does not
    wait for the chunk to end).

    With a `folder`, records go to disk, and snapshots are taken, from which a killed run can be
    resumed, bit for bit, by repeating the call with `resume=True`:

    ```python
    out = bf.run(net, duration=1 * hour, dt=0.1 * ms, key=key, folder="my_run", resume=True)
    ```

    **Arguments:**

    - `model`, `duration`, `dt`, `inputs`, `state`, `key`, `every`: as in [`brainfn.simulate`][].
        Inputs that are NumPy arrays stay on the host and are sliced for each chunk. The `state` of
        a run continues a simulation, and the other way round.
    - `record`: as in [`brainfn.simulate`][]. With [`brainfn.record.Spikes`][] the result is times
        and neurons.
    - `chunk`: length of a chunk in ms, a multiple of `every` steps; by default one that takes
        about a quarter of a second and at most 64 MB of records.
    - `progress`: whether to show a progress bar (on a terminal or in a notebook): model time, its
        rate as a multiple of real time, and the remaining time.
    - `folder`: folder for records and snapshots; new, empty, or that of a run to be resumed. By
        default records are kept in memory.
    - `snapshot_every`: wall time between two snapshots in seconds; 0 for one after each chunk. One
        is always taken at the end.
    - `resume`: whether to continue the run in `folder` if there is one. Everything except
      `duration`, `chunk`, `progress` and `snapshot_every` must be unchanged; a longer `duration`
      extends the run. The bits are the same on the same machine with the same versions.

    **Returns:** a [`brainfn.Run`][] with `ts`, `outputs`, `state`, and `interrupted`.

    **Raises:** `TypeError` or `ValueError` naming the argument before anything is computed;
    `MemoryError` if the records can't fit into memory; [`brainfn.NonFiniteError`][] if the state is
    not finite at the end of a chunk, with the population and the first step concerned, and with the
    earlier records as its `partial`.
    """
    begun = time.perf_counter()
    _check_options(progress, folder, snapshot_every, resume)
    every = count("every", every, minimum=1)
    _check_concrete(model, inputs, state, key, record)
    setup = set_up(model, duration, dt, inputs, state, key, record, every, on_host=True)
    series = Series(setup.series)
    shapes = (setup.model, setup.start, series.rows(0, 1), setup.fixed)
    example = examples(*shapes, key, record, setup.dt)
    records = Records(record, example, every)
    row_bytes = records.row_bytes + every * series.row_bytes
    size = chunk_steps(chunk, setup.n_steps, every, setup.dt, row_bytes, setup.start.model_state)
    done = _Done(0, setup.start, begin(record, example))
    job = _Job(setup, series, example, records, key, every, size)
    files = None if folder is None else RunFolder(folder)
    if files is not None:
        files.check(resume)
    with nullcontext() if files is None else files.locked():
        stream: AbstractStream
        if files is None:
            _check_memory(records, setup.n_steps)
            stream = MemoryStream(records.empty, records.totals(setup.n_steps))
        else:
            lines = fingerprint(
                model=model,
                dt=setup.dt,
                every=every,
                key=key,
                state=state,
                inputs=setup.fixed,
                series=series.kinds(),
                record=record,
            )
            kept = {"first": int(setup.start.step), **records.about(setup.dt)}
            about = files.open(lines, kept)
            if about is not None:
                done = _resumed(files, about, done, job)
            dense = records.totals(setup.n_steps)
            stream = FolderStream(files.records, records.empty, dense, every)
            stream.cut(0, done.steps)
        return _drive(job, done, stream, files, snapshot_every, progress, begun)


class _Job(NamedTuple):
    """The constants of a run."""

    setup: Setup
    series: Series
    example: Example
    records: Records
    key: Any
    every: int
    chunk: int


class _Done(NamedTuple):
    """The progress of a run: steps made, the present state, and the summaries of reducers."""

    steps: int
    end: Snapshot
    summaries: tuple[Any, ...]


class _Launched(NamedTuple):
    """A chunk that was submitted to the device and may still be in progress."""

    before: _Done
    after: _Done
    rows: Any
    kept: tuple[Any, ...]
    finite: Any


@eqx.filter_jit
def _chunk(
    model: Any,
    start: Snapshot,
    summaries: tuple[Any, ...],
    series: Any,
    fixed: Any,
    key: Any,
    record: Any,
    example: Example,
    dt: float,
    n_steps: int,
    every: int,
) -> tuple[Snapshot, tuple[Any, ...], tuple[Any, ...], Any]:
    arguments = (model, start, summaries, series, fixed, key, record, example)
    end, summaries, kept = advance(*arguments, dt, n_steps, every, None)
    return end, summaries, kept, is_finite(end.model_state)


def _launch(job: _Job, done: _Done) -> _Launched:
    model, _, _, fixed, dt, total, _ = job.setup
    n = min(job.chunk, total - done.steps)
    rows = job.series.rows(done.steps, done.steps + n)
    arguments = (model, done.end, done.summaries, rows, fixed, job.key, job.records.record)
    end, summaries, kept, finite = _chunk(*arguments, job.example, dt, n, job.every)
    return _Launched(done, _Done(done.steps + n, end, summaries), rows, kept, finite)


def _drive(
    job: _Job,
    done: _Done,
    stream: AbstractStream,
    files: RunFolder | None,
    snapshot_every: float,
    progress: bool,
    begun: float,
) -> Run:
    """Runs chunk after chunk; the next is launched before the results of the last are stored."""
    dt, total = job.setup.dt, job.setup.n_steps
    first = int(job.setup.start.step)
    compile_time = 0.0

    def save() -> None:
        if files is not None:
            about = {"steps": done.steps, "series": job.series.digests(done.steps)}
            files.save((done.end, done.summaries), about)

    def result() -> Run:
        steps = (first, first + done.steps)
        joined = stream.joined(done.steps)
        rows = np.arange(1, done.steps // job.every + 1)
        return Run(
            ts=(first + rows * job.every - 1) * dt,
            outputs=job.records.outputs(joined, done.summaries, steps, dt),
            state=done.end,
            interrupted=done.steps < total,
            wall_time=time.perf_counter() - begun,
            compile_time=compile_time,
        )

    def stop() -> Run:
        save()
        return result()

    saved_at, saved = time.perf_counter(), done.steps
    seen: set[int] = set()
    ahead, waiting = done, None
    times = (first * dt, (first + done.steps) * dt, (first + total) * dt)
    with Interrupt() as interrupt, Progress(*times, progress) as bar:
        try:
            while True:
                launched = None
                if ahead.steps < total and not interrupt.requested:
                    before = time.perf_counter()
                    launched = _launch(job, ahead)
                    n = launched.after.steps - ahead.steps
                    if n not in seen:
                        # Calls return when the computation is submitted, so this is the time of
                        # tracing and compilation.
                        seen.add(n)
                        compile_time += time.perf_counter() - before
                    ahead = launched.after
                if waiting is not None:
                    _check_finite(job, waiting, stop)
                    rows = job.records.rows(waiting.kept, first + waiting.before.steps)
                    stream.append(waiting.before.steps, waiting.after.steps, rows)
                    done = waiting.after
                    bar.update((first + done.steps) * dt)
                    if time.perf_counter() - saved_at >= snapshot_every:
                        save()
                        saved_at, saved = time.perf_counter(), done.steps
                waiting = launched
                if waiting is None:
                    break
        except KeyboardInterrupt:
            pass
    return result() if saved == done.steps else stop()


def _check_finite(job: _Job, chunk: _Launched, partial: Callable[[], Run]) -> None:
    if bool(chunk.finite):
        return
    model, _, _, fixed, dt, _, kind = job.setup
    n = chunk.after.steps - chunk.before.steps
    ends = chunk.before.end, chunk.after.end
    try:
        check_finite(model, *ends, chunk.rows, fixed, job.key, dt, n, kind)
    except FloatingPointError as found:
        error = NonFiniteError(*found.args)
        error.partial = partial()
        raise error from None


def _resumed(files: RunFolder, about: dict[str, Any], new: _Done, job: _Job) -> _Done:
    steps, dt = about["steps"], job.setup.dt
    if steps > job.setup.n_steps:
        raise ValueError(
            f"`duration`: the run in {os.fspath(files.path)!r} has already reached "
            f"{steps * dt:.6g} ms, got {job.setup.n_steps * dt:.6g} ms."
        )
    if job.series.digests(steps) != about["series"]:
        raise ValueError(
            f"`resume`: the run in {os.fspath(files.path)!r} was driven by other `inputs` in its "
            f"first {steps * dt:.6g} ms. Give the same arrays, or another folder."
        )
    end, summaries = files.load((new.end, new.summaries))
    return _Done(steps, end, summaries)


def _check_options(progress: Any, folder: Any, snapshot_every: Any, resume: Any) -> None:
    for name, value in (("progress", progress), ("resume", resume)):
        if not isinstance(value, bool):
            raise TypeError(f"`{name}` must be True or False, got {value!r}.")
    if folder is not None and not isinstance(folder, str | os.PathLike):
        raise TypeError(f"`folder` must be a path, got {type(folder).__name__}.")
    if resume and folder is None:
        raise ValueError("`resume` needs the `folder` of the run to continue.")
    good = isinstance(snapshot_every, int | float) and not isinstance(snapshot_every, bool)
    if not good or not snapshot_every >= 0:
        raise ValueError(
            "`snapshot_every` must be a number of seconds that is not negative, got "
            f"{snapshot_every!r}."
        )


def _check_concrete(*arguments: Any) -> None:
    if not all(is_concrete(x) for x in jtu.tree_leaves(arguments)):
        raise TypeError(
            "brainfn.run drives a simulation from the host and can't be used inside jax.jit, "
            "jax.vmap or jax.grad. Use brainfn.simulate there."
        )


def _check_memory(records: Records, n_steps: int) -> None:
    check_memory(
        records.dense_bytes(n_steps),
        "record",
        "the record",
        "Give a `folder`, or record less: e.g. record=brainfn.record.Spikes(), or fewer steps "
        "with `every=`.",
    )
