"""Projections: which population reaches which, through what connections and synapses."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from .._custom_types import FloatArrayLike
from .._errors import parameter
from ..connect import AbstractRule
from ..event import AbstractMatrix
from ..init import AbstractInitializer
from ..synapse import AbstractLinearSynapse, AbstractOutput
from ._delays import check_delay
from ._weights import count_synapses, weighted


class Projection(eqx.Module):
    r"""Connections from one population to one or several others, and the synapses they end in.

    **Arguments:**

    - `pre`: name of the population whose spikes are sent.
    - `post`: name of the population that receives them, or a list of names. Several targets are
        treated as one population, their neurons in the order given: an out-degree counts targets
        in all of them together.
    - `connect`: a rule of [`brainfn.connect`][]; with [`brainfn.connect.JustInTime`][] around it
        connections are not stored. Or a matrix of [`brainfn.event`][] of shape `(n_pre, n_post)`
        (`CSR`, `Dense`, ...) that holds the connections and the weights.
    - `weight`: a number, an array with one entry for each synapse (in the order of the CSR
        matrix), or an initializer of [`brainfn.init`][]; in nS for conductances, in pA for
        currents. Not to be given with a matrix.
    - `synapse`: how an arriving spike acts over time, e.g. `brainfn.synapse.Exponential(5*ms)`.
    - `output`: how that becomes a current: `brainfn.synapse.Current()` or `Conductance(reversal)`.
    - `delay`: delay in ms, at least one step: a number; an array with one entry for each pre neuron
        (an axonal delay) or for each synapse (in the order of the CSR matrix); or an initializer of
        [`brainfn.init`][], which draws one for each synapse. `None` means one step. Given delays
        must be whole numbers of steps; drawn ones are rounded to the nearest, at least one. A spike
        emitted in step $n$ with a delay of $d$ steps acts in step $n + d$. Delays for each synapse
        take a ring buffer of inputs to the post neurons and one or two bytes for each synapse.
    - `name`: the key in `network.projections`; by default `pre`, or `"pre->post"` where several
        projections leave `pre`.

    **Raises:** `TypeError` or `ValueError` naming the argument.
    """

    pre: str = eqx.field(static=True)
    post: tuple[str, ...] = eqx.field(static=True)
    connect: AbstractRule | AbstractMatrix
    weight: Any
    synapse: AbstractLinearSynapse
    output: AbstractOutput
    delay: Any
    name: str | None = eqx.field(static=True)

    def __init__(
        self,
        pre: str,
        post: str | Sequence[str],
        connect: AbstractRule | AbstractMatrix,
        *,
        weight: AbstractInitializer | FloatArrayLike | None = None,
        synapse: AbstractLinearSynapse,
        output: AbstractOutput,
        delay: float | np.ndarray | Array | AbstractInitializer | None = None,
        name: str | None = None,
    ):
        if not isinstance(pre, str):
            raise TypeError(
                f"`pre` must be the name of one population, got {pre!r}. "
                "For several sources write a projection for each."
            )
        targets = (post,) if isinstance(post, str) else post
        if isinstance(targets, list | tuple):
            targets = tuple(targets)
        else:
            targets = ()
        if not targets or not all(isinstance(name, str) for name in targets):
            raise TypeError(f"`post` must be a population's name or a list of names, got {post!r}.")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"`name` must be a string, got {name!r}.")
        if len(set(targets)) < len(targets):
            raise ValueError(f"`post` names a population twice: {list(targets)}.")
        label = f"projection {name or pre!r}"
        if isinstance(connect, AbstractMatrix):
            if weight is not None:
                raise ValueError(
                    f"`weight` of {label}: the matrix given as `connect` holds the weights; "
                    "leave `weight` out."
                )
        elif not isinstance(connect, AbstractRule):
            raise TypeError(
                f"`connect` of {label} must be a rule of brainfn.connect or a matrix of "
                f"brainfn.event, got "
                f"{connect!r}. Try brainfn.connect.FixedProbability(0.1)."
            )
        elif weight is None:
            raise ValueError(f"`weight` of {label} is missing, e.g. weight=6*nS.")
        elif not isinstance(weight, AbstractInitializer):
            size = np.shape(weight)[0] if np.ndim(weight) == 1 else None
            weight = parameter("weight", weight, unit="nS or pA", size=size)
        if not isinstance(synapse, AbstractLinearSynapse):
            raise TypeError(
                f"`synapse` of {label} must be a synapse of brainfn.synapse, got {synapse!r}. "
                "Try brainfn.synapse.Exponential(5.0)."
            )
        if not isinstance(output, AbstractOutput):
            raise TypeError(
                f"`output` of {label} must be an output of brainfn.synapse, got {output!r}. "
                "Try brainfn.synapse.Conductance(0.0) or brainfn.synapse.Current()."
            )
        delay = check_delay(label, delay)
        self.pre, self.post, self.name = pre, targets, name
        self.connect, self.weight = connect, weight
        self.synapse, self.output, self.delay = synapse, output, delay


class Receptor(eqx.Module):
    """A synapse and its output: what projections that were merged have in common."""

    synapse: AbstractLinearSynapse
    output: AbstractOutput


class Pathway(eqx.Module):
    """A built projection: its weights, and the structure of its matrices.

    The targets fall into runs of neighbouring neurons of one group; there is a matrix for each
    run, without its weights, since one leaf (or law) holds all of them.
    """

    weight: Any
    matrices: tuple[AbstractMatrix, ...]
    delays: Float[Array, " n_pre_or_nnz"] | None
    delay: float | None = eqx.field(static=True)
    shape: tuple[int, ...] | None = eqx.field(static=True)  # of weights, one for each synapse
    synaptic: bool = eqx.field(static=True)  # `delays` has one for each synapse
    drawn: bool = eqx.field(static=True)  # `delays` are to be rounded
    pre: str = eqx.field(static=True)
    post: tuple[str, ...] = eqx.field(static=True)
    receptor: int = eqx.field(static=True)

    def weighted(self) -> tuple[AbstractMatrix, ...]:
        """The matrices with their weights."""
        what = f"the projection from {self.pre!r} to {list(self.post)}"
        return weighted(self.matrices, self.weight, self.shape, what)


class ProjectionView(NamedTuple):
    """A projection of a network, as `network.projections[name]` shows it.

    Its fields are the leaves and nodes of the network itself, so `eqx.tree_at(lambda net:
    net.projections["exc"].weight, net, 5.0)` works.

    - `weight`: a scalar, or one entry for each synapse (in the shape that the format has); of a
        just-in-time matrix a scalar or the law, whose parameters are leaves: `weight.low`.
    - `synapse`, `output`: shared by projections that were merged; changing one changes all that
        `network.summary()` lists together.
    - `matrices`: a matrix for each run of neighbouring targets (one, mostly).
    - `pre`, `post`: names of populations; `delay` in ms, `None` for one step.
    """

    weight: Any
    synapse: AbstractLinearSynapse
    output: AbstractOutput
    matrices: tuple[AbstractMatrix, ...]
    pre: str
    post: tuple[str, ...]
    delay: Any

    @property
    def synapses(self) -> int:
        """How many synapses there are; made just in time with a probability, their mean number."""
        return sum(count_synapses(matrix) for matrix in self.matrices)
