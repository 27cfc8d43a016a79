"""The half of a step that needs only a neuron's own state and arrivals."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from .. import random
from .._custom_types import Key
from .._field import float_dtype
from .._model import Clock
from .._population import AbstractPopulation
from ..delay import Delay, DelayState
from ..event import materialize
from ..kernel import generated
from ..neuron import as_drive
from ..synapse import AbstractRelease
from ._drive import NetworkDrive, Term
from ._layout import Group
from ._near import mark
from ._pathway import Receptor
from ._state import take


class Local(eqx.Module):
    """Populations and receptors, merged and prepared for steps of a fixed size.

    - `populations`: one for each group.
    - `terms`: for each group, by port, the receptors that reach it.
    - `layers`: the receptors of each layer.
    - `elementwise`: groups whose neurons draw random numbers independently of each other.
    """

    populations: tuple[AbstractPopulation, ...]
    terms: tuple[dict[str, tuple[Term, ...]], ...]
    layers: tuple[Receptor, ...]
    groups: tuple[Group, ...] = eqx.field(static=True)

    def keys(self, key: Key | None) -> list[Any]:
        """A key for each group, from names: the random numbers of a population do not depend on
        which others exist."""
        return [
            None if key is None else group_key(key, group, model)
            for group, model in zip(self.groups, self.populations, strict=True)
        ]

    def step(
        self,
        groups: Sequence[Any],
        layers: Sequence[Any],
        injected: Sequence[Any],
        clock: Clock,
        key: Key | None,
    ) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Array, ...]]:
        """One step of all neurons, and of the receptors on them.

        **Arguments:**

        - `groups`, `layers`: the states, with the arrivals of this step added to the receptors.
        - `injected`: for each group its external input.

        **Returns:** the states after the step, and the emitted signals.
        """
        states, emitted = [], []
        advanced: dict[int, Any] = {}
        neurons = sum(group.size for group in self.groups)
        keys = self.keys(key)
        for g, group in enumerate(self.groups):
            whole = self.arguments(g, groups[g], layers, injected[g], clock, keys[g])
            if _traceable(injected[g]):
                name = ", ".join(group.names)
                (state, after), out = _generated(name, neurons, *whole)
            else:
                (state, after), out = advance_group(*whole)
            advanced.update(after)
            states.append(state)
            emitted.append(self._checked(g, out))
        left = [i for i in range(len(layers)) if i not in advanced]
        # The neurons have read the receptors, which may now be overwritten in place.
        waiting = tuple(layers[i] for i in left)
        if left:
            waiting, emitted = materialize((waiting, tuple(emitted)))
        for i, layer in zip(left, waiting, strict=True):
            advanced[i] = self.layers[i].synapse.advance(layer, clock.dt)
        return tuple(states), tuple(advanced[i] for i in range(len(layers))), tuple(emitted)

    def arguments(
        self, g: int, state: Any, layers: Sequence[Any], injected: Any, clock: Any, key: Any
    ) -> tuple[Any, Any, Any]:
        """The arguments of [`brainfn.network._local.advance_group`][] for a group."""
        ports = self.terms[g].values()
        # A layer that reaches other groups, too, is advanced with all of them.
        own = {t.layer: t.synapse for terms in ports for t in terms if t.size == t.total}
        mine = {i: layers[i] for i in own}
        shared = {t.layer: layers[t.layer] for terms in ports for t in terms if t.layer not in own}
        constants = self.populations[g], self.terms[g], own
        return constants, (injected, clock, key, shared), (state, mine)

    def _checked(self, g: int, out: Any) -> Any:
        said = self.populations[g].emits()
        names = ", ".join(repr(name) for name in self.groups[g].names)
        if not eqx.is_array(out):
            raise TypeError(
                f"population {names}: `step` must return (state, signal), where signal is an "
                f"array, got {type(out).__name__}."
            )
        if out.shape != said.shape or out.dtype != said.dtype:
            raise TypeError(
                f"population {names}: `emits` declares {said.dtype}{list(said.shape)}, but `step` "
                f"emitted {out.dtype}{list(out.shape)}. Make them agree."
            )
        return out


def group_key(key: Key, group: Group, model: AbstractPopulation) -> Any:
    """The key of a group: one stream for each of its populations."""
    if model.elementwise:
        return random.streams(key, group.names, group.sizes)
    (name,) = group.names
    return random.named(key, name)


def advance_group(constants: Any, context: Any, variables: Any) -> tuple[Any, Any]:
    """One step of a group and of the receptors that reach no other."""
    model, terms, own = constants
    injected, clock, key, shared = context
    state, mine = variables
    inputs = _inputs(model, terms, injected, {**mine, **shared})
    new, out = model.step(state, inputs, clock, key=key)
    # The neurons have read the receptors, which may now be overwritten in place.
    mine, out = materialize((mine, out))
    return (new, {i: own[i].advance(layer, clock.dt) for i, layer in mine.items()}), out


def _inputs(
    model: AbstractPopulation, terms: Mapping[str, tuple[Term, ...]], injected: Any, layers: Any
) -> Any:
    """The drive of each port of a group."""
    if not terms:
        return injected
    given = injected if isinstance(injected, Mapping) else {"": injected}
    drives = {}
    for port, size in model.ports().items():
        parts = tuple(
            (term, take(layers[term.layer], term.total, term.start, term.size))
            for term in terms[port]
        )
        like = jnp.zeros(size, float_dtype(model))
        drives[port] = NetworkDrive(as_drive(given.get(port), like), parts)
    return drives[""] if tuple(drives) == ("",) else drives


def _traceable(injected: Any) -> bool:
    """Whether an input holds all of its arrays: a function may have some of its own."""
    return all(eqx.is_array_like(x) for x in jax.tree.leaves(injected))


_generated = generated(advance_group)


class Sender(eqx.Module):
    """The release of some populations of one group.

    - `pieces`: their start and size in the group; empty for the whole group.
    """

    release: AbstractRelease
    group: int = eqx.field(static=True)
    pieces: tuple[tuple[int, int], ...] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    sizes: tuple[int, ...] = eqx.field(static=True)

    def dtype(self, model: AbstractPopulation) -> Any:
        """The dtype of the signals that a population of this kind sends."""

        def send(model: Any, release: Any, key: Any) -> Any:
            said = model.emits()
            out = jnp.zeros((sum(self.sizes),), said.dtype)
            pre = self._cut(
                model.init(key=group_key(key, self._whole(model), model)), said.shape[0]
            )
            state = release.init(sum(self.sizes), key=self._key(key))
            clock = Clock(jnp.zeros((), jnp.int32), 0.1)
            return release.release(state, out, pre, clock, key=self._key(key))[1]

        sent = eqx.filter_eval_shape(send, model, self.release, jax.random.key(0))
        expected = (sum(self.sizes),)
        if not isinstance(sent, jax.ShapeDtypeStruct) or sent.shape != expected:
            got = getattr(sent, "shape", type(sent).__name__)
            raise ValueError(
                f"`release` {type(self.release).__name__} of {', '.join(self.names)} must send one "
                f"number for each presynaptic neuron, shape {expected}, got {got}."
            )
        return sent.dtype

    def _whole(self, model: AbstractPopulation) -> Group:
        return Group(("all",), (model.emits().shape[0],))

    def _key(self, key: Key | None) -> Any:
        if key is None:
            return None
        return random.fold_in(random.streams(key, self.names, self.sizes), _RELEASE)

    def _cut(self, pre: Any, total: int) -> Any:
        if not self.pieces:
            return pre
        parts = [take(pre, total, a, n) for a, n in self.pieces]
        return parts[0] if len(parts) == 1 else _joined(parts)

    def init(
        self,
        groups: Sequence[Any],
        populations: Sequence[AbstractPopulation],
        line: Delay,
        key: Key | None,
    ) -> tuple[Any, DelayState]:
        """The initial state of the release and of its line: empty, or filled with the signals of
        the initial state if the release is graded."""
        size = sum(self.sizes)
        state = self.release.init(size, key=self._key(key))
        if not self.release.graded:
            return state, line.init()
        said = populations[self.group].emits()
        out = jnp.zeros((size,), said.dtype)
        clock = Clock(jnp.zeros((), jnp.int32), 1.0)
        pre = self._cut(groups[self.group], said.shape[0])
        _, sent = self.release.release(state, out, pre, clock, key=self._key(key))
        return state, DelayState(jnp.broadcast_to(sent.astype(line.dtype), (line.steps, size)))

    def step(
        self,
        state: Any,
        emitted: Sequence[Array],
        groups: Sequence[Any],
        populations: Sequence[AbstractPopulation],
        clock: Clock,
        key: Key | None,
    ) -> tuple[Any, Array]:
        """The signals that these populations send in this step."""
        model, pre, out = populations[self.group], groups[self.group], emitted[self.group]
        if not self.release.graded:
            out = mark(out, model, pre)
        if self.pieces:
            pre = self._cut(pre, out.shape[0])
            out = jnp.concatenate([out[a : a + n] for a, n in self.pieces])
        return self.release.release(state, out, pre, clock, key=self._key(key))


# Folded into the key of a population to derive that of its release.
_RELEASE = 0x52454C


def _joined(parts: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *xs: jnp.concatenate(xs), *parts)
