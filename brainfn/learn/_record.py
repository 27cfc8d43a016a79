"""Numbers of a training loop, and how they are shown."""

import math
import sys
import time
from collections.abc import Sized
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from ..driver import is_watched

Record = dict[str, Any]


def numbers(record: Any) -> Record:
    wrong = [k for k, v in record.items() if np.ndim(v) != 0]
    if wrong:
        raise ValueError(f"`step` and `evaluate` must record scalars, but {wrong} are not.")
    return {k: float(v) for k, v in jax.device_get(record).items()}


def mean(records: list[Any]) -> Record:
    found = [numbers(r) for r in records]
    # Compiled functions sort the names of a dictionary; the loss comes first.
    names = sorted(found[0], key=lambda k: k != "loss")
    return {k: math.fsum(r[k] for r in found) / len(found) for k in names}


def line(record: Record, epochs: int) -> str:
    texts = [f"{k} {v:.4g}" for k, v in record.items() if k not in ("epoch", "seconds")]
    return f"epoch {record['epoch'] + 1}/{epochs}: {', '.join(texts)}  ({record['seconds']:.1f} s)"


def progress_bar(progress: bool, data: Any, steps: int | None, epoch: int, batch: int) -> Any:
    total = len(data) if isinstance(data, Sized) else steps
    total = total if steps is None or total is None else min(steps, total)
    shown = progress and is_watched(sys.stderr)
    return tqdm(
        total=total, initial=batch, desc=f"epoch {epoch + 1}", leave=False, disable=not shown
    )


def show(bar: Any, found: Any) -> None:
    # Looking at a number waits for it, so a bar that is not redrawn looks at none.
    if not bar.disable and time.time() - bar.last_print_t > 0.2:
        texts = [f"{k} {v:.3g}" for k, v in numbers(found).items()]
        bar.set_postfix_str(", ".join(texts), refresh=False)
    bar.update()
