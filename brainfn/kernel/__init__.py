"""Generated kernels: elementwise JAX code as one pass over memory, and networks as one loop."""

from ._axes import axes_of as axes_of
from ._generated import (
    FEWEST as FEWEST,
    check_enabled as check_enabled,
    compiled as compiled,
    generated as generated,
    report as report,
    reports as reports,
    within as within,
)
from ._layers import Ends as Ends, Stage as Stage, in_layers as in_layers
from ._loop import (
    SYMBOL as SYMBOL,
    LoopArrivals as LoopArrivals,
    LoopGroup as LoopGroup,
    LoopKept as LoopKept,
    LoopLine as LoopLine,
    LoopRing as LoopRing,
    LoopRoute as LoopRoute,
    loop_name as loop_name,
    loop_source as loop_source,
)
from ._loop_rules import (
    LoopPass as LoopPass,
    LoopRule as LoopRule,
    LoopUpdate as LoopUpdate,
    slot as slot,
)
from ._program import (
    Node as Node,
    Program as Program,
    Unsupported as Unsupported,
    array_of as array_of,
    closure as closure,
    evaluate as evaluate,
    is_read as is_read,
    program_of as program_of,
)
from ._split import Rest as Rest, split as split
from ._staged import Pass as Pass, Staged as Staged, staged as staged, stages_of as stages_of
