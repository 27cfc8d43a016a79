"""Spikes as bits on the device, as times and neurons on the host."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jaxtyping import Bool, Float, Int

from .._errors import count, nearest
from ._events import AbstractEvents
from ._record import pack_spikes


class SpikeTrains(eqx.Module):
    """Spikes of a population as a list of events, ordered by time and then by neuron.

    - `steps`: the step of each spike, shape `(spikes,)`.
    - `neurons`: which neuron it was, shape `(spikes,)`.
    - `size`: number of neurons.
    - `start`, `stop`: the first step that was looked at, and the one after the last.
    - `dt`: step size in ms.

    `len(trains)` is the number of spikes. All arrays are NumPy's, or on disk until they are asked
    for, if [`brainfn.run`][] recorded into a folder.
    """

    steps: Any
    neurons: Any
    size: int = eqx.field(static=True)
    start: int = eqx.field(static=True)
    stop: int = eqx.field(static=True)
    dt: float = eqx.field(static=True)

    @property
    def times(self) -> Float[np.ndarray, " spikes"]:
        """The time of each spike in ms (the beginning of its step), float64."""
        return np.asarray(self.steps) * self.dt

    @property
    def count(self) -> Int[np.ndarray, " size"]:
        """How often each neuron spiked."""
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
    decoded on the host while the simulation goes on. With [`brainfn.simulate`][] it is the bits,
    which [`brainfn.record.spike_times`][] decodes. Spikes are taken from every step, whatever
    `every=` is.

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
        return jax.tree.map(pack_spikes, self._chosen(output))

    def decode(self, kept: Any, first: int, output: Any) -> Any:
        def one(example: Any, packed: np.ndarray) -> dict[str, np.ndarray]:
            steps, neurons = _events(packed, example.shape[-1])
            return {"steps": steps + first, "neurons": neurons}

        return jax.tree.map(one, self._chosen(output), kept)

    def result(self, rows: Any, steps: tuple[int, int], dt: float, output: Any) -> Any:
        def one(example: Any, row: dict[str, Any]) -> SpikeTrains:
            return SpikeTrains(row["steps"], row["neurons"], example.shape[-1], *steps, dt)

        return jax.tree.map(one, self._chosen(output), rows)

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


def spike_times(
    packed: Any, ts: Any, n: int | Mapping[str, int]
) -> tuple[np.ndarray, np.ndarray] | dict[str, tuple[np.ndarray, np.ndarray]]:
    """Decode what [`brainfn.record.packed_spikes`][] recorded in [`brainfn.simulate`][].

    **Arguments:**

    - `packed`: bits of the spikes, uint8 of shape `(time, ceil(n / 8))`; or a dictionary of such.
    - `ts`: the time of each row in ms, shape `(time,)`: the `ts` of the simulation.
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
    expected = (len(ts), -(-n // 8))
    if packed.dtype != np.uint8 or packed.shape != expected:
        raise ValueError(
            f"{label} must be uint8 of shape (time, ceil(n / 8)) = {expected} for {len(ts)} times "
            f"and {n} neurons, got {packed.dtype} of shape {packed.shape}."
        )
    rows, neurons = _events(packed, n)
    return ts[rows], neurons


def _events(packed: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and neuron of each bit that is set, in the order of rows.

    Almost all bits are zero: words of 8 bytes are looked at first, then the bytes of those that are
    not zero, and only bytes that hold a spike are unpacked.
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
