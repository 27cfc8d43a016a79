"""Projections as a user specifies them: source, targets, connections and synapses."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from .._custom_types import FloatArrayLike
from .._field import AbstractPart, Declared, as_parameter, check_parameter
from ..connect import AbstractOfSynapses, AbstractRule, check_format
from ..delay import Axonal, Synaptic
from ..event import AbstractMatrix
from ..init import AbstractInitializer
from ..plasticity import AbstractPlasticity
from ..synapse import AbstractOutput, AbstractReceptor, AbstractRelease, Spikes
from ._delays import check_delay


class Projection(eqx.Module):
    r"""Connections from one population to one or several others, and their synapses.

    **Arguments:**

    - `pre`: name of the population whose signals are sent.
    - `post`: name of the population that receives them, or a list of names. Several targets are
        treated as one population, their neurons in the order given: an out-degree counts the
        targets in all of them.
    - `connect`: a rule of [`brainfn.connect`][]. Or a matrix of [`brainfn.event`][] of shape
        `(n_pre, n_post)` (`CSR`, `Dense`, ...) that holds the connections and the weights.
    - `weight`: a number, an array with one entry for each synapse (by source and then by target, or
        in the order of the pairs of [`brainfn.connect.FromPairs`][]), an initializer of
        [`brainfn.init`][], or a function of distance, [`brainfn.connect.OfDistance`][]; in nS for
        conductances, in pA for currents. Must not be given with a matrix; may be left out if the
        rule itself has weights, e.g. [`brainfn.connect.FromScipy`][].
    - `synapse`: how an arriving signal acts over time, e.g. `brainfn.synapse.Exponential(5*ms)`.
    - `output`: how the synaptic variable becomes a current: `brainfn.synapse.Current()` or
        `Conductance(reversal)`. Projections that hold the same `synapse` object and the same
        `output` object share one state in the neurons that they reach; equal numbers alone do
        not make them share it.
    - `release`: the signal that is sent, by default the one that the population emits; e.g.
        short-term plasticity `brainfn.synapse.TsodyksMarkram()`, or a voltage,
        `brainfn.synapse.Graded(lambda s: s.v)`.
    - `plasticity`: a rule of [`brainfn.plasticity`][] by which the weights change; they are then
        part of the state, `state.weights[name]`. Needs a single target.
    - `modulator`: name of a population whose signal is also passed to the plasticity rule
      (dopamine).
    - `delay`: delay in ms, at least one step. A number; [`brainfn.delay.Axonal`][] with one entry
        for each presynaptic neuron; [`brainfn.delay.Synaptic`][] with one for each synapse (in the
        order of the weights); a plain array if its shape is unambiguous; an initializer of
        [`brainfn.init`][], which draws one for each synapse; or
        [`brainfn.connect.OfDistance`][]. `None` means those of the rule, if it has any, or one
        step. Given delays must be whole numbers of steps; others are rounded to the nearest, at
        least one. A signal emitted in step $n$ with a delay of $d$ steps acts in step $n + d$.
    - `format`: how the connections of a rule are stored: `"csr"` (the default),
        `"fixed_fanout"`, `"fixed_fanin"`, `"dense"`, `"all_to_all"`, the default of
        [`brainfn.connect.AllToAll`][] with one number as weight, one delay and no plasticity, whose
        cost is that of its neurons; or `"jit"`, which does not store connections but regenerates
        them whenever they are used; see [`brainfn.connect.matrix`][].
    - `port`: the target port, for a population with several ports (`"apical"`).
    - `name`: the key in `network.projections`; by default `pre`, or `"pre->post"` if several
      projections leave `pre`.

    **Weights of spikes in flight.** A delay of the projection or of the axon delays the spike,
    which is multiplied with the weight at its arrival. Synaptic delays use a ring buffer of future
    arrivals: a spike is multiplied with the weight in the step after its emission. The two differ
    only if weights change in between, so plasticity and synaptic delays can't be combined.

    **Raises:** `TypeError` or `ValueError` naming the argument.
    """

    pre: str = eqx.field(static=True)
    post: tuple[str, ...] = eqx.field(static=True)
    connect: AbstractRule | AbstractMatrix
    weight: Any
    synapse: AbstractReceptor
    output: AbstractOutput
    release: AbstractRelease
    plasticity: AbstractPlasticity | None
    delay: Any
    format: str | None = eqx.field(static=True)
    modulator: str | None = eqx.field(static=True)
    port: str | None = eqx.field(static=True)
    name: str | None = eqx.field(static=True)

    def __init__(
        self,
        pre: str,
        post: str | Sequence[str],
        connect: AbstractRule | AbstractMatrix,
        *,
        weight: AbstractInitializer | AbstractOfSynapses | FloatArrayLike | None = None,
        synapse: AbstractReceptor,
        output: AbstractOutput,
        release: AbstractRelease | None = None,
        plasticity: AbstractPlasticity | None = None,
        modulator: str | None = None,
        delay: FloatArrayLike
        | Axonal
        | Synaptic
        | AbstractInitializer
        | AbstractOfSynapses
        | None = None,
        format: str | None = None,  # noqa: A002
        port: str | None = None,
        name: str | None = None,
    ):
        if not isinstance(pre, str):
            raise TypeError(
                f"`pre` must be the name of one population, got {_short(pre)}. "
                "For several sources use one projection for each."
            )
        targets = (post,) if isinstance(post, str) else post
        targets = tuple(targets) if isinstance(targets, list | tuple) else ()
        if not targets or not all(isinstance(name, str) for name in targets):
            raise TypeError(
                f"`post` must be a population's name or a list of names, got {_short(post)}."
            )
        for argument, value in (("name", name), ("port", port), ("modulator", modulator)):
            if value is not None and not isinstance(value, str):
                raise TypeError(f"`{argument}` must be a string, got {_short(value)}.")
        if len(set(targets)) < len(targets):
            raise ValueError(f"`post` names the same population twice: {list(targets)}.")
        label = f"projection {name or pre!r}"
        weight = _check_connections(label, connect, weight)
        if isinstance(connect, AbstractRule):
            check_format(f"format` of `{label}", connect, format, weight)
        elif format is not None:
            raise ValueError(
                f"`format` of {label}: the matrix given as `connect` has a format; leave it out."
            )
        release = Spikes() if release is None else release
        _check_part(label, "synapse", synapse, AbstractReceptor, "brainfn.synapse.Exponential(5.0)")
        _check_part(label, "output", output, AbstractOutput, "brainfn.synapse.Current()")
        _check_part(label, "release", release, AbstractRelease, "brainfn.synapse.Spikes()")
        if plasticity is not None:
            _check_part(label, "plasticity", plasticity, AbstractPlasticity, "None")
            if len(targets) > 1:
                raise ValueError(
                    f"`plasticity` of {label} needs a single target, got post={list(targets)}. "
                    "Use one projection for each."
                )
        elif modulator is not None:
            raise ValueError(f"`modulator` of {label} needs `plasticity`, which it modulates.")
        self.delay, self.format = check_delay(label, delay), format
        # NumPy strings, from a loop over an array of names, belong to another class.
        self.pre, self.post = str(pre), tuple(map(str, targets))
        self.name, self.port = name, port
        self.connect, self.weight = connect, weight
        self.synapse, self.output, self.release = synapse, output, release
        self.plasticity, self.modulator = plasticity, modulator


def _check_part(label: str, argument: str, value: Any, cls: type, hint: str) -> None:
    if not isinstance(value, cls):
        also = f"Try {value.__name__}()." if isinstance(value, type) else f"Try {hint}."
        raise TypeError(
            f"`{argument}` of {label} must be a {cls.__name__.removeprefix('Abstract').lower()} "
            f"of brainfn, got {_short(value)}. {also}"
        )


def _check_connections(label: str, connect: Any, weight: Any) -> Any:
    if isinstance(connect, AbstractMatrix):
        if weight is not None:
            raise ValueError(
                f"`weight` of {label}: the matrix given as `connect` holds the weights; "
                "leave `weight` out."
            )
        return None
    if isinstance(connect, np.ndarray | jax.Array):
        raise TypeError(
            f"`connect` of {label} must be a rule of brainfn.connect or a matrix of brainfn.event, "
            f"got an array of shape {connect.shape}. Try brainfn.event.Dense(array) or "
            "brainfn.event.CSR.fromdense(array), without `weight`."
        )
    if not isinstance(connect, AbstractRule):
        raise TypeError(
            f"`connect` of {label} must be a rule of brainfn.connect or a matrix of "
            f"brainfn.event, got {_short(connect)}. Try brainfn.connect.FixedProbability(0.1)."
        )
    if weight is None and connect.weights() is None:
        raise ValueError(f"`weight` of {label} is missing, e.g. weight=6*nS.")
    if weight is None or isinstance(weight, AbstractInitializer | AbstractOfSynapses):
        return weight
    if np.ndim(weight) == 2:
        raise ValueError(
            f"`weight` of {label} must be a number or have one entry for each synapse, got shape "
            f"{np.shape(weight)}. For a matrix of weights try connect=brainfn.event.Dense(weights)."
        )
    weight = as_parameter(weight)
    check_parameter(f"weight` of `{label}", weight, Declared("nS or pA", None, False, False), None)
    return weight


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray | Array):
        return f"an array of shape {value.shape}"
    if isinstance(value, eqx.Module | AbstractPart):
        return f"a {type(value).__name__}"
    return repr(value)[:100]
