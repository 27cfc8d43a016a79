"""The stochastic differential equation of a neuron with membrane noise, for Diffrax."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from .._errors import describe, is_concrete
from ..neuron import ConstantDrive, as_drive


def sde_terms(
    neuron: Any,
    sigma: Any,
    path: dfx.AbstractPath,
    *,
    drive: Any = None,
) -> dfx.MultiTerm:
    r"""The equations of neurons with white noise in the current, as terms of Diffrax.

    $$dy = f\left(t, y, I(t, v)\right) dt
    + \frac{\partial f}{\partial I}\left(t, y, I(t, v)\right) \sigma(t, v)\,dW$$

    $f$ is the `vector_field` of the neuron, with all its variables; that of $v$ is linear in the
    current, so the noise enters as in $C\,dv = \dots + \sigma\,dW$. Diffrax describes only the
    motion between spikes: threshold, reset and refractory period are those of a simulation, where
    [`brainfn.input.WhiteNoise`][] is the same noise.

    ```python
    cell = bf.neuron.LIF(100)
    y0 = cell.initial(None)
    path = dfx.VirtualBrownianTree(0.0, 50.0, tol=1e-3, shape=(100,), key=jr.key(0))
    terms = bf.input.sde_terms(cell, 100.0, path, drive=150.0)
    solution = dfx.diffeqsolve(terms, dfx.Heun(), 0.0, 50.0, 0.1, y0)
    ```

    The solver decides what noise that depends on $v$ means: `diffrax.Euler` and `ItoMilstein` are
    in the sense of Ito, `Heun`, `EulerHeun` and `StratonovichMilstein` in that of Stratonovich.

    **Arguments:**

    - `neuron`: a neuron with a method `vector_field(t, y, drive)`, such as
        [`brainfn.neuron.LIF`][] or [`brainfn.neuron.PointNeuron`][].
    - `sigma`: $\sigma$ in pA ms^1/2: a number, one for each neuron, or a function `(t, v)`.
    - `path`: a Brownian path of Diffrax of shape `(size,)`, such as `diffrax.VirtualBrownianTree`.
    - `drive`: $I$ in pA: a number, one for each neuron, or a function `(t, v) -> current`.

    **Returns:** a `diffrax.MultiTerm` of drift and noise. Its state is that of the
    `vector_field`.

    **Raises:** `TypeError` or `ValueError` naming the argument.
    """
    field = getattr(neuron, "vector_field", None)
    if not callable(field):
        raise TypeError(
            f"`neuron` must have a method `vector_field(t, y, drive)`, got {type(neuron).__name__}."
        )
    if not isinstance(path, dfx.AbstractPath):
        raise TypeError(
            f"`path` must be a path of Diffrax, got {type(path).__name__}. Try "
            "diffrax.VirtualBrownianTree(t0, t1, tol=..., shape=(size,), key=key)."
        )
    shape = getattr(path, "shape", None)
    if isinstance(shape, jax.ShapeDtypeStruct) and shape.shape != (neuron.size,):
        raise ValueError(
            f"`path` must have shape ({neuron.size},), one path for each neuron, got {shape.shape}."
        )
    if not callable(sigma):
        if not eqx.is_array_like(sigma) or jnp.shape(sigma) not in ((), (neuron.size,)):
            raise ValueError(
                "`sigma` must be a number, one for each neuron, or a function (t, v), got "
                f"{sigma!r:.100}."
            )
        if is_concrete(sigma) and not np.all(np.isfinite(np.asarray(sigma))):
            raise ValueError(f"`sigma` must be finite, got {describe(np.asarray(sigma))}.")
    return dfx.MultiTerm(dfx.ODETerm(_Drift(neuron, drive)), MembraneNoise(neuron, sigma, path))


class _Drift(eqx.Module):
    neuron: Any
    drive: Any

    def __call__(self, t: Any, y: Any, args: Any) -> Any:
        del args
        return self.neuron.vector_field(t, y, as_drive(self.drive, y.v))


class MembraneNoise(dfx.AbstractTerm):
    """White noise in the current of neurons as a term of Diffrax, made by
    [`brainfn.input.sde_terms`][]."""

    neuron: Any
    sigma: Any
    path: dfx.AbstractPath

    def vf(self, t: Any, y: Any, args: Any) -> Any:
        """What one unit of noise does to each variable of its neuron."""
        del args
        # The equations are linear in the current: their slope does not depend on the state, and
        # solvers for additive noise ask for that.
        at = lax.stop_gradient(y)
        ones = jnp.ones_like(at.v)

        def field(current: Float[Array, " size"]) -> Any:
            return self.neuron.vector_field(t, at, ConstantDrive(current))

        slope = jax.jvp(field, (jnp.zeros_like(ones),), (ones,))[1]
        sigma = self.sigma(t, y.v) if callable(self.sigma) else self.sigma
        return jtu.tree_map(lambda x: x * jnp.asarray(sigma, x.dtype), slope)

    def contr(self, t0: Any, t1: Any, **kwargs: Any) -> Any:
        return self.path.evaluate(t0, t1, **kwargs)

    def prod(self, vf: Any, control: Any) -> Any:
        return jtu.tree_map(lambda x: x * control, vf)
