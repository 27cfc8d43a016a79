"""Networks trained with snnTorch."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..neuron import LIF, LeakyIntegrator
from ..nn import Chain, Layer
from ..surrogate import AbstractSurrogate, Arctan

_SUBTRACT, _NONE = 0, 2
_LEAKY = {"beta", "threshold", "graded_spikes_factor", "reset_mechanism_val"}


def from_snntorch(
    state_dict: Mapping[str, Any], *, dt: float = 1.0, surrogate: AbstractSurrogate | None = None
) -> Chain:
    r"""The state dictionary of a network of `torch.nn.Linear` and `snntorch.Leaky` as a chain, with
    the same spikes and the same gradients.

    `Leaky` has $u_n = \beta u_{n-1} + x_n - s_{n-1} \theta$, so with its reset by subtraction it
    takes $\theta$ off *after* the decay of the step that follows. As a [`brainfn.neuron.LIF`][] it
    has $\tau = -\Delta t / \ln \beta$, a capacitance of $\tau (1 - \beta)$, and a soft reset by
    $\theta / \beta$, that is, $v_\mathrm{reset} = \theta (1 - 1 / \beta)$. Potentials are those of
    snnTorch but for the steps in which a neuron spikes, when it is not reset yet there.

    A `Leaky` without a reset becomes a [`brainfn.neuron.LeakyIntegrator`][]: a readout that emits
    its membrane potential.

    ```python
    net = bf.io.from_snntorch(torch.load("net.pt"))
    ```

    **Arguments:**

    - `state_dict`: arrays or tensors by name, in the order of the layers: each weight is followed
        by its neurons. PyTorch itself is not needed.
    - `dt`: step size in ms of the chain, which snnTorch doesn't have.
    - `surrogate`: of all neurons; by default that of snnTorch, the arctangent with $\alpha = 2$,
        for each as wide as there. Resets are detached, as there.

    **Raises:** `ValueError` or `TypeError` naming the entry: layers of other kinds, convolutions
    (whose padding is not in the dictionary), graded spikes, $\beta$ that is not between 0 and 1.

    ??? cite

        J. K. Eshraghian et al. (2023), "Training spiking neural networks using lessons from deep
        learning", Proc. IEEE 111:1016-1054, doi:10.1109/JPROC.2023.3308088.
    """
    if not isinstance(state_dict, Mapping) or not state_dict:
        raise TypeError("`state_dict` must be arrays by name, and not empty.")
    modules: dict[str, dict[str, np.ndarray]] = {}
    for key, value in state_dict.items():
        module, _, name = key.rpartition(".")
        modules.setdefault(module, {})[name] = np.asarray(value)
    layers: list[Layer] = []
    waiting: tuple[np.ndarray, np.ndarray | None] | None = None
    for module, given in modules.items():
        if set(given) in ({"weight"}, {"weight", "bias"}) and given["weight"].ndim == 2:
            if waiting is not None:
                raise ValueError(f"`state_dict`: no neurons between {module!r} and what precedes.")
            waiting = given["weight"].T, given.get("bias")
        elif set(given) == _LEAKY:
            if waiting is None:
                raise ValueError(f"`state_dict`: no weights before the neurons {module!r}.")
            weight, bias = waiting
            neurons = _leaky(module, given, weight.shape[1], dt, surrogate)
            layers.append(Layer(weight.shape[0], neurons, weight=weight, bias=bias))
            waiting = None
        else:
            shapes = {name: value.shape for name, value in given.items()}
            raise ValueError(f"`state_dict`: {module!r} is no Linear and no Leaky: {shapes}.")
    if waiting is not None:
        raise ValueError("`state_dict`: no neurons behind the last weights.")
    return Chain(*layers)


def _leaky(
    module: str,
    given: dict[str, np.ndarray],
    size: int,
    dt: float,
    surrogate: AbstractSurrogate | None,
) -> Any:
    beta, threshold = (np.asarray(given[name], np.float64) for name in ("beta", "threshold"))
    beta = np.clip(beta, 0.0, 1.0)  # as snnTorch does in each step
    if not np.all((beta > 0) & (beta < 1)):
        raise ValueError(f"`state_dict`: {module}.beta must be between 0 and 1, got {beta}.")
    if np.any(given["graded_spikes_factor"] != 1):
        raise ValueError(f"`state_dict`: {module} has graded spikes, which brainfn does not have.")
    tau = -dt / np.log(beta)
    kind = int(given["reset_mechanism_val"])
    if kind == _NONE:
        return LeakyIntegrator(size, tau=tau, capacitance=tau * (1 - beta))
    v_reset = threshold * (1 - 1 / beta) if kind == _SUBTRACT else np.zeros_like(threshold)
    # The derivative with respect to the potential, not to the distance from reset to threshold.
    width = threshold - v_reset
    own = Arctan(2.0 * (width if width.ndim else float(width)))
    return LIF(
        size,
        tau=tau,
        capacitance=tau * (1 - beta),
        v_rest=0.0,
        v_threshold=threshold,
        v_reset=v_reset,
        refractory=0.0,
        soft_reset=kind == _SUBTRACT,
        surrogate=own if surrogate is None else surrogate,
        detach_reset=True,
    )
