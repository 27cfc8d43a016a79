"""Networks in the native loop beside the scan of their steps."""

import jax
import jax.random as jr
import numpy as np

import brainfn as bf
from brainfn.driver import _loop

KEY = jr.key(3)


def both(net, monkeypatch, name, steps=150, **options):
    """The result of a native loop, and that of a scan."""
    options = {"duration": steps * 0.1, "dt": 0.1, "key": KEY, **options}
    options.setdefault("record", bf.record.SpikeCount())
    ours = bf.simulate(net, **options)
    assert bf.kernel.reports()[name] == "generated", bf.kernel.reports()[name]
    with monkeypatch.context() as patch:
        patch.setattr(_loop, "may_run_natively", lambda *_: False)
        jax.clear_caches()
        scan = bf.simulate(net, **options)
    jax.clear_caches()
    return ours, scan


def same(ours, scan):
    pairs = zip(jax.tree_util.tree_leaves_with_path(ours), jax.tree.leaves(scan), strict=True)
    for (path, a), b in pairs:
        assert a.dtype == b.dtype, path
        np.testing.assert_array_equal(a, b, str(path))


def learning(case):
    """Networks with a rule on each of four projections."""
    plastic, weight = bf.plasticity, bf.init.Uniform(0.0, 8.0)
    strong = {"A_plus": 0.3, "A_minus": 0.32, "w_max": 12.0}
    rules = {
        "aa": plastic.STDP(**strong),
        "ab": plastic.TripletSTDP(),
        "ba": plastic.InhibitorySTDP(eta=0.5),
        "bb": plastic.Clopath(),
    }
    connect, surrogate = bf.connect.FixedProbability(0.1), None
    if case == "others, float spikes":
        connect, surrogate = bf.connect.FixedOutDegree(30), bf.surrogate.ReluGrad()
        rules = {
            "aa": plastic.STDP(**strong, mu_plus=1.0, mu_minus=0.4),
            "ab": plastic.PowerLawSTDP(),
            "ba": plastic.STDP(**strong, pairing="reduced"),
            "bb": plastic.STDP(**strong, pairing="symmetric"),
        }
    cells = {
        name: bf.neuron.LIF(n, v_init=bf.init.Uniform(-62.0, -50.0), surrogate=surrogate)
        for name, n in (("a", 420), ("b", 151))
    }
    shared = {
        "a": {"synapse": bf.synapse.Exponential(5.0), "output": bf.synapse.Conductance(0.0)},
        "b": {"synapse": bf.synapse.Exponential(10.0), "output": bf.synapse.Conductance(-80.0)},
    }
    return bf.Network(
        cells,
        {
            name: bf.Projection(
                name[0], name[1], connect, weight=weight, plasticity=rule,
                delay=0.3 if name == "aa" else None, **shared[name[0]],
            )
            for name, rule in rules.items()
        },
        key=jr.key(0),
    )  # fmt: skip
