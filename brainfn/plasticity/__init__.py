"""Plasticity: weights that change with activity."""

from ._base import AbstractPlasticity as AbstractPlasticity
from ._dopamine import DopamineSTDP as DopamineSTDP, DopamineTraces as DopamineTraces
from ._inhibitory import InhibitorySTDP as InhibitorySTDP
from ._stdp import STDP as STDP, PowerLawSTDP as PowerLawSTDP, STDPTraces as STDPTraces
from ._traces import PairTraces as PairTraces
from ._triplet import TripletSTDP as TripletSTDP, TripletTraces as TripletTraces
