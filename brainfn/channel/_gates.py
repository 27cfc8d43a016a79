"""The gates of a channel as state, for whatever holds channels: point neurons and cells."""

from typing import Any

from ..solver import Coupled
from ._base import AbstractChannel, Gates, Ions, Values


def start_gates(channel: AbstractChannel, v: Values, ions: Ions) -> dict[str, Any]:
    """The gates of a channel at their steady state, in the shape of `v`.

    **Arguments:** as for the method `gates` of a channel.
    """
    started: dict[str, Any] = {}
    for name, kinetics in channel.gates(v, ions).items():
        started[name] = kinetics.start(open_gates(started), v)
    return started


def open_gates(state: dict[str, Any]) -> Gates:
    """What a channel sees of the state of its gates: the states of a scheme as a dictionary."""
    return {name: x.values if isinstance(x, Coupled) else x for name, x in state.items()}


def gate_slopes(
    channel: AbstractChannel, state: dict[str, Any], v: Values, ions: Ions
) -> dict[str, Any]:
    """The rates of change of the gates of a channel per ms, in the structure of `state`."""
    gates = open_gates(state)
    moves = channel.gates(v, ions)
    return {name: moves[name].slope(x, gates) for name, x in state.items()}
