"""A spiking network as plain NumPy loops, neuron by neuron: what `Network` must compute.

It follows the order of events as the documentation states it and shares no code with brainfn:
spikes that are due arrive, synapses turn into currents, neurons integrate, threshold, reset, and
new spikes are remembered. Each projection keeps its own synaptic variables; nothing is merged.
"""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass
class Neurons:
    size: int
    tau: float
    capacitance: float
    v_rest: float
    v_threshold: float
    v_reset: float
    refractory_steps: int
    v_init: np.ndarray


@dataclasses.dataclass
class Connections:
    pre: str
    post: list[str]
    weights: np.ndarray  # (n_pre, all posts one after the other); 0 where there is no synapse
    tau: float
    reversal: float | None  # None: the variable is a current
    delay_steps: np.ndarray  # (n_pre,), or of the shape of weights


def mean_decay(rate, tau, dt):
    """The mean of exp(-t / tau) over a step, weighted with exp(-rate (dt - t))."""
    weights = (1 - math.exp(-rate * dt)) / rate
    if math.isclose(rate, 1 / tau):
        return dt * math.exp(-rate * dt) / weights
    return (math.exp(-dt / tau) - math.exp(-rate * dt)) / (rate - 1 / tau) / weights


def run(neurons, projections, currents, dt, n_steps):
    """Spikes and membrane potentials, each a dictionary of arrays (time, size)."""
    v = {name: list(n.v_init) for name, n in neurons.items()}
    rest = {name: [0] * n.size for name, n in neurons.items()}
    g = [{post: [0.0] * neurons[post].size for post in p.post} for p in projections]
    emitted = {name: [] for name in neurons}
    voltages = {name: [] for name in neurons}
    for step in range(n_steps):
        for p, variables in zip(projections, g, strict=True):
            delays = p.delay_steps
            if delays.ndim == 1:
                delays = np.repeat(delays[:, None], p.weights.shape[1], axis=1)
            for i in range(neurons[p.pre].size):
                column = 0
                for post in p.post:
                    for j in range(neurons[post].size):
                        origin = step - int(delays[i, column])
                        if origin >= 0 and emitted[p.pre][origin][i]:
                            variables[post][j] += p.weights[i, column]
                        column += 1
        spikes = {}
        for name, n in neurons.items():
            spikes[name] = [False] * n.size
            for j in range(n.size):
                # C dv/dt = a - b v with the synapses held at what has, on a membrane of this time
                # constant, the effect of their decay over the step.
                a = n.v_rest * n.capacitance / n.tau + currents[name]
                b = n.capacitance / n.tau
                for p, variables in zip(projections, g, strict=True):
                    if name in p.post:
                        x = variables[name][j] * mean_decay(1 / n.tau, p.tau, dt)
                        if p.reversal is None:
                            a += x
                        else:
                            a += x * p.reversal
                            b += x
                if rest[name][j] > 0:
                    rest[name][j] -= 1
                else:
                    end = a / b
                    v[name][j] = end + (v[name][j] - end) * math.exp(-dt * b / n.capacitance)
                if v[name][j] >= n.v_threshold:
                    spikes[name][j] = True
                    v[name][j] = n.v_reset
                    rest[name][j] = n.refractory_steps
        for p, variables in zip(projections, g, strict=True):
            for values in variables.values():
                for j in range(len(values)):
                    values[j] *= math.exp(-dt / p.tau)
        for name in neurons:
            emitted[name].append(spikes[name])
            voltages[name].append(list(v[name]))
    return (
        {name: np.array(x, bool) for name, x in emitted.items()},
        {name: np.array(x) for name, x in voltages.items()},
    )
