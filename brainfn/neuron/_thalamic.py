"""Thalamic cells that burst after inhibition."""

import math
from typing import Any

from .._custom_types import FloatArrayLike
from ..channel import (
    AbstractIon,
    CalciumPool,
    HCurrentDestexhe,
    Leak,
    Nernst,
    PotassiumLeak,
    PotassiumTraubMiles,
    SodiumTraubMiles,
    TCurrentDestexhe,
    TCurrentHuguenardPrince,
    shell_gain,
)
from ._area import of_area
from ._point import PointNeuron


def thalamic_relay(
    size: int, *, area: FloatArrayLike = math.pi * 96.0**2, **options: Any
) -> PointNeuron:
    r"""A thalamic relay cell, which answers the end of an inhibition with a burst, with

    | | mS/cm2 | mV |
    |-|-|-|
    | [`brainfn.channel.SodiumTraubMiles`][], threshold -25 mV | 90 | 50 |
    | [`brainfn.channel.PotassiumTraubMiles`][], threshold -25 mV | 10 | -100 |
    | [`brainfn.channel.TCurrentDestexhe`][] | 2 | Nernst |
    | [`brainfn.channel.HCurrentDestexhe`][] | 0.02 | -40 |
    | [`brainfn.channel.PotassiumLeak`][] | 0.0138155 (4 nS) | -100 |
    | [`brainfn.channel.Leak`][] | 0.01 | -70 |

    and 1 uF/cm2. Calcium, 2 mM outside, accumulates in a shell of 1 um with 5 ms.

    **Arguments:** as for [`brainfn.neuron.hodgkin_huxley`][]; `area` is that of a cylinder of 96
    um, 28 953 um2, and `v_init` is -68.5 mV by default, near rest.

    ??? cite

        Destexhe, Bal, McCormick and Sejnowski (1996), "Ionic mechanisms underlying synchronized
        oscillations and propagating waves in a model of ferret thalamic slices", J. Neurophysiol.
        76:2049-2070, doi:10.1152/jn.1996.76.3.2049, with the values of ModelDB 3343.
    """
    s = of_area(area, size)
    channels = (
        SodiumTraubMiles(g=90 * s, reversal=50.0, v_t=-25.0),
        PotassiumTraubMiles(g=10 * s, reversal=-100.0, v_t=-25.0),
        TCurrentDestexhe(g=2 * s),
        HCurrentDestexhe(g=0.02 * s, reversal=-40.0),
        PotassiumLeak(g=0.0138155 * s, reversal=-100.0),
        Leak(g=0.01 * s, reversal=-70.0),
    )
    return PointNeuron(
        size, channels, ions=_calcium(s), capacitance=s, **{"v_init": -68.5, **options}
    )


def thalamic_reticular(
    size: int, *, area: FloatArrayLike = 14_300.0, **options: Any
) -> PointNeuron:
    r"""A cell of the thalamic reticular nucleus, whose bursts are slow, with

    | | mS/cm2 | mV |
    |-|-|-|
    | [`brainfn.channel.SodiumTraubMiles`][], threshold -55 mV | 200 | 50 |
    | [`brainfn.channel.PotassiumTraubMiles`][], threshold -55 mV | 20 | -100 |
    | [`brainfn.channel.TCurrentHuguenardPrince`][] | 3 | Nernst |
    | [`brainfn.channel.Leak`][] | 0.05 | -90 |

    and 1 uF/cm2. Calcium, 2 mM outside, accumulates in a shell of 1 um with 5 ms.

    **Arguments:** as for [`brainfn.neuron.hodgkin_huxley`][]; `area` is 14 300 um2 and `v_init` is
    -90 mV by default.

    ??? cite

        Destexhe, Contreras, Sejnowski and Steriade (1994), "A model of spindle rhythmicity in the
        isolated thalamic reticular nucleus", J. Neurophysiol. 72:803-818,
        doi:10.1152/jn.1994.72.2.803, reduced to the currents and with the values of Destexhe et al.
        (1996), J. Neurophysiol. 76:2049-2070, doi:10.1152/jn.1996.76.3.2049. T-current, leak,
        calcium and area (70 x 64.86 um) were checked against ports of ModelDB 3343, which have
        other sodium and potassium currents; the densities of these two, 200 and 20 mS/cm2, were
        not.
    """
    s = of_area(area, size)
    channels = (
        SodiumTraubMiles(g=200 * s, reversal=50.0, v_t=-55.0),
        PotassiumTraubMiles(g=20 * s, reversal=-100.0, v_t=-55.0),
        TCurrentHuguenardPrince(g=3 * s),
        Leak(g=0.05 * s, reversal=-90.0),
    )
    return PointNeuron(
        size, channels, ions=_calcium(s), capacitance=s, **{"v_init": -90.0, **options}
    )


def _calcium(s: Any) -> dict[str, AbstractIon]:
    return {"ca": CalciumPool(gain=shell_gain(1.0) / s, reversal=Nernst())}
