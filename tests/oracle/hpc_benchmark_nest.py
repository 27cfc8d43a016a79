"""The rate of neurons of NEST's hpc_benchmark that get the input of a network of 8.68 Hz.

    python hpc_benchmark_nest.py --output hpc_benchmark_nest.json

Needs an interpreter with `nest-simulator` (the extra `oracle`). 9000 excitatory and 2250 inhibitory
synapses at 8.68 Hz, the rate of the theory for white noise, and the external input.
"""

import argparse
import datetime
import json
from pathlib import Path

import nest

CELL = {
    "E_L": 0.0,
    "C_m": 250.0,
    "tau_m": 10.0,
    "t_ref": 0.5,
    "V_th": 20.0,
    "V_reset": 0.0,
    "tau_syn_ex": 0.32582722403722841,
    "tau_syn_in": 0.32582722403722841,
}
WEIGHT, EXTERNAL, NU, PRESIM, DURATION, SIZE = 45.61, 20_856.037, 8.68, 100.0, 2000.0, 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("hpc_benchmark_nest.json"))
    args = parser.parse_args()
    nest.ResetKernel()
    nest.SetKernelStatus({"resolution": 0.1, "rng_seed": 1})
    cells = nest.Create("iaf_psc_alpha", SIZE, CELL)
    cells.V_m = nest.random.normal(5.7, 7.2)
    for rate, weight in ((EXTERNAL + 9000 * NU, WEIGHT), (2250 * NU, -5 * WEIGHT)):
        noise = nest.Create("poisson_generator", {"rate": rate})
        nest.Connect(noise, cells, syn_spec={"weight": weight, "delay": 1.5})
    recorder = nest.Create("spike_recorder", {"start": PRESIM})
    nest.Connect(cells, recorder)
    nest.Simulate(PRESIM + DURATION)
    document = {
        "made_by": "hpc_benchmark_nest.py",
        "date": datetime.date.today().isoformat(),
        "nest": nest.__version__,
        "spikes": recorder.n_events,
        "rate_hz": 1e3 * recorder.n_events / (SIZE * DURATION),
    }
    print(document)
    args.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
