"""Rate populations: units that emit a rate instead of spikes."""

from ._tanh import Rates as Rates, Tanh as Tanh
from ._wong_wang import WongWang as WongWang, WongWangState as WongWangState
