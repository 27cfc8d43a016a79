"""What holds for every neuron, source and rate of `tests/models.py`."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import jax.tree_util as jtu
import models
import numpy as np
import pytest

import brainfn as bf

DT = 0.05
WITH_PARAMETERS = models.all_neurons | models.all_readouts | models.all_rates
POPULATIONS = WITH_PARAMETERS | models.all_sources
NEURONS = list(models.all_neurons)


@pytest.mark.parametrize("name", POPULATIONS)
def test_the_contract(name):
    bf.check(POPULATIONS[name](), dt=0.1)


def run(model, current, duration=20.0, **options):
    return bf.simulate(model, inputs=current, duration=duration, dt=DT, key=jr.key(0), **options)


def steps(model, current, n):
    """The final state and all outputs of `n` steps, in a loop without what a driver adds: it
    compiles in less time where many derivatives are taken."""
    model = model.prepare(DT)

    def body(state, i):
        return model.step(state, current, bf.Clock(i, DT), key=jr.fold_in(jr.key(0), i))

    return jax.lax.scan(body, model.init(), jnp.arange(n, dtype=jnp.int32))


@pytest.mark.parametrize("name", NEURONS)
def test_they_spike_and_are_all_alike(name):
    """Bool spikes are the same, and relabelled neurons permute the output."""
    make, (loud, quiet) = models.all_neurons[name], models.currents[name]
    currents = np.append(loud * np.linspace(1.0, 0.8, 6), quiet)
    order = np.random.default_rng(0).permutation(7)
    a, b = (run(make(7), bf.input.Constant(x), 60.0) for x in (currents, currents[order]))
    spikes = np.asarray(a.outputs)
    without = run(make(7, surrogate=None), bf.input.Constant(currents), 60.0).outputs
    assert without.dtype == bool
    np.testing.assert_array_equal(spikes.astype(bool), without)
    assert spikes.sum(0)[0] >= (1 if name in models.slow else 3) and spikes.sum(0)[-1] == 0
    if name not in models.random_neurons:
        np.testing.assert_array_equal(spikes[:, order], b.outputs)
        np.testing.assert_array_equal(
            np.asarray(a.state.model_state.v)[order], b.state.model_state.v
        )


@pytest.mark.parametrize("name", NEURONS)
def test_in_parts_and_batched(name):
    model, loud = models.all_neurons[name](), models.currents[name][0]
    whole = run(model, loud, 10.0)
    first = run(model, loud, 5.0)
    second = run(model, loud, 5.0, state=first.state)
    jtu.tree_map(np.testing.assert_array_equal, whole.state, second.state)
    drives = loud * jnp.linspace(0.9, 1.1, 3)
    batch = jax.vmap(lambda i: run(model, i, 10.0).state.model_state.v)(drives)
    single = jnp.stack([run(model, i, 10.0).state.model_state.v for i in drives])
    # The kernel and XLA round differently.
    np.testing.assert_allclose(batch, single, rtol=1e-9)


def parts(model):
    """The parts of a model that declare parameters, itself included."""
    if isinstance(model, bf.AbstractPart):
        yield model
        for field in dataclasses.fields(model):
            value = getattr(model, field.name)
            for part in value if isinstance(value, tuple) else (value,):
                yield from parts(part)


def inexact(model):
    """Where the parameters are, those of parts included: index of the part and name."""
    return [
        (i, field.name)
        for i, part in enumerate(parts(model))
        for field in dataclasses.fields(part)
        if "param" in field.metadata and eqx.is_inexact_array(getattr(part, field.name))
    ]


@pytest.mark.parametrize("name", [*NEURONS, *models.all_readouts])
def test_gradients_are_central_differences_where_nothing_spikes(name):
    # A spike at random has the derivative of its probability, wherever it does not happen.
    model = WITH_PARAMETERS[name](1, **{"surrogate": None} if name in models.random_neurons else {})
    quiet = models.currents.get(name, (0.0, 20.0))[1]
    # Counting steps has no derivative.
    places = [place for place in inexact(model) if place[1] != "refractory"]

    def where(model):
        all_parts = list(parts(model))
        return [getattr(all_parts[i], n) for i, n in places]

    def loss(values):
        return jnp.sum(steps(eqx.tree_at(where, model, list(values)), quiet, 100)[0].v)

    values = jnp.stack(where(model))
    h = 1e-5 * jnp.maximum(jnp.abs(values), 1e-2)
    nudged = jnp.concatenate([values[None] + s * jnp.diag(h) for s in (1, -1)])
    both = jax.jit(lambda v, w: (jax.grad(loss)(v), jax.lax.map(loss, w)))
    got, (up, down) = (x.reshape(n, -1) for x, n in zip(both(values, nudged), (1, 2), strict=True))
    assert jnp.sum(got != 0) >= 2
    # Central differences in float64: h^2 and rounding / h.
    np.testing.assert_allclose(got[0], (up - down) / (2 * h), rtol=2e-5, atol=1e-8)


# They depend on the template, on surrogates, resets and jumps, and not on the equations.
@pytest.mark.parametrize("name", ["LIF", "AdEx", "PointNeuron"])
def test_second_derivatives_agree_in_all_modes(name):
    wide = bf.surrogate.Sigmoid(4.0)
    model, (loud, _) = models.all_neurons[name](1, surrogate=wide), models.currents[name]

    def loss(current):
        state, spikes = steps(model, current, 60)
        return jnp.mean(state.v**2) * 1e-3 + jnp.sum(spikes)

    modes = [
        jax.jacfwd(jax.jacfwd(loss)),
        jax.jacrev(jax.jacrev(loss)),
        jax.jacfwd(jax.jacrev(loss)),
        jax.jacrev(jax.jacfwd(loss)),
    ]
    values = jax.jit(lambda x: jnp.stack([f(x) for f in modes]))(jnp.asarray(loud))
    assert values[0] != 0
    np.testing.assert_allclose(values, jnp.full(4, values[0]), rtol=1e-8)


@pytest.mark.parametrize("name", [*NEURONS, *models.all_readouts])
def test_precision_is_kept(name):
    loud = models.currents.get(name, (100.0,))[0]

    def made(dtype):
        return steps(bf.astype(WITH_PARAMETERS[name](), dtype), loud, 100)

    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        state, outputs = jax.eval_shape(lambda dtype=dtype: made(dtype))
        floats = [x.dtype for x in jtu.tree_leaves(state) if jnp.issubdtype(x.dtype, jnp.floating)]
        assert {*floats, outputs.dtype} == {jnp.dtype(dtype)}
    state, outputs = jax.jit(lambda: made(jnp.float16))()  # the first that would overflow
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in jtu.tree_leaves((state, outputs)))


# `bf.check` steps two populations as one for all neurons; the network around them adds to that what
# depends on the kind of state and of numbers drawn, of which these have all.
@pytest.mark.parametrize(
    "name",
    ["LIF", "LIF, interpolated", "AdEx", "GIF", "Izhikevich", "PointNeuron", "PinskyRinzel"],
)
def test_merged_equals_apart(name):
    make, loud = models.all_neurons[name], models.currents[name][0]
    low, high = models.starts.get(name.split(",")[0], (-70.0, -62.0))
    drawn = {"v_init": bf.init.Uniform(low, high), "surrogate": None}
    port = next(iter(make().ports())) or None

    def build(merge):
        return bf.Network(
            {"a": make(4, **drawn), "b": make(5, **drawn), "c": make(3, **drawn)},
            [
                bf.Projection(
                    "a",
                    ["c", "b"],
                    bf.connect.FixedProbability(0.5),
                    weight=bf.init.Normal(loud / 5, loud / 50),
                    synapse=bf.synapse.Alpha(2.0),
                    output=bf.synapse.Current(),
                    delay=bf.init.Uniform(0.1, 2.0),
                    port=port,
                )
            ],
            key=jr.key(0),
            merge=merge,
        )

    assert len(build(True).layout.groups) == 1 and len(build(False).layout.groups) == 3
    a, b = (
        bf.simulate(build(m), inputs=loud, duration=30.0, dt=DT, key=jr.key(1))
        for m in (True, False)
    )
    # XLA cuts the long equation of two compartments in other places when synapses reach only a part
    # of its cells, and fuses products and sums there or not: the last bit.
    # The time of a spike in its step shows such a bit of a current, where 60 mV do not.
    close = {"rtol": 1e-11 if name in ("PinskyRinzel", "LIF, interpolated") else 0.0}
    for n in "abc":
        np.testing.assert_array_equal(a.outputs[n], b.outputs[n])
        jtu.tree_map(lambda x, y: np.testing.assert_allclose(x, y, **close), a.state[n], b.state[n])
    assert int(sum(a.outputs[n].sum() for n in "abc")) > 5


def wrong_parameters():
    for name, make in WITH_PARAMETERS.items():
        for field in dataclasses.fields(make()):
            declared = field.metadata.get("param")
            if declared is not None:
                yield name, field.name, declared.sign


@pytest.mark.parametrize(("name", "field", "sign"), list(wrong_parameters()))
def test_wrong_parameters_are_named(name, field, sign):
    make = WITH_PARAMETERS[name]
    wrong = {"20 ms": TypeError, None: TypeError, float("nan"): ValueError}
    for value, error in wrong.items():
        with pytest.raises(error, match=f"`{field}`"):
            make(**{field: value})
    with pytest.raises(ValueError, match=f"`{field}`.*shape"):
        make(**{field: np.ones(7)})
    bad = {"positive": 0.0, "nonnegative": -1.0}.get(sign)
    if bad is not None:
        with pytest.raises(ValueError, match=f"`{field}` must"):
            make(**{field: bad})
    # What `tree_at` puts in is found when a simulation starts.
    model = eqx.tree_at(lambda m: getattr(m, field), make(), jnp.full(3, jnp.nan))
    with pytest.raises(ValueError, match=f"{field}` must be finite"):
        bf.simulate(model, duration=1.0, dt=DT)


# Lists of parts, whose errors have tests of their own.
LISTS = ("channels", "ions", "currents", "shifts")


def wrong_options():
    for name, make in WITH_PARAMETERS.items():
        for field in dataclasses.fields(make()):
            if "option" in field.metadata and field.name not in LISTS:
                yield name, field.name


@pytest.mark.parametrize(("name", "field"), list(wrong_options()))
def test_wrong_options_are_named(name, field):
    make = WITH_PARAMETERS[name]
    # The annotation is checked first while the tests run; a user gets the message of the field.
    with pytest.raises(TypeError, match=f"['`]{field}['`]"):
        make(**{field: "something"})
