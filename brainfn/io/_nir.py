"""Networks to and from NIR, the neuromorphic intermediate representation."""

from pathlib import Path
from typing import Any

from ..surrogate import AbstractSurrogate
from ._nir_read import read_graph
from ._nir_write import write_graph


def to_nir(net: Any, input_shape: Any, *, dt: float = 1.0, soft_reset: bool = False) -> Any:
    r"""A network as a graph of NIR.

    NIR has differential equations, in seconds, and no steps. brainfn solves them exactly for inputs
    that are constant over a step: $v \leftarrow a v + (1 - a)(v_\mathrm{leak} + R I)$ with $a =
    e^{-\Delta t / \tau}$. A spike is a current of 1 for one step; at a current-based synapse its
    integral over the step arrives at its beginning, $I \leftarrow I + w_\mathrm{in} \Delta t /
    \tau_\mathrm{syn}$, which then decays exactly. So `dt` is part of the conversion where there are
    synapses: read with the same one, a network has the same outputs. An edge that closes a loop
    acts one step later.

    | brainfn | NIR |
    |---|---|
    | [`brainfn.nn.Layer`][] with weights | `Linear`, with a bias `Affine`, and the neurons |
    | its recurrent weights | a loop through a `Linear` |
    | `LIF`, `LeakyIntegrator`, `IF` of [`brainfn.neuron`][] | `LIF`, `LI`, `IF` |
    | the first two behind [`brainfn.synapse.Exponential`][] | `CubaLIF`, `CubaLI` |
    | [`brainfn.nn.Delays`][] | `Delay` |
    | `Linear`, `Conv1d`, `Conv2d`, `AvgPool2d` of `equinox.nn` | the same, `Affine` with a bias |
    | `jnp.ravel` and [`brainfn.io.Flatten`][] | `Flatten` |
    | `Scale`, `Threshold`, `Accumulator` of [`brainfn.io`][] | `Scale`, `Threshold`, `I` |
    | [`brainfn.io.Pool2d`][] | `SumPool2d`, `AvgPool2d` |
    | [`brainfn.nn.Chain`][], [`brainfn.nn.Graph`][] | edges |

    Surrogates, dtypes and what is detached are not part of NIR, nor is the state at the start.

    **Arguments:**

    - `net`: a chain, a graph or a single layer.
    - `input_shape`: of the input of one step, such as `(784,)`: shapes are always written.
    - `dt`: step size in ms.
    - `soft_reset`: whether neurons that subtract at a spike may be written. NIR can only say that
        a neuron is reset to a value, so the file looks the same: whoever reads it must know.

    **Returns:** a `nir.NIRGraph`.

    **Raises:** `ValueError` or `TypeError` for what NIR can't say: other neurons, synapses and
    layers, refractory periods, soft resets unless allowed, initial values, functions; `ImportError`
    without the package `nir`, which comes with the extra `io`.

    ??? cite

        J. E. Pedersen et al. (2024), "Neuromorphic intermediate representation: a unified
        instruction set for interoperable brain-inspired computing", Nat. Commun. 15:8122,
        doi:10.1038/s41467-024-52259-9.
    """
    return write_graph(_package(), net, input_shape, dt, soft_reset)


def from_nir(
    graph: Any,
    *,
    dt: float = 1.0,
    soft_reset: bool = False,
    surrogate: AbstractSurrogate | None = None,
) -> Any:
    """A graph of NIR as a network: the inverse of [`brainfn.io.to_nir`][], with its conventions.

    Neurons behind a `Linear` or `Affine` become one [`brainfn.nn.Layer`][] with it, and with a
    loop through a `Linear`, a recurrent one. NIR's neurons spike above their threshold, brainfn's
    at it, too.

    **Arguments:**

    - `graph`: a `nir.NIRGraph` with one input and one output; graphs in it are taken apart.
    - `dt`: step size in ms.
    - `soft_reset`: whether a spike subtracts `v_threshold - v_reset` instead of setting the
        potential to `v_reset`, as the equations of NIR say. Some libraries write networks that were
        trained so.
    - `surrogate`: of all neurons, by default `FastSigmoid(25)`.

    **Returns:** a [`brainfn.nn.Chain`][], if one node follows the other, or a
    [`brainfn.nn.Graph`][].

    **Raises:** `TypeError` or `ValueError` for nodes of an unknown kind, several inputs or outputs,
    and loops without neurons; `ImportError` without the package `nir`.
    """
    return read_graph(_package(), graph, dt, soft_reset, surrogate)


def write_nir(path: str | Path, net: Any, input_shape: Any, **options: Any) -> None:
    """Write a network to a file of NIR (HDF5), with the `options` of [`brainfn.io.to_nir`][]."""
    nir = _package()
    nir.write(str(path), to_nir(net, input_shape, **options))


def read_nir(path: str | Path, **options: Any) -> Any:
    """A network from a file of NIR, with the `options` of [`brainfn.io.from_nir`][]."""
    nir = _package()
    return from_nir(nir.read(str(path)), **options)


def _package() -> Any:
    try:
        import nir
    except ImportError as error:
        raise ImportError("NIR needs the package nir. Try pip install brainfn[io].") from error
    return nir
