"""Echo state networks, and the spectral radius of any matrix."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import numpy as np
import scipy.sparse.linalg
from jaxtyping import Array, Float

from .._custom_types import Key, Parameter
from .._errors import count, is_concrete
from .._field import float_dtype, param
from .._model import AbstractModel, Clock
from ..connect import AbstractRule, JustInTime, csr
from ..event import AbstractMatrix
from ..init import Normal, Uniform
from ._layer import product, weights

# Eigenvalues of smaller matrices are all computed.
_SMALL = 200


class EchoState(AbstractModel[Any, Any, Array]):
    r"""A reservoir of leaky rate units with fixed random weights.

    $$x_n = (1 - a)\,x_{n-1} + a \tanh(u_n W_\mathrm{in} + x_{n-1} W + b)$$

    Its output is $x_n$. A linear readout of it is what learns: [`brainfn.learn.ridge`][] from all
    states at once, [`brainfn.learn.RLS`][] or [`brainfn.learn.LMS`][] step by step, or a gradient.

    ```python
    reservoir = bf.nn.EchoState(1, 500, spectral_radius=0.9, key=jax.random.key(0))
    states = bf.nn.Chain(reservoir)(inputs).output             # (time, 500)
    readout = bf.learn.ridge(states[100:], targets[100:], 1e-6)
    ```

    It is a discrete map: `dt` has no effect. As a layer of a [`brainfn.nn.Chain`][] it can follow
    other layers or reservoirs, and `jax.vmap` of that makes one product for a batch.

    **Arguments:**

    - `n_in`, `size`: numbers of inputs and of units.
    - `connectivity`: which units are connected: a rule of [`brainfn.connect`][], stored as CSR; a
        rule in [`brainfn.connect.JustInTime`][], which stores nothing and allows 10⁶ units; `None`,
        the default, for all to all as a dense array.
    - `input_connectivity`: the same for the inputs.
    - `spectral_radius`: the largest magnitude of an eigenvalue of $W$, whose entries are drawn from
        a normal distribution. `None` leaves `recurrent` as it is.
    - `exact`: whether the weights are scaled by the radius that [`brainfn.nn.spectral_radius`][]
        measures. If not, they have the standard deviation $\rho / \sqrt{k}$, with $k$ synapses for
        each unit, for which it is $\rho$ in the limit of many units (circular law), a few percent
        off for hundreds.
    - `input_scale`: weights of inputs are uniform between plus and minus this.
    - `leak`: $a$, in (0, 1]: a number or one for each unit.
    - `bias`: $b$: a number or one for each unit.
    - `weight`, `recurrent`: weights in place of drawn ones: arrays or matrices of
        [`brainfn.event`][]; `recurrent` is scaled only if `spectral_radius` is given, by what is
        measured.
    - `key`: a JAX random key, if weights are drawn.

    **Raises:** `ValueError` or `TypeError` naming the argument.

    ??? cite

        Jaeger (2001), "The 'echo state' approach to analysing and training recurrent neural
        networks", GMD Report 148; Jaeger, Lukosevicius, Popovici and Siewert (2007), "Optimization
        and applications of echo state networks with leaky-integrator neurons", Neural Networks
        20:335-352, doi:10.1016/j.neunet.2007.04.016. Circular law: Girko (1985), "Circular law",
        Theory Probab. Appl. 29:694-706, doi:10.1137/1129095.
    """

    n_in: int = eqx.field(static=True)
    size: int = eqx.field(static=True)
    weight: Array | AbstractMatrix
    recurrent: Array | AbstractMatrix
    leak: Parameter = param(1.0, unit="", sign="positive")
    bias: Parameter = param(0.0, unit="")

    def __init__(
        self,
        n_in: Any,
        size: Any,
        *,
        connectivity: Any = None,
        input_connectivity: Any = None,
        spectral_radius: float | None = None,
        exact: bool = True,
        input_scale: float = 1.0,
        leak: Any = 1.0,
        bias: Any = 0.0,
        weight: Any = None,
        recurrent: Any = None,
        key: Key | None = None,
    ) -> None:
        self.n_in, self.size = count("n_in", n_in, minimum=1), count("size", size, minimum=1)
        dtype = jnp.result_type(float)
        self.leak, self.bias = jnp.asarray(leak, dtype), jnp.asarray(bias, dtype)
        keys = (None, None) if key is None else jr.split(key)
        given = recurrent is not None
        if weight is None:
            law = Uniform(-float(input_scale), float(input_scale))
            weight = _drawn("weight", input_connectivity, (n_in, size), law, keys[0], None)
        if recurrent is None:
            law = Normal(0.0, 1.0)
            recurrent = _drawn("recurrent", connectivity, (size, size), law, keys[1], 0)
        self.weight = weights("weight", weight, (n_in, size), keys[0], dtype)
        recurrent = weights("recurrent", recurrent, (size, size), keys[1], dtype)
        radius = 0.9 if spectral_radius is None and not given else spectral_radius
        self.recurrent = (
            recurrent if radius is None else _with_radius(recurrent, radius, exact or given)
        )

    def __check_init__(self):
        if is_concrete(self.leak) and not np.all(np.asarray(self.leak) <= 1):
            raise ValueError(f"`leak` must lie in (0, 1], got {self.leak}.")

    def init(self, *, key: Key | None = None) -> Float[Array, " size"]:
        del key
        return jnp.zeros(self.size, float_dtype(self))

    def step(
        self, state: Float[Array, " size"], inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[Float[Array, " size"], Float[Array, " size"]]:
        del clock, key
        if jnp.shape(inputs) != (self.n_in,):
            raise ValueError(
                f"`inputs` of a reservoir must have shape ({self.n_in},) in each step, got "
                f"{jnp.shape(inputs)}."
            )
        arriving = product(inputs, self.weight) + product(state, self.recurrent) + self.bias
        state = state + self.leak * (jnp.tanh(arriving) - state)
        return state, state


def spectral_radius(matrix: Any, *, tolerance: float = 1e-6) -> float:
    r"""The largest magnitude of an eigenvalue, $\rho = \max_i |\lambda_i|$.

    Only products with the matrix are needed (Arnoldi iteration, ARPACK), so it works for
    just-in-time matrices too; small matrices are made dense. Random matrices have many eigenvalues
    near the largest, which makes it slow: hundreds of products.

    **Arguments:**

    - `matrix`: square: an array or a matrix of [`brainfn.event`][].
    - `tolerance`: relative accuracy.

    **Returns:** a Python float; not for use inside `jax.jit`.

    **Raises:** `ValueError` if the matrix is not square, or if it does not converge.
    """
    if not isinstance(matrix, AbstractMatrix):
        matrix = jnp.asarray(matrix)
    shape = matrix.shape
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
        raise ValueError(f"`matrix` must be square, got {shape}.")
    n = shape[0]
    if n <= _SMALL:
        dense = matrix.todense() if isinstance(matrix, AbstractMatrix) else matrix
        return float(np.max(np.abs(np.linalg.eigvals(np.asarray(dense, np.float64)))))
    dtype = float_dtype(matrix)
    times = jax.jit(product)

    def matvec(x: np.ndarray) -> np.ndarray:
        return np.asarray(times(jnp.asarray(x.reshape(-1), dtype), matrix), np.float64)

    linear: Any = scipy.sparse.linalg  # whose types are not those of its functions
    operator = linear.LinearOperator((n, n), matvec=matvec, dtype=np.float64)
    try:
        found = linear.eigs(
            operator,
            k=4,
            ncv=min(n, 80),
            # A fixed beginning: the result does not depend on the state of NumPy's generator.
            v0=np.random.default_rng(0).standard_normal(n),
            tol=tolerance,
            return_eigenvectors=False,
        )
    except scipy.sparse.linalg.ArpackNoConvergence as error:
        raise ValueError(
            f"`tolerance` {tolerance:g} was not reached. Try a larger one, such as 1e-3."
        ) from error
    return float(np.max(np.abs(found)))


def _drawn(
    name: str, rule: Any, shape: tuple[int, int], law: Any, key: Any, diagonal: int | None
) -> Any:
    if rule is None:
        return law
    if not isinstance(rule, AbstractRule):
        prefix = "input_" if name == "weight" else ""
        raise TypeError(
            f"`{prefix}connectivity` must be a rule of brainfn.connect such as "
            f"FixedProbability(0.1), or None, got {type(rule).__name__}."
        )
    if key is None:
        raise ValueError(f"`key` is needed to draw `{name}`. Try key=jax.random.key(0).")
    options: dict[str, Any] = {"weight": law, "key": key, "diagonal": diagonal}
    if isinstance(rule, JustInTime):
        return rule.matrix(*shape, **options)
    return csr(rule, *shape, **options)


def _with_radius(matrix: Any, radius: float, exact: bool) -> Any:
    if not (np.isfinite(radius) and radius > 0):
        raise ValueError(f"`spectral_radius` must be positive, got {radius}.")
    if exact:
        now = spectral_radius(matrix)
        if now == 0:
            raise ValueError("`recurrent`: all its eigenvalues are zero, it can't be scaled.")
    elif isinstance(matrix, AbstractMatrix):
        now = (matrix.synapses / matrix.shape[0]) ** 0.5
    else:
        now = matrix.shape[0] ** 0.5
    if isinstance(matrix, AbstractMatrix):
        return matrix.with_weight(jtu.tree_map(lambda w: w * (radius / now), matrix.weight))
    return matrix * (radius / now)
