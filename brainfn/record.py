"""What to keep of a simulation, for the `record` argument of [`brainfn.simulate`][]."""

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
