"""Statistics of spike trains, networks and signals.

Spikes come as [`brainfn.record.SpikeTrains`][] and are measured on the host, in NumPy. Functions of
signals (spectra, phases, functional connectivity, field potentials) take NumPy or JAX arrays with a
leading axis of time; with JAX arrays they may be jitted and differentiated.
"""

from ._avalanches import (
    PowerLaw as PowerLaw,
    avalanches as avalanches,
    branching_ratio as branching_ratio,
    power_law_fit as power_law_fit,
)
from ._bursts import (
    Bursts as Bursts,
    log_isi_threshold as log_isi_threshold,
    max_interval_bursts as max_interval_bursts,
)
from ._connectivity import (
    functional_connectivity as functional_connectivity,
    functional_connectivity_dynamics as functional_connectivity_dynamics,
)
from ._correlograms import (
    auto_correlogram as auto_correlogram,
    cross_correlogram as cross_correlogram,
)
from ._counts import (
    correlation_matrix as correlation_matrix,
    count_matrix as count_matrix,
    covariance_matrix as covariance_matrix,
    fano_factors as fano_factors,
    spike_time_tiling as spike_time_tiling,
)
from ._distances import (
    van_rossum_distance as van_rossum_distance,
    victor_purpura_distance as victor_purpura_distance,
)
from ._information import (
    entropy as entropy,
    mutual_information as mutual_information,
    transfer_entropy as transfer_entropy,
)
from ._intervals import (
    cv2 as cv2,
    cv_isi as cv_isi,
    interspike_intervals as interspike_intervals,
    isi_correlation as isi_correlation,
    isi_histogram as isi_histogram,
    local_variation as local_variation,
    revised_local_variation as revised_local_variation,
)
from ._local_field import (
    lfp_proxy as lfp_proxy,
    spike_field_coherence as spike_field_coherence,
    spike_triggered_average as spike_triggered_average,
)
from ._phase import (
    analytic_signal as analytic_signal,
    band_pass as band_pass,
    order_parameter as order_parameter,
    pairwise_phase_consistency as pairwise_phase_consistency,
    phase_locking_value as phase_locking_value,
    spike_phases as spike_phases,
)
from ._population import (
    correlation as correlation,
    fano_factor as fano_factor,
    population_rate as population_rate,
    spike_counts as spike_counts,
)
from ._rates import firing_rates as firing_rates, mean_rate as mean_rate
from ._smoothing import (
    instantaneous_rate as instantaneous_rate,
    psth as psth,
    rate_kernel as rate_kernel,
)
from ._spectra import (
    multitaper as multitaper,
    multitaper_coherence as multitaper_coherence,
    spectrogram as spectrogram,
    welch as welch,
    welch_coherence as welch_coherence,
)
from ._spike_distance import (
    isi_distance as isi_distance,
    spike_distance as spike_distance,
    spike_synchronization as spike_synchronization,
)
from ._synchrony import chi as chi
from ._trains import (
    from_dense as from_dense,
    from_events as from_events,
    from_times as from_times,
    pool as pool,
    select as select,
    window as window,
)
