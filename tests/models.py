"""One part of every kind. The law tests run over these lists: a new part is added here.

Each entry is a name and a function that makes the part, so that nothing is built at import.
"""

import numpy as np

import brainfn as bf

all_receptors = {
    "Exponential": lambda: bf.synapse.Exponential(5.0),
    "Alpha": lambda: bf.synapse.Alpha(2.0),
    "DualExponential": lambda: bf.synapse.DualExponential(0.7, 6.0),
    "DualExponential, equal": lambda: bf.synapse.DualExponential(3.0, 3.0),
    "DualExponential, rises slower": lambda: bf.synapse.DualExponential(6.0, 0.7),
    "DualExponential, not normalized": lambda: bf.synapse.DualExponential(
        0.7, 6.0, normalize=False
    ),
    "Instant": lambda: bf.synapse.Instant(),
}

all_releases = {
    "Spikes": lambda: bf.synapse.Spikes(),
    "Graded": lambda: bf.synapse.Graded(lambda state: state.v),
    "TsodyksMarkram": lambda: bf.synapse.TsodyksMarkram(),
    "TsodyksMarkram, facilitating": lambda: bf.synapse.TsodyksMarkram(
        U=0.1, tau_facilitation=500.0, tau_recovery=100.0
    ),
    "NMDAGate": lambda: bf.synapse.NMDAGate(),
}

all_outputs = {
    "Current": lambda: bf.synapse.Current(),
    "Conductance": lambda: bf.synapse.Conductance(-80.0),
    "MagnesiumBlock": lambda: bf.synapse.MagnesiumBlock(),
    "Diffusive": lambda: bf.synapse.Diffusive(),
}

# The weights that these get in the laws are between 0.2 and 0.8.
all_plasticity = {
    "STDP": lambda: bf.plasticity.STDP(),
    "STDP, powers": lambda: bf.plasticity.STDP(mu_plus=0.4, mu_minus=1.0),
    "STDP, symmetric": lambda: bf.plasticity.STDP(pairing="symmetric"),
    "STDP, reduced": lambda: bf.plasticity.STDP(mu_plus=0.4, pairing="reduced"),
    "PowerLawSTDP": lambda: bf.plasticity.PowerLawSTDP(),
    "TripletSTDP": lambda: bf.plasticity.TripletSTDP(),
    "TripletSTDP, nearest": lambda: bf.plasticity.TripletSTDP(nearest=True),
    "InhibitorySTDP": lambda: bf.plasticity.InhibitorySTDP(),
    "DopamineSTDP": lambda: bf.plasticity.DopamineSTDP(tau_eligibility=15.0),
    "Clopath": lambda: bf.plasticity.Clopath(v_spike=20.0),
    "Oja": lambda: bf.plasticity.Oja(),
    "BCM": lambda: bf.plasticity.BCM(eta=0.02),
    "SynapticScaling": lambda: bf.plasticity.SynapticScaling(tau=500.0, interval=5.0),
    "Combined": lambda: bf.plasticity.Combined(
        [bf.plasticity.STDP(), bf.plasticity.SynapticScaling(tau=500.0, interval=5.0)]
    ),
}

all_inputs = {
    "Constant": lambda: bf.input.Constant(200.0),
    "TimeSeries": lambda: bf.input.TimeSeries(np.arange(5.0), interval=0.2),
    "Function": lambda: bf.input.Function(lambda t: 100.0 + t),
    "OrnsteinUhlenbeck": lambda: bf.input.OrnsteinUhlenbeck(50.0, 5.0, mean=200.0),
    "Sum": lambda: bf.input.OrnsteinUhlenbeck(50.0, 5.0) + 200.0,
    "PoissonArrivals": lambda: bf.input.PoissonArrivals(3.0, 0.5, into="p"),
}

all_sources = {
    "Poisson": lambda n=4: bf.input.Poisson(n, 0.3),
    "Poisson, counts": lambda n=4: bf.input.Poisson(n, 30.0, counts=True),
    "SpikeTimes": lambda n=4: bf.input.SpikeTimes(n, [0.5, 0.5, 1.2], [0, n - 1, 0]),
    "Signal": lambda n=4: bf.input.Signal(n),
}

# Each takes the number of neurons and options.
all_neurons = {
    "LIF": lambda n=3, **o: bf.neuron.LIF(n, **o),
    "AdEx": lambda n=3, **o: bf.neuron.AdEx(n, **o),
    "Intrinsic": lambda n=3, **o: bf.neuron.Intrinsic(bf.neuron.LIF(n, **o)),
    "Izhikevich": lambda n=3, **o: bf.neuron.Izhikevich(n, **o),
    "PointNeuron": lambda n=3, **o: bf.neuron.PointNeuron(
        n, [bf.channel.SodiumHH(), bf.channel.PotassiumHH(), bf.channel.Leak()], **o
    ),
}

# A current that makes them spike, one that does not, in pA (uA/cm2 for the squid axon).
currents = {
    "LIF": (300.0, 50.0),
    "AdEx": (1000.0, 100.0),
    "Intrinsic": (300.0, 50.0),
    "Izhikevich": (15.0, 1.0),
    "PointNeuron": (15.0, 1.0),
}

all_rates = {"Tanh": lambda n=3, **o: bf.rate.Tanh(n, **o)}
