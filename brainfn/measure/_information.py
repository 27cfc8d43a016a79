"""Information in spike counts and other discrete data, in bits."""

from typing import Any

import numpy as np

from .._errors import count
from ._check import choice

_CORRECTIONS = ("none", "miller-madow")


def entropy(x: Any, *, correction: str = "none") -> float:
    r"""The entropy of discrete data, $H = -\sum_r p_r \log_2 p_r$, in bits.

    Too few samples make it too low. To first order the bias is $-(R - 1) / (2 N \ln 2)$ for $N$
    samples of $R$ different values, which Miller and Madow subtract.

    **Arguments:**

    - `x`: samples: whole numbers of shape `(sample,)`; or words of several, `(sample, letter)`,
        such as the rows of [`brainfn.measure.count_matrix`][].
    - `correction`: `"none"` or `"miller-madow"`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Shannon (1948), "A mathematical theory of communication",
        doi:10.1002/j.1538-7305.1948.tb01338.x. Correction: Miller (1955), "Note on the bias of
        information estimates", Information Theory in Psychology 95-100.
    """
    return _entropy(_words("x", x), correction=choice("correction", correction, _CORRECTIONS))


def mutual_information(x: Any, y: Any, *, correction: str = "none") -> float:
    r"""The mutual information of two discrete variables, such as a stimulus and a response, in
    bits.

    $$I = H(x) + H(y) - H(x, y)$$

    Too few samples make it too high, by $(R_{xy} - R_x - R_y + 1) / (2 N \ln 2)$ to first order
    with the numbers $R$ of different values. `"miller-madow"` subtracts this, which is the
    correction of Panzeri and Treves with the values that occur in the data.

    **Arguments:**

    - `x`, `y`: samples, as for [`brainfn.measure.entropy`][]; one row each.
    - `correction`: `"none"` or `"miller-madow"`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Panzeri and Treves (1996), "Analytical estimates of limited sampling biases in different
        information measures", doi:10.1088/0954-898X/7/1/006.
    """
    correction = choice("correction", correction, _CORRECTIONS)
    x, y = _words("x", x), _words("y", y)
    if len(x) != len(y):
        raise ValueError(f"`x` and `y` must have one sample each, got {len(x)} and {len(y)}.")
    h = [_entropy(z, correction=correction) for z in (x, y, np.stack([x, y], axis=1))]
    return h[0] + h[1] - h[2]


def transfer_entropy(
    source: Any, target: Any, *, history: int = 1, lag: int = 1, correction: str = "none"
) -> float:
    r"""The transfer entropy from one discrete process to another, in bits per bin.

    $$T = I\big(y_t;\; x_{t-l} \mid y_{t-1}, \dots, y_{t-k}\big)$$

    What the past of the source tells of the present of the target beyond the target's own past.

    **Arguments:**

    - `source`, `target`: $x$ and $y$, whole numbers of shape `(bin,)`, such as two columns of
        [`brainfn.measure.count_matrix`][].
    - `history`: $k$, in bins.
    - `lag`: $l$, in bins.
    - `correction`: as for [`brainfn.measure.entropy`][].

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Schreiber (2000), "Measuring information transfer", doi:10.1103/PhysRevLett.85.461. With a
        lag: Wibral et al. (2013), "Measuring information-transfer delays",
        doi:10.1371/journal.pone.0055809.
    """
    correction = choice("correction", correction, _CORRECTIONS)
    history, lag = count("history", history, minimum=1), count("lag", lag, minimum=1)
    x, y = _words("source", source), _words("target", target)
    if len(x) != len(y):
        raise ValueError(
            f"`source` and `target` must have one length, got {len(x)} and {len(y)} bins."
        )
    first = max(history, lag)
    if len(x) < first + 2:
        raise ValueError(
            f"`target` must be longer than the history and lag of {first} bins, got {len(x)}."
        )
    now = y[first:, None]
    past = np.stack([y[first - k : len(y) - k] for k in range(1, history + 1)], axis=1)
    cause = x[first - lag : len(x) - lag, None]

    def h(*parts: np.ndarray) -> float:
        words = _words("target", np.concatenate(parts, axis=1))
        return _entropy(words, correction=correction)

    return h(now, past) - h(past) - h(now, past, cause) + h(past, cause)


def _words(name: str, x: Any) -> np.ndarray:
    """Samples as whole numbers from 0 on, shape `(sample,)`."""
    x = np.asarray(x)
    if x.ndim not in (1, 2) or x.shape[0] < 1 or x.dtype.kind not in "biu":
        raise TypeError(
            f"`{name}` must hold whole numbers of shape (sample,) or (sample, letter), got "
            f"{x.dtype} of shape {x.shape}."
        )
    return np.unique(x, axis=0, return_inverse=True)[1].reshape(-1)


def _entropy(x: np.ndarray, *, correction: str) -> float:
    number = np.unique(x, axis=0, return_counts=True)[1]
    p = number / len(x)
    bias = (number.size - 1) / (2 * len(x) * np.log(2)) if correction == "miller-madow" else 0.0
    return float(-np.sum(p * np.log2(p)) + bias)
