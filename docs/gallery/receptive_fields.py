"""Receptive fields by STDP: neurons that see moving spots through plastic synapses each come to
prefer one place, and together cover the sheet."""

import jax
import numpy as np

import brainfn as bf
from brainfn.units import Hz, ms, mV, pA

SIDE, CELLS = 12, 16


def spots(n, rng):
    """Rates of a torus of inputs in 1/ms while a spot stands at `n` random places, one each."""
    at = np.arange(SIDE)
    centre = rng.uniform(0, SIDE, (n, 2))
    off = (at - centre[..., None] + SIDE / 2) % SIDE - SIDE / 2  # (n, 2, SIDE)
    bump = np.exp(-(off**2) / (2 * 1.5**2))
    return (1 + 60 * bump[:, 0, :, None] * bump[:, 1, None, :]).reshape(n, -1) * Hz


def main(short=False):
    rng = np.random.default_rng(1)
    places, each = (20 if short else 4000), 100 * ms
    inputs = bf.input.TimeSeries(spots(places, rng), interval=each)
    net = bf.Network(
        {
            "sheet": bf.input.Poisson(SIDE**2, 0.0),
            # Thresholds that adapt give each neuron its share of the spots.
            "cells": bf.neuron.ALIF(
                CELLS, b=1 * mV, tau_a=2000 * ms, refractory=5 * ms, surrogate=None
            ),
        },
        {
            "seen": bf.Projection(
                "sheet",
                "cells",
                bf.connect.AllToAll(),
                weight=bf.init.Uniform(0.0, 60.0 * pA),
                synapse=bf.synapse.Exponential(5 * ms),
                output=bf.synapse.Current(),
                plasticity=bf.plasticity.STDP(A_plus=2.0, A_minus=2.4, w_max=120.0 * pA),
            ),
            "rivals": bf.Projection(
                "cells",
                "cells",
                bf.connect.AllToAll(),
                weight=-800.0 * pA,
                synapse=bf.synapse.Exponential(10 * ms),
                output=bf.synapse.Current(),
            ),
        },
        key=jax.random.key(0),
    )
    run = bf.simulate(
        net,
        inputs={"sheet": inputs},
        duration=places * each,
        dt=0.5 * ms,
        key=jax.random.key(1),
        record=bf.record.nothing,
    )
    state = run.state.model_state
    before = np.asarray(net.projections["seen"].weight).reshape(SIDE, SIDE, CELLS)
    after = np.asarray(state.weights["seen"]).reshape(SIDE, SIDE, CELLS)
    figure = bf.plot.new_figure(10.0, 5.2)
    left, right = figure.subfigures(1, 2)
    for part, weights, title in ((left, before, "before"), (right, after, "after")):
        part.suptitle(title, fontsize="medium")
        for i, ax in enumerate(part.subplots(4, 4).flat):
            ax.imshow(weights[..., i], vmin=0.0, vmax=120.0, cmap="viridis")
            ax.set(xticks=[], yticks=[])
    return figure
