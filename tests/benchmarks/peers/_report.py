"""What every script here shares: its arguments, its clock and the one line of JSON it prints."""

import argparse
import json
import resource
import time

# The network: REFERENCE is tests/oracle/vogels_abbott.py, variant "coba-drive", with 80 synapses
# per neuron at every size. Units: ms, mV; conductances in units of the leak conductance (10 nS).
FAN_OUT = 80
DT = 0.1
# Pair STDP of the synapses between excitatory neurons, in nS and ms: additive, all pairs, bounds of
# 0 and `w_max`.
STDP = {"A_plus": 0.06, "A_minus": 0.063, "tau": 20.0, "w_max": 12.0}


def arguments(description: str | None, **choices) -> argparse.Namespace:
    """`--n --duration --seed --threads --dtype --mode`; `choices` restricts the last three."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=4000, help="number of neurons")
    parser.add_argument("--duration", type=float, default=1000.0, help="model time in ms")
    parser.add_argument("--seed", type=int, default=1)
    for name, values in choices.items():
        parser.add_argument(f"--{name}", type=type(values[0]), choices=values, default=values[0])
    return parser.parse_args()


def sizes(n: int) -> tuple[int, int]:
    """Number of excitatory and inhibitory neurons."""
    n_exc = n * 4 // 5
    return n_exc, n - n_exc


class Stopwatch:
    """Seconds since it was made or last asked; `cpu`: this process's processor time over them."""

    def __init__(self):
        self._start, self._cpu_start, self.cpu = time.perf_counter(), time.process_time(), 0.0

    def __call__(self) -> float:
        now, cpu_now = time.perf_counter(), time.process_time()
        seconds, self.cpu = now - self._start, cpu_now - self._cpu_start
        self._start, self._cpu_start = now, cpu_now
        return seconds


def peak_rss_mb(pid: int | str = "self") -> float:
    """Largest resident set of a running process, in MB (2^20 bytes).

    Linux's `VmHWM` begins anew when a program is started; `getrusage` would count what the process
    that started it held before.
    """
    try:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 if pid == "self" else 0.0


def report(
    *,
    simulator: str,
    version: str,
    mode: str,
    n: int,
    threads: int,
    dtype: str,
    build_s: float,
    compile_s: float,
    run_s: float,
    run_cpu_s: float | None = None,
    rate_hz: float,
    peak_rss_mb: float,
    **extra,
) -> None:
    """Print the line.

    `build_s`: making the network; `compile_s`: making code for it; `run_s`: simulating the whole
    duration; `run_cpu_s`: processor time of all threads over that, which tells a slow simulator
    from a busy machine; `threads`: 0 where the library itself chooses.
    """
    line = dict(locals())
    line.update(line.pop("extra"))
    print(json.dumps(line), flush=True)
