"""Membrane area: from constants per cm2 to those of a cell."""

from typing import Any

from .._custom_types import FloatArrayLike
from .._field import Declared, as_parameter, check_parameter


def of_area(area: FloatArrayLike, size: int) -> Any:
    """The factor from mS/cm2, uF/cm2 and uA/cm2 to nS, pF and pA; 1 for 100 um2.

    **Arguments:**

    - `area`: membrane area in um2, one number or one for each cell.
    - `size`: number of cells.

    **Raises:** `TypeError` or `ValueError` naming `area`.
    """
    number = as_parameter(area)
    check_parameter("area", number, Declared("um2", "positive", False, False), size)
    return 0.01 * number
