"""Interchange with other simulators and file formats."""

from ._nir import (
    from_nir as from_nir,
    read_nir as read_nir,
    to_nir as to_nir,
    write_nir as write_nir,
)
from ._nodes import (
    Accumulator as Accumulator,
    Flatten as Flatten,
    Pool2d as Pool2d,
    Scale as Scale,
    Threshold as Threshold,
)
from ._snntorch import from_snntorch as from_snntorch
