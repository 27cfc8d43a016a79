"""One part of every kind. The law tests run over these lists: a new part is added here.

Each entry is a name and a function that makes the part, so that nothing is built at import.
"""

import numpy as np
import scipy.sparse

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
