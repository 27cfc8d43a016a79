"""External inputs to the populations of a network, group by group."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._errors import from_host, is_concrete, nearest
from .._field import float_dtype
from .._population import AbstractPopulation
from ..input import Arrival, Several
from ..neuron import AbstractDrive, as_drive
from ._layout import Layout


class Arranged(eqx.Module):
    """Inputs group by group, as the step reads them.

    - `values`: for each group a current or a drive; for groups with several ports a dictionary of
        these; for sources their input.
    - `arrivals`: layer, offset in it, and the amount added there.
    """

    values: tuple[Any, ...]
    arrivals: tuple[tuple[int, int, int, Any], ...]


class JoinedDrive(AbstractDrive):
    """The drives of the populations of a group, one after the other."""

    parts: tuple[AbstractDrive, ...]
    sizes: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, t: Any, v: Array) -> Array:
        out, start = [], 0
        for part, size in zip(self.parts, self.sizes, strict=True):
            current = part(t, v[start : start + size])
            out.append(jnp.broadcast_to(jnp.asarray(current, v.dtype), (size,)))
            start += size
        return jnp.concatenate(out)

    def held(self, rate: Any, dt: float) -> "JoinedDrive":
        del rate, dt
        return self


def arrange(
    inputs: Any,
    layout: Layout,
    populations: Sequence[AbstractPopulation],
    receptors: Mapping[str, tuple[tuple[str, ...], int, str]],
) -> Arranged:
    """Inputs of one step, in the order of the groups.

    **Arguments:**

    - `inputs`: `None`, a number, or a dictionary by population (`"exc"`) or port (`"exc.apical"`).
    - `layout`, `populations`: of the network, one population for each group.
    - `receptors`: targets, receptor and port of each projection.
    """
    if inputs is None:
        inputs = {}
    if not isinstance(inputs, Mapping):
        if not eqx.is_array_like(inputs) or jnp.ndim(inputs) != 0:
            shape = f" of shape {jnp.shape(inputs)}" if eqx.is_array_like(inputs) else ""
            raise ValueError(
                "`inputs` of a network must be a number for all neurons or a dictionary by "
                f"population, got {type(inputs).__name__}{shape}."
            )
        return Arranged(tuple(_to_first_port(model, inputs) for model in populations), ())
    check_names(inputs, layout, populations)
    arrivals: list[tuple[int, int, int, Any]] = []
    values = []
    for g, (group, model) in enumerate(zip(layout.groups, populations, strict=True)):
        ports = model.ports()
        if not ports:
            values.append(_of_source(group, model, inputs))
            continue
        by_port = {}
        for port in ports:
            # Several populations are one group only if they are elementwise: then ports have their
            # sizes.
            sizes = group.sizes if len(group.names) > 1 else (ports[port],)
            parts = []
            for name, size in zip(group.names, sizes, strict=True):
                key = name if port == "" else f"{name}.{port}"
                value = inputs.get(key)
                value, arrived = _split(value)
                arrivals += [_place(key, name, port, size, a, layout, receptors) for a in arrived]
                parts.append(_checked(key, value, size))
            by_port[port] = _join(parts, sizes, float_dtype(model))
        values.append(by_port[""] if tuple(by_port) == ("",) else by_port)
        del g
    return Arranged(tuple(values), tuple(arrivals))


def _to_first_port(model: AbstractPopulation, current: Any) -> Any:
    """What each population gets of one number for all: its first port, if it has several."""
    ports = tuple(model.ports())
    if not ports:
        return None
    value = jnp.asarray(current, float_dtype(model))
    return value if ports == ("",) else {ports[0]: value}


def check_names(
    inputs: Mapping[Any, Any], layout: Layout, populations: Sequence[AbstractPopulation]
) -> None:
    """Raise for an unknown name of a population or port."""
    known = []
    for group, model in zip(layout.groups, populations, strict=True):
        ports = model.ports() or {"": model.size}
        known += [
            name if port == "" else f"{name}.{port}" for name in group.names for port in ports
        ]
    for name in inputs:
        if name not in known:
            raise ValueError(
                f"`inputs`: there is no population {name!r}, only {known}."
                f"{nearest(str(name), known)}"
            )


def _split(value: Any) -> tuple[Any, list[Arrival]]:
    if isinstance(value, Arrival):
        return None, [value]
    if isinstance(value, Several):
        arrivals = [part for part in value.values if isinstance(part, Arrival)]
        rest = [part for part in value.values if not isinstance(part, Arrival)]
        return (rest[0] if rest else None), arrivals
    return value, []


def _place(
    key: str,
    name: str,
    port: str,
    size: int,
    arrival: Arrival,
    layout: Layout,
    receptors: Mapping[str, tuple[tuple[str, ...], int, str]],
) -> tuple[int, int, int, Any]:
    into = arrival.into
    reaching = [p for p, (post, _, at) in receptors.items() if name in post and at == port]
    if into not in reaching:
        raise ValueError(
            f"`inputs[{key!r}]`: `into` must name a projection onto {key!r}, got {into!r}; there "
            f"are {reaching}.{nearest(into, reaching)}"
        )
    if jnp.shape(arrival.amount) not in ((), (size,)):
        raise ValueError(
            f"`inputs[{key!r}]`: arrivals must be a number or have one entry for each of the "
            f"{size} neurons, got shape {jnp.shape(arrival.amount)}."
        )
    i = layout.layer_of(receptors[into][1], name, port)
    return i, layout.layers[i].offsets[name, port], size, arrival.amount


def _checked(name: str, value: Any, size: int) -> Any:
    if value is None or callable(value):
        return value
    if not eqx.is_array_like(value):
        raise TypeError(
            f"`inputs[{name!r}]` must be a current in pA or a function (t, v) -> current, got "
            f"{type(value).__name__}."
        )
    if jnp.shape(value) not in ((), (size,)):
        raise ValueError(
            f"`inputs[{name!r}]` must be a number or have one entry for each of the "
            f"{size} neurons in each step, got shape {jnp.shape(value)}."
        )
    return value


def _join(parts: Sequence[Any], sizes: Sequence[int], dtype: Any) -> Any:
    if any(callable(part) for part in parts):
        drives = tuple(
            as_drive(part, jnp.zeros(size, dtype)) for part, size in zip(parts, sizes, strict=True)
        )
        return drives[0] if len(drives) == 1 else JoinedDrive(drives, tuple(sizes))
    values = [0.0 if part is None else part for part in parts]
    if _all_equal(values):
        return jnp.asarray(values[0], dtype)
    if all(is_concrete(value) for value in values):
        host = [
            np.broadcast_to(np.asarray(value), (size,))
            for value, size in zip(values, sizes, strict=True)
        ]
        return from_host(np.concatenate([x.astype(dtype) for x in host]))
    return jnp.concatenate(
        [
            jnp.broadcast_to(jnp.asarray(value, dtype), (size,))
            for value, size in zip(values, sizes, strict=True)
        ]
    )


def _all_equal(values: Sequence[Any]) -> bool:
    if len(values) == 1:
        return True
    if not all(is_concrete(v) and np.ndim(v) == 0 for v in values):
        return False
    return len({float(np.asarray(v)) for v in values}) == 1


def _of_source(group: Any, model: AbstractPopulation, inputs: Mapping[str, Any]) -> Any:
    given = [inputs.get(name) for name in group.names]
    if all(value is None for value in given):
        return None
    if len(given) == 1:
        return given[0]
    # NaN marks a population without input when others of its kind have one.
    parts = []
    for name, size, value in zip(group.names, group.sizes, given, strict=True):
        if value is None:
            parts.append(jnp.full(size, jnp.nan, float_dtype(model)))
            continue
        if not eqx.is_array_like(value) or jnp.shape(value) not in ((), (size,)):
            raise ValueError(
                f"`inputs[{name!r}]` must be a number or have one entry for each of the {size} "
                f"units in each step, got {type(value).__name__} of shape {jnp.shape(value)}."
            )
        parts.append(jnp.broadcast_to(jnp.asarray(value, float_dtype(model)), (size,)))
    return jnp.concatenate(parts)
