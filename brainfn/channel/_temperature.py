"""The temperature of a channel."""

from typing import Any

from .._custom_types import Parameter
from .._field import param


def celsius(default: float) -> Any:
    """The field of a temperature in degrees Celsius."""
    return param(default, unit="degC")


def factor(default: float) -> Any:
    """The field of a dimensionless positive factor, such as a Q10."""
    return param(default, unit="", sign="positive")


def speed(q10: Parameter, temperature: Parameter, reference: Parameter) -> Parameter:
    r"""How much faster gates are at a temperature, $Q_{10}^{(T - T_0)/10}$.

    **Arguments:**

    - `q10`: $Q_{10}$, the factor for 10 degrees.
    - `temperature`: $T$ in degrees Celsius.
    - `reference`: $T_0$, where the rates were measured.
    """
    return q10 ** ((temperature - reference) / 10)
