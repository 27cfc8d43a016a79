"""Single-compartment Hodgkin-Huxley cells."""

from collections.abc import Sequence
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike, Initial, Key, Parameter
from .._errors import nearest
from .._field import (
    AbstractPart,
    check_fields,
    check_parameter,
    fields,
    option,
    param,
    size as size_field,
)
from ..channel import AbstractChannel, AbstractIon, gate_slopes, open_gates, start_gates
from ..init import initial, start
from ..solver import Independent
from ..surrogate import AbstractSurrogate
from ._declared import solver, surrogate
from ._drive import AbstractDrive, as_drive
from ._smooth import AbstractSmoothNeuron


class PointState(eqx.Module):
    """State of a [`brainfn.neuron.PointNeuron`][].

    - `v`: membrane potential in mV.
    - `gates`: for each channel its gates by name, in `gates.values`.
    - `ions`: for each ion its state, such as its concentration inside in mM.
    """

    v: Float[Array, " size"]
    gates: Independent
    ions: dict[str, Any]


class PointNeuron(AbstractSmoothNeuron[PointState]):
    r"""Single-compartment cells with ion channels, of the Hodgkin-Huxley type.

    $$C \frac{dv}{dt} = I(t, v) - \sum_k I_k, \qquad \frac{dx}{dt} = r(v)\,(x_\infty(v) - x)$$

    A spike is an upward crossing of `v_threshold`; nothing is reset. Conductances are in nS and the
    capacitance in pF; for constants per area, give the cell an area of 1e-5 cm2 (1000 um2), so that
    1 mS/cm2 is 10 nS and 1 uF/cm2 is 10 pF; or use them unchanged and read currents as uA/cm2.

    ```python
    cell = bf.neuron.PointNeuron(
        100, [bf.channel.SodiumHH(), bf.channel.PotassiumHH(), bf.channel.Leak()], capacitance=1.0
    )
    ```

    **Arguments:**

    - `size`: number of cells.
    - `channels`: a list of [`brainfn.channel.AbstractChannel`][].
    - `ions`: [`brainfn.channel.AbstractIon`][] by name, such as `{"ca": CalciumPool()}`. The
        currents of all channels that carry the ion change its concentration together. Reversal
        potentials are those of the ion, if it gives one, otherwise those of the channels.
    - `capacitance`: $C$ in pF.
    - `v_threshold`: a spike is an upward crossing of this potential, in mV.
    - `v_init`: initial membrane potential in mV; gates start at their steady state there.
    - `width`: one unit of distance for the surrogate, in mV.
    - `solver`: [`brainfn.solver.ExponentialEuler`][] by default, of order 1;
        [`brainfn.solver.ExponentialMidpoint`][] is of order 2.
    - `surrogate`: as for [`brainfn.neuron.LIF`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Hodgkin and Huxley (1952), J. Physiol. 117:500-544, doi:10.1113/jphysiol.1952.sp004764.
    """

    size: int = size_field()
    channels: tuple[AbstractChannel, ...] = option(
        cls=tuple, convert=lambda x: tuple(x) if isinstance(x, Sequence) else x, positional=True
    )
    ions: dict[str, AbstractIon] = option(cls=dict, factory=dict)
    capacitance: Parameter = param(1.0, unit="pF", sign="positive")
    v_threshold: Parameter = param(-20.0, unit="mV")
    width: Parameter = param(10.0, unit="mV", sign="positive")
    v_init: Initial = initial(-65.0)
    solver: dfx.AbstractSolver = solver()
    surrogate: AbstractSurrogate | None = surrogate()

    def __check_init__(self):
        check_fields(self)
        for i, channel in enumerate(self.channels):
            if not isinstance(channel, AbstractChannel):
                raise TypeError(
                    f"`channels[{i}]` must be a channel of brainfn.channel, got "
                    f"{type(channel).__name__}. Try brainfn.channel.Leak()."
                )
            for ion in channel.needs():
                if ion not in self.ions:
                    raise ValueError(
                        f"`ions` must have {ion!r}, which {type(channel).__name__} depends on, got "
                        f"{list(self.ions)}. Try ions={{{ion!r}: brainfn.channel.CalciumPool()}}."
                    )
        known = {name for c in self.channels for name in (*c.needs(), c.ion()) if name is not None}
        for name, ion in self.ions.items():
            if not isinstance(ion, AbstractIon):
                raise TypeError(
                    f"`ions[{name!r}]` must be an ion of brainfn.channel, got {type(ion).__name__}."
                )
            if name not in known:
                raise ValueError(
                    f"`ions[{name!r}]`: no channel carries {name!r} or depends on it, only on "
                    f"{sorted(known)}.{nearest(name, known)}"
                )
        _check_sizes(self)

    def initial(self, key: Key | None) -> PointState:
        default = jnp.full((), -65.0, self.capacitance.dtype)
        v = start(self.v_init, default, self.size, key)
        ions = {name: ion.rest(v) for name, ion in self.ions.items()}
        seen = {name: self.ions[name].seen(inside) for name, inside in ions.items()}
        gates = tuple(start_gates(channel, v, seen) for channel in self.channels)
        return PointState(v, Independent(gates), ions)

    def vector_field(
        self, t: FloatScalarLike, y: PointState, drive: AbstractDrive | Any
    ) -> PointState:
        """$dy/dt$ per ms; `drive` is a function `(t, v) -> pA`. It works with any Diffrax solver,
        including through `diffrax.diffeqsolve`."""
        v = y.v
        seen = {name: ion.seen(y.ions[name]) for name, ion in self.ions.items()}
        slope = as_drive(drive, v)(t, v)
        carried = {name: jnp.zeros_like(v) for name in self.ions}
        gates = []
        for channel, state in zip(self.channels, y.gates.values, strict=True):
            current = channel.current(open_gates(state), v, seen)
            slope = slope - current
            ion = channel.ion()
            if ion in carried:
                carried[ion] = carried[ion] + current
            gates.append(gate_slopes(channel, state, v, seen))
        ions = {name: ion.change(y.ions[name], carried[name]) for name, ion in self.ions.items()}
        return PointState(
            jnp.broadcast_to(slope / self.capacitance, v.shape), Independent(tuple(gates)), ions
        )


def _check_sizes(cell: PointNeuron) -> None:
    """Check that a parameter of a channel is one number, or one for each cell."""
    parts: list[tuple[str, Any]] = [(f"channels[{i}]", c) for i, c in enumerate(cell.channels)]
    parts += [(f"ions[{name!r}]", ion) for name, ion in cell.ions.items()]
    for path, part in parts:
        for field, value in fields(part):
            declared = field.metadata.get("param")
            if declared is not None:
                check_parameter(f"{path}.{field.name}", value, declared, cell.size)
            elif isinstance(value, AbstractPart):
                parts.append((f"{path}.{field.name}", value))
