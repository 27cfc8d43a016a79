"""Results of a simulation."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, Int


class Snapshot(eqx.Module):
    """A point in a simulation from which it can be continued, bit for bit.

    - `model_state`: the state of the model, including spikes in flight.
    - `step`: number of steps made.
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

    - `ts`: times in ms of the recorded steps, shape `(time,)`: their beginning, which is also the
      time stamp of spikes. A recorded state is the one at the end of its step, `ts + dt`.
    - `outputs`: the records, stacked along a leading axis of time; results of reducers unchanged.
    - `state`: a [`brainfn.Snapshot`][]; pass it as `state=` to continue.
    """

    ts: Float[Array, " time"]
    outputs: Any
    state: Snapshot
