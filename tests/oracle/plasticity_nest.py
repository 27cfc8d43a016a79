"""Weights of plastic synapses from NEST, for 10 s of spikes.

    python plasticity_nest.py --output plasticity_nest.json

Needs an interpreter with `nest-simulator` (the extra `oracle`). Two parrots are joined by a synapse
and repeat given trains. Times are in ms. NEST changes a weight when its synapse sends, so that the
weights of the spikes that were sent are the oracle. All of the delay of a NEST synapse is
dendritic: a presynaptic spike is at the synapse when it is emitted, a postsynaptic one a delay
later. The times stored are those at the synapse; no two of them are equal.
"""

import argparse
import json
from pathlib import Path

import nest
import numpy as np
from parts_nest import begin, rounded

DURATION, DELAY = 10_000.0, 1.0
PAIRS = {
    "tau_plus": 16.8,
    "lambda": 0.02,
    "alpha": 0.5,
    "Wmax": 1.5,
}
CASES: dict[str, tuple[str, dict[str, float], dict[str, float]]] = {
    # Name: (model, its parameters, those of the postsynaptic neuron)
    "additive": ("stdp_synapse", PAIRS | {"mu_plus": 0.0, "mu_minus": 0.0}, {}),
    "multiplicative": ("stdp_synapse", PAIRS | {"mu_plus": 1.0, "mu_minus": 1.0}, {}),
    "van Rossum": ("stdp_synapse", PAIRS | {"mu_plus": 0.0, "mu_minus": 1.0}, {}),
    "Guetig": ("stdp_synapse", PAIRS | {"mu_plus": 0.3, "mu_minus": 0.7}, {}),
    "symmetric": ("stdp_nn_symm_synapse", PAIRS | {"mu_plus": 0.3, "mu_minus": 0.7}, {}),
    "restricted": ("stdp_nn_restr_synapse", PAIRS | {"mu_plus": 0.3, "mu_minus": 0.7}, {}),
    "power law": (
        "stdp_pl_synapse_hom",
        {"tau_plus": 15.0, "lambda": 0.1, "alpha": 0.0513, "mu": 0.4},
        {},
    ),
    "triplet": (
        "stdp_triplet_synapse",
        {
            "Aplus": 5e-3,
            "Aplus_triplet": 6.2e-3,
            "Aminus": 7e-3,
            "Aminus_triplet": 2.3e-3,
            "tau_plus": 16.8,
            "tau_plus_triplet": 101.0,
            "Wmax": 100.0,
        },
        {"tau_minus_triplet": 125.0},
    ),
    "Vogels-Sprekeler": (
        "vogels_sprekeler_synapse",
        {"tau": 20.0, "eta": 0.01, "alpha": 0.4, "Wmax": 5.0},
        {"tau_minus": 20.0},
    ),
    "dopamine": (
        "stdp_dopamine_synapse",
        {
            "A_plus": 0.02,
            "A_minus": 0.015,
            "tau_plus": 18.0,
            "tau_c": 400.0,
            "tau_n": 150.0,
            "b": 0.004,
            "Wmin": 0.0,
            "Wmax": 200.0,
        },
        {},
    ),
}


def train(rng: np.random.Generator, offset: float, mean: float) -> np.ndarray:
    """Times on a grid of 0.5 ms, shifted, with a mean interval."""
    steps = np.cumsum(1 + rng.geometric(0.5 / mean, int(1.5 * DURATION / mean)))
    times = 5.0 + 0.5 * steps + offset
    return np.round(times[times < DURATION], 6)


def weights(model: str, parameters: dict, post: dict, trains: list[np.ndarray]) -> np.ndarray:
    begin(0.1)
    recorder = nest.Create("weight_recorder")
    parrots = []
    for times in trains:
        generator = nest.Create("spike_generator", params={"spike_times": times - DELAY})
        parrots.append(nest.Create("parrot_neuron", params={"tau_minus": 33.7} | post))
        nest.Connect(generator, parrots[-1], syn_spec={"delay": DELAY})
    own = {"weight_recorder": recorder} | parameters
    if model == "stdp_dopamine_synapse":
        # Rarely: where a weight is brought up to date within a step of communication, postsynaptic
        # spikes of that step are taken before earlier presynaptic ones.
        transmitter = nest.Create("volume_transmitter", params={"deliver_interval": 50})
        nest.Connect(parrots[2], transmitter, syn_spec={"delay": DELAY})
        own["volume_transmitter"] = transmitter
    nest.CopyModel(model, "recorded", own)
    # Port 1 of a parrot listens without repeating.
    syn = {"synapse_model": "recorded", "receptor_type": 1, "delay": DELAY, "weight": 0.7}
    nest.Connect(parrots[0], parrots[1], syn_spec=syn)
    nest.Simulate(DURATION + 10.0)
    events = recorder.events
    np.testing.assert_allclose(events["times"], trains[0], atol=1e-9)
    return np.asarray(events["weights"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    nest.verbosity = nest.VerbosityLevel.ERROR
    rng = np.random.default_rng(7)
    trains = [train(rng, offset, 60.0) for offset in (0.0, 0.2)]
    trains.append(train(rng, 0.3, 500.0))
    cases = {}
    for name, (model, parameters, post) in CASES.items():
        found = weights(model, parameters, post, trains)
        cases[name] = {
            "model": model,
            "parameters": {"tau_minus": 33.7} | parameters | post,
            "weights": found,
        }
    document = {
        "script": Path(__file__).name,
        "nest": nest.__version__,
        "weight": 0.7,
        "pre": trains[0],
        "post": trains[1] + DELAY,
        "dopamine": trains[2] + DELAY,
        "cases": cases,
    }
    args.output.write_text(json.dumps(rounded(document)) + "\n")


if __name__ == "__main__":
    main()
