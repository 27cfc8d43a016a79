from typing import Any

import equinox as eqx


class Independent(eqx.Module):
    """Marks variables of a state that do not act on each other, such as the gates of channels.

    The rate of change of each may depend on itself and on everything outside, on no other variable
    inside. Exponential solvers then take the diagonal of all of them by one `jvp`, where they need
    one for each variable otherwise.

    **Arguments:**

    - `values`: a pytree of arrays.
    """

    values: Any
