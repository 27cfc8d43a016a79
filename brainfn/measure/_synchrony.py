"""Synchrony of membrane potentials."""

import numpy as np
from jaxtyping import ArrayLike, Float


def chi(v: Float[ArrayLike, "time n"]) -> float:
    r"""The synchrony of the membrane potentials of a population, from 0 to 1.

    $$\chi = \sqrt{\frac{\mathrm{var}_t\,\langle v_i(t) \rangle_i}
    {\langle \mathrm{var}_t\,v_i(t) \rangle_i}}$$

    1 if all potentials are identical; it decreases as $1/\sqrt N$ with the number of neurons if
    they are independent. NaN if all are constant.

    **Arguments:**

    - `v`: membrane potentials (or any other signal), shape `(time, n)`.

    ??? cite

        Golomb (2007), "Neuronal synchrony measures", Scholarpedia 2(1):1347,
        doi:10.4249/scholarpedia.1347.
    """
    signal = np.asarray(v, np.float64)
    if signal.ndim != 2 or signal.shape[0] < 2:
        raise ValueError(
            f"`v` must have shape (time, n) with at least two times, got {signal.shape}."
        )
    each = signal.var(axis=0).mean()
    return float(np.sqrt(signal.mean(axis=1).var() / each)) if each > 0 else float("nan")
