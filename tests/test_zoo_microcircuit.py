"""The microcircuit is that of Potjans and Diesmann, and behaves like it does in NEST."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from _measured import measured
from _oracle_statistics import load_json

import brainfn as bf
from brainfn.zoo import _microcircuit as parts

KEY = jr.key(0)
NAMES = parts.NAMES


@pytest.fixture(scope="module")
def small():
    """2 % of the neurons, all populations and the thalamus."""
    return bf.zoo.microcircuit(scale=0.02, key=KEY, thalamus=True)


def test_numbers_are_the_published_ones():
    numbers, psps = parts._full()
    assert sum(parts._SIZES) == 77_169
    assert numbers[:, :-1].sum() == 298_880_968
    # To the digits of the reference: an amplitude of 87.81 pA, and a DC background in pA.
    assert parts.psc_of_psp(0.15) == pytest.approx(87.81, abs=0.005)
    drive = [562.0, 526.9, 737.6, 667.3, 702.5, 667.3, 1018.6, 737.6]
    for name, value in zip(NAMES, drive, strict=True):
        assert parts._background(1.0, "dc")[name].value == pytest.approx(value, abs=0.05)
    # One PSP is larger: from L4E to L23E.
    assert psps[0, 2] == 0.3 and np.count_nonzero(psps == 0.3) == 1
    np.testing.assert_array_equal(np.unique(psps), [-0.6, 0.15, 0.3])


def test_a_current_reaches_the_amplitude_of_a_psp():
    """The peak of the membrane potential after one spike is 0.15 mV, in closed form and here."""
    cell = bf.neuron.LIF(1, tau=10.0, capacitance=250.0, v_rest=0.0, v_threshold=1e3, v_reset=0.0)
    net = bf.Network(
        {"in": bf.input.SpikeTimes(1, [0.0], [0]), "cell": cell},
        [
            bf.Projection(
                "in",
                "cell",
                bf.connect.AllToAll(),
                weight=parts.psc_of_psp(0.15),
                synapse=bf.synapse.Exponential(0.5),
                output=bf.synapse.Current(),
            )
        ],
        key=KEY,
    )
    out = bf.simulate(
        net, duration=5.0, dt=0.005, key=KEY, record=lambda state, _: state["cell"].v[0]
    )
    # The exact curve, sampled near its peak every 0.005 ms, where its curvature of 0.15 mV / 0.8
    # ms^2 makes an error below 1e-6 mV.
    assert float(jnp.max(out.outputs)) == pytest.approx(0.15, abs=1e-6)


def test_connections(small):
    network, _ = small
    numbers, psps = parts._full()
    sizes = [round(0.02 * n) for n in parts._SIZES]
    assert [network[name].size for name in NAMES] == sizes
    for i, target in enumerate(NAMES):
        for j, source in enumerate(NAMES):
            name = f"{source}->{target}"
            if parts._PROBABILITY[i, j] == 0:
                assert name not in network.projections
                continue
            view = network.projections[name]
            n = round(numbers[i, j] * 0.02**2)
            assert view.synapses == n
            mean = parts.psc_of_psp(psps[i, j]) / np.sqrt(0.02)
            weights, delays = np.asarray(view.weight), np.asarray(view.delay)
            assert np.all(np.sign(weights) == np.sign(mean))
            if n < 1000:
                continue
            # Five standard errors.
            assert weights.mean() == pytest.approx(mean, abs=0.5 * abs(mean) / np.sqrt(n))
            assert weights.std() == pytest.approx(0.1 * abs(mean), rel=4 / np.sqrt(n))
            # Normal, at least half a step, then rounded; one step more than its number says.
            full = 1.5 if source.endswith("E") else 0.75
            z = (full - 0.05) / (full / 2)
            density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
            above = 0.5 * (1 + jax.scipy.special.erf(z / np.sqrt(2)))
            expected = full + full / 2 * float(density / above) + 0.1
            assert delays.min() >= 0.15
            assert delays.mean() == pytest.approx(expected, abs=2.5 * full / np.sqrt(n))


def test_the_thalamus(small):
    network, _ = small
    assert network["thalamus"].size == 18
    reached = [name for name in network.projections if name.startswith("thalamus")]
    assert reached == [f"thalamus->{name}" for name in ("L4E", "L4I", "L6E", "L6I")]
    cells = network["thalamus"]
    assert (cells.start, cells.stop, float(cells.rate)) == (700.0, 710.0, pytest.approx(0.12))


@pytest.mark.parametrize("background", ["poisson", "dc"])
def test_a_smaller_network_has_the_same_mean_input(background):
    """At the rates of the full network, for each share of the synapses."""

    def means(share):
        numbers, psps = parts._full()
        in_degrees = share * numbers[:, :-1] / np.array(parts._SIZES)[:, None]
        weights = parts.psc_of_psp(1.0) * psps / np.sqrt(share)
        total = (in_degrees * weights) @ (1e-3 * np.array(parts._RATES)) * 0.5
        for i, name in enumerate(NAMES):
            entry = parts._background(share, background)[name]
            for term in entry.inputs if isinstance(entry, bf.input.Sum) else (entry,):
                if isinstance(term, bf.input.PoissonArrivals):
                    total[i] += float(term.rate * term.weight) * 0.5
                else:
                    total[i] += float(term.value)
        return total

    # The same arithmetic in float64, in another order.
    np.testing.assert_allclose(means(0.1), means(1.0), rtol=1e-12)


def distributions(out):
    trains = {name: out.outputs[name] for name in NAMES}
    window = (500.0, 500.0 + out.ts.size * 0.1 - 500.0)
    figures = {}
    for name, train in trains.items():
        seen = bf.measure.window(train, *window)
        cv = bf.measure.cv_isi(seen)
        figures[name] = {
            "rate": 1e3 * np.asarray(bf.measure.firing_rates(seen)),
            "cv": cv[np.isfinite(cv)],
            "cc": parts.correlations(seen),
        }
    return figures


def ks(a, b):
    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    at = [np.searchsorted(x, both, side="right") / x.size for x in (a, b)]
    return float(np.max(np.abs(at[0] - at[1])))


def compare(case, seed):
    theirs = load_json("microcircuit_nest.json")["cases"][case]
    build, key = jr.split(jr.key(seed))
    network, background = bf.zoo.microcircuit(
        scale=theirs["scale"], key=build, surrogate=None, dtype=jnp.float32
    )
    out = bf.run(
        network,
        inputs=background,
        duration=500.0 + theirs["duration"],
        dt=0.1,
        key=key,
        record=bf.record.Spikes(),
        progress=False,
    )
    ours = distributions(out)
    distances, largest = [], []
    for name in NAMES:
        for figure, values in ours[name].items():
            reference = theirs["populations"][name][figure]
            # Rounded like the stored ones, as neurons of one or two spikes make equal numbers.
            rounded = [float(f"{x:.3g}") for x in values * (1e3 if figure == "cc" else 1.0)]
            mine = np.mean([ks(rounded, np.array(q)) for q in reference["quantiles"]])
            # No further than two seeds of NEST are from each other, or than chance puts two samples
            # of these sizes once in 10^4 times (pairs of neurons are not independent samples: for
            # correlations only the seeds count). Stored are 101 quantiles, which adds up to 0.01.
            sizes = values.size, np.mean(reference["number"])
            chance = 2.23 * np.sqrt(sum(1 / n for n in sizes)) if figure != "cc" else 0.0
            assert mine <= max(chance, *reference["ks"]) + 0.01, (name, figure)
            distances.append(mine)
            largest.append(np.mean(reference["ks"]))
    # All together: the mean of 24 distances, each with a spread of a third over seeds.
    bound = np.mean(largest) * (1 + 2 / 3 / np.sqrt(24)) + 0.01
    measured(
        "zoo.microcircuit",
        f"distributions of rates, CVs and correlations, {theirs['scale']:g} of the neurons (KS)",
        against="NEST 3.10",
        error=np.mean(distances),
        bound=bound,
    )
    return ours, theirs


def test_distributions_are_those_of_nest():
    compare("small", 1)


def test_the_original_start():
    network, _ = bf.zoo.microcircuit(scale=0.01, key=KEY, start="original", dtype=jnp.float32)
    v = np.asarray(network.init(key=KEY, dt=0.1)["L4E"].v)
    assert v.dtype == np.float32
    # Five standard errors of 219 neurons.
    assert v.mean() == pytest.approx(-58, abs=50 / np.sqrt(219))
    assert v.std() == pytest.approx(10, abs=36 / np.sqrt(219))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"background": "poison"}, "`background`.*Did you mean 'poisson'"),
        ({"start": "optimised"}, "`start`.*Did you mean 'optimized'"),
        ({"scale": 0.001}, "`scale` must be at least"),
        ({"in_degree": 2.0}, "must be at most"),
        ({"thalamus": 1}, "`?thalamus"),
        ({"dt": 0.0}, "`dt`"),
    ],
)
def test_wrong_calls_raise(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        bf.zoo.microcircuit(key=KEY, **{"scale": 0.01, **options})
