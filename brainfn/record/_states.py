"""Recording variables of some neurons."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array

from .._errors import nearest


class States(eqx.Module):
    """Record a variable of a population, for all or some of its neurons.

    ```python
    record={"v": bf.record.States("exc", "v", neurons=[0, 1, 17]), "spikes": bf.record.Spikes()}
    ```

    **Arguments:**

    - `population`: its name; `None` for a model that is not a network.
    - `variable`: the name of a variable of its state, such as `"v"`.
    - `neurons`: which neurons: indices, or a slice; all of them by default.

    **Raises:** `ValueError`, when the simulation starts, if there is no such variable or neuron.
    """

    neurons: tuple[int, ...] | None = eqx.field(static=True)
    population: str | None = eqx.field(static=True)
    variable: str = eqx.field(static=True)
    bounds: tuple[int | None, int | None, int | None] | None = eqx.field(static=True)

    def __init__(
        self,
        population: str | None,
        variable: str,
        *,
        neurons: Sequence[int] | slice | np.ndarray | Array | None = None,
    ):
        if population is not None and not isinstance(population, str):
            raise TypeError(f"`population` must be a name or None, got {population!r}.")
        if not isinstance(variable, str):
            raise TypeError(f"`variable` must be the name of a variable, got {variable!r}.")
        self.population, self.variable = population, variable
        self.neurons, self.bounds = None, None
        if isinstance(neurons, slice):
            self.bounds = (neurons.start, neurons.stop, neurons.step)
        elif neurons is not None:
            index = np.asarray(neurons)
            if index.ndim != 1 or (index.size and index.dtype.kind not in "iu"):
                raise TypeError(f"`neurons` must be a list of indices, got {neurons!r:.100}.")
            if index.size and index.min() < 0:
                raise ValueError(f"`neurons` must not be negative, got {int(index.min())}.")
            self.neurons = tuple(int(i) for i in index)

    def __call__(self, state: Any, output: Any) -> Any:
        del output
        part = state if self.population is None else state[self.population]
        try:
            value = getattr(part, self.variable)
        except AttributeError:
            known = [name for name in vars(part) if not name.startswith("_")]
            known += list(vars(part.y)) if "y" in known else []
            raise ValueError(
                f"`variable`: the state of {self.population!r} has no {self.variable!r}, only "
                f"{known}.{nearest(self.variable, known)}"
            ) from None
        if self.bounds is not None:
            return value[slice(*self.bounds)]
        if self.neurons is None:
            return value
        if not self.neurons:
            return value[:0]
        most = max(self.neurons)
        if most >= value.shape[0]:
            raise ValueError(
                f"`neurons` must be below {value.shape[0]}, the number of neurons, got {most}."
            )
        return value[np.asarray(self.neurons)]
