"""One part of every kind. The law tests run over these lists: a new part is added here.

Each entry is a name and a function that makes the part, so that nothing is built at import.
"""

import numpy as np
import scipy.sparse

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
    "Normalization": lambda: bf.plasticity.Normalization(total=1.5, interval=5.0),
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
    "LIF, soft reset": lambda n=3, **o: bf.neuron.LIF(n, soft_reset=True, **o),
    "LIF, interpolated": lambda n=3, **o: bf.neuron.Interpolated(bf.neuron.LIF(n, **o)),
    "IF": lambda n=3, **o: bf.neuron.IF(n, **o),
    "QIF": lambda n=3, **o: bf.neuron.QIF(n, **o),
    "AdaptiveQIF": lambda n=3, **o: bf.neuron.AdaptiveQIF(n, **o),
    "ExpIF": lambda n=3, **o: bf.neuron.ExpIF(n, **o),
    "AdEx": lambda n=3, **o: bf.neuron.AdEx(n, **o),
    "ALIF": lambda n=3, **o: bf.neuron.ALIF(n, **o),
    "MAT2": lambda n=3, **o: bf.neuron.MAT2(n, **o),
    "MihalasNiebur": lambda n=3, **o: bf.neuron.MihalasNiebur(n, **o),
    "GIF": lambda n=3, **o: bf.neuron.GIF(n, **o),
    "Intrinsic": lambda n=3, target=0.005, eta=1.0, **o: bf.neuron.Intrinsic(
        bf.neuron.LIF(n, **o), target=target, eta=eta
    ),
    "Izhikevich": lambda n=3, **o: bf.neuron.Izhikevich(n, **o),
    "Izhikevich2007": lambda n=3, **o: bf.neuron.Izhikevich2007(n, **o),
    "PointNeuron": lambda n=3, **o: bf.neuron.PointNeuron(
        n, [bf.channel.SodiumHH(), bf.channel.PotassiumHH(), bf.channel.Leak()], **o
    ),
    "DeadTime": lambda n=3, dead_time=3.0, **o: bf.neuron.DeadTime(
        bf.neuron.hodgkin_huxley(n, **o), dead_time
    ),
    "FitzHughNagumo": lambda n=3, **o: bf.neuron.FitzHughNagumo(n, **o),
    "HindmarshRose": lambda n=3, **o: bf.neuron.HindmarshRose(n, **o),
    "MorrisLecar": lambda n=3, **o: bf.neuron.MorrisLecar(n, **o),
    "PinskyRinzel": lambda n=3, **o: bf.neuron.PinskyRinzel(n, **o),
}

# Point neurons that are named after their channels, whose laws are those of "PointNeuron".
all_cells = {
    "hodgkin_huxley": lambda n=3, **o: bf.neuron.hodgkin_huxley(n, **o),
    "traub_miles": lambda n=3, **o: bf.neuron.traub_miles(n, **o),
    "wang_buzsaki": lambda n=3, **o: bf.neuron.wang_buzsaki(n, **o),
    "connor_stevens": lambda n=3, **o: bf.neuron.connor_stevens(n, **o),
    "pospischil, RS": lambda n=3, **o: bf.neuron.pospischil("RS", n, **o),
    "pospischil, FS": lambda n=3, **o: bf.neuron.pospischil("FS", n, **o),
    "pospischil, IB": lambda n=3, **o: bf.neuron.pospischil("IB", n, **o),
    "pospischil, LTS": lambda n=3, **o: bf.neuron.pospischil("LTS", n, **o),
    "thalamic_relay": lambda n=3, **o: bf.neuron.thalamic_relay(n, **o),
    "thalamic_reticular": lambda n=3, **o: bf.neuron.thalamic_reticular(n, **o),
}

# A current that makes them spike, one that does not, in pA (uA/cm2 for the squid axon).
currents = {
    "LIF": (300.0, 50.0),
    "LIF, soft reset": (300.0, 50.0),
    "LIF, interpolated": (300.0, 50.0),
    "IF": (300.0, 20.0),
    "QIF": (400.0, 50.0),
    "AdaptiveQIF": (800.0, 50.0),
    "ExpIF": (300.0, 50.0),
    "AdEx": (1000.0, 100.0),
    "ALIF": (300.0, 50.0),
    "MAT2": (1000.0, 100.0),
    "MihalasNiebur": (500.0, 100.0),
    "GIF": (500.0, 20.0),
    "Intrinsic": (300.0, 50.0),
    "Izhikevich": (15.0, 1.0),
    "Izhikevich2007": (300.0, 10.0),
    "PointNeuron": (15.0, 1.0),
    "DeadTime": (15.0, 1.0),
    "FitzHughNagumo": (0.8, 0.1),
    "HindmarshRose": (4.0, 0.1),
    "MorrisLecar": (150.0, 30.0),
    "PinskyRinzel": (3.0, -0.5),
}

# Where the membrane potential starts, between two values in mV; from -70 to -62 if not named.
starts = {
    "LIF": (-60.0, -52.0),
    "FitzHughNagumo": (-1.4, -1.0),
    "HindmarshRose": (-1.8, -1.4),
}

# Those that spike less than three times in 60 ms, whatever the current.
slow = ("FitzHughNagumo", "MorrisLecar")

# Those that draw random numbers, by which neuron `i` differs from neuron `j`.
random_neurons = ("GIF",)

# Populations driven by a current that emit something else than spikes.
all_readouts = {"LeakyIntegrator": lambda n=3, **o: bf.neuron.LeakyIntegrator(n, **o)}

all_rates = {
    "Tanh": lambda n=3, **o: bf.rate.Tanh(n, **o),
    "WongWang": lambda n=3, **o: bf.rate.WongWang(n, **o),
}

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

_KERNEL = bf.connect.GaussianKernel(20.0, peak=0.6)


def _places(n):
    """Neurons on a ring, so that populations of any size share a space."""
    return bf.connect.ring(n, 150.0)


def _distance(n_pre, n_post, kernel=_KERNEL, **options):
    return bf.connect.ByDistance(kernel, _places(n_pre), _places(n_post), autapses=False, **options)


def _stored(n_pre, n_post):
    rng = np.random.default_rng(0)
    return np.where(rng.random((n_pre, n_post)) < 0.3, rng.normal(size=(n_pre, n_post)), 0.0)


# Each takes the numbers of neurons.
all_rules = {
    "AllToAll": lambda n, m: bf.connect.AllToAll(autapses=False),
    "Blocks": lambda n, m: bf.connect.Blocks(
        [[0.7, 0.1], [0.2, 0.4]], np.arange(n) % 2, np.arange(m) // 3 % 2, autapses=False
    ),
    "ByDistance": _distance,
    "ByDistance, fan-in": lambda n, m: _distance(n, m, fan_in=min(3, n)),
    "ByDistance, fan-out": lambda n, m: _distance(n, m, fan_out=min(5, m)),
    "ByDistance, Mexican hat": lambda n, m: _distance(
        n, m, bf.connect.MexicanHatKernel(10.0, 30.0, peak=0.9), part="both"
    ),
    "Convolution": lambda n, m: (
        bf.connect.Convolution(
            np.arange(1.0, 13.0).reshape(2, 1, 2, 3), (1, n // 4, 4), padding=(1, 1)
        )
        if m == 2 * (n // 4 + 1) * 4
        else bf.connect.Convolution(np.ones((2, 1, 1)), (1, n))
    ),
    "FixedInDegree": lambda n, m: bf.connect.FixedInDegree(3, autapses=False),
    "FixedInDegree, distinct": lambda n, m: bf.connect.FixedInDegree(
        min(3, n), autapses=False, multapses=False
    ),
    "FixedOutDegree": lambda n, m: bf.connect.FixedOutDegree(4, autapses=False),
    "FixedOutDegree, distinct": lambda n, m: bf.connect.FixedOutDegree(
        min(9, m), autapses=False, multapses=False
    ),
    "FixedProbability": lambda n, m: bf.connect.FixedProbability(0.3, autapses=False),
    "FixedTotalNumber": lambda n, m: bf.connect.FixedTotalNumber(3 * n, autapses=False),
    "FixedTotalNumber, distinct": lambda n, m: bf.connect.FixedTotalNumber(
        2 * min(n, m), autapses=False, multapses=False
    ),
    "FromMask": lambda n, m: bf.connect.FromMask(_stored(n, m) > 0),
    "FromPairs": lambda n, m: bf.connect.FromPairs(
        np.arange(min(n, m))[::-1], np.arange(min(n, m))
    ),
    "FromScipy": lambda n, m: bf.connect.FromScipy(scipy.sparse.coo_array(_stored(n, m))),
    "FromTable": lambda n, m: bf.connect.FromTable(
        {
            "source": np.arange(min(n, m))[::-1],
            "target": np.arange(min(n, m)),
            "weight": np.arange(min(n, m)) + 1.0,
        }
    ),
    "NewmanWatts": lambda n, m: bf.connect.SmallWorld(4, 0.3, added=True),
    "OneToOne": lambda n, m: bf.connect.OneToOne(),
    "ScaleFree": lambda n, m: bf.connect.ScaleFree(2),
    "ScaleFree, receiving hubs": lambda n, m: bf.connect.ScaleFree(3, "receive"),
    "SmallWorld": lambda n, m: bf.connect.SmallWorld(6, 0.3),
    "SmallWorld, directed": lambda n, m: bf.connect.SmallWorld(4, 0.3, directed=True),
    "clustered": lambda n, m: bf.connect.clustered(n, 6 if n % 6 == 0 else 1, autapses=False),
}
_GIVEN = {"AllToAll", "Convolution", "FromMask", "FromPairs", "FromScipy", "FromTable", "OneToOne"}
random_rules = [name for name in all_rules if name not in _GIVEN]
just_in_time_rules = {
    "AllToAll",
    "FixedInDegree, distinct",
    "FixedOutDegree, distinct",
    "FixedProbability",
}
