"""Inputs of a network: currents as functions of time, noise, spike trains, and encoders."""

from ._arrival import Arrival as Arrival, Several as Several, product as product, total as total
from ._base import AbstractInput as AbstractInput
from ._combine import Negative as Negative, Product as Product, Sum as Sum
from ._correlated import (
    MultipleInteraction as MultipleInteraction,
    SingleInteraction as SingleInteraction,
)
from ._encode_delta import decode_delta as decode_delta, encode_delta as encode_delta
from ._encode_fields import encode_fields as encode_fields
from ._encode_latency import encode_latency as encode_latency, latency as latency
from ._encode_phase import decode_phase as decode_phase, encode_phase as encode_phase
from ._encode_rate import encode_rate as encode_rate
from ._given import Empty as Empty, Signal as Signal, SpikeTimes as SpikeTimes
from ._input import (
    Constant as Constant,
    Function as Function,
    MembraneFunction as MembraneFunction,
    TimeSeries as TimeSeries,
    as_input as as_input,
)
from ._load import load_spikes as load_spikes
from ._noise import (
    FixedConductance as FixedConductance,
    OrnsteinUhlenbeck as OrnsteinUhlenbeck,
    PointConductance as PointConductance,
    PoissonArrivals as PoissonArrivals,
    WhiteNoise as WhiteNoise,
)
from ._poisson import (
    InhomogeneousPoisson as InhomogeneousPoisson,
    Poisson as Poisson,
    PoissonState as PoissonState,
)
from ._renewal import (
    DeadTimeState as DeadTimeState,
    GammaProcess as GammaProcess,
    PoissonDeadTime as PoissonDeadTime,
    RenewalState as RenewalState,
)
from ._sde import MembraneNoise as MembraneNoise, sde_terms as sde_terms
from ._source import AbstractSource as AbstractSource
from ._step import PulseTrain as PulseTrain, Sections as Sections, Step as Step
from ._wave import Chirp as Chirp, Ramp as Ramp, Sine as Sine
