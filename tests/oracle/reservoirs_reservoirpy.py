"""Reservoirs by reservoirpy: states, and errors of ridge readouts on two standard tasks.

    pip install reservoirpy && python reservoirs_reservoirpy.py

writes `reservoirs_reservoirpy.json` beside this file: the matrices and series, what reservoirpy
makes of them, and its version. `W` is stored as its nonzero entries, in reservoirpy's convention
(targets are rows).
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from reservoirpy.nodes import Reservoir, Ridge

SIZE, LEAK, RIDGE, WASHOUT, TRAIN, TEST = 60, 0.7, 1e-6, 100, 700, 300


def rounded(x):
    """What JSON keeps, so that both simulators see the same numbers."""
    return np.array([float(f"{v:.12g}") for v in np.ravel(x)]).reshape(np.shape(x))


def mackey_glass(n, tau=17, h=0.1):
    """Mackey-Glass series by RK4 with the delayed value interpolated, sampled once per unit."""
    steps, lag = round(1 / h), round(tau / h)
    x = np.full(lag + 1 + (n + 500) * steps, 1.2)

    def f(v, delayed):
        return 0.2 * delayed / (1 + delayed**10) - 0.1 * v

    for i in range(lag, x.size - 1):
        d0, d1 = x[i - lag], x[i - lag + 1]
        middle, v = (d0 + d1) / 2, x[i]
        a = f(v, d0)
        b = f(v + h / 2 * a, middle)
        c = f(v + h / 2 * b, middle)
        x[i + 1] = v + h / 6 * (a + 2 * b + 2 * c + f(v + h * c, d1))
    return x[lag + 1 + 500 * steps :: steps][:n]


def narma10(u):
    y = np.zeros(u.size)
    for t in range(9, u.size - 1):
        sums = y[t - 9 : t + 1].sum()
        y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * sums + 1.5 * u[t - 9] * u[t] + 0.1
    return y


rng = np.random.default_rng(1)
W = rng.standard_normal((SIZE, SIZE)) * (rng.random((SIZE, SIZE)) < 0.15)
W = rounded(W * 0.9 / np.max(np.abs(np.linalg.eigvals(W))))
Win, bias = rounded(rng.uniform(-1, 1, (SIZE, 1))), rounded(rng.uniform(-0.2, 0.2, SIZE))
total = WASHOUT + TRAIN + TEST
u = rounded(rng.uniform(0, 0.5, total))
series = rounded(mackey_glass(total + 1))
tasks = {
    "narma10": (u, narma10(u)),
    "mackey_glass": (series[:-1], series[1:]),
}
results = {}
for name, (x, y) in tasks.items():
    reservoir = Reservoir(lr=LEAK, W=W, Win=Win, bias=bias)
    states = reservoir.run(x[:, None])
    end = WASHOUT + TRAIN
    readout = Ridge(ridge=RIDGE).fit(states[WASHOUT:end], y[WASHOUT:end, None])
    error = readout.run(states[end:])[:, 0] - y[end:]
    results[name] = {
        "nrmse": float(np.sqrt(np.mean(error**2) / np.var(y[end:]))),
        "states": rounded(states[99:102]).tolist(),
    }
rows, columns = np.nonzero(W)
found = {
    "reservoirpy": version("reservoirpy"),
    "size": SIZE,
    "leak": LEAK,
    "ridge": RIDGE,
    "washout": WASHOUT,
    "train": TRAIN,
    "rows": rows.tolist(),
    "columns": columns.tolist(),
    "values": W[rows, columns].tolist(),
    "input_weights": Win[:, 0].tolist(),
    "bias": bias.tolist(),
    "u": u.tolist(),
    "mackey_glass_series": series.tolist(),
    "results": results,
}
Path(__file__).with_suffix(".json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
