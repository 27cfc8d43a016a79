from typing import Any

import equinox as eqx


class Independent(eqx.Module):
    """Marks state variables that do not act on each other, such as the gates of channels.

    The rate of change of each may depend on itself and on everything outside, but not on any other
    variable inside. Exponential solvers then get the diagonal of all of them from one `jvp` instead
    of one per variable.

    **Arguments:**

    - `values`: a pytree of arrays.
    """

    values: Any
