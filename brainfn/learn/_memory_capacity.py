"""How much of its past input a reservoir holds."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from .._errors import count
from ._ridge import ridge


def memory_capacity(
    features: Any,
    inputs: Any,
    delays: int,
    *,
    regularisation: float = 1e-8,
    skip: int = 0,
) -> Float64[np.ndarray, " delays"]:
    r"""The memory function of a reservoir: how well its states tell past inputs.

    $$m_k = \max_w \operatorname{corr}^2(u_{n-k},\ w \cdot x_n), \qquad
    \mathrm{MC} = \sum_{k=1}^\infty m_k \le N$$

    **Arguments:**

    - `features`: the states $x_n$ to an input that is random and independent in each step, shape
        `(time, n_features)`. Take many more steps than features: each is worth about
        `n_features / time` by chance.
    - `inputs`: the input $u_n$, shape `(time,)`.
    - `delays`: the largest $k$.
    - `regularisation`: of the readouts, see [`brainfn.learn.ridge`][], for states scaled to a
        standard deviation of 1.
    - `skip`: the steps at the beginning that are left out; at least `delays` are.

    **Returns:** $m_k$ for $k = 1, \dots,$ `delays`; its sum is the memory capacity.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Jaeger (2001), "Short term memory in echo state networks", GMD Report 152.
    """
    delays = count("delays", delays, minimum=1)
    x, u = np.asarray(features, np.float64), np.asarray(inputs, np.float64).reshape(-1)
    if x.ndim != 2 or x.shape[0] != u.size:
        raise ValueError(
            "`features` and `inputs` must have shapes (time, n_features) and (time,), got "
            f"{x.shape} and {np.shape(inputs)}."
        )
    first = max(count("skip", skip), delays)
    if first + 2 > u.size:
        raise ValueError(f"`inputs` must be longer than {first} steps, got {u.size}.")
    past = np.stack([u[first - k : u.size - k] for k in range(1, delays + 1)], axis=1)
    x = x[first:] - x[first:].mean(axis=0)
    x, past = x / max(x.std(), 1e-300), past - past.mean(axis=0)
    readout = ridge(x, past, regularisation, intercept=False)
    found = x @ np.asarray(readout.weight, np.float64)
    shared = (found * past).sum(axis=0) ** 2
    return shared / np.maximum((found**2).sum(axis=0) * (past**2).sum(axis=0), 1e-300)
