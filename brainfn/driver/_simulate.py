"""Simulation as one pure function."""

import inspect
import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import numpy as np

from .._custom_types import Key
from .._errors import check_key, count, is_concrete, time_step, whole_steps
from .._field import check_model, with_arrays
from .._memory import array_bytes, check_memory
from .._model import AbstractModel
from ..record import AbstractReducer, outputs
from ._cache import by_shape, remembered
from ._finite import check_finite
from ._inputs import split_inputs
from ._loop import advance, begin, examples, finish
from ._recorders import is_recorder
from ._result import Simulation, Snapshot


def simulate(
    model: AbstractModel,
    *,
    duration: float,
    dt: float,
    inputs: Any = None,
    state: Any = None,
    key: Key | None = None,
    record: Any = outputs,
    every: int = 1,
    checkpoint: bool | int = False,
) -> Simulation:
    r"""Simulate a model: one `lax.scan`, pure and traceable by `jit`, `vmap` and `grad`.

    **Arguments:**

    - `model`: any [`brainfn.AbstractModel`][].
    - `duration`: duration in ms; a whole number of steps.
    - `dt`: step size in ms.
    - `inputs`: input to the model: a number (constant), an array with a leading axis of `duration /
        dt` steps, a function of the time in ms, a function `(t, v) -> current` of the time since
        the beginning of the step and the membrane potential, an input of [`brainfn.input`][] (e.g.
        `Constant(array)` for one number per neuron, or noise), or a dictionary of these by
        population for a [`brainfn.Network`][]. An array is always a time series; if its shape could
        also mean one number per neuron, it is rejected.
    - `state`: where to start: the `state` of an earlier simulation, which is then continued bit for
        bit as if it had not stopped (inputs with a state continue as well, if they are of the same
        kind under the same name); or a state made by the model's `init`, at time zero. By default
        the model's initial state, drawn from `key`.
    - `key`: a JAX random key, needed if the initial state or the steps are random. The key of step
        $n$ is derived from `key` and $n$, so a continued run draws the same numbers.
    - `record`: what to record: a function `(state, output) -> pytree`, where `state` is that after
        the step; a reducer such as [`brainfn.record.SpikeCount`][]; or a dictionary, list or tuple
        of these. By default the outputs of all steps.
    - `every`: keep only each `every`-th step, the last of each `every`. Reducers and
        [`brainfn.record.Spikes`][] see all steps.
    - `checkpoint`: for reverse mode: keep the state only at the ends of segments and recompute the
        steps in between, which takes memory of $O(\sqrt{\text{steps}})$ for the states; a number
        sets the length of a segment in recorded steps. Values do not change, gradients only by
        rounding: XLA compiles the recomputed steps separately.

    **Returns:** a [`brainfn.Simulation`][] with `ts`, `outputs` and `state`.

    **Raises:** `TypeError` or `ValueError` naming the argument before anything is computed, also
    for parameters whose sign became wrong after the model was made; and, where the result is
    concrete, `FloatingPointError` if the state is not finite at the end, with the population and
    the first step concerned.
    """
    every = count("every", every, minimum=1)
    setup = set_up(model, duration, dt, inputs, state, key, record, every)
    n_steps, start, dt = setup.n_steps, setup.start, setup.dt
    segment = _segment(checkpoint, n_steps // every)
    arguments = (setup.model, start, setup.series, setup.fixed, key, record)
    options = (dt, n_steps, every, segment)
    concrete = all(is_concrete(x) for x in jtu.tree_leaves(arguments))
    if concrete:
        _check_memory(arguments, options)
    final, kept = _loop(*arguments, *options)
    done = np.arange(n_steps // every, dtype=np.int32) * every + (every - 1)
    if is_concrete(start.step):
        # In float64 and then rounded: after hours of model time float32 can't resolve the steps.
        ts = jnp.asarray((int(start.step) + done.astype(np.int64)) * dt, jnp.result_type(float))
    else:
        ts = (start.step + done).astype(jnp.result_type(float)) * dt
    if concrete:
        check_finite(
            setup.model, start, final, setup.series, setup.fixed, key, dt, n_steps, setup.kind
        )
    return Simulation(ts=ts, outputs=kept, state=final)


class Setup(NamedTuple):
    """Checked arguments of a simulation, ready for `advance`."""

    model: AbstractModel
    start: Snapshot
    series: Any
    fixed: Any
    dt: float
    n_steps: int
    kind: str


def set_up(
    model: Any,
    duration: Any,
    dt: Any,
    inputs: Any,
    state: Any,
    key: Any,
    record: Any,
    every: Any,
    *,
    on_host: bool = False,
) -> Setup:
    """Check the arguments of a simulation, prepare the model and make its initial state.

    With `on_host`, time series stay where they are, to be sliced later.
    """
    if not isinstance(model, AbstractModel):
        raise TypeError(
            f"`model` must be a brainfn model, got {type(model).__name__}. "
            "Try brainfn.Network or brainfn.neuron.LIF."
        )
    dt = time_step(dt)
    n_steps = whole_steps("duration", number("duration", duration), dt, minimum=1)
    every = count("every", every, minimum=1)
    if n_steps % every:
        raise ValueError(
            f"`every` must divide the number of steps, got every = {every} and {n_steps} steps."
        )
    if n_steps >= 2**31:
        raise ValueError(f"`duration` / `dt` must be below 2**31 steps, got {n_steps}.")
    _check_record(record)
    check_key(key)
    # The result depends on whether JAX has 64 bits enabled.
    wide = jax.config.read("jax_enable_x64")
    prepared = remembered(model, (dt, wide), lambda: _prepare(model, dt))
    given = state is not None
    series, fixed = split_inputs(inputs, n_steps, prepared, on_host=on_host)
    start_key = None if key is None else jr.fold_in(key, _INIT)
    if not given:
        _check_state_memory(prepared, start_key)
        state = _init(prepared, start_key)
    if not isinstance(state, Snapshot):
        state = Snapshot(state, jnp.zeros((), jnp.int32), dt)
    if given:
        _check_state(prepared, state, key, dt)
    state = Snapshot(state.model_state, state.step, dt, fixed.init(state.inputs, start_key))
    if is_concrete(state.step) and int(state.step) + n_steps >= 2**31:
        raise ValueError(
            f"`duration`: {int(state.step)} steps were made and {n_steps} more are requested, "
            "but steps are counted up to 2**31."
        )
    return Setup(prepared, state, series, fixed, dt, n_steps, type(model).__name__)


def _prepare(model: AbstractModel, dt: float) -> AbstractModel:
    check_model(model)
    return with_arrays(model).prepare(dt)


@eqx.filter_jit
def _init(model: AbstractModel, key: Any) -> Any:
    return model.init(key=key)


# Steps fold their index (from 0) into the key; the initial state uses an index that no step has.
_INIT = 2**31 - 1


@eqx.filter_jit
def _loop(
    model: Any,
    start: Snapshot,
    series: Any,
    fixed: Any,
    key: Any,
    record: Any,
    dt: float,
    n_steps: int,
    every: int,
    segment: int | None,
) -> tuple[Snapshot, Any]:
    example = examples(model, start, series, fixed, key, record, dt)
    summaries = begin(record, example)
    arguments = (model, start, summaries, series, fixed, key, record, example)
    final, summaries, kept = advance(*arguments, dt, n_steps, every, segment)
    return final, finish(record, summaries, kept)


def _segment(checkpoint: bool | int, n: int) -> int | None:
    if checkpoint is False:
        return None
    if checkpoint is True:
        return max(1, math.isqrt(n))
    return min(count("checkpoint", checkpoint, minimum=1), n)


def number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.generic):
        raise TypeError(
            f"`{name}` must be a Python number in ms (it sets the length of the loop), got "
            f"{type(value).__name__}."
        )
    result = float(value)
    if not (math.isfinite(result) and result > 0):
        raise ValueError(f"`{name}` must be positive and finite (in ms), got {value}.")
    return result


def _check_record(record: Any) -> None:
    for path, leaf in jtu.tree_leaves_with_path(record, is_leaf=is_recorder):
        if is_recorder(leaf) and not isinstance(leaf, type):
            _check_signature("record" + jtu.keystr(path), leaf)
        if not is_recorder(leaf) or isinstance(leaf, type):
            hint = f" Try {leaf.__name__}()." if isinstance(leaf, type) else ""
            raise TypeError(
                f"`record{jtu.keystr(path)}` must be a function (state, output) -> pytree or a "
                f"reducer such as brainfn.record.SpikeCount(), got {leaf!r}.{hint}"
            )


def _check_signature(name: str, recorder: Any) -> None:
    try:
        parameters = list(inspect.signature(recorder).parameters.values())
    except (TypeError, ValueError):
        return
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return
    possible = [p for p in parameters if p.kind in positional]
    needed = [p for p in possible if p.default is p.empty]
    if isinstance(recorder, AbstractReducer):
        return
    if len(possible) < 2 or len(needed) > 2:
        raise TypeError(
            f"`{name}` must be a function of two arguments, (state, output) -> pytree, got one of "
            f"{len(needed)}."
        )


def _check_state(model: AbstractModel, state: Snapshot, key: Any, dt: float) -> None:
    """Raise if `state` is not one that `model` could have made."""
    if state.dt != dt:
        raise ValueError(
            f"`dt` must be that of the simulation that `state` comes from, got {dt} and "
            f"{state.dt} ms. To restart at time zero, give state=state.model_state."
        )
    key = jr.key(0) if key is None else key
    own = eqx.filter_eval_shape(lambda m, k: m.init(key=k), model, key)
    if jtu.tree_structure(own) != jtu.tree_structure(state.model_state):
        raise TypeError(
            "`state` does not belong to this model: its structure differs from that of the model's "
            f"`init`, got {type(state.model_state).__name__}. Give the `state` of a "
            "simulation of the same model."
        )
    pairs = zip(jtu.tree_leaves_with_path(own), jtu.tree_leaves(state.model_state), strict=True)
    for (path, expected), given in pairs:
        if eqx.is_array_like(given) and jnp.asarray(given).dtype != expected.dtype:
            raise TypeError(
                f"`state{jtu.keystr(path)}` must have dtype {expected.dtype}, got "
                f"{jnp.asarray(given).dtype}."
            )
        if jnp.shape(expected) != jnp.shape(given):
            raise ValueError(
                f"`state{jtu.keystr(path)}` must have shape {jnp.shape(expected)}, got "
                f"{jnp.shape(given)}: it comes from another model, or from another `dt`."
            )


def _state_bytes(model: AbstractModel, key: Any) -> int:
    state = eqx.filter_eval_shape(lambda m, k: m.init(key=k), model, key)
    return array_bytes(state)


def _check_state_memory(model: AbstractModel, key: Any) -> None:
    """Raise if the model's state, delay lines included, can't fit into memory."""
    if jax.default_backend() != "cpu":
        return
    check_memory(
        by_shape(_state_bytes, model, key),
        "model",
        "its state, including spikes in flight,",
        "Delay lines take (longest `delay` / `dt`) numbers for each neuron or synapse target: make "
        "`delay` shorter or `dt` larger, or simulate fewer neurons.",
    )


def _check_memory(arguments: tuple[Any, ...], options: tuple[Any, ...]) -> None:
    """Raise if the records can't fit into memory, before anything is allocated."""
    model, start, series, fixed, key, record = arguments
    dt, n_steps, every, _ = options
    if every == n_steps or jax.default_backend() != "cpu":
        return
    example = by_shape(examples, model, start, series, fixed, key, record, dt)
    check_memory(
        array_bytes(example.kept) * (n_steps // every),
        "record",
        "the record",
        "Record less (e.g. record=brainfn.record.SpikeCount() or brainfn.record.packed_spikes), "
        "keep fewer steps with `every=`, or stream to disk with brainfn.run.",
    )
