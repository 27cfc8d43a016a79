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

# Some need the ion "ca": those of `all_ions` whose names begin with calcium, but for a permeable
# channel, which needs a concentration outside.
all_channels = {
    "AHPCurrentDestexhe": lambda: bf.channel.AHPCurrentDestexhe(),
    "CANCurrentInoue": lambda: bf.channel.CANCurrentInoue(),
    "KCaCurrentMainen": lambda: bf.channel.KCaCurrentMainen(),
    "SKCurrentKohler": lambda: bf.channel.SKCurrentKohler(),
    "LCurrentHuguenard": lambda: bf.channel.LCurrentHuguenard(),
    "LCurrentInoue": lambda: bf.channel.LCurrentInoue(),
    "LCurrentReuveni": lambda: bf.channel.LCurrentReuveni(),
    "TCurrentAvery": lambda: bf.channel.TCurrentAvery(),
    "TCurrentDestexhe": lambda: bf.channel.TCurrentDestexhe(),
    "TCurrentHuguenard": lambda: bf.channel.TCurrentHuguenard(),
    "TCurrentHuguenardPrince": lambda: bf.channel.TCurrentHuguenardPrince(),
    "HCurrentDestexhe": lambda: bf.channel.HCurrentDestexhe(),
    "HCurrentHuguenard": lambda: bf.channel.HCurrentHuguenard(),
    "HCurrentKole": lambda: bf.channel.HCurrentKole(),
    "Leak": lambda: bf.channel.Leak(),
    "PotassiumHH": lambda: bf.channel.PotassiumHH(),
    "PotassiumLeak": lambda: bf.channel.PotassiumLeak(),
    "SodiumHH": lambda: bf.channel.SodiumHH(),
    "PotassiumConnorStevens": lambda: bf.channel.PotassiumConnorStevens(),
    "PotassiumMainen": lambda: bf.channel.PotassiumMainen(),
    "PotassiumRettig": lambda: bf.channel.PotassiumRettig(),
    "PotassiumTraubMiles": lambda: bf.channel.PotassiumTraubMiles(),
    "PotassiumWangBuzsaki": lambda: bf.channel.PotassiumWangBuzsaki(),
    "ACurrentConnorStevens": lambda: bf.channel.ACurrentConnorStevens(),
    "ACurrentHuguenardFast": lambda: bf.channel.ACurrentHuguenardFast(),
    "ACurrentHuguenardSlow": lambda: bf.channel.ACurrentHuguenardSlow(),
    "ACurrentKorngreen": lambda: bf.channel.ACurrentKorngreen(),
    "ACurrentMigliore": lambda: bf.channel.ACurrentMigliore(),
    "ACurrentMigliore, distal": lambda: bf.channel.ACurrentMigliore(
        zeta=-1.8, v_half=-1.0, a_0=0.1, gamma=0.39, tau_min=0.2
    ),
    "K2CurrentHuguenard": lambda: bf.channel.K2CurrentHuguenard(),
    "MCurrentAdams": lambda: bf.channel.MCurrentAdams(),
    "MCurrentMainen": lambda: bf.channel.MCurrentMainen(),
    "MCurrentYamada": lambda: bf.channel.MCurrentYamada(),
    "PotassiumPersistentKorngreen": lambda: bf.channel.PotassiumPersistentKorngreen(),
    "SodiumConnorStevens": lambda: bf.channel.SodiumConnorStevens(),
    "SodiumHuguenard": lambda: bf.channel.SodiumHuguenard(),
    "SodiumTraubMiles": lambda: bf.channel.SodiumTraubMiles(),
    "SodiumWangBuzsaki": lambda: bf.channel.SodiumWangBuzsaki(),
    "SodiumMainen": lambda: bf.channel.SodiumMainen(),
    "SodiumPersistent": lambda: bf.channel.SodiumPersistent(),
    "SodiumTransientAxonal": lambda: bf.channel.SodiumTransientAxonal(),
    "SodiumTransientSomatic": lambda: bf.channel.SodiumTransientSomatic(),
}

all_ions = {
    "FixedIon": lambda: bf.channel.FixedIon(120.0),
    "FixedIon, with concentrations": lambda: bf.channel.FixedIon(120.0, inside=2e-4, outside=2.0),
    "NernstIon": lambda: bf.channel.NernstIon(inside=2e-4, outside=2.0, valence=2.0),
    "CalciumPool": lambda: bf.channel.CalciumPool(),
    "CalciumPool, fixed": lambda: bf.channel.CalciumPool(reversal=120.0, inward=True),
    "CalciumPool, Nernst": lambda: bf.channel.CalciumPool(reversal=bf.channel.Nernst()),
    "CalciumPool, Nernst at start": lambda: bf.channel.CalciumPool(
        reversal=bf.channel.Nernst(always=False)
    ),
    "CalciumPump": lambda: bf.channel.CalciumPump(reversal=bf.channel.Nernst()),
    "CalciumTraub": lambda: bf.channel.CalciumTraub(),
    "BufferedCalcium": lambda: bf.channel.BufferedCalcium(reversal=bf.channel.Nernst()),
    "RapidlyBufferedCalcium": lambda: bf.channel.RapidlyBufferedCalcium(),
}
