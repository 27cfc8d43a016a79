"""One part of every kind. The law tests run over these lists: a new part is added here.

Each entry is a name and a function that makes the part, so that nothing is built at import.
"""

import numpy as np

import brainfn as bf

all_receptors = {
    "Exponential": lambda: bf.synapse.Exponential(5.0),
    "Alpha": lambda: bf.synapse.Alpha(2.0),
    "Alpha, not normalized": lambda: bf.synapse.Alpha(2.0, normalize=False),
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
    "TsodyksUzielMarkram": lambda: bf.synapse.TsodyksUzielMarkram(tau_recovery=50.0),
    "TsodyksUzielMarkram, equal": lambda: bf.synapse.TsodyksUzielMarkram(
        tau_recovery=20.0, tau_synaptic=20.0
    ),
    "Quantal": lambda: bf.synapse.Quantal(5, tau_recovery=30.0),
    # A pulse of whole steps has a kink in its duration.
    "TwoState": lambda: bf.synapse.TwoState(duration=1.05),
    "GABAB": lambda: bf.synapse.GABAB(duration=1.05),
    "SigmoidGate": lambda: bf.synapse.SigmoidGate(),
}

all_outputs = {
    "Current": lambda: bf.synapse.Current(),
    "Conductance": lambda: bf.synapse.Conductance(-80.0),
    "MagnesiumBlock": lambda: bf.synapse.MagnesiumBlock(),
    "Diffusive": lambda: bf.synapse.Diffusive(),
    "Hill": lambda: bf.synapse.Hill(2.0, -90.0, half=3.0, exponent=2.0),
    "Delta": lambda: bf.synapse.Delta(),
}

all_plasticity = {
    "STDP": lambda: bf.plasticity.STDP(),
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
    "Izhikevich": lambda n=3, **o: bf.neuron.Izhikevich(n, **o),
    "PointNeuron": lambda n=3, **o: bf.neuron.PointNeuron(
        n, [bf.channel.SodiumHH(), bf.channel.PotassiumHH(), bf.channel.Leak()], **o
    ),
}

# A current that makes them spike, one that does not, in pA (uA/cm2 for the squid axon).
currents = {
    "LIF": (300.0, 50.0),
    "AdEx": (1000.0, 100.0),
    "Izhikevich": (15.0, 1.0),
    "PointNeuron": (15.0, 1.0),
}

all_rates = {"Tanh": lambda n=3, **o: bf.rate.Tanh(n, **o)}
