"""The drive of a membrane: a current in pA as a function of time and potential."""

import abc
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._custom_types import FloatScalarLike
from .._errors import nearest


class AbstractDrive(eqx.Module):
    """The current into the neurons of a population, at any time within one step."""

    @abc.abstractmethod
    def __call__(self, t: FloatScalarLike, v: Float[Array, " size"]) -> Float[Array, " *size"]:
        """Current in pA, `t` ms after the beginning of the step, at membrane potentials `v`."""

    @abc.abstractmethod
    def held(self, rate: Any, dt: float) -> "AbstractDrive":
        """A drive with inputs held constant over the step of `dt` ms at values that have the same
        effect at its end as the changing inputs: for solvers that evaluate their inputs only once
        per step.

        **Arguments:**

        - `rate`: the rate in 1/ms at which the effect of an input on the membrane decays, 0 if
          unknown.
        - `dt`: step size in ms.
        """

    def jump(self, v: Float[Array, " size"]) -> Float[Array, " size"] | None:
        """By how many mV the membrane potentials jump in this step, after it has been integrated
        and before spikes are detected; `None` if nothing of the kind reaches the population."""
        del v
        return None


class ConstantDrive(AbstractDrive):
    """A constant current over the step, independent of the membrane potential."""

    current: Float[Array, " *size"]

    def __call__(self, t: Any, v: Any) -> Any:
        del t, v
        return self.current

    def held(self, rate: Any, dt: float) -> "ConstantDrive":
        del rate, dt
        return self


class FunctionDrive(AbstractDrive):
    """A function `(t, v) -> current` that a user wrote."""

    function: Callable[..., Any]

    def __call__(self, t: Any, v: Any) -> Any:
        current = self.function(t, v)
        if not eqx.is_array_like(current) or jnp.shape(current) not in ((), v.shape):
            shape = jnp.shape(current) if eqx.is_array_like(current) else type(current).__name__
            raise ValueError(
                "`inputs`: a drive (t, v) -> current must give one number or one for each of "
                f"{v.shape[0]} neurons, got {shape}."
            )
        return jnp.asarray(current, v.dtype)

    def held(self, rate: Any, dt: float) -> "FunctionDrive":
        del rate, dt
        return self


def as_drive(inputs: Any, v: Float[Array, " size"]) -> AbstractDrive:
    """`inputs` of neurons as a drive.

    **Arguments:**

    - `inputs`: `None` for no current, a current in pA (a number or one for each neuron), a function
        `(t, v) -> current` of the time since the beginning of the step in ms and the membrane
        potential in mV, or a [`brainfn.neuron.AbstractDrive`][].
    - `v`: membrane potentials in mV, shape `(size,)`.

    **Raises:** `TypeError` or `ValueError` naming `inputs`.
    """
    if isinstance(inputs, AbstractDrive):
        return inputs
    if callable(inputs):
        return FunctionDrive(inputs)
    if inputs is None:
        return ConstantDrive(jnp.zeros((), v.dtype))
    if not eqx.is_array_like(inputs):
        raise TypeError(
            "`inputs` of a neuron must be a current in pA (a number or an array of shape "
            f"{v.shape}) or a function (t, v) -> current, got {type(inputs).__name__}."
        )
    if jnp.shape(inputs) not in ((), v.shape):
        raise ValueError(
            "`inputs` of a neuron must be one number or have one entry for each of the "
            f"{v.shape[0]} neurons in each step, got shape {jnp.shape(inputs)}."
        )
    return ConstantDrive(jnp.asarray(inputs, v.dtype))


def as_drives(
    inputs: Any, ports: Mapping[str, int], v: Float[Array, " size"]
) -> AbstractDrive | dict[str, AbstractDrive]:
    """`inputs` of a population as one drive, or for named ports as one drive for each.

    **Arguments:**

    - `inputs`: a dictionary by port of what [`brainfn.neuron.as_drive`][] takes; or for one port
        only, which is the first of several.
    - `ports`: the ports and their sizes, of a population's `ports`.
    - `v`: membrane potentials in mV, whose dtype drives have.

    **Raises:** `TypeError` or `ValueError` naming `inputs`.
    """
    if tuple(ports) == ("",):
        return as_drive(inputs, v)
    given = dict(inputs) if isinstance(inputs, Mapping) else {next(iter(ports)): inputs}
    for name in given:
        if name not in ports:
            raise ValueError(
                f"`inputs`: there is no port {name!r}, only {list(ports)}."
                f"{nearest(str(name), ports)}"
            )
    return {
        port: as_drive(given.get(port), jnp.zeros(size, v.dtype)) for port, size in ports.items()
    }
