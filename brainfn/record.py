"""What to keep of a simulation: the `record` argument of [`brainfn.simulate`][] and
[`brainfn.run`][]."""

from .simulate._events import AbstractEvents as AbstractEvents
from .simulate._record import (
    AbstractReducer as AbstractReducer,
    Mean as Mean,
    SpikeCount as SpikeCount,
    nothing as nothing,
    outputs as outputs,
    pack_spikes as pack_spikes,
    packed_spikes as packed_spikes,
    population_rate as population_rate,
)
from .simulate._spikes import (
    Spikes as Spikes,
    SpikeTrains as SpikeTrains,
    spike_times as spike_times,
)
