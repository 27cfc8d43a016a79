"""The cortical and thalamic cells of Pospischil et al."""

import math
from typing import Any, NamedTuple

from .._custom_types import FloatArrayLike
from .._errors import nearest
from ..channel import (
    AbstractChannel,
    AbstractIon,
    CalciumPool,
    LCurrentReuveni,
    Leak,
    MCurrentYamada,
    Nernst,
    PotassiumTraubMiles,
    SodiumTraubMiles,
    TCurrentDestexhe,
    shell_gain,
)
from ._area import of_area
from ._point import PointNeuron


class Pospischil(NamedTuple):
    """One kind of cell: conductances in mS/cm2, the reversal potential of the leak in mV, and the
    diameter in um of a cylinder as long as it is wide."""

    title: str
    diameter: float
    g_leak: float
    v_rest: float
    g_potassium: float = 5.0
    g_m: float = 0.0
    g_l: float = 0.0
    g_t: float = 0.0


POSPISCHIL: dict[str, Pospischil] = {
    "RS": Pospischil("regular spiking", 96.0, 0.1, -70.0, g_m=0.07),
    "FS": Pospischil("fast spiking", 67.0, 0.15, -70.0, g_potassium=10.0),
    "IB": Pospischil("intrinsically bursting", 96.0, 0.01, -85.0, g_m=0.03, g_l=0.17),
    "LTS": Pospischil("low-threshold spiking", 96.0, 0.01, -85.0, g_m=0.03, g_t=0.4),
}
"""The kinds of cells that [`brainfn.neuron.pospischil`][] knows, by name."""


def pospischil(
    kind: str, size: int, *, area: FloatArrayLike | None = None, **options: Any
) -> PointNeuron:
    r"""The minimal cortical cells of Pospischil et al., in four kinds:

    | | cylinder | leak | potassium | M | L | T |
    |-|-|-|-|-|-|-|
    | `"RS"`, regular spiking | 96 um | 0.1 mS/cm2, -70 mV | 5 mS/cm2 | 0.07 | | |
    | `"FS"`, fast spiking | 67 um | 0.15, -70 mV | 10 | | | |
    | `"IB"`, intrinsically bursting | 96 um | 0.01, -85 mV | 5 | 0.03 | 0.17 | |
    | `"LTS"`, low-threshold spiking | 96 um | 0.01, -85 mV | 5 | 0.03 | | 0.4 |

    All have 1 uF/cm2 and 50 mS/cm2 of [`brainfn.channel.SodiumTraubMiles`][], with
    [`brainfn.channel.PotassiumTraubMiles`][], both with a threshold of -55 mV. Further currents are
    [`brainfn.channel.MCurrentYamada`][], [`brainfn.channel.LCurrentReuveni`][] and
    [`brainfn.channel.TCurrentDestexhe`][]. Calcium accumulates in a shell of 1 um with 5 ms.

    **Arguments:**

    - `kind`: `"RS"`, `"FS"`, `"IB"` or `"LTS"`.
    - `size`: number of cells.
    - `area`: membrane area in um2; by default that of the cylinder. With 100 um2, 1 mS/cm2 is 1 nS,
        and a current of 1 uA/cm2 is 1 pA.
    - `options`: for [`brainfn.neuron.PointNeuron`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Pospischil et al. (2008), "Minimal Hodgkin-Huxley type models for different classes of
        cortical and thalamic neurons", Biol. Cybern. 99:427-441, doi:10.1007/s00422-008-0263-8,
        with the values of ModelDB 123623.
    """
    if kind not in POSPISCHIL:
        raise ValueError(
            f"`kind` must be one of {list(POSPISCHIL)}, got {kind!r}."
            f"{nearest(str(kind).upper(), POSPISCHIL)}"
        )
    cell = POSPISCHIL[kind]
    s = of_area(math.pi * cell.diameter**2 if area is None else area, size)
    channels: list[AbstractChannel] = [
        SodiumTraubMiles(g=50 * s, reversal=50.0, v_t=-55.0),
        PotassiumTraubMiles(g=cell.g_potassium * s, reversal=-100.0, v_t=-55.0),
        Leak(g=cell.g_leak * s, reversal=cell.v_rest),
    ]
    if cell.g_m:
        channels.append(MCurrentYamada(g=cell.g_m * s, reversal=-100.0))
    if cell.g_l:
        channels.append(LCurrentReuveni(g=cell.g_l * s))
    if cell.g_t:
        channels.append(TCurrentDestexhe(g=cell.g_t * s))
    ions: dict[str, AbstractIon] = {}
    if cell.g_l or cell.g_t:
        # The L-current of ModelDB 123623 keeps its reversal potential from the start of a run.
        reversal = Nernst(always=not cell.g_l)
        ions = {"ca": CalciumPool(gain=shell_gain(1.0) / s, reversal=reversal)}
    options = {"v_init": cell.v_rest, **options}
    return PointNeuron(size, tuple(channels), ions=ions, capacitance=s, **options)
