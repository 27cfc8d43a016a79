"""Plots of spikes, signals and networks, drawn with matplotlib (the extra `plot`).

Each takes matplotlib axes or makes a figure without a window, and returns the axes. Colours are
chosen to be read on the background of the axes, light or dark.
"""

from ._connectivity import connectivity as connectivity
from ._curves import fi_curve as fi_curve, phase_portrait as phase_portrait
from ._histograms import (
    correlogram as correlogram,
    isi_histogram as isi_histogram,
    weight_histogram as weight_histogram,
)
from ._overview import overview as overview
from ._panels import population_rate as population_rate, raster as raster, traces as traces
from ._sheet import animation as animation, film_strip as film_strip
from ._spectra import power_spectrum as power_spectrum, spectrogram as spectrogram
from ._style import (
    colour as colour,
    grey as grey,
    ink as ink,
    new_figure as new_figure,
    open_frame as open_frame,
)
