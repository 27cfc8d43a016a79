"""Statistics of spike trains and of networks, on the host in NumPy."""

from ._intervals import (
    cv_isi as cv_isi,
    interspike_intervals as interspike_intervals,
    local_variation as local_variation,
)
from ._population import (
    correlation as correlation,
    fano_factor as fano_factor,
    population_rate as population_rate,
    spike_counts as spike_counts,
)
from ._rates import firing_rates as firing_rates, mean_rate as mean_rate
from ._synchrony import chi as chi
from ._trains import (
    from_dense as from_dense,
    from_events as from_events,
    from_times as from_times,
    pool as pool,
    window as window,
)
