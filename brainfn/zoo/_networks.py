"""All networks by name."""

from ._brunel import BRUNEL_NETWORK
from ._cobahh import COBAHH
from ._entry import Entry
from ._hpc_benchmark import HPC_BENCHMARK
from ._microcircuit import MICROCIRCUIT
from ._vogels_abbott import COBA, CUBA

NETWORKS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        COBA,
        CUBA,
        COBAHH,
        BRUNEL_NETWORK,
        MICROCIRCUIT,
        HPC_BENCHMARK,
    )
}
"""The networks that `python -m brainfn run NAME` knows, by name."""
