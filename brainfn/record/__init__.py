"""Recorders for simulations: the `record` argument of [`brainfn.simulate`][] and
[`brainfn.run`][]."""

from ._events import AbstractEvents as AbstractEvents
from ._intervals import (
    IntervalMoments as IntervalMoments,
    Intervals as Intervals,
    Rate as Rate,
)
from ._join import join as join
from ._moments import (
    Covariance as Covariance,
    Histogram as Histogram,
    MeanVariance as MeanVariance,
    Moments as Moments,
    PairMoments as PairMoments,
)
from ._reducers import (
    AbstractReducer as AbstractReducer,
    ByPopulation as ByPopulation,
    Mean as Mean,
    SpikeCount as SpikeCount,
    Sum as Sum,
    nothing as nothing,
    outputs as outputs,
    spike_fraction as spike_fraction,
)
from ._spikes import (
    Packed as Packed,
    Spikes as Spikes,
    SpikeTrains as SpikeTrains,
    pack_spikes as pack_spikes,
    packed_spikes as packed_spikes,
    spike_times as spike_times,
)
from ._states import States as States
