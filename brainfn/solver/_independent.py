"""What a model says about how its variables act on each other."""

from typing import Any

import equinox as eqx


class Independent(eqx.Module):
    """Marks state variables that do not act on each other, such as the gates of channels.

    The rate of change of each may depend on itself and on everything outside, but not on any other
    variable inside. Exponential solvers then get the diagonal of all of them from one `jvp` instead
    of one per variable.

    A [`brainfn.solver.Coupled`][] inside counts as one variable; it may depend on the others, but
    the others not on it.

    **Arguments:**

    - `values`: a pytree of arrays.
    """

    values: Any


class Coupled(eqx.Module):
    """Marks a few state variables that act on each other, such as the states of an ion channel.

    Exponential solvers advance them together, with the full matrix of their derivatives by each
    other: exactly, where they are linear in each other. The matrix costs one `jvp` per variable.

    **Arguments:**

    - `values`: a pytree of a few arrays of one shape.
    """

    values: Any
