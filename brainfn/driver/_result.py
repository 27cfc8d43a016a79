"""What a simulation returns."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, Int


class Snapshot(eqx.Module):
    """A moment of a simulation, from which it can be continued to the same bits.

    - `model_state`: the state of the model, spikes in flight included.
    - `step`: how many steps were made.
    - `dt`: the step size in ms.
    - `inputs`: the states of inputs that have one (noise), by name.

    `snapshot["exc"]` is `snapshot.model_state["exc"]`.
    """

    model_state: Any
    step: Int[Array, ""]
    dt: float = eqx.field(static=True)
    inputs: dict[str, Any] = eqx.field(default_factory=dict)

    def __getitem__(self, name: Any) -> Any:
        return self.model_state[name]


class Simulation(eqx.Module):
    """The result of [`brainfn.simulate`][].

    - `ts`: times in ms of the recorded steps, shape `(time,)`: their beginning, at which spikes are
        stamped. A recorded state is that at the end of its step, `ts + dt`.
    - `outputs`: what was recorded, stacked along a leading axis of time; results of reducers as
        they are.
    - `state`: a [`brainfn.Snapshot`][], to be given as `state=` to continue.
    """

    ts: Float[Array, " time"]
    outputs: Any
    state: Snapshot
