"""Plasticity: weights that change with activity."""

from ._base import AbstractPlasticity as AbstractPlasticity
from ._clopath import Clopath as Clopath, VoltageTraces as VoltageTraces
from ._dopamine import DopamineSTDP as DopamineSTDP, DopamineTraces as DopamineTraces
from ._homeostasis import (
    Combined as Combined,
    ScalingTraces as ScalingTraces,
    SynapticScaling as SynapticScaling,
)
from ._inhibitory import InhibitorySTDP as InhibitorySTDP
from ._normalization import Normalization as Normalization
from ._rates import BCM as BCM, BCMTraces as BCMTraces, Oja as Oja
from ._stdp import STDP as STDP, PowerLawSTDP as PowerLawSTDP, STDPTraces as STDPTraces
from ._traces import PairTraces as PairTraces
from ._triplet import TripletSTDP as TripletSTDP, TripletTraces as TripletTraces
