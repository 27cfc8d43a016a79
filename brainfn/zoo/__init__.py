"""Well-known networks, each named by the source of its parameters. `NETWORKS` has an
[`brainfn.zoo.Entry`][] for each, from which the command line and the page of networks are made."""

from ._brunel import BRUNEL as BRUNEL, Brunel as Brunel, brunel as brunel
from ._cobahh import cobahh as cobahh
from ._diehl_cook import Learned as Learned, diehl_cook as diehl_cook
from ._entry import (
    Entry as Entry,
    Finished as Finished,
    Outcome as Outcome,
    Variant as Variant,
)
from ._force_networks import (
    nicola_clopath as nicola_clopath,
    sussillo_abbott as sussillo_abbott,
)
from ._gamma import GAMMA as GAMMA, Gamma as Gamma, gamma as gamma
from ._hpc_benchmark import hpc_benchmark as hpc_benchmark
from ._izhikevich import izhikevich2003 as izhikevich2003
from ._microcircuit import microcircuit as microcircuit
from ._multi_area import (
    COUPLINGS as COUPLINGS,
    Coupling as Coupling,
    multi_area as multi_area,
)
from ._networks import NETWORKS as NETWORKS
from ._polychronous import SlowSTDP as SlowSTDP, polychronous as polychronous
from ._ring_attractor import HeadDirection as HeadDirection, ring_attractor as ring_attractor
from ._synfire import pulse_packet as pulse_packet, synfire as synfire
from ._vogels_abbott import (
    VOGELS_ABBOTT as VOGELS_ABBOTT,
    VogelsAbbott as VogelsAbbott,
    vogels_abbott as vogels_abbott,
)
from ._wang import wang2002 as wang2002
from ._wong_wang import wong_wang as wong_wang
from ._working_memory import working_memory as working_memory
