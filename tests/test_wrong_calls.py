"""Wrong calls: each raises before any work and says which argument, what came and what to try.

They run without the checks of annotations, as users do.
"""

import jax
import jax.numpy as jnp
import jax.random as jr
import jaxtyping
import numpy as np
import pytest

import brainfn as bf
from brainfn.input import Constant, Poisson, TimeSeries
from brainfn.neuron import LIF
from brainfn.synapse import Conductance, Current, Exponential


@pytest.fixture(autouse=True)
def _as_users_do():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


nan, inf = float("nan"), float("inf")
ALL = bf.connect.AllToAll()
KEY = jr.key(0)


def projection(pre="a", post="a", connect=ALL, **options):
    options = {"weight": 1.0, "synapse": Exponential(5.0), "output": Current()} | options
    return bf.Projection(pre, post, connect, **options)


def network(*projections, populations=None, **options):
    return bf.Network(populations or {"a": LIF(3), "b": LIF(4)}, projections, **options)


def simulate(model=None, **options):
    options = {"inputs": 0.0, "duration": 1.0, "dt": 0.1} | options
    return bf.simulate(LIF(3) if model is None else model, **options)


def matrix(n=3, dtype=float, value=1.0):
    return bf.event.CSR.fromdense(np.full((n, n), value, dtype))


def state_of(model, dt=0.1):
    return bf.simulate(model, duration=1.0, dt=dt).state


TRAINS = bf.measure.from_events([1, 5], [0, 1], size=2, dt=0.1, stop=100)


# (call, exception, what the message must hold, what it must suggest)
WRONG = {
    "merge word": (lambda: bf.Network({"a": LIF(3)}, merge="no"), TypeError, "`merge`", "True"),
    "reset word": (lambda: LIF(3, detach_reset="no"), TypeError, "`detach_reset`", "True"),
    "tau zero": (lambda: LIF(3, tau=0.0), ValueError, "`tau`", "unit"),
    "tau negative": (lambda: LIF(3, tau=-20.0), ValueError, "`tau`", "sign"),
    "tau nan": (lambda: LIF(3, tau=nan), ValueError, "`tau`", "finite"),
    "tau text": (lambda: LIF(3, tau="20 ms"), TypeError, "`tau`", "ms"),
    "tau shape": (lambda: LIF(3, tau=np.ones(4)), ValueError, "`tau`", r"\(3,\)"),
    "capacitance": (lambda: LIF(3, capacitance=-1.0), ValueError, "`capacitance`", "pF"),
    "reset over threshold": (lambda: LIF(3, v_reset=-40.0), ValueError, "`v_reset`", "below"),
    "refractory negative": (lambda: LIF(3, refractory=-1.0), ValueError, "`refractory`", "sign"),
    "refractory off grid": (
        lambda: simulate(LIF(3, refractory=0.15)),
        ValueError,
        "`refractory`",
        "Try 0.1 ms",
    ),
    "v_init nan": (lambda: LIF(3, v_init=nan), ValueError, "`v_init`", "finite"),
    "v_init shape": (lambda: LIF(3, v_init=np.zeros(2)), ValueError, "`v_init`", r"\(3,\)"),
    "v_init text": (lambda: LIF(3, v_init="rest"), TypeError, "`v_init`", "Try"),
    "g_init shape": (
        lambda: network(projection(synapse=Exponential(5.0, g_init=np.zeros(4)))),
        ValueError,
        "`synapse` of projection 'a' has `g_init`",
        r"\(3,\)",
    ),
    "size negative": (lambda: LIF(-1), ValueError, "`size`", "at least"),
    "size float": (lambda: LIF(3.0), TypeError, "`size`", "Try 3"),
    "solver class": (lambda: LIF(3, solver=bf.solver.Heun), TypeError, "`solver`", "Try"),
    "surrogate text": (lambda: LIF(3, surrogate="relu"), TypeError, "`surrogate`", "Try"),
    "dtype": (lambda: bf.astype(LIF(3), int), TypeError, "`dtype`", "Try"),
    "complex": (lambda: LIF(3, tau=1j * np.ones(3)), TypeError, "`tau`", "real"),
    "synapse tau": (lambda: Exponential(-5.0), ValueError, "`tau`", "sign"),
    "reversal": (lambda: Conductance(inf), ValueError, "`reversal`", "finite"),
    "rate": (lambda: Poisson(3, -1.0), ValueError, "`rate`", "unit"),
    "stop": (lambda: Poisson(3, 1.0, start=2.0, stop=1.0), ValueError, "`stop`", "before"),
    "start": (lambda: Poisson(3, 1.0, start="0"), TypeError, "`start`", "number"),
    "samples scalar": (lambda: TimeSeries(1.0), ValueError, "`values`", "Constant"),
    "samples empty": (lambda: TimeSeries(np.ones(0)), ValueError, "`values`", "at least one"),
    "samples nan": (lambda: TimeSeries(np.array([nan])), ValueError, "`values`", "finite"),
    "interval": (
        lambda: TimeSeries(np.ones(3), interval=-1.0),
        ValueError,
        "`interval`",
        "positive",
    ),
    "interval off grid": (
        lambda: simulate(inputs=TimeSeries(np.ones(3), interval=0.15)),
        ValueError,
        "`interval`",
        "Try",
    ),
    "delay line": (lambda: bf.Delay(0), ValueError, "`steps`", "at least 1"),
    "delay line float": (lambda: bf.Delay(2.0), TypeError, "`steps`", "Try 2"),
    "pre a list": (lambda: projection(pre=["a"]), TypeError, "`pre`", "each"),
    "post a number": (lambda: projection(post=3), TypeError, "`post`", "list"),
    "post a set": (lambda: projection(post={"a", "b"}), TypeError, "`post`", "list"),
    "post twice": (lambda: projection(post=["a", "a"]), ValueError, "`post`", "twice"),
    "post empty": (lambda: projection(post=[]), TypeError, "`post`", "list"),
    "name a number": (lambda: projection(name=3), TypeError, "`name`", "string"),
    "connect a number": (lambda: projection(connect=0.1), TypeError, "`connect`", "Try"),
    "connect a class": (
        lambda: projection(connect=bf.connect.AllToAll),
        TypeError,
        "`connect`",
        "Try",
    ),
    "total not whole": (lambda: bf.connect.FixedTotalNumber(3.0), TypeError, "`n`", "Try 3"),
    "total traced": (
        lambda: jax.jit(lambda n: bf.connect.FixedTotalNumber(n).n)(3),
        TypeError,
        "`n` is traced",
        "outside of `jit`",
    ),
    "weight missing": (lambda: projection(weight=None), ValueError, "`weight`", "e.g."),
    "weight nan": (lambda: projection(weight=nan), ValueError, "`weight`", "finite"),
    "weight text": (lambda: projection(weight="6 nS"), TypeError, "`weight`", "number"),
    "weight twice": (lambda: projection(connect=matrix()), ValueError, "`weight`", "leave"),
    "weight length": (
        lambda: network(projection(weight=np.ones(4))),
        ValueError,
        "`weight`",
        "Try",
    ),
    "synapse class": (lambda: projection(synapse=Exponential), TypeError, "`synapse`", "Try"),
    "output class": (lambda: projection(output=Current), TypeError, "`output`", "Try"),
    "delay negative": (lambda: projection(delay=-1.0), ValueError, "`delay`", "sign"),
    "delay text": (lambda: projection(delay="1 ms"), TypeError, "`delay`", "number"),
    "delay zero": (
        lambda: simulate(network(projection(delay=0.0))),
        ValueError,
        "`delay",
        "at least 1 step",
    ),
    "delay off grid": (
        lambda: simulate(network(projection(delay=0.15))),
        ValueError,
        "`delay",
        "Try 0.1 ms",
    ),
    "delays shape": (
        lambda: network(projection(delay=np.full(2, 0.1))),
        ValueError,
        "`delay`",
        "3 presynaptic neurons",
    ),
    "delays off grid": (
        lambda: simulate(network(projection(delay=np.array([0.1, 0.25, 0.1])))),
        ValueError,
        "`delay",
        "Try",
    ),
    "no populations": (lambda: bf.Network({}), TypeError, "`populations`", "dictionary"),
    "populations a list": (lambda: bf.Network([LIF(3)]), TypeError, "`populations`", "dictionary"),
    "population a class": (lambda: bf.Network({"a": LIF}), TypeError, "`populations", "Try"),
    "unknown pre": (lambda: network(projection(pre="A")), ValueError, "`pre`", "only"),
    "unknown post": (
        lambda: network(projection("exc", "ihn"), populations={"exc": LIF(3), "inh": LIF(3)}),
        ValueError,
        "`post`",
        "Did you mean 'inh'",
    ),
    "onto a source": (
        lambda: network(projection("a", "p"), populations={"a": LIF(3), "p": Poisson(3, 1.0)}),
        ValueError,
        "`post`",
        "takes no input",
    ),
    "projection alone": (
        lambda: bf.Network({"a": LIF(3)}, projection()),
        TypeError,
        "`projections`",
        "brackets",
    ),
    "projection a name": (
        lambda: bf.Network({"a": LIF(3)}, ["a"]),
        TypeError,
        "`projections",
        "Projection",
    ),
    "projection keys": (
        lambda: bf.Network({"a": LIF(3)}, {1: projection()}),
        TypeError,
        "`projections`",
        "strings",
    ),
    "same name": (
        lambda: network(projection(name="x"), projection(name="x")),
        ValueError,
        "`projections`",
        "name=",
    ),
    "key missing": (
        lambda: network(projection(connect=bf.connect.FixedProbability(0.5))),
        ValueError,
        "`key`",
        "Try",
    ),
    "key a number": (
        lambda: network(projection(connect=bf.connect.FixedProbability(0.5)), key=3),
        TypeError,
        "`key`",
        "Try",
    ),
    "matrix shape": (
        lambda: network(projection(connect=matrix(4), weight=None)),
        ValueError,
        "`connect`",
        "3, 3",
    ),
    "matrix dtype": (
        lambda: network(projection(connect=matrix(3, np.float32), weight=None)),
        TypeError,
        "`connect`",
        "astype",
    ),
    "synapse parameters": (
        lambda: network(projection(synapse=Exponential(np.full(4, 5.0)))),
        ValueError,
        "`synapse` of projection 'a' has `tau`",
        "expected",
    ),
    "not a model": (lambda: simulate(3), TypeError, "`model`", "Try"),
    "dt zero": (lambda: simulate(dt=0.0), ValueError, "`dt`", "positive"),
    "dt nan": (lambda: simulate(dt=nan), ValueError, "`dt`", "positive"),
    "dt an array": (lambda: simulate(dt=jnp.asarray(0.1)), TypeError, "`dt`", "static"),
    "duration zero": (lambda: simulate(duration=0.0), ValueError, "`duration`", "positive"),
    "duration off grid": (lambda: simulate(duration=1.05), ValueError, "`duration`", "Try 1 ms"),
    "duration infinite": (lambda: simulate(duration=inf), ValueError, "`duration`", "finite"),
    "duration too long": (lambda: simulate(duration=1e9), ValueError, "`duration`", "2\\*\\*31"),
    "every": (lambda: simulate(every=3), ValueError, "`every`", "divide"),
    "every zero": (lambda: simulate(every=0), ValueError, "`every`", "at least 1"),
    "checkpoint": (lambda: simulate(checkpoint=-1), ValueError, "`checkpoint`", "at least 1"),
    "record text": (lambda: simulate(record="v"), TypeError, "`record`", "SpikeCount"),
    "record class": (
        lambda: simulate(record=bf.record.SpikeCount),
        TypeError,
        "`record`",
        r"Try SpikeCount\(\)",
    ),
    "record too much": (
        lambda: simulate(LIF(10**5), duration=1e7),
        MemoryError,
        "`record`",
        "every=",
    ),
    "seed": (lambda: simulate(key=3), TypeError, "`key`", "Try"),
    "two keys": (lambda: simulate(key=jr.split(KEY)), TypeError, "`key`", "Try"),
    "no key for noise": (lambda: simulate(Poisson(3, 1.0)), ValueError, "`key`", "Try"),
    "no key for v_init": (
        lambda: simulate(LIF(3, v_init=bf.init.Normal(0.0, 1.0))),
        ValueError,
        "`key`",
        "Try",
    ),
    "input text": (lambda: simulate(inputs="200 pA"), TypeError, "`inputs`", "number"),
    "input nan": (lambda: simulate(inputs=nan), ValueError, "`inputs`", "finite"),
    "input series nan": (
        lambda: simulate(inputs=np.full(10, nan)),
        ValueError,
        "`inputs`",
        "finite",
    ),
    "input complex": (lambda: simulate(inputs=1j * np.ones(10)), TypeError, "`inputs`", "real"),
    "input words": (lambda: simulate(inputs=np.array(["a"])), ValueError, "`inputs`", "Constant"),
    "constant words": (lambda: Constant("200 pA"), TypeError, "`value`", "number"),
    "function a number": (
        lambda: bf.input.Function(3.0),
        TypeError,
        "`function`",
        "Constant",
    ),
    "mean of words": (lambda: bf.record.Mean("v"), TypeError, "`function`", "Try"),
    "input length": (lambda: simulate(inputs=np.zeros(3)), ValueError, "`inputs`", "Constant"),
    "input shape": (
        lambda: simulate(inputs=Constant(np.zeros(4))),
        ValueError,
        "`inputs`",
        "3 neurons",
    ),
    "input a dictionary": (lambda: simulate(inputs={"a": 1.0}), ValueError, "`inputs`", "port"),
    "input unknown": (
        lambda: simulate(network(), inputs={"aa": 1.0}),
        ValueError,
        "`inputs`",
        "Did you mean 'a'",
    ),
    "input size": (
        lambda: simulate(network(), inputs={"b": Constant(np.zeros(3))}),
        ValueError,
        "`inputs\\['b'\\]`",
        "4 neurons",
    ),
    "input array for all": (
        lambda: simulate(network(), inputs=np.zeros((10, 3))),
        ValueError,
        "`inputs`",
        "dictionary",
    ),
    "state text": (lambda: simulate(network(), state="s"), TypeError, "`state`", "Give"),
    "state of another": (
        lambda: simulate(LIF(3), state=state_of(network())),
        TypeError,
        "`state`",
        "same model",
    ),
    "state of another size": (
        lambda: simulate(LIF(3), state=state_of(LIF(4))),
        ValueError,
        "`state",
        "another model",
    ),
    "state of another step": (
        lambda: simulate(LIF(3), state=state_of(LIF(3)), dt=0.2),
        ValueError,
        "`dt`",
        "model_state",
    ),
    "unknown projection": (lambda: network(projection()).matrix("b"), KeyError, "'b'", "only"),
    "unknown state": (lambda: state_of(network())["c"], KeyError, "'c'", "only"),
    "reducer of another network": (
        lambda: simulate(network(), record=bf.learn.NearThreshold(bf.Network({"x": LIF(3)}))),
        ValueError,
        "`model`.*'x'",
        "same model",
    ),
    "reducer of one population": (
        lambda: simulate(network(), record=bf.learn.SilencePenalty(LIF(3))),
        ValueError,
        "`model`",
        "same model",
    ),
    "reducer of a network": (
        lambda: simulate(record=bf.learn.SilencePenalty(network())),
        ValueError,
        "`model`",
        "same model",
    ),
    "reducer of another size": (
        lambda: simulate(record=bf.learn.SilencePenalty(LIF(4))),
        ValueError,
        "`model`",
        "same model",
    ),
    "gradient function": (
        lambda: bf.learn.check_gradient(jax.grad(lambda x: x)),
        TypeError,
        "`gradient`",
        "jax.grad",
    ),
    "gradient nan": (
        lambda: bf.learn.check_gradient(nan),
        FloatingPointError,
        "gradient",
        "surrogate",
    ),
    "delays too long": (
        lambda: simulate(network(projection(delay=np.full(9, 1e4)))),
        ValueError,
        "`delay` of projection 'a'",
        "6553.5 ms",
    ),
    "rates of an array": (
        lambda: bf.measure.firing_rates(np.zeros((10, 3))),
        TypeError,
        "`trains`",
        "from_dense",
    ),
    "intervals of a dictionary": (
        lambda: bf.measure.cv_isi({"a": TRAINS}),
        TypeError,
        "`trains`",
        "one population",
    ),
    "bin a text": (
        lambda: bf.measure.spike_counts(TRAINS, "2 ms"),
        TypeError,
        "`bin_size`",
        "in ms",
    ),
    "window a text": (lambda: bf.measure.window(TRAINS, "2"), TypeError, "`start`", "in ms"),
    "pool a dictionary": (
        lambda: bf.measure.pool({"a": TRAINS}),
        TypeError,
        "`populations`",
        "values",
    ),
    "axes a number": (lambda: bf.plot.raster(TRAINS, ax=3), TypeError, "`ax`", "leave it out"),
    "traces of one neuron": (
        lambda: bf.plot.traces(np.arange(5.0), np.zeros(5)),
        ValueError,
        "`v`",
        "v\\[:, None\\]",
    ),
    "traces of other times": (
        lambda: bf.plot.traces(np.arange(5.0), np.zeros((6, 2))),
        ValueError,
        "`ts`",
        "row",
    ),
    "raster of other windows": (
        lambda: bf.plot.raster({"a": TRAINS, "b": bf.measure.window(TRAINS, 5.0)}),
        ValueError,
        "`trains`",
        "window",
    ),
    "raw key of another kind": (
        lambda: simulate(key=jr.PRNGKey(0, impl="rbg")),
        TypeError,
        "`key`",
        "wrap_key_data",
    ),
    "init without dt": (lambda: network(projection(delay=1.0)).init(), ValueError, "`dt`", "try"),
}


def test_there_are_at_least_forty():
    assert len(WRONG) >= 40


@pytest.mark.parametrize("name", WRONG)
def test_wrong_call(name):
    call, exception, argument, suggestion = WRONG[name]
    with pytest.raises(exception, match=argument) as info:
        call()
    import re

    assert re.search(suggestion, str(info.value)), str(info.value)


def test_new_weight_of_another_length():
    import equinox as eqx

    net = network(projection(format="csr"))
    wrong = eqx.tree_at(lambda n: n.projections["a"].weight, net, jnp.ones(4))
    with pytest.raises(ValueError, match=r"`weight`.*\(9,\)"):
        simulate(wrong)


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (
            lambda m: m.populations["a"].tau,
            -20.0,
            r"model.populations\['a'\].tau` must be positive",
        ),
        (
            lambda m: m.populations["b"].capacitance,
            jnp.asarray([1.0, 0.0, 1.0, 1.0]),
            r"model.populations\['b'\].capacitance` must be positive \(in pF\), got \[1.0, 0.0",
        ),
        (
            lambda m: m.projections["a"].synapse.tau,
            jnp.asarray(nan),
            r"synapse.tau` must be finite",
        ),
        (lambda m: m.populations["p"].rate, -1.0, r"rate` must be not negative"),
    ],
    ids=["tau", "capacitance", "synapse", "rate"],
)
def test_parameters_that_were_changed_are_looked_at(where, value, message):
    """`eqx.tree_at` and optimisers go past the constructor."""
    import equinox as eqx

    net = network(projection(), populations={"a": LIF(3), "b": LIF(4), "p": Poisson(3, 1.0)})
    wrong = eqx.tree_at(where, net, value)
    for call in (bf.simulate, bf.run):
        with pytest.raises(ValueError, match=message):
            call(wrong, duration=1.0, dt=0.1, key=KEY)
    # Values that are traced can't be looked at, and pass.
    jax.eval_shape(lambda v: simulate(eqx.tree_at(where, net, v), key=KEY), jnp.asarray(value))


def _explode(when, *, populations=("a",)):
    """Currents that become NaN at step `when`, invisible before the run."""
    return {
        name: lambda t, n=when + i: jnp.where(t > (n - 0.5) * 0.1, nan, 100.0)
        for i, name in enumerate(populations)
    }


def test_nan_is_reported_with_population_and_first_step():
    with pytest.raises(FloatingPointError, match=r"'b'.*from step 7 \(t = 0.7 ms\)"):
        simulate(network(), inputs=_explode(7, populations=("b",)))
    message = r"'b'.*from step 2 .*then 'a' at step 3"
    with pytest.raises(FloatingPointError, match=message):
        simulate(network(), inputs=_explode(2, populations=("b", "a")))
    with pytest.raises(FloatingPointError, match=r"'LIF'.*from step 4"):
        simulate(inputs=_explode(4)["a"])


def test_nan_in_a_continued_run_counts_from_the_very_beginning():
    net = network()
    first = simulate(net)
    with pytest.raises(FloatingPointError, match=r"'a'.*from step 13 \(t = 1.3 ms\)"):
        simulate(net, state=first.state, inputs=_explode(13))


def test_nan_that_only_a_synapse_holds():
    """A resting neuron hides the synapse's NaN; it is found all the same."""
    populations = {"a": LIF(3, v_init=-50.0, v_rest=-49.0, refractory=100.0), "b": LIF(4)}
    net = network(projection(synapse=Exponential(5.0)), populations=populations)
    import equinox as eqx

    # A weight that is not finite is refused by name; the sum of three of these is not, either.
    large = jnp.finfo(net.projections["a"].weight.dtype).max
    bad = eqx.tree_at(lambda n: n.projections["a"].weight, net, jnp.asarray(large))
    with pytest.raises(FloatingPointError, match=r"'a'.*from step 1 "):
        simulate(bad)


def test_nan_under_jit_is_left_to_the_caller():
    out = jax.jit(lambda: simulate(inputs=_explode(4)["a"]))()
    assert np.isnan(np.asarray(out.state.model_state.v)).all()
