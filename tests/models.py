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
    "WhiteNoise": lambda: bf.input.WhiteNoise(100.0, mean=200.0),
    "PointConductance": lambda: bf.input.PointConductance(12.1, 3.0, 2.728, reversal=0.0),
    "PointConductance, not clipped": lambda: bf.input.PointConductance(
        5.0, 3.0, 10.49, reversal=-75.0, clip=False
    ),
    "Step": lambda: bf.input.Step(200.0, start=0.2, stop=1.0),
    "PulseTrain": lambda: bf.input.PulseTrain(200.0, width=0.3, period=0.5, start=0.2),
    "Sections": lambda: bf.input.Sections([100.0, -50.0, 200.0], [0.2, 0.5, 0.4]),
    "Ramp": lambda: bf.input.Ramp(10.0, 200.0, start=0.2, stop=1.2),
    "Sine": lambda: bf.input.Sine(200.0, 0.2, phase=0.3, start=0.2),
    "Chirp": lambda: bf.input.Chirp(200.0, 0.1, 0.4, stop=1.5),
    "Chirp, logarithmic": lambda: bf.input.Chirp(200.0, 0.1, 0.4, stop=1.5, logarithmic=True),
    "Product": lambda: bf.input.WhiteNoise(1.0) * bf.input.Sine(100.0, 0.1) * (lambda t, v: v),
    "Difference": lambda: bf.input.Step(200.0) - bf.input.Sine(50.0, 0.1),
}

all_sources = {
    "Poisson": lambda n=4: bf.input.Poisson(n, 0.3),
    "Poisson, counts": lambda n=4: bf.input.Poisson(n, 30.0, counts=True),
    "InhomogeneousPoisson, noise": lambda n=4: bf.input.InhomogeneousPoisson(
        n, bf.input.OrnsteinUhlenbeck(0.3, 5.0, mean=0.5)
    ),
    "GammaProcess": lambda n=4: bf.input.GammaProcess(n, 0.5, 3.0),
    "PoissonDeadTime": lambda n=4: bf.input.PoissonDeadTime(n, 0.3, 2.0),
    "MultipleInteraction": lambda n=4: bf.input.MultipleInteraction(n, 0.3, 0.4),
    "SingleInteraction": lambda n=4: bf.input.SingleInteraction(n, 0.3, 0.4),
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
