"""Linear readouts by ridge regression, from all examples at once or from a stream of them."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float, Float64

from .._errors import count, from_host
from .._field import replace


class Readout(eqx.Module):
    """A linear readout: features times `weight` plus `bias`.

    - `weight`: shape `(n_features, n_out)`.
    - `bias`: shape `(n_out,)`.
    """

    weight: Float[Array, "n_features n_out"]
    bias: Float[Array, " n_out"]

    def __call__(self, features: Any) -> Float[Array, "*batch n_out"]:
        """The outputs for features of shape `(..., n_features)`."""
        out = jnp.asarray(features, self.weight.dtype) @ self.weight
        return out + jnp.broadcast_to(self.bias, out.shape)


class NormalEquations(eqx.Module):
    r"""Ridge regression from a stream of examples, which need not fit into memory.

    ```python
    equations = bf.learn.NormalEquations(n_features, n_out)
    for features, targets in chunks:
        equations = equations.add(features, targets)
    readouts = equations.solve([1e-3, 1e-1, 10.0])    # a `Readout` for each
    ```

    Kept are $X^T X$ and $X^T Y$, of $n_\mathrm{features}^2$ numbers, relative to the mean of the
    first chunk, so that a large mean does not cancel. They are sums in float64 on the host, by
    NumPy, whatever the dtype of the features and whether or not JAX has 64 bits: in float32 the sum
    over many examples loses the small eigenvalues that the solution depends on.

    **Arguments:**

    - `n_features`, `n_out`: numbers of features and of outputs.

    **Raises:** `ValueError` or `TypeError` naming the argument.
    """

    n_features: int = eqx.field(static=True)
    n_out: int = eqx.field(static=True)
    examples: int
    gram: Float64[np.ndarray, "n n"]
    sums: Float64[np.ndarray, " n"]
    origin: Float64[np.ndarray, " n"] | None

    def __init__(self, n_features: int, n_out: int):
        n_features = self.n_features = count("n_features", n_features, minimum=1)
        n_out = self.n_out = count("n_out", n_out, minimum=1)
        self.examples, self.origin = 0, None
        # The targets are further columns: one product makes all sums.
        self.gram = np.zeros((n_features, n_features + n_out))
        self.sums = np.zeros(n_features + n_out)

    def add(self, features: Any, targets: Any) -> "NormalEquations":
        """The equations with further examples.

        **Arguments:**

        - `features`: shape `(examples, n_features)`.
        - `targets`: shape `(examples, n_out)`.
        """
        x, y = _examples(features, targets)
        if x.shape[1] != self.n_features or y.shape[1] != self.n_out:
            raise ValueError(
                f"`features` and `targets` must have {self.n_features} and {self.n_out} columns, "
                f"got {x.shape} and {y.shape}."
            )
        both = np.concatenate([x, y], axis=1)
        origin = both.mean(axis=0) if self.origin is None else self.origin
        both = both - origin
        n = self.n_features
        return replace(
            self,
            examples=self.examples + x.shape[0],
            gram=self.gram + both[:, :n].T @ both,
            sums=self.sums + both.sum(axis=0),
            origin=origin,
        )

    def solve(self, regularisation: Any = 1e-6, *, intercept: bool = True) -> Any:
        """The readouts.

        **Arguments:** as of [`brainfn.learn.ridge`][].

        **Returns:** a [`brainfn.learn.Readout`][], or a list with one for each `regularisation`.
        """
        if self.origin is None:
            raise ValueError("There are no examples yet. Call `add` first.")
        n = self.n_features
        mean = self.sums / self.examples
        # From sums about the origin to sums about the mean, or about zero.
        about = mean if intercept else -self.origin
        gram = self.gram - self.examples * (
            np.outer(about[:n], mean) + np.outer(mean[:n], about) - np.outer(about[:n], about)
        )
        gram, moment = gram[:, :n], gram[:, n:]
        centre = self.origin + mean if intercept else None
        return _each(regularisation, lambda x: _readout(_solved(gram, x, moment), centre))


def ridge(
    features: Any, targets: Any, regularisation: Any = 1e-6, *, intercept: bool = True
) -> Any:
    r"""A linear readout by ridge regression.

    $$W = \arg\min_W \sum_n |x_n W + b - y_n|^2 + \lambda |W|^2$$

    On the host, in float64, whatever the dtype of the features: not for use inside `jax.jit` (see
    [`brainfn.learn.RLS`][] for that). With fewer examples than features the dual equations are
    solved, $W = X^T (X X^T + \lambda)^{-1} Y$, whose size is the number of examples.

    **Arguments:**

    - `features`: $x$, shape `(examples, n_features)`.
    - `targets`: $y$, shape `(examples, n_out)`. For classes, one column for each
        (`jax.nn.one_hot`): the class is then the largest output.
    - `regularisation`: $\lambda$, a positive number, or a list of several: the sums are made once.
    - `intercept`: whether there is a bias $b$, which is not regularised; else it is 0.

    **Returns:** a [`brainfn.learn.Readout`][], or a list with one for each `regularisation`.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Hoerl and Kennard (1970), "Ridge regression: biased estimation for nonorthogonal problems",
        Technometrics 12:55-67, doi:10.1080/00401706.1970.10488634.
    """
    x, y = _examples(features, targets)
    if x.shape[0] >= x.shape[1]:
        equations = NormalEquations(x.shape[1], y.shape[1]).add(x, y)
        return equations.solve(regularisation, intercept=intercept)
    centre = np.concatenate([x.mean(axis=0), y.mean(axis=0)]) if intercept else None
    if centre is not None:
        x, y = x - centre[: x.shape[1]], y - centre[x.shape[1] :]
    gram = x @ x.T
    return _each(regularisation, lambda a: _readout(x.T @ _solved(gram, a, y), centre))


def _examples(features: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.asarray(jax.device_get(a), np.float64) for a in (features, targets))
    if x.ndim != 2 or y.ndim != 2 or x.shape[0] != y.shape[0] or x.shape[0] == 0:
        raise ValueError(
            "`features` and `targets` must have shapes (examples, n_features) and (examples, "
            f"n_out), got {x.shape} and {y.shape}."
        )
    for name, a in (("features", x), ("targets", y)):
        if not np.all(np.isfinite(a)):
            raise ValueError(f"`{name}` must be finite.")
    return x, y


def _each(regularisation: Any, solve: Any) -> Any:
    several = isinstance(regularisation, Sequence) or np.ndim(regularisation) == 1
    values = [float(x) for x in np.atleast_1d(np.asarray(regularisation, np.float64))]
    if not all(np.isfinite(x) and x > 0 for x in values):
        raise ValueError(f"`regularisation` must be positive, got {regularisation}.")
    found = [solve(x) for x in values]
    return found if several else found[0]


def _solved(gram: np.ndarray, regularisation: float, right: np.ndarray) -> np.ndarray:
    regular = gram.copy()
    regular[np.diag_indices_from(regular)] += regularisation
    try:
        return scipy.linalg.cho_solve(scipy.linalg.cho_factor(regular, lower=True), right)
    except scipy.linalg.LinAlgError:
        size = float(np.max(np.diag(gram)))
        raise ValueError(
            f"`regularisation` {regularisation:g} is lost in the rounding of sums of {size:.3g}. "
            f"Try {size * 1e-12:.0e}."
        ) from None


def _readout(weight: np.ndarray, centre: np.ndarray | None) -> Readout:
    n, n_out = weight.shape
    bias = np.zeros(n_out) if centre is None else centre[n:] - centre[:n] @ weight
    dtype = jnp.result_type(float)
    return Readout(from_host(weight.astype(dtype)), from_host(bias.astype(dtype)))
