"""All networks by name."""

from ._brunel import BRUNEL_NETWORK
from ._cobahh import COBAHH
from ._diehl_cook import DIEHL_COOK
from ._entry import Entry
from ._force import FORCE_LORENZ, FORCE_SINE
from ._gamma import GAMMA_NETWORK
from ._hpc_benchmark import HPC_BENCHMARK
from ._izhikevich import IZHIKEVICH2003
from ._microcircuit import MICROCIRCUIT
from ._multi_area import MULTI_AREA
from ._polychronous import POLYCHRONOUS
from ._reservoir import RESERVOIR
from ._ring_attractor import RING_ATTRACTOR
from ._synfire import SYNFIRE
from ._vogels_abbott import COBA, CUBA
from ._wang import WANG2002
from ._wong_wang import WONG_WANG
from ._working_memory import WORKING_MEMORY

NETWORKS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        COBA,
        CUBA,
        COBAHH,
        BRUNEL_NETWORK,
        MICROCIRCUIT,
        MULTI_AREA,
        HPC_BENCHMARK,
        IZHIKEVICH2003,
        POLYCHRONOUS,
        SYNFIRE,
        GAMMA_NETWORK,
        WANG2002,
        WONG_WANG,
        WORKING_MEMORY,
        RING_ATTRACTOR,
        DIEHL_COOK,
        FORCE_SINE,
        FORCE_LORENZ,
        RESERVOIR,
    )
}
"""The networks that `python -m brainfn run NAME` knows, by name."""
