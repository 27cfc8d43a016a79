"""Networks: populations and the projections between them."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx

from .._custom_types import Key
from .._errors import check_key, nearest, time_step
from .._model import AbstractModel, Clock
from .._named import Emitted
from .._population import AbstractPopulation
from ..event import AbstractMatrix
from ..synapse import AbstractRelease
from ._build import build, check_populations, name_projections
from ._layout import Layout
from ._pathway import Pathway, ProjectionView, Receptor
from ._prepare import make_stepper
from ._projection import Projection
from ._state import NetworkState
from ._stepper import NetworkStepper
from ._summary import summary


class Network(AbstractModel[NetworkState, Any, Emitted]):
    r"""Populations of any kind and the projections between them, as one model.

    In each step, in this order: the signals that are due arrive and add their weights to the
    receptors; the receptors produce currents; the neurons integrate from $t$ to $t + \Delta t$,
    spike where they reach the threshold, and are reset; the signals they release enter the delay
    lines; plasticity changes the weights. A spike emitted in step $n$ with a delay of $d \ge 1$
    steps acts in step $n + d$.

    Populations of one kind are stored and stepped as one array, and so are receptors of one kind,
    so that a step costs a handful of kernels however many populations there are. Every parameter
    stays a leaf in its place: `net.populations["exc"].tau`, `net.projections["exc"].weight`,
    `net.projections["exc"].synapse.tau`.

    **Arguments:**

    - `populations`: populations by name: neurons ([`brainfn.neuron`][]), sources of spikes
        ([`brainfn.input.Poisson`][]), rates, or your own ([`brainfn.AbstractPopulation`][]).
    - `projections`: a list of [`brainfn.Projection`][], or a dictionary of them by name.
    - `key`: a JAX random key for connections and weights; projection number $i$ draws from
        `jr.fold_in(key, i)`.
    - `merge`: whether populations, receptors and releases of one kind are stored as one array.
        Results are bit for bit the same.

    `step` takes as `inputs` the currents in pA: `None`, a number for all neurons, or a dictionary
    by population of numbers, arrays of shape `(size,)` or functions `(t, v) -> current`
    (`"exc.apical"` for a port). Its output is an [`brainfn.Emitted`][], a mapping from population
    names to spikes.

    **Raises:** `TypeError` or `ValueError` naming the argument, before anything is built: unknown
    population names, wrong models, delays that are not a whole number of steps (raised by
    `prepare`, when the step size is known), too many synapses.
    """

    populations: dict[str, Any]
    pathways: dict[str, Pathway]
    receptors: tuple[Receptor, ...]
    releases: tuple[AbstractRelease, ...]
    layout: Layout = eqx.field(static=True)

    def __init__(
        self,
        populations: Mapping[str, AbstractPopulation],
        projections: Sequence[Projection] | Mapping[str, Projection] = (),
        *,
        key: Key | None = None,
        merge: bool = True,
    ):
        check_populations(populations)
        check_key(key)
        if not isinstance(merge, bool):
            raise TypeError(f"`merge` must be True or False, got {merge!r}.")
        named = name_projections(projections)
        populations = {str(name): model for name, model in populations.items()}
        self.populations = populations
        parts = build(populations, named, merge, key)
        self.receptors, self.releases, self.pathways, self.layout = parts

    def __getitem__(self, name: str) -> Any:
        """The population `name`."""
        if name not in self.populations:
            known = list(self.layout.populations)
            raise KeyError(
                f"there is no population {name!r} in this network, only {known}."
                f"{nearest(str(name), known)}"
            )
        return self.populations[name]

    @property
    def projections(self) -> "Projections":
        """The projections by name, as views of the network's own leaves."""
        return Projections(self)

    def matrix(self, name: str) -> AbstractMatrix:
        """The connections of a projection with their weights.

        Its shape is `(n_pre, n_post)`; if its targets are not stored contiguously in the order
        given, its columns are the neurons of the synaptic layer instead.

        **Arguments:**

        - `name`: the projection's name.

        **Raises:** `KeyError` for an unknown name; `ValueError` if there are several matrices (see
        `net.projections[name].matrices`).
        """
        matrices = self.projections.pathway(name).weighted()
        if len(matrices) > 1:
            raise ValueError(
                f"the targets of projection {name!r} are not contiguous; it has {len(matrices)} "
                "matrices; see net.projections[name].matrices."
            )
        return next(iter(matrices))

    def init(self, *, key: Key | None = None, dt: float | None = None) -> NetworkState:
        """The initial state.

        **Arguments:**

        - `key`: a JAX random key, needed if an initial value is drawn at random; a population draws
            from a key derived from its name.
        - `dt`: step size in ms. It sets the length of the delay lines, so it is needed if a
          projection has a delay, except for a prepared network.
        """
        if dt is None:
            if any(p.delay is not None or p.delays is not None for p in self.pathways.values()):
                raise ValueError(
                    "`dt` is needed to make the delay lines of this network: "
                    "try net.init(key=key, dt=0.1), or net.prepare(0.1).init(key=key)."
                )
            dt = 1.0
        return self.prepare(dt).init(key=key)

    def step(
        self, state: NetworkState, inputs: Any, clock: Clock, *, key: Key | None = None
    ) -> tuple[NetworkState, Emitted]:
        return self.prepare(clock.dt).step(state, inputs, clock, key=key)

    def prepare(self, dt: float) -> NetworkStepper:
        """The network prepared for steps of `dt` ms: merged parameters, delays in steps.
        [`brainfn.simulate`][] does this by itself; call it for your own loops."""
        return make_stepper(
            self.populations,
            self.receptors,
            self.releases,
            self.pathways,
            self.layout,
            time_step(dt),
        )

    def summary(self) -> str:
        """A table of populations and projections: sizes, synapses, memory, and what was merged."""
        return summary(self.populations, self.receptors, self.releases, self.pathways, self.layout)


class Projections(Mapping[str, ProjectionView]):
    """The projections of a network by name; each view is made on access."""

    def __init__(self, network: Network):
        self._network = network

    def pathway(self, name: str) -> Pathway:
        try:
            return self._network.pathways[name]
        except KeyError:
            known = list(self._network.layout.projections)
            raise KeyError(
                f"there is no projection {name!r}, only {known}.{nearest(str(name), known)}"
            ) from None

    def __getitem__(self, name: str) -> ProjectionView:
        p = self.pathway(name)
        return ProjectionView(
            weight=p.weight,
            synapse=self._network.receptors[p.receptor].synapse,
            output=self._network.receptors[p.receptor].output,
            release=self._network.releases[p.release],
            plasticity=p.plasticity,
            matrices=p.matrices,
            pre=p.pre,
            post=p.post,
            delay=p.delay if p.delays is None else p.delays,
        )

    def __iter__(self):
        return iter(self._network.layout.projections)

    def __len__(self) -> int:
        return len(self._network.layout.projections)
