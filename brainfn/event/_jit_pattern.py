"""Which synapses a just-in-time matrix has: everything but the weights."""

import ctypes
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt

from ._check import concrete
from ._jit_counts import (
    NORMAL_SCALE,
    UNIFORM_SCALE,
    extent_bits,
    normal_quantiles,
    thresholds,
    tile_bits,
)
from ._jit_reference import NORMAL, Flags, Layout, binomial_synapses, fixed_synapses
from ._native import library

_INT32_MAX = np.iinfo(np.int32).max
_STREAMS = 64  # streams listed at a time by the fallback without native library


class Pattern(eqx.Module):
    """The law of the synapses, the seed, and the place in the whole matrix."""

    seed: UInt[Array, " words"]
    origin: Int[Array, " row_column"]
    shape: tuple[int, int] = eqx.field(static=True)
    probability: float | None = eqx.field(static=True)
    number: int = eqx.field(static=True)
    extent: int = eqx.field(static=True)
    columns: bool = eqx.field(static=True)  # streams are columns
    autapses: bool = eqx.field(static=True)
    diagonal: int = eqx.field(static=True)

    @property
    def synapses_expected(self) -> int:
        """Number of synapses; the expected number if each exists with a probability."""
        if self.probability is not None:
            return round(self.probability * math.prod(self.shape))
        streams, positions = self.shape[::-1] if self.columns else self.shape
        return round(self.number * streams * positions / max(self.extent, 1))

    def flags(self, law: int) -> Flags:
        p = self.probability
        bits = extent_bits(self.extent) if p is None else tile_bits(p)
        return Flags(p is None, self.columns, not self.autapses, law, bits)

    def extra(self, law: int) -> tuple[int, ...]:
        diagonal = -self.diagonal if self.columns else self.diagonal
        return (self.flags(law).pack(), diagonal, self.number, self.extent)

    def structure(self, law: int) -> tuple[Array, ...]:
        p = self.probability
        table = np.zeros((0, 2), np.uint32) if p is None else thresholds(p)
        quantiles = (jnp.asarray(normal_quantiles()),) if law == NORMAL else ()
        return (self.seed, self.origin, jnp.asarray(table), *quantiles)

    @property
    def T(self) -> "Pattern":
        return Pattern(
            self.seed,
            self.origin[::-1],
            (self.shape[1], self.shape[0]),
            self.probability,
            self.number,
            self.extent,
            not self.columns,
            self.autapses,
            -self.diagonal,
        )

    def block(self, rows: Any, cols: Any, what: str) -> "Pattern":
        starts, shape = [], []
        for name, part, n in zip(("rows", "cols"), (rows, cols), self.shape, strict=True):
            if not isinstance(part, slice) or part.step not in (None, 1):
                raise ValueError(
                    f"{what}.block: {name} must be a slice with step 1, got {part!r}; try "
                    f"slice(0, {n})."
                )
            start, stop, _ = part.indices(n)
            starts.append(start)
            shape.append(max(stop - start, 0))
        return Pattern(
            self.seed,
            self.origin + jnp.asarray(starts, np.int32),
            (shape[0], shape[1]),
            self.probability,
            self.number,
            self.extent,
            self.columns,
            self.autapses,
            self.diagonal,
        )

    def synapses(self, law: int, what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """On the host: number of synapses in each stream, their positions in ascending order within
        each, and z."""
        if not (concrete(self.seed) and concrete(self.origin)):
            raise ValueError(
                f"{what}.tocsr: the number of synapses depends on seed and origin, which are "
                "traced here. Call tocsr outside jax.jit and jax.vmap, or use the matrix as it is."
            )
        n_streams, n_positions = self.shape[::-1] if self.columns else self.shape
        if n_streams == 0 or n_positions == 0:
            none = np.zeros(0, np.int32)
            return np.zeros(n_streams, np.int32), none, none
        extra, structure = self.extra(law), [np.asarray(x) for x in self.structure(law)]
        lib = library()
        if lib is None:
            return _synapses_in_jax(self.shape, extra, structure)
        return _synapses_native(lib, self.shape, n_streams, extra, structure, what)


def _synapses_native(lib, shape, n_streams, extra, structure, what):
    def pointer(x):
        return x.ctypes.data_as(ctypes.c_void_p)

    lib.brainfn_jit_list.restype = ctypes.c_int64
    numbers_ = np.asarray(extra, np.int64)
    seed, origin, table, *quantiles = [np.ascontiguousarray(x) for x in structure]
    counts = np.zeros(n_streams, np.int32)

    def call(positions, z):
        return lib.brainfn_jit_list(
            pointer(numbers_),
            pointer(seed),
            pointer(origin),
            pointer(table),
            ctypes.c_int64(table.shape[0]),
            pointer(quantiles[0]) if quantiles else None,
            *map(ctypes.c_int64, (*shape, 0, n_streams)),
            pointer(counts),
            positions,
            z,
        )

    total = call(None, None)
    check_number(total, what)
    positions, z = np.zeros(total, np.int32), np.zeros(total, np.int32)
    call(pointer(positions), pointer(z))
    scale = NORMAL_SCALE if Flags.unpack(extra[0]).law == NORMAL else UNIFORM_SCALE
    return counts, positions, z * scale


def check_number(total: int, what: str) -> None:
    """Raises if there are too many synapses for the row pointers."""
    if total > _INT32_MAX and jnp.asarray(0).dtype != np.int64:
        raise ValueError(
            f"{what}.tocsr: {total} synapses overflow int32 row pointers; enable jax_enable_x64, "
            "or use the matrix as it is."
        )


_some_fixed = jax.jit(fixed_synapses, static_argnums=(0, 5, 6))
_some_binomial = jax.jit(binomial_synapses, static_argnums=(0, 3, 5, 6))


def _synapses_in_jax(shape, extra, structure):
    """The same from the reference, where there is no native library."""
    layout = Layout.of(shape, extra)
    arrays = [jnp.asarray(x) for x in structure]
    found = []
    for start in range(0, layout.n_streams, _STREAMS):
        first, zero = jnp.asarray(start, np.int32), jnp.zeros((), np.int32)
        if layout.flags.fixed:
            size = 1 << layout.flags.bits
            counted = jnp.zeros(_STREAMS, np.int32)
            some, _ = _some_fixed(layout, arrays, first, counted, zero, size, jnp.float32)
        else:
            tiles = layout.n_tiles
            some = _some_binomial(layout, arrays, first, _STREAMS, zero, tiles, jnp.float32)
        valid = np.asarray(some.valid)
        z = np.zeros(valid.size) if some.z is None else np.asarray(some.z, np.float64)
        found.append([np.asarray(x)[valid] for x in (some.stream, some.position, z)])
    stream, position, z = (np.concatenate(x) for x in zip(*found, strict=True))
    order = np.lexsort((position, stream))
    counts = np.bincount(stream, minlength=layout.n_streams).astype(np.int32)
    return counts, position[order], z[order]
