"""The squid axon in NEURON: potentials and spike times to compare a cell with.

    python cells_neuron.py --output cells_neuron.json

Needs an interpreter with `neuron` (the extra `oracle`). NEURON interpolates the rates of gates in
tables of 1 mV by default, which shifts spikes by tens of microseconds; they are switched off here.
Times are in ms, potentials in mV, currents in uA/cm2.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import neuron
import numpy as np
from neuron import h

DIGITS = 12


def squid(current: float, duration: float, every: float) -> dict[str, Any]:
    """A sphere-like soma of 100 um2 with a constant current, by CVODE at 1e-10."""
    soma = h.Section(name="soma")
    soma.insert("hh")
    soma.L = soma.diam = np.sqrt(100 / np.pi)
    soma.cm = 1.0
    soma.el_hh = -54.387
    h.usetable_hh = 0
    h.celsius = 6.3
    clamp = h.IClamp(soma(0.5))
    clamp.delay, clamp.dur = 0.0, 1e9
    clamp.amp = current * 1e-3  # nA: 1 uA/cm2 on 100 um2 is 1 pA
    times = h.Vector(every * np.arange(round(duration / every) + 1))
    v = h.Vector().record(soma(0.5)._ref_v, times)
    spikes = h.Vector()
    detector = h.NetCon(soma(0.5)._ref_v, None, sec=soma)
    detector.threshold = 0.0
    detector.record(spikes)
    solver = h.CVode()
    solver.active(True)
    solver.atol(1e-10)
    solver.rtol(1e-10)
    solver.condition_order(2)  # spikes are interpolated
    h.finitialize(-65.0)
    solver.solve(duration + every)
    return {"current": current, "every": every, "v": list(v), "spikes": list(spikes)}


def rounded(x: Any) -> Any:
    if isinstance(x, dict):
        return {key: rounded(value) for key, value in x.items()}
    if isinstance(x, list):
        return [rounded(value) for value in x]
    return float(f"{x:.{DIGITS}g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("cells_neuron.json"))
    output = parser.parse_args().output
    cases = [rounded(squid(current, 40.0, 0.2)) for current in (7.0, 10.0, 20.0)]
    stored = {"neuron": neuron.__version__, "squid": cases}
    output.write_text(json.dumps(stored) + "\n")


if __name__ == "__main__":
    main()
