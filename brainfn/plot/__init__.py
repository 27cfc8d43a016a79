"""Plots of spikes and networks, drawn with matplotlib (the extra `plot`)."""

from ._overview import overview as overview
from ._panels import population_rate as population_rate, raster as raster, traces as traces
from ._style import new_figure as new_figure
