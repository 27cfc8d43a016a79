"""What all training peers share: the task, and how a step is timed."""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

STEPS, BATCH, INPUTS, CLASSES = 100, 256, 784, 10
SYNAPSE, MEMBRANE = 0.9, 0.95  # what is left of current and potential after a step


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("case")
    parser.add_argument("--activity", type=float, default=0.1)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--calls", type=int, default=9)
    return parser.parse_args()


def task(o: argparse.Namespace) -> tuple[np.ndarray, ...]:
    """Spikes (time, batch, inputs), labels, and weights. The standard deviation of a hidden
    potential without resets is 3 thresholds, so that about 4 % of steps have a spike."""
    rng = np.random.default_rng(0)
    x = rng.random((STEPS, BATCH, INPUTS), dtype=np.float32) < o.activity
    labels = rng.integers(0, CLASSES, BATCH).astype(np.int32)
    response = np.zeros(STEPS)
    i = v = 0.0
    for t in range(STEPS):
        i = SYNAPSE * i + (t == 0)
        v = MEMBRANE * v + i
        response[t] = v

    def deviation(wanted: float, n: int, p: float) -> float:
        steady, noise = p**2 * response.sum() ** 2, p * (1 - p) * (response**2).sum()
        return wanted / np.sqrt(n * (steady + noise))

    first = rng.normal(0, deviation(3.0, INPUTS, o.activity), (INPUTS, o.hidden))
    second = rng.normal(0, deviation(0.7, o.hidden, 0.05), (o.hidden, CLASSES))
    return x.astype(np.float32), labels, first.astype(np.float32), second.astype(np.float32)


def _megabytes(field: str) -> float:
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(field):
                return int(line.split()[1]) / 1e3
    return float("nan")


def timed(o: argparse.Namespace, step: Callable[[], tuple[float, float]], **more: object) -> None:
    """Prints the results of some calls of `step() -> (loss, rate of the hidden layer)`."""
    before = _megabytes("VmRSS")
    start = time.perf_counter()
    loss, rate = step()
    first = time.perf_counter() - start
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak is counted from here
    wall, cpu = [], []
    for _ in range(o.calls):
        a, b = time.perf_counter(), time.process_time()
        step()
        wall.append(time.perf_counter() - a)
        cpu.append(time.process_time() - b)
    result = {
        "median_s": statistics.median(wall),
        "fastest_s": min(wall),
        "cpu_s": min(cpu),
        "first_s": first,
        "peak_mb": _megabytes("VmHWM") - before,
        "loss": loss,
        "rate": rate,
    }
    print(json.dumps(result | more))
