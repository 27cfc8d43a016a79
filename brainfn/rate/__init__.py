"""Rate populations: units that emit a rate instead of spikes."""

from ._tanh import Rates as Rates, Tanh as Tanh
