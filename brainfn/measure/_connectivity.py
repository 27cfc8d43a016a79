"""Functional connectivity: correlations between signals of regions or neurons.

They take NumPy or JAX arrays; with JAX arrays they are differentiable.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from .._errors import whole_steps
from ._check import namespace, positive, signal
from ._trains import milliseconds


def functional_connectivity(x: Shaped[Any, "time n"]) -> Float[Any, "n n"]:
    r"""Pearson's correlations of all pairs of signals over time.

    **Arguments:**

    - `x`: signals such as rates or BOLD, shape `(time, n)`.

    **Returns:** shape `(n, n)`; NaN in rows and columns of constant signals.

    ??? cite

        Biswal, Yetkin, Haughton and Hyde (1995), "Functional connectivity in the motor cortex of
        resting human brain using echo-planar MRI", doi:10.1002/mrm.1910340409.
    """
    x = signal("x", x, ndim=2)
    return _correlations(x, namespace(x))


def functional_connectivity_dynamics(
    x: Shaped[Any, "time n"],
    *,
    dt: int | float,
    window: int | float,
    step: int | float,
) -> Float[Any, "window window"]:
    r"""How similar the functional connectivity is at different times.

    $$\mathrm{FCD}_{ab} = \mathrm{corr}(\mathrm{FC}_a, \mathrm{FC}_b)$$

    over the pairs $i < j$ of the functional connectivities of windows that slide along the signals.

    **Arguments:**

    - `x`: signals, shape `(time, n)` with at least three.
    - `dt`: spacing of the samples in ms.
    - `window`, `step`: length of a window and the shift to the next, in ms, whole numbers of
        samples. 60 s and a shift of a few seconds are usual for BOLD.

    **Returns:** shape `(windows, windows)`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Hansen, Battaglia, Spiegler, Deco and Jirsa (2015), "Functional connectivity dynamics:
        Modeling the switching behavior of the resting state",
        doi:10.1016/j.neuroimage.2014.11.001.
    """
    x, dt = signal("x", x, ndim=2), positive("dt", dt, "ms")
    length = whole_steps("window", milliseconds("window", window), dt, minimum=2)
    hop = whole_steps("step", milliseconds("step", step), dt, minimum=1)
    if length > x.shape[0]:
        raise ValueError(
            f"`window` must not exceed the record of {x.shape[0] * dt:g} ms, got {window} ms."
        )
    if x.shape[1] < 3:
        raise ValueError(f"`x` must hold at least three signals, got {x.shape[1]}.")
    xp = namespace(x)
    i, j = np.triu_indices(x.shape[1], 1)
    starts = range(0, x.shape[0] - length + 1, hop)
    pairs = xp.stack([_correlations(x[s : s + length], xp)[i, j] for s in starts], axis=1)
    return _correlations(pairs, xp)


def _correlations(x: Any, xp: Any) -> Any:
    mean = x.mean(axis=0, keepdims=True)
    x = x - mean
    square = (x**2).sum(axis=0, keepdims=True)
    # The mean of a constant is off by rounding, which must not look like a signal.
    rounding = x.shape[0] * (8 * float(xp.finfo(x.dtype).eps) * mean) ** 2
    x = x / xp.sqrt(xp.where(square > rounding, square, xp.nan))
    return x.T @ x
