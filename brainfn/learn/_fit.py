"""A training loop."""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from .._errors import count
from ..driver import Interrupt
from ._checkpoint import Position, read_checkpoint, write_checkpoint
from ._record import Record, line, mean, numbers, progress_bar, show
from ._source import batches_of


class Fit(NamedTuple):
    """The result of [`brainfn.learn.fit`][].

    - `state`: after the last step.
    - `best`: after the epoch with the highest score.
    - `records`: one dictionary of numbers for each finished epoch.
    - `interrupted`: whether Ctrl-C ended it.
    """

    state: Any
    best: Any
    records: list[Record]
    interrupted: bool


def fit(
    step: Callable[[Any, Any], tuple[Any, dict[str, Any]]],
    state: Any,
    data: Any,
    *,
    epochs: int,
    steps: int | None = None,
    evaluate: Callable[[Any], dict[str, Any]] | None = None,
    score: Callable[[Record], float] | None = None,
    patience: int | None = None,
    on_epoch: Callable[[Any, Record], Any] | None = None,
    checkpoint: Any = None,
    progress: bool = True,
) -> Fit:
    """Training: a loop over epochs and batches.

    ```python
    step = bf.learn.make_step(loss, optax.adam(1e-3))
    batches = bf.data.batches(train, 256, key=key)
    done = bf.learn.fit(step, step.init(net), batches, epochs=10, evaluate=test_accuracy)
    net = done.best.model
    ```

    In each epoch, `state, record = step(state, batch)` for all batches; the means of the records,
    and what `evaluate` finds, form the record of the epoch. Ctrl-C ends the loop after the present
    batch (twice: at once); the result is as of then.

    **Arguments:**

    - `step`: a function, usually compiled, that must not donate its arguments: that of
        [`brainfn.learn.make_step`][], or your own. Its record is a dictionary of scalars.
    - `state`: any pytree: parameters, the optimiser's state, a key.
    - `data`: batches: [`brainfn.data.batches`][]; a function from the number of the epoch to an
        iterable; anything that can be iterated over in each epoch, such as a list or a loader of
        PyTorch; or an iterator (Grain, `tf.data`, a generator), of which `steps` are taken per
        epoch.
    - `epochs`: how many in all, those before a checkpoint included.
    - `steps`: at most so many batches per epoch.
    - `evaluate`: `evaluate(state)`, a dictionary of scalars; `"accuracy"` is recorded as
        `"test_accuracy"`.
    - `score`: `score(record)`; the highest is the best. By default, the first there is of
        `test_accuracy`, `-test_loss` and `-loss`; without these the last is the best.
    - `patience`: stop after so many epochs that were not better than the best.
    - `on_epoch`: `on_epoch(state, record)` after each epoch; the loop ends if it returns `True`.
    - `checkpoint`: a folder. After each epoch, and on Ctrl-C, everything is written there, and if
        there is something, the loop goes on from it, with the same bits as without a break. Data
        that are an iterator are drawn again up to that place.
    - `progress`: print a line per epoch and, in a terminal or notebook, a bar.

    **Returns:** [`brainfn.learn.Fit`][].

    **Raises:** `ValueError` or `TypeError` for wrong arguments, an epoch without batches, or a
    checkpoint of something else.
    """
    epochs, get = count("epochs", epochs, minimum=1), batches_of(data, steps)
    best, at = state, Position(0, 0, [], [], -math.inf, 0)
    if checkpoint is not None:
        state, best, at = read_checkpoint(checkpoint, state, at)
    stop = patience is not None and at.since >= patience
    batch, partial = at.batch, list(at.partial)
    interrupt = Interrupt()
    try:
        with interrupt:
            while at.epoch < epochs and not stop:
                begin = time.perf_counter()
                with progress_bar(progress, data, steps, at.epoch, batch) as bar:
                    for one in get(at.epoch, batch):
                        state, found = step(state, one)
                        partial.append(found)
                        batch += 1
                        show(bar, found)
                        if interrupt.requested:
                            raise KeyboardInterrupt
                if batch == 0:
                    raise ValueError(f"`data` has no batches in epoch {at.epoch}.")
                record = {"epoch": at.epoch, **mean(partial)}
                if evaluate is not None:
                    record |= {f"test_{k}": v for k, v in numbers(evaluate(state)).items()}
                value = (_score if score is None else score)(record)
                better = value > at.top or not at.records
                best, top = (state, value) if better else (best, at.top)
                record["seconds"] = time.perf_counter() - begin
                since = 0 if better else at.since + 1
                at = Position(at.epoch + 1, 0, [*at.records, record], [], top, since)
                batch, partial = 0, []
                if checkpoint is not None:
                    write_checkpoint(checkpoint, state, best, at)
                if progress:
                    print(line(record, epochs), flush=True)
                stop = patience is not None and since >= patience
                if on_epoch is not None and on_epoch(state, record) is True:
                    stop = True
    except KeyboardInterrupt:
        at = at._replace(batch=batch, partial=[numbers(r) for r in partial])
        best = best if at.records else state
        if checkpoint is not None:
            write_checkpoint(checkpoint, state, best, at)
        return Fit(state, best, at.records, True)
    return Fit(state, best, at.records, False)


def _score(record: Record) -> float:
    for name, sign in (("test_accuracy", 1), ("test_loss", -1), ("loss", -1)):
        if name in record:
            value = sign * record[name]
            return -math.inf if math.isnan(value) else value
    return record["epoch"]
