"""The loop over steps of a network as one native call, where every part of a step has a kernel."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from jax import lax

from .. import kernel
from .._errors import is_concrete
from .._model import Clock
from ..kernel import Unsupported
from ..network import NetworkStepper
from ..record import AbstractEvents, AbstractReducer, SpikeCount, States
from ..synapse import Spikes as Unchanged
from ._native_groups import group_of
from ._native_inputs import Driving
from ._native_operands import Arrays, Operands
from ._native_records import Positions, Recording, Source
from ._native_routes import arrivals_of, lines_of, owner_of, rings_of, routes_of
from ._native_rules import rules_of, traced_rules
from ._result import Snapshot

# Fewer steps than this are not worth what it takes to compile their loop.
_FEWEST_STEPS = 100


def may_run_natively(
    model: Any, recorders: Sequence[Any], segment: int | None, example: Any
) -> bool:
    """Whether a loop is of a kind that can be one native call; the rest is found out when it is
    compiled."""
    return (
        isinstance(model, NetworkStepper)
        and segment is None
        and all(type(sender.release) is Unchanged for sender in model.senders)
        and all(_is_closed(r, example) for r in recorders)
    )


def _is_closed(recorder: Any, example: Any) -> bool:
    """Whether a recorder sees nothing but its arguments: not values of a function around it that is
    being traced."""
    if isinstance(recorder, AbstractEvents | SpikeCount | States):
        return True
    arrays, rest = eqx.partition(recorder, eqx.is_array)

    def see(arrays: Any, state: Any, output: Any) -> list[Any]:
        own = eqx.combine(arrays, rest)
        if not isinstance(own, AbstractReducer):
            return jtu.tree_leaves(own(state, output))
        clock = Clock(jnp.zeros((), jnp.int32), 0.1)
        return jtu.tree_leaves(own.update(own.init(state, output), state, output, clock))

    leaves, structure = jtu.tree_flatten((arrays, example.state, example.output))
    closed = jax.make_jaxpr(lambda *xs: see(*jtu.tree_unflatten(structure, xs)))(*leaves)
    return all(is_concrete(x) for x in closed.consts)


def rewrite(flat: Any, avals: Any, arguments: Any, batch: Any) -> Callable[..., Any] | None:
    """For `with_derivative`: the native loop instead of the scan, or `None`."""
    model, *_, dt, n_steps, every, _ = arguments(avals)
    size = sum(group.size for group in model.layout.groups)
    if batch or size < kernel.FEWEST or n_steps < _FEWEST_STEPS:
        return None
    name = kernel.loop_name(model.layout.populations)
    try:
        kernel.check_enabled()
        run = _planned(flat, avals, arguments, dt, n_steps, every)
    except Unsupported as reason:
        kernel.report(name, f"XLA: {reason}")
        return None
    kernel.report(name, "generated")
    return run


def _planned(
    flat: Callable[..., Any], avals: Any, arguments: Any, dt: float, n_steps: int, every: int
) -> Callable[..., Any]:
    model, start, summaries, *_ = arguments(avals)
    driving = Driving(arguments, avals, dt)
    driven = driving.unflatten(driving.leaves)
    n = len(avals)
    where = arguments(range(n))
    size = n + len(driving.leaves)
    driven_at = driving.unflatten(range(n, size))
    recording = Recording(arguments, avals, dt, every)
    count = recording.count
    counts_at = None if count is None else where[2][count]
    shapes = Arrays(model, start, None if count is None else summaries[count], driven[0])
    counted = None if counts_at is None else jtu.tree_leaves(counts_at)
    positions = Arrays(where[0], where[1], counted, driven_at[0])
    rules = traced_rules(model, start, (where[0], where[1]), dt)
    learned = [k for rule in rules for k in rule.positions()]
    state = [*jtu.tree_leaves((_state_of(positions.start), counts_at)), *learned]
    sizes = [group.size for group in model.layout.groups]
    # Bits of spikes are written like state; they are not among the arguments.
    bits = [-1 - g for g in range(len(sizes))] if any(recording.bits) else []
    moving = {n + i for i, moves in enumerate(driving.moving) if moves}
    operands = Operands([*state, *bits], size, moving)
    groups = [group_of(shapes, positions, operands, g, dt) for g in range(len(sizes))]
    lines = lines_of(shapes, positions, operands)
    routes, number = routes_of(shapes, positions, operands)
    rings = rings_of(shapes, positions, operands)
    arrivals, means = arrivals_of(
        shapes,
        positions,
        operands,
        arguments,
        avals,
        driving.arrived,
        dict(zip(driven_at[1], driven[1], strict=True)),
        dt,
    )
    changes = rules_of(rules, shapes, operands)
    kept = recording.plan(_sources(model, positions.start, learned), operands)
    step_at = positions.start.step
    step = operands.place(step_at)
    source = kernel.loop_source(
        groups, lines, routes, rings, arrivals, kept, changes, number, step,
        f"argument(frame, {operands.count})",
    )  # fmt: skip
    target = kernel.compiled(source, kernel.SYMBOL)
    used = sorted(k - n for k in operands.others if k in moving)
    block = min(recording.block(n_steps), driving.block(used, n_steps) // every * every or every)

    def call(values: list[Any], state: Any, step: Any, now: Any, n: int) -> tuple[Any, ...]:
        """The state after `n` steps, the bits of their spikes, and the rows that are kept."""
        values = list(values)
        for k, i in operands.state.items():
            if k >= 0:
                values[k] = state[i]
        values[step_at] = step
        for i, x in zip(used, now, strict=True):
            values[len(avals) + i] = x
        inputs = [
            jnp.zeros((n, -(-sizes[-1 - k] // 8)), jnp.uint8) if k < 0 else values[k]
            for k in (*operands.state, *operands.others)
        ]
        own = inputs[: len(operands.state)]
        results = jax.ffi.ffi_call(
            target,
            [*(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in own), *recording.shapes(n)],
            input_output_aliases={i: i for i in range(len(own))},
        )(*inputs, jnp.asarray(n, jnp.int32))
        first = len(own) - len(bits)
        return results[:first], results[first : len(own)], results[len(own) :]

    def run(*given: Any) -> Any:
        model, start, summaries, series, *_ = arguments(given)
        values = [*given, *driving.first(given, start, series)]
        for make in operands.outside:
            values.append(make(values))

        def stretch(n: int) -> Callable[..., Any]:
            def body(carry: Any, series: Any) -> Any:
                state, step, inputs, sums = carry
                inputs, now = driving.rows(given, step, inputs, series, n, used)
                state, bits, rows = call(values, state, step, now, n)
                sums, kept = recording.made(given, rows, sums, step, n)
                return (state, step + jnp.asarray(n, step.dtype), inputs, sums), (bits, kept)

            return body

        state = [values[k] for k in operands.state if k >= 0]
        carry = state, start.step, start.inputs, summaries
        (state, done, inputs, sums), (bits, kept) = _stretches(
            stretch, carry, series, n_steps, block
        )
        new = dict(zip(operands.state, state, strict=False))
        made = jax.tree.map(
            lambda k, x: new.get(k, x), positions.start.model_state, start.model_state
        )
        end = Snapshot(made, done, dt, inputs)
        counts = jax.tree.map(new.get, counts_at)
        summaries = tuple(counts if i == count else x for i, x in enumerate(sums))
        return jtu.tree_leaves(
            (end, summaries, recording.finished(kept, bits, model.layout.places))
        )

    if not means:
        return run

    def either(*given: Any) -> Any:
        # Poisson numbers with a large mean are drawn in another way, which has no kernel.
        small = jnp.all(jnp.stack([mean(given) for mean in means]) < 10)
        return jax.lax.cond(small, run, flat, *given)

    return either


def _stretches(
    stretch: Callable[..., Any], carry: Any, series: Any, n_steps: int, block: int
) -> Any:
    """All steps, `block` of them at a time."""
    if block >= n_steps:
        return stretch(n_steps)(carry, series)
    whole, rest = divmod(n_steps, block)
    cut = jax.tree.map(lambda x: x[: whole * block].reshape(whole, block, *x.shape[1:]), series)
    carry, made = lax.scan(stretch(block), carry, cut, length=whole)
    made = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), made)
    if rest:
        carry, more = stretch(rest)(carry, jax.tree.map(lambda x: x[whole * block :], series))
        made = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), made, more)
    return carry, made


def _state_of(start: Any) -> Any:
    state = start.model_state
    return state.groups, state.layers, state.lines, state.rings


def _sources(model: Any, start: Any, learned: Sequence[int]) -> Positions:
    """Where the numbers are that a recorder may read."""
    state = start.model_state
    sources: dict[int, Source | None] = dict.fromkeys(
        [*jtu.tree_leaves(_state_of(start)), *learned]
    )
    for g, group in enumerate(state.groups):
        sources.update({k: Source(g, k) for k in jtu.tree_leaves(group)})
    for i, layer in enumerate(state.layers):
        try:
            g = owner_of(model, i)
        except Unsupported:
            continue
        sources.update({k: Source(g, k) for k in jtu.tree_leaves(layer)})
    return Positions(state, sources)
