"""Cells with two to four currents, by the names of their authors."""

from typing import Any

from .._custom_types import FloatArrayLike
from ..channel import (
    ACurrentConnorStevens,
    Leak,
    PotassiumConnorStevens,
    PotassiumHH,
    PotassiumTraubMiles,
    PotassiumWangBuzsaki,
    SodiumConnorStevens,
    SodiumHH,
    SodiumTraubMiles,
    SodiumWangBuzsaki,
)
from ._area import of_area
from ._point import PointNeuron


def hodgkin_huxley(size: int, *, area: FloatArrayLike = 100.0, **options: Any) -> PointNeuron:
    r"""The squid axon of Hodgkin and Huxley: the equation of [`brainfn.neuron.PointNeuron`][] with

    | | mS/cm2 | mV |
    |-|-|-|
    | [`brainfn.channel.SodiumHH`][] | 120 | 50 |
    | [`brainfn.channel.PotassiumHH`][] | 36 | -77 |
    | [`brainfn.channel.Leak`][] | 0.3 | -54.387 |

    and 1 uF/cm2. It fires repetitively from 6.3 uA/cm2 on.

    **Arguments:**

    - `size`: number of cells.
    - `area`: membrane area in um2, which makes the constants per cm2 nS and pF. With the default of
        100 um2, 1 mS/cm2 is 1 nS, and a current of 1 uA/cm2 is 1 pA.
    - `options`: for [`brainfn.neuron.PointNeuron`][]: `v_threshold`, `v_init` (-65 mV), `width`,
        `solver`, `surrogate`.

    **Returns:** the cells; single values can be changed by `eqx.tree_at`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Hodgkin and Huxley (1952), "A quantitative description of membrane current and its
        application to conduction and excitation in nerve", J. Physiol. 117:500-544,
        doi:10.1113/jphysiol.1952.sp004764, with the modern sign convention, shifted by -65 mV.
    """
    s = of_area(area, size)
    channels = (SodiumHH(g=120 * s), PotassiumHH(g=36 * s), Leak(g=0.3 * s))
    return PointNeuron(size, channels, capacitance=s, **{"v_init": -65.0, **options})


def traub_miles(size: int, *, area: FloatArrayLike = 20_000.0, **options: Any) -> PointNeuron:
    r"""The cells of the COBAHH benchmark: hippocampal channels of Traub and Miles, with

    | | mS/cm2 | mV |
    |-|-|-|
    | [`brainfn.channel.SodiumTraubMiles`][] | 100 | 50 |
    | [`brainfn.channel.PotassiumTraubMiles`][] | 30 | -90 |
    | [`brainfn.channel.Leak`][] | 0.05 | -60 |

    and 1 uF/cm2. With the default area the capacitance is 200 pF and the leak 10 nS, so synapses of
    a few nS fit; 1 uA/cm2 is 200 pA.

    **Arguments:** as for [`brainfn.neuron.hodgkin_huxley`][]; `area` is 20 000 um2 and `v_init` is
    -60 mV by default.

    ??? cite

        Traub and Miles (1991), Neuronal Networks of the Hippocampus, Cambridge University Press.
        Brette et al. (2007), "Simulation of networks of spiking neurons: a review of tools and
        strategies", J. Comput. Neurosci. 23:349-398, doi:10.1007/s10827-007-0038-6, benchmark 3,
        with its values.
    """
    s = of_area(area, size)
    channels = (
        SodiumTraubMiles(g=100 * s, reversal=50.0, v_t=-63.0),
        PotassiumTraubMiles(g=30 * s, reversal=-90.0, v_t=-63.0),
        Leak(g=0.05 * s, reversal=-60.0),
    )
    return PointNeuron(size, channels, capacitance=s, **{"v_init": -60.0, **options})


def wang_buzsaki(size: int, *, area: FloatArrayLike = 100.0, **options: Any) -> PointNeuron:
    r"""The fast-spiking interneuron of Wang and Buzsaki, with

    | | mS/cm2 | mV |
    |-|-|-|
    | [`brainfn.channel.SodiumWangBuzsaki`][] | 35 | 55 |
    | [`brainfn.channel.PotassiumWangBuzsaki`][] | 9 | -90 |
    | [`brainfn.channel.Leak`][] | 0.1 | -65 |

    and 1 uF/cm2. It fires from 0.17 uA/cm2 on, at arbitrarily low rates.

    **Arguments:** as for [`brainfn.neuron.hodgkin_huxley`][].

    ??? cite

        Wang and Buzsaki (1996), "Gamma oscillation by synaptic inhibition in a hippocampal
        interneuronal network model", J. Neurosci. 16:6402-6413,
        doi:10.1523/JNEUROSCI.16-20-06402.1996, with its values.
    """
    s = of_area(area, size)
    channels = (
        SodiumWangBuzsaki(g=35 * s, reversal=55.0),
        PotassiumWangBuzsaki(g=9 * s, reversal=-90.0),
        Leak(g=0.1 * s, reversal=-65.0),
    )
    return PointNeuron(size, channels, capacitance=s, **{"v_init": -65.0, **options})


def connor_stevens(size: int, *, area: FloatArrayLike = 100.0, **options: Any) -> PointNeuron:
    r"""The cell of Connor and Stevens, whose A-current delays spikes, with

    | | mS/cm2 | mV |
    |-|-|-|
    | [`brainfn.channel.SodiumConnorStevens`][] | 120 | 55 |
    | [`brainfn.channel.PotassiumConnorStevens`][] | 20 | -72 |
    | [`brainfn.channel.ACurrentConnorStevens`][] | 47.7 | -75 |
    | [`brainfn.channel.Leak`][] | 0.3 | -17 |

    and 1 uF/cm2. It fires from 8.5 uA/cm2 on, at arbitrarily low rates.

    **Arguments:** as for [`brainfn.neuron.hodgkin_huxley`][]; `v_init` is -68 mV by default.

    ??? cite

        Connor, Walter and McKown (1977), "Neural repetitive firing: modifications of the
        Hodgkin-Huxley axon suggested by experimental results from crustacean axons", Biophys. J.
        18:81-102, doi:10.1016/S0006-3495(77)85598-7, in the form of Dayan and Abbott (2001),
        Theoretical Neuroscience, MIT Press, section 6.5.
    """
    s = of_area(area, size)
    channels = (
        SodiumConnorStevens(g=120 * s, reversal=55.0),
        PotassiumConnorStevens(g=20 * s, reversal=-72.0),
        ACurrentConnorStevens(g=47.7 * s, reversal=-75.0),
        Leak(g=0.3 * s, reversal=-17.0),
    )
    return PointNeuron(size, channels, capacitance=s, **{"v_init": -68.0, **options})
