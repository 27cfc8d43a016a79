"""The loop over steps, to be traced: `simulate` compiles it as a whole, `run` in chunks."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
from jax import lax

from .._model import Clock
from ..event import vary_like, with_derivative
from ..record import AbstractEvents, AbstractReducer
from ._native import may_run_natively, rewrite
from ._recorders import is_recorder, recorded
from ._result import Snapshot


def _one(model: Any, start: Snapshot, series: Any, fixed: Any, key: Any, dt: float) -> Any:
    """`((state, states of inputs), step, row of the series) -> (both, output)`."""
    constant = None
    if fixed.constant:
        values, _ = fixed.evaluate(series, {}, Clock(start.step, dt), None)
        constant = model.arrange_inputs(values)

    def one(both: Any, step: Any, row: Any) -> tuple[Any, Any]:
        state, driving = both
        k = None if key is None else jr.fold_in(key, step)
        clock = Clock(step, dt)
        drive = constant
        if not fixed.constant:
            drive, driving = fixed.evaluate(row, driving, clock, k)
        state, output = model.step(state, drive, clock, key=k)
        return (state, driving), output

    return one


class Example(NamedTuple):
    """Shapes and dtypes of one step: state, output, and the entry of each recorder."""

    state: Any
    output: Any
    kept: tuple[Any, ...]


def examples(
    model: Any, start: Snapshot, series: Any, fixed: Any, key: Any, record: Any, dt: float
) -> Example:
    """The shapes and dtypes of one step, without computing it."""
    recorders = jtu.tree_leaves(record, is_leaf=is_recorder)

    def first(model: Any, start: Any, series: Any, fixed: Any, key: Any) -> Example:
        row = jax.tree.map(lambda x: x[0], series)
        one = _one(model, start, series, fixed, key, dt)
        (state, _), output = one((start.model_state, start.inputs), start.step, row)
        kept = [
            None if isinstance(r, AbstractReducer) else recorded(r, state, output)
            for r in recorders
        ]
        return Example(state, output, tuple(kept))

    return eqx.filter_eval_shape(first, model, start, series, fixed, key)


def begin(record: Any, example: Example) -> tuple[Any, ...]:
    """The summaries of the reducers in `record` before the first step; `None` for the others."""
    recorders = jtu.tree_leaves(record, is_leaf=is_recorder)
    if not any(isinstance(r, AbstractReducer) for r in recorders):
        return (None,) * len(recorders)
    state, output = _zeros((example.state, example.output))
    return tuple(
        r.init(state, output) if isinstance(r, AbstractReducer) else None for r in recorders
    )


def finish(record: Any, summaries: tuple[Any, ...], kept: tuple[Any, ...]) -> Any:
    """The returned `outputs`: results of reducers, and the rows of the other recorders."""
    recorders, structure = jtu.tree_flatten(record, is_leaf=is_recorder)
    results = [
        r.finish(s) if isinstance(r, AbstractReducer) else k
        for r, s, k in zip(recorders, summaries, kept, strict=True)
    ]
    return jtu.tree_unflatten(structure, results)


def advance(
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
    segment: int | None,
) -> tuple[Snapshot, tuple[Any, ...], tuple[Any, ...]]:
    """The loop: `n_steps` steps from `start`, to be traced.

    **Returns:** the end, the summaries of reducers, and the rows of each other recorder.
    """
    recorders = jtu.tree_leaves(record, is_leaf=is_recorder)
    arguments = (model, start, summaries, series, fixed, key, record, example)
    numbers = (dt, n_steps, every, segment)
    if may_run_natively(model, recorders, segment, example):
        return _natively(*arguments, *numbers)
    return _scanned(*arguments, *numbers)


def _scanned(
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
    segment: int | None,
) -> tuple[Snapshot, tuple[Any, ...], tuple[Any, ...]]:
    one = _one(model, start, series, fixed, key, dt)
    recorders = jtu.tree_leaves(record, is_leaf=is_recorder)
    # Inside `jax.shard_map`, the carry of the loop varies like everything that flows into it.
    everything = (model, start, summaries, series, fixed, key)

    def keep(state: Any, output: Any) -> tuple[Any, ...]:
        sparse = [not isinstance(r, AbstractReducer | AbstractEvents) for r in recorders]
        return tuple(
            recorded(r, state, output) if yes else None
            for r, yes in zip(recorders, sparse, strict=True)
        )

    def see(state: Any, output: Any) -> tuple[Any, ...]:
        return tuple(r(state, output) if isinstance(r, AbstractEvents) else None for r in recorders)

    def make(carry: Any, row: Any) -> tuple[Any, Any]:
        both, step, sums = carry
        both, output = one(both, step, row)
        state, clock = both[0], Clock(step, dt)
        sums = tuple(
            r.update(s, state, output, clock) if isinstance(r, AbstractReducer) else None
            for r, s in zip(recorders, sums, strict=True)
        )
        return (both, step + 1, sums), output

    def block(carry: Any, rows: Any) -> tuple[Any, Any]:
        if every == 1:
            carry, output = make(carry, rows)
            seen = see(carry[0][0], output)
        else:

            def inner(both: Any, row: Any) -> tuple[Any, Any]:
                carry, output = make(both[0], row)
                return (carry, output), see(carry[0][0], output)

            last = (carry, vary_like(_zeros(example.output), everything))
            (carry, output), seen = lax.scan(inner, last, rows, length=every)
        return carry, (keep(carry[0][0], output), seen)

    n_blocks = n_steps // every
    rows = series
    if every > 1:
        rows = jax.tree.map(lambda x: x.reshape(n_blocks, every, *x.shape[1:]), series)
    carry = vary_like(((start.model_state, start.inputs), start.step, summaries), everything)
    if segment is None:
        carry, (kept, seen) = lax.scan(block, carry, rows, length=n_blocks)
    else:
        carry, (kept, seen) = _checkpointed(block, carry, rows, n_blocks, segment)
    if every > 1:
        seen = jax.tree.map(lambda x: x.reshape(n_steps, *x.shape[2:]), seen)
    (state, driving), step, summaries = carry
    kept = tuple(
        s if isinstance(r, AbstractEvents) else k
        for r, k, s in zip(recorders, kept, seen, strict=True)
    )
    return Snapshot(state, step, dt, driving), summaries, kept


_natively = with_derivative(_scanned, _scanned, rewrite=rewrite)


def _checkpointed(
    body: Callable[..., Any], carry: Any, rows: Any, length: int, segment: int
) -> tuple[Any, Any]:
    """`lax.scan` in segments; reverse mode stores only the first carry of each."""
    whole, rest = divmod(length, segment)

    def run(n: int) -> Callable[..., Any]:
        return jax.checkpoint(lambda c, xs: lax.scan(body, c, xs, length=n))

    cut = jax.tree.map(lambda x: x[: whole * segment], rows)
    cut = jax.tree.map(lambda x: x.reshape(whole, segment, *x.shape[1:]), cut)
    carry, kept = lax.scan(run(segment), carry, cut, length=whole)
    kept = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), kept)
    if rest:
        tail = jax.tree.map(lambda x: x[whole * segment :], rows)
        carry, more = run(rest)(carry, tail)
        kept = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), kept, more)
    return carry, kept


def _zeros(shapes: Any) -> Any:
    return jax.tree.map(
        lambda x: jnp.zeros(x.shape, x.dtype) if isinstance(x, jax.ShapeDtypeStruct) else x, shapes
    )
