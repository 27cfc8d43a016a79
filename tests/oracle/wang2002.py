"""Rates of the decision network of Wang (2002), by a NumPy loop of its equations that shares
nothing with brainfn: forward Euler with steps of 0.05 ms, Poisson numbers by NumPy.

    python tests/oracle/wang2002.py > tests/oracle/wang2002.json
"""

import json

import numpy as np

DT, DELAY = 0.05, 10
SIZES = {"a": 240, "b": 240, "rest": 1120}
N_EXC, N_INH = 1600, 400
START, STOP, END = 500.0, 1500.0, 2500.0
UP = 1.7
DOWN = 1 - 0.15 * (UP - 1) / 0.85


def trial(coherence, seed):
    """Rates in Hz of the pools "a", "b" and "rest" and of the inhibitory neurons in windows of
    250 ms."""
    rng = np.random.default_rng(seed)
    pool = np.repeat(np.arange(3), list(SIZES.values()))
    strength = np.array([[UP, DOWN, 1.0], [DOWN, UP, 1.0], [DOWN, DOWN, 1.0]])
    ve, vi = np.full(N_EXC, -70.0), np.full(N_INH, -70.0)
    ge, gi = np.zeros(N_EXC), np.zeros(N_INH)  # AMPA in nS, of all origins
    be, bi = 0.0, 0.0  # GABA is the same for all
    x, s = np.zeros(N_EXC), np.zeros(N_EXC)
    quiet_e, quiet_i = np.zeros(N_EXC, int), np.zeros(N_INH, int)
    ring_e, ring_i = np.zeros((DELAY, 3)), np.zeros(DELAY)  # numbers of spikes in flight
    ring_s = np.zeros((DELAY, 3))  # sums of gates
    steps = round(END / DT)
    counts = np.zeros((round(END / 250), 4))
    rates = np.zeros(2)
    for n in range(steps):
        t = n * DT
        if START <= t < STOP and n % round(50 / DT) == 0:
            signs = np.array([1.0, -1.0])
            rates = np.maximum(rng.normal(40 * (1 + signs * coherence / 100), 4.0), 0)
        elif t >= STOP:
            rates[:] = 0
        slot = n % DELAY
        arrived, blocked, gates = ring_e[slot].copy(), ring_i[slot], ring_s[slot].copy()
        added = np.where(pool < 2, np.append(rates, 0)[pool], 0) + 2400
        ge += 2.1 * rng.poisson(added * DT * 1e-3) + 0.05 * (arrived @ strength)[pool]
        gi += 1.62 * rng.poisson(2400 * DT * 1e-3, N_INH) + 0.04 * arrived.sum()
        be += 1.3 * blocked
        bi += 1.0 * blocked
        nmda_e, nmda_i = 0.165 * (gates @ strength)[pool], 0.13 * gates.sum()
        fired = []
        for v, g, b, nmda, quiet, leak, c, refractory in (
            (ve, ge, be, nmda_e, quiet_e, 25.0, 500.0, 2.0),
            (vi, gi, bi, nmda_i, quiet_i, 20.0, 200.0, 1.0),
        ):
            current = (
                leak * (-70 - v) - g * v + b * (-70 - v)
                - nmda * v / (1 + np.exp(-0.062 * v) / 3.57)
            )  # fmt: skip
            v += np.where(quiet > 0, 0.0, DT * current / c)
            quiet -= quiet > 0
            spikes = v >= -50
            v[spikes] = -55
            quiet[spikes] = round(refractory / DT)
            fired.append(spikes)
        ge *= np.exp(-DT / 2)
        gi *= np.exp(-DT / 2)
        be *= np.exp(-DT / 5)
        bi *= np.exp(-DT / 5)
        s += DT * (-s / 100 + 0.5 * x * (1 - s))
        x *= np.exp(-DT / 2)
        x += fired[0]
        each = np.bincount(pool, fired[0], 3)
        ring_e[slot], ring_i[slot] = each, fired[1].sum()
        ring_s[slot] = np.bincount(pool, s, 3)
        counts[int(t // 250)] += [*each, fired[1].sum()]
    return counts / np.array([240, 240, 1120, 400]) / 0.25


def main():
    out = {}
    for coherence in (51.2, 0.0):
        runs = [trial(coherence, seed) for seed in range(4)]
        out[f"{coherence:g}"] = np.round(runs, 3).tolist()
    print(json.dumps(out))


if __name__ == "__main__":
    main()
