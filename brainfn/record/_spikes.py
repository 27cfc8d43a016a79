"""Spikes as bits on the device, and as times and neurons on the host."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from .._custom_types import Spikes as SpikeArray
from .._errors import count, nearest
from .._named import AbstractNamed, Emitted, Places
from ._events import AbstractEvents


def pack_spikes(spikes: SpikeArray) -> UInt8[Any, "*bytes"]:
    """Spikes as bits, 8 neurons to a byte, the first neuron in the highest bit (as NumPy does).

    **Arguments:**

    - `spikes`: bool or 0/1, shape `(..., n)`. A graded signal is an event where it is nonzero.
    """
    return jnp.packbits(spikes.astype(bool), axis=-1)


class Packed(AbstractNamed):
    """Spikes of the populations of a network as bits, by name: `packed["exc"]` has shape
    `(..., ceil(size / 8))`.

    - `groups`: the bits of each group, uint8 of shape `(..., ceil(total / 8))`.
    """

    groups: tuple[Any, ...]
    places: Places

    def __getitem__(self, name: str) -> Any:
        group, offset, size = self.places[name]
        bits = self.groups[group]
        if size == self.places.totals[group]:
            return bits
        if isinstance(bits, np.ndarray):
            return np.packbits(np.unpackbits(bits, axis=-1)[..., offset : offset + size], axis=-1)
        return jnp.packbits(jnp.unpackbits(bits, axis=-1)[..., offset : offset + size], axis=-1)

    def keys(self) -> tuple[str, ...]:
        return self.places.names

    def __iter__(self):
        return iter(self.places.names)

    def __len__(self) -> int:
        return len(self.places.names)

    def named(self) -> dict[str, Any]:
        return {name: self[name] for name in self.places.names}


Mapping.register(Packed)  # pyright: ignore[reportAttributeAccessIssue]


def packed(output: Any) -> Any:
    """The spikes of one step as bits, in the structure of the output."""
    if isinstance(output, Emitted):
        return Packed(tuple(pack_spikes(x) for x in output.groups), output.places)
    return jax.tree.map(pack_spikes, output)


def packed_spikes(state: Any, output: Any) -> Any:
    """Record the spikes of each step as bits, 32 times smaller than the float spikes.

    [`brainfn.record.spike_times`][] decodes them.
    """
    del state
    return packed(output)


class SpikeTrains(eqx.Module):
    """Spikes of a population as a list of events, ordered by time and then by neuron.

    - `steps`: the step of each spike, shape `(spikes,)`.
    - `neurons`: the neuron of each spike, shape `(spikes,)`.
    - `size`: number of neurons.
    - `start`, `stop`: the first recorded step, and the last one plus one.
    - `dt`: step size in ms.

    `len(trains)` is the number of spikes. All arrays are NumPy arrays, or stay on disk until
    accessed if [`brainfn.run`][] recorded into a folder.
    """

    steps: Any
    neurons: Any
    size: int = eqx.field(static=True)
    start: int = eqx.field(static=True)
    stop: int = eqx.field(static=True)
    dt: float = eqx.field(static=True)

    @property
    def times(self) -> Float[np.ndarray, " spikes"]:
        """The time of each spike in ms, float64: the beginning of its step, in which the threshold
        was crossed. NEST stamps spikes with the end, see `times_at`."""
        return self.times_at("beginning")

    def times_at(self, stamp: str) -> Float[np.ndarray, " spikes"]:
        """The time of each spike in ms, float64.

        **Arguments:**

        - `stamp`: `"beginning"` or `"end"` of the step in which the threshold was crossed.
        """
        if stamp not in ("beginning", "end"):
            raise ValueError(f"`stamp` must be 'beginning' or 'end', got {stamp!r}.")
        return (np.asarray(self.steps) + (stamp == "end")) * self.dt

    @property
    def count(self) -> Int[np.ndarray, " size"]:
        """The number of spikes of each neuron."""
        return np.bincount(np.asarray(self.neurons), minlength=self.size)

    def to_dense(self) -> Bool[np.ndarray, "time size"]:
        """All steps from `start` to `stop` as a dense array; True where a neuron spiked."""
        dense = np.zeros((self.stop - self.start, self.size), bool)
        dense[np.asarray(self.steps) - self.start, np.asarray(self.neurons)] = True
        return dense

    def __len__(self) -> int:
        return len(self.neurons)


class Spikes(AbstractEvents):
    """Record all spikes: as bits on the device, 32 times smaller than float spikes.

    With [`brainfn.run`][] the result is a [`brainfn.record.SpikeTrains`][] for each population,
    decoded on the host while the simulation runs. With [`brainfn.simulate`][] it is the bits, which
    [`brainfn.record.spike_times`][] decodes. Spikes are recorded in every step, regardless of
    `every=`.

    **Arguments:**

    - `populations`: the name of a population, or a list of names; by default all.

    **Raises:** `ValueError` when the simulation starts if the model has no such population.
    """

    populations: tuple[str, ...] | None = eqx.field(static=True)

    def __init__(self, populations: str | Sequence[str] | None = None):
        names = (populations,) if isinstance(populations, str) else populations
        self.populations = None if names is None else tuple(names)

    def __call__(self, state: Any, output: Any) -> Any:
        del state
        return packed(self._chosen(output))

    def decode(self, kept: Any, first: int, output: Any) -> Any:
        chosen = self._chosen(output)
        if isinstance(chosen, Emitted):
            rows: dict[str, Any] = {}
            for g, (whole, bits) in enumerate(zip(chosen.groups, kept.groups, strict=True)):
                steps, neurons = _events(bits, whole.shape[-1])
                rows |= _split(steps + first, neurons, chosen.places.members(g))
            return {name: rows[name] for name in chosen.places.names}

        def one(example: Any, bits: np.ndarray) -> dict[str, np.ndarray]:
            steps, neurons = _events(bits, example.shape[-1])
            return {"steps": steps + first, "neurons": neurons}

        return jax.tree.map(one, chosen, kept)

    def result(self, rows: Any, steps: tuple[int, int], dt: float, output: Any) -> Any:
        def one(example: Any, row: dict[str, Any]) -> SpikeTrains:
            return SpikeTrains(row["steps"], row["neurons"], example.shape[-1], *steps, dt)

        chosen = self._chosen(output)
        if isinstance(chosen, Emitted):
            return {
                name: SpikeTrains(row["steps"], row["neurons"], chosen.places[name][2], *steps, dt)
                for name, row in rows.items()
            }
        return jax.tree.map(one, chosen, rows)

    def _chosen(self, output: Any) -> Any:
        if self.populations is not None:
            known = output if isinstance(output, Mapping) else {}
            for name in self.populations:
                if name not in known:
                    raise ValueError(
                        f"`populations` of the recorder: there is no output called {name!r}, "
                        f"only {list(known)}.{nearest(name, known)}"
                    )
            output = {name: output[name] for name in self.populations}
        for path, leaf in jtu.tree_leaves_with_path(output):
            if jnp.ndim(leaf) != 1:
                raise ValueError(
                    "the recorder Spikes() needs a model whose output is spikes of shape (size,), "
                    f"got shape {jnp.shape(leaf)}{' for ' + jtu.keystr(path) if path else ''}. "
                    "Name populations, e.g. Spikes('exc')."
                )
        return output


def _split(
    steps: np.ndarray, neurons: np.ndarray, members: list[tuple[str, int, int]]
) -> dict[str, dict[str, np.ndarray]]:
    """The events of a group, by population."""
    if len(members) == 1:
        return {members[0][0]: {"steps": steps, "neurons": neurons}}
    ends = np.array([offset + size for _, offset, size in members])
    which = np.searchsorted(ends, neurons, side="right")
    order = np.argsort(which, kind="stable")
    bounds = np.searchsorted(which[order], np.arange(len(members) + 1))
    out = {}
    for i, (name, offset, _) in enumerate(members):
        mine = order[bounds[i] : bounds[i + 1]]
        out[name] = {"steps": steps[mine], "neurons": neurons[mine] - np.int32(offset)}
    return out


def spike_times(
    packed: Any, ts: Any, n: int | Mapping[str, int]
) -> tuple[np.ndarray, np.ndarray] | dict[str, tuple[np.ndarray, np.ndarray]]:
    """Decode the record of [`brainfn.record.packed_spikes`][] from [`brainfn.simulate`][].

    **Arguments:**

    - `packed`: bits of the spikes, uint8 of shape `(time, ceil(n / 8))`; or a dictionary of such.
    - `ts`: the time of each row in ms, shape `(time,)`: the `ts` of the simulation. With `every=`
      it has the last of each `every` steps; the times in between are derived.
    - `n`: the number of neurons; for a dictionary of populations a dictionary of numbers.

    **Returns:** the times in ms and the indices of the neurons of all spikes, two NumPy arrays of
    shape `(spikes,)` ordered by time and then by neuron; or a dictionary of such pairs.

    **Raises:** `ValueError` if shapes do not fit.
    """
    if isinstance(packed, Mapping):
        if not isinstance(n, Mapping) or set(n) != set(packed):
            raise ValueError(
                f"`n` must give the number of neurons of each of {list(packed)}, got {n!r}."
            )
        return {name: _decode(packed[name], ts, n[name], name) for name in packed}
    if isinstance(n, Mapping):
        raise ValueError(f"`n` must be one number for one array of bits, got {n!r}.")
    return _decode(packed, ts, n, "")


def _decode(packed: Any, ts: Any, n: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    packed, ts = np.asarray(packed), np.asarray(ts)
    n = count("n", n)
    label = f"`packed[{name!r}]`" if name else "`packed`"
    if ts.size > 1 and len(packed) > len(ts) and len(packed) % len(ts) == 0:
        # `every=` keeps the time of the last of each `every` steps, and the bits of all of them.
        every = len(packed) // len(ts)
        dt = (ts[-1] - ts[0]) / (len(ts) - 1) / every
        ts = ts[0] + (np.arange(len(packed)) - (every - 1)) * dt
    expected = (len(ts), -(-n // 8))
    if packed.dtype != np.uint8 or packed.shape != expected:
        raise ValueError(
            f"{label} must be uint8 of shape (time, ceil(n / 8)) = {expected} for {len(ts)} times "
            f"and {n} neurons, got {packed.dtype} of shape {packed.shape}."
        )
    rows, neurons = _events(packed, n)
    return ts[rows], neurons


def _events(packed: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and neuron of each set bit, in the order of rows.

    Almost all bits are zero: 8-byte words are tested first, then the bytes of nonzero words, and
    only bytes with a spike are unpacked.
    """
    width = packed.shape[1]
    flat = np.ascontiguousarray(packed).reshape(-1)
    whole = flat.size // 8 * 8
    words = np.flatnonzero(flat[:whole].view(np.uint64) != 0)
    found = flat[:whole].reshape(-1, 8)[words]
    word, byte = np.nonzero(found)
    tail = np.flatnonzero(flat[whole:])
    places = np.concatenate([words[word] * 8 + byte, tail + whole])
    values = np.concatenate([found[word, byte], flat[whole:][tail]])
    which, bit = np.nonzero(np.unpackbits(values[:, None], axis=1))
    if width == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int32)
    rows, columns = np.divmod(places, width)
    neurons = (columns[which] * 8 + bit).astype(np.int32)
    del n
    return rows[which], neurons
