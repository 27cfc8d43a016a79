"""Rate populations: units that emit a rate in the place of spikes."""

from ._tanh import Rates as Rates, Tanh as Tanh
