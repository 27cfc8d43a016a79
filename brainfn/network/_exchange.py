"""The half of a step in which neurons communicate: delay lines, and one product."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Shaped

from .._model import Clock
from ..delay import Delay, DelayState
from ..event import AbstractMatrix, Block, Delayed, arrivals as take_arrivals
from ._near import deliver


class Due(eqx.Module):
    """Arriving signals: those of a sender `steps` steps ago, or of one population with a delay for
    each of its neurons."""

    delays: Any
    sender: int = eqx.field(static=True)
    steps: int = eqx.field(static=True)
    offset: int = eqx.field(static=True)


class Route(eqx.Module):
    """A matrix with its place: from a position in the due signals to one in an accumulator.

    - `name`: the projection whose weights in the state replace those of the matrix, if they change.
    """

    matrix: AbstractMatrix | Delayed
    source: int = eqx.field(static=True)
    row: int = eqx.field(static=True)
    target: int = eqx.field(static=True)
    column: int = eqx.field(static=True)
    name: str | None = eqx.field(static=True)

    def block(self, weights: Mapping[str, Any]) -> Block:
        matrix = self.matrix
        if self.name is not None:
            assert isinstance(matrix, AbstractMatrix)
            matrix = matrix.with_weight(weights[self.name])
        return Block(matrix, self.source, self.row, self.target, self.column)


class Exchange(eqx.Module):
    """All communication between neurons, prepared for steps of a fixed size.

    - `lines`: for each sender the delay line of its signals.
    - `due`: the signals read from them in each step.
    - `routes`: the connections.
    - `rings`: for each layer of receptors the slots of its ring buffer, 0 for none.
    - `marked`: which senders send spikes with marks (see `_near`).
    """

    lines: tuple[Delay, ...]
    due: tuple[Due, ...]
    routes: tuple[Route, ...]
    rings: tuple[int, ...] = eqx.field(static=True)
    marked: tuple[bool, ...] = eqx.field(static=True)

    def read(
        self, lines: Sequence[DelayState], clock: Clock
    ) -> tuple[Shaped[Array, " n_pre"], ...]:
        """The signals that are due, for each `Due`."""
        out = []
        for due in self.due:
            line, state = self.lines[due.sender], lines[due.sender]
            if due.delays is None:
                out.append(line.read(state, clock, due.steps))
            else:
                n = due.delays.shape[0]
                part = DelayState(state.buffer[:, due.offset : due.offset + n])
                own = Delay(line.steps, n, line.dtype)
                out.append(own.read(part, clock, due.delays))
        return tuple(out)

    def arrive(
        self,
        signals: Sequence[Array],
        accumulators: Sequence[Array],
        rings: Sequence[Array | None],
        weights: Mapping[str, Any],
        clock: Clock,
    ) -> tuple[list[Array], tuple[Array | None, ...]]:
        """Accumulators of all layers with the arriving signals added, and the ring buffers."""
        vectors = list(accumulators)
        if self.routes:
            buffers = [ring for ring in rings if ring is not None]
            blocks = tuple(route.block(weights) for route in self.routes)
            marked = tuple(self.marked[due.sender] for due in self.due)
            # Signals of the last step pass synapses with individual delays; there are none before
            # step 0.
            now = jnp.maximum(clock.step - 1, 0) if buffers else None
            # Half-precision weights add up in float32.
            wide = [jnp.asarray(v, self._sum_dtype(i, v)) for i, v in enumerate(vectors)]
            sums = deliver((*wide, *buffers), tuple(signals), blocks, marked, now)
            new = list(sums[: len(vectors)])
            vectors = [x.astype(v.dtype) for x, v in zip(new, vectors, strict=True)]
            left = iter(sums[len(vectors) :])
            rings = [None if ring is None else next(left) for ring in rings]
        out = []
        for i, ring in enumerate(rings):
            if ring is None:
                out.append(None)
                continue
            arrived, ring = take_arrivals(ring, clock.step)
            vectors[i] = vectors[i] + arrived.astype(vectors[i].dtype)
            out.append(ring)
        return vectors, tuple(out)

    def _sum_dtype(self, layer: int, vector: Array) -> Any:
        for route in self.routes:
            if route.target == layer:
                return route.matrix.vector_dtype
        return vector.dtype

    def send(
        self, lines: Sequence[DelayState], signals: Sequence[Array], clock: Clock
    ) -> tuple[DelayState, ...]:
        """The lines with the signals of this step written."""
        return tuple(
            line.write(state, signal, clock)
            for line, state, signal in zip(self.lines, lines, signals, strict=True)
        )
