"""How a long run is divided into chunks."""

import math
from typing import Any

import equinox as eqx
import jax.tree_util as jtu

from .._errors import whole_steps
from ._simulate import number

# Target wall time of a chunk: the progress bar moves and Ctrl-C takes effect soon.
_SECONDS = 0.25
# The cost of a step on one core, measured for the Vogels-Abbott networks with 4e3 to 4e5 neurons.
_SECONDS_PER_STEP = 5e-6
_SECONDS_PER_NUMBER = 1.2e-9
# At most two chunks of records are on the device at a time.
_BYTES = 64_000_000


def chunk_steps(chunk: Any, n_steps: int, every: int, dt: float, row_bytes: int, state: Any) -> int:
    """Steps in a chunk: as requested in ms, or a length that suits the model and its records.

    **Arguments:**

    - `chunk`: in ms; `None` to choose.
    - `n_steps`: number of steps of the whole run.
    - `every`: the chunk is a multiple of it.
    - `dt`: step size in ms.
    - `row_bytes`: memory on the device for the records (and inputs) of `every` steps.
    - `state`: the model's state.
    """
    if chunk is not None:
        steps = whole_steps("chunk", number("chunk", chunk), dt, minimum=1)
        if steps % every:
            raise ValueError(
                f"`chunk` must be a whole multiple of `every` = {every} steps "
                f"({every * dt:.6g} ms), got {chunk} ms. "
                f"Try {math.ceil(steps / every) * every * dt:.6g} ms."
            )
        return min(steps, n_steps)
    numbers = sum(x.size for x in jtu.tree_leaves(state) if eqx.is_array(x))
    seconds = every * (_SECONDS_PER_STEP + _SECONDS_PER_NUMBER * numbers)
    n_blocks = n_steps // every
    most = min(_SECONDS / seconds, _BYTES / max(row_bytes, 1), max(n_blocks / 10, 1000 / every))
    most = max(1, min(int(most), n_blocks))
    # Equal chunks, so that no shorter one at the end has to be compiled as well.
    for blocks in range(most, most // 4, -1):
        if n_blocks % blocks == 0:
            return blocks * every
    return most * every
