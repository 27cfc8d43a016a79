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
    LoopLine as LoopLine,
    LoopRing as LoopRing,
    LoopRoute as LoopRoute,
    loop_name as loop_name,
    loop_source as loop_source,
)
from ._program import (
    Unsupported as Unsupported,
    array_of as array_of,
    evaluate as evaluate,
    is_read as is_read,
    program_of as program_of,
)
from ._split import Rest as Rest, split as split
