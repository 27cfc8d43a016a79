"""Spiral waves on a sheet of excitable cells, coupled to their four neighbours by gap junctions."""

import numpy as np

import brainfn as bf


def neighbours(side):
    """The pairs of cells that touch, in both directions."""
    cells = np.arange(side**2).reshape(side, side)
    one = np.concatenate([cells[:, :-1].ravel(), cells[:-1].ravel()])
    other = np.concatenate([cells[:, 1:].ravel(), cells[1:].ravel()])
    return bf.connect.FromPairs(np.append(one, other), np.append(other, one))


def main(short=False):
    side, duration = (20, 5.0) if short else (120, 600.0)
    # One half is excited and another half recovers: a wave whose end curls.
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    v, w = np.where(x < side / 2, 1.5, -1.2), np.where(y < side / 2, 0.8, -0.62)
    net = bf.Network(
        {
            "cells": bf.neuron.FitzHughNagumo(
                side**2, tau_w=40.0, v_init=v.ravel(), w_init=w.ravel(), surrogate=None
            )
        },
        [
            bf.Projection(
                "cells", "cells", neighbours(side), weight=0.4, **bf.synapse.gap_junction()
            )
        ],
    )
    every = 1 if short else 100
    run = bf.simulate(net, duration=duration, dt=0.1, record=lambda s, _: s["cells"].v, every=every)
    frames = np.asarray(run.outputs).reshape(-1, side, side)
    axes = bf.plot.film_strip(run.ts, frames, number=6, quantity="v", limits=(-2.0, 2.0))
    return axes.figure
