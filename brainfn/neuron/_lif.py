"""The leaky integrate-and-fire neuron."""

import math
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._custom_types import FloatArrayLike, Key, Spikes
from .._errors import count, describe, is_concrete, parameter, whole_steps
from .._model import Clock
from ..event import materialize
from ..init import AbstractInitializer, as_initializer
from ..solver import ExponentialEuler, integrate
from ..surrogate import AbstractSurrogate, ReluGrad
from ._base import AbstractNeuron, as_drive
from ._reset import reset


class LIFState(eqx.Module):
    """What a LIF population carries from step to step.

    - `v`: membrane potential in mV, shape `(size,)`.
    - `refractory`: how many steps each neuron still rests, shape `(size,)`, int32.
    """

    v: Float[Array, "..."]
    refractory: Int[Array, "..."]


class LIF(AbstractNeuron):
    r"""Leaky integrate-and-fire neurons with an absolute refractory period.

    $$\frac{dv}{dt} = \frac{v_\mathrm{rest} - v}{\tau} + \frac{I(t, v)}{C},\qquad
    v \ge v_\mathrm{threshold}:\ \text{spike},\ v \leftarrow v_\mathrm{reset}$$

    After a spike $v$ is held at the reset for `refractory` ms: a spike in step $n$ and a refractory
    period of $k$ steps mean that $v$ is held in steps $n+1 \dots n+k$.

    **Arguments:**

    - `size`: number of neurons.
    - `tau`: membrane time constant in ms.
    - `capacitance`: membrane capacitance in pF; the leak conductance is `capacitance / tau`.
    - `v_rest`, `v_threshold`, `v_reset`: resting, threshold and reset potential in mV.
    - `refractory`: absolute refractory period in ms, a whole number of steps.
    - `v_init`: initial membrane potential in mV: a number, an array of shape `(size,)` or an
        initializer of [`brainfn.init`][]; `v_rest` if not given.
    - `solver`: the Diffrax solver that integrates the membrane equation over a step.
        [`brainfn.solver.ExponentialEuler`][] is exact while the current is constant.
    - `surrogate`: the derivative of a spike with respect to the membrane potential, as a function
        of $(v - v_\mathrm{threshold}) / (v_\mathrm{threshold} - v_\mathrm{reset})$. The default is
        narrow: with steps of 0.1 ms a neuron is near its threshold for many steps, and wide
        surrogates make gradients through a recurrent network grow without bound. With `None`
        spikes are `bool` and carry no derivative, which takes a quarter of the memory.
    - `detach_reset`: whether gradients leave out the path through the reset.
    - `dtype`: of parameters and state; by default JAX's default float dtype.

    Each parameter is a scalar or an array of shape `(size,)`, and a leaf for `jax.grad` and
    `eqx.tree_at`. `refractory` counts steps, so it has no gradient.

    **Raises:**

    `ValueError` or `TypeError`, naming the argument, for wrong shapes, values that are not finite,
    non-positive `tau` or `capacitance`, negative `refractory`, `v_reset >= v_threshold`; at the
    start of a simulation, for a refractory period that is no multiple of `dt`.

    ??? cite

        Lapicque (1907), J. Physiol. Pathol. Gen. 9:620-635. The default values are those of Vogels
        and Abbott (2005), "Signal propagation and logic gating in networks of integrate-and-fire
        neurons", doi:10.1523/JNEUROSCI.3508-05.2005, as listed by Brette et al. (2007),
        doi:10.1007/s10827-007-0038-6.
    """

    tau: Float[Array, "..."] = eqx.field(metadata={"sign": "positive"})
    capacitance: Float[Array, "..."] = eqx.field(metadata={"sign": "positive"})
    v_rest: Float[Array, "..."]
    v_threshold: Float[Array, "..."]
    v_reset: Float[Array, "..."]
    refractory: Float[Array, "..."] = eqx.field(metadata={"sign": "nonnegative"})
    v_init: AbstractInitializer | None = eqx.field(metadata={"initial": True})
    solver: dfx.AbstractSolver
    surrogate: AbstractSurrogate | None
    size: int = eqx.field(static=True)
    detach_reset: bool = eqx.field(static=True)

    def __init__(
        self,
        size: int,
        *,
        tau: FloatArrayLike = 20.0,
        capacitance: FloatArrayLike = 200.0,
        v_rest: FloatArrayLike = -60.0,
        v_threshold: FloatArrayLike = -50.0,
        v_reset: FloatArrayLike = -60.0,
        refractory: FloatArrayLike = 5.0,
        v_init: AbstractInitializer | FloatArrayLike | None = None,
        solver: dfx.AbstractSolver | None = None,
        surrogate: AbstractSurrogate | None = ReluGrad(alpha=0.3, width=0.2),
        detach_reset: bool = False,
        dtype: Any = None,
    ):
        self.size = size = count("size", size)
        options = {"size": size, "dtype": dtype}
        self.tau = parameter("tau", tau, unit="ms", positive=True, **options)
        self.capacitance = parameter(
            "capacitance", capacitance, unit="pF", positive=True, **options
        )
        self.v_rest = parameter("v_rest", v_rest, unit="mV", **options)
        self.v_threshold = parameter("v_threshold", v_threshold, unit="mV", **options)
        self.v_reset = parameter("v_reset", v_reset, unit="mV", **options)
        self.refractory = parameter(
            "refractory", refractory, unit="ms", nonnegative=True, **options
        )
        if is_concrete(v_threshold) and is_concrete(v_reset):
            gap = np.asarray(v_threshold) - np.asarray(v_reset)
            if not np.all(gap > 0):
                raise ValueError(
                    "`v_reset` must lie below `v_threshold`, got v_reset = "
                    f"{describe(np.asarray(v_reset))} and v_threshold = "
                    f"{describe(np.asarray(v_threshold))} (mV)."
                )
        if v_init is None or isinstance(v_init, AbstractInitializer):
            self.v_init = v_init
        else:
            self.v_init = as_initializer(parameter("v_init", v_init, unit="mV", **options))
        if solver is None:
            solver = ExponentialEuler()
        elif not isinstance(solver, dfx.AbstractSolver):
            raise TypeError(
                f"`solver` must be a Diffrax solver, got {solver!r}. "
                "Try brainfn.solver.ExponentialEuler() or diffrax.Heun()."
            )
        self.solver = solver
        if surrogate is not None and not isinstance(surrogate, AbstractSurrogate):
            raise TypeError(
                "`surrogate` must be a surrogate of brainfn.surrogate or None, got "
                f"{surrogate!r}. Try brainfn.surrogate.ReluGrad()."
            )
        self.surrogate = surrogate
        if not isinstance(detach_reset, bool):
            raise TypeError(f"`detach_reset` must be True or False, got {detach_reset!r}.")
        self.detach_reset = detach_reset

    @property
    def spike_dtype(self) -> Any:
        return jnp.dtype(bool) if self.surrogate is None else self.v_rest.dtype

    @property
    def support(self) -> FloatArrayLike:
        return math.inf if self.surrogate is None else self.surrogate.support

    def distance(self, state: LIFState) -> Float[Array, "..."]:
        return (state.v - self.v_threshold) / (self.v_threshold - self.v_reset)

    def init(self, *, key: Key | None = None) -> LIFState:
        dtype = self.v_rest.dtype
        if self.v_init is None:
            v = jnp.broadcast_to(self.v_rest, (self.size,))
        else:
            v = self.v_init((self.size,), dtype, key=key)
        return LIFState(v=v, refractory=jnp.zeros(self.size, jnp.int32))

    def vector_field(self, t: Any, y: Float[Array, "..."], args: Any) -> Float[Array, "..."]:
        """$dv/dt$ in mV/ms for membrane potentials `y` (mV); `args` is the drive
        `(t, v) -> pA`."""
        current = args(t, y)
        return (self.v_rest - y) * (1 / self.tau) + current * (1 / self.capacitance)

    def step(
        self, state: LIFState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[LIFState, Spikes]:
        del key
        resting = state.refractory > 0
        drive = as_drive(inputs, state.v)
        v = integrate(self.solver, self.vector_field, state.v, clock.dt, drive)
        # Everything below reads this value: computing it once is what `materialize` is for.
        v = materialize(jnp.where(resting, state.v, v))
        if self.surrogate is None:
            spikes = v >= self.v_threshold
        else:
            spikes = self.surrogate((v - self.v_threshold) / (self.v_threshold - self.v_reset))
        v = reset(v, spikes, self.v_reset, detach=self.detach_reset)
        steps = jnp.round(self.refractory * (1 / clock.dt)).astype(jnp.int32)
        counter = jnp.where(spikes.astype(bool), steps, jnp.maximum(state.refractory - 1, 0))
        return LIFState(v=v, refractory=counter), spikes

    def prepare(self, dt: float) -> "LIF":
        if is_concrete(self.refractory):
            for value in np.unique(np.asarray(self.refractory, np.float64)):
                whole_steps("refractory", float(value), dt)
        return self
