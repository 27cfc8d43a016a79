"""Ion channels and ions: the parts of Hodgkin-Huxley cells, for point neurons and compartments."""

from ._base import (
    AbstractChannel as AbstractChannel,
    Gate as Gate,
    alpha_beta as alpha_beta,
    inf_tau as inf_tau,
)
from ._hodgkin_huxley import Leak as Leak, PotassiumHH as PotassiumHH, SodiumHH as SodiumHH
from ._ion import (
    AbstractIon as AbstractIon,
    CalciumPool as CalciumPool,
    Concentrations as Concentrations,
)
from ._linoid import linoid as linoid
