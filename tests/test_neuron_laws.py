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
POPULATIONS = models.all_neurons | models.all_sources | models.all_rates
NEURONS = list(models.all_neurons)


@pytest.mark.parametrize("name", POPULATIONS)
def test_the_contract(name):
    bf.check(POPULATIONS[name](), dt=0.1)


def run(model, current, duration=20.0, **options):
    return bf.simulate(model, inputs=current, duration=duration, dt=DT, **options)


@pytest.mark.parametrize("name", NEURONS)
def test_they_spike_and_bool_spikes_are_the_same(name):
    make, (loud, quiet) = models.all_neurons[name], models.currents[name]
    with_derivative = run(make(), loud, 60.0).outputs
    without = run(make(surrogate=None), loud, 60.0).outputs
    assert without.dtype == bool and with_derivative.sum() >= 3
    np.testing.assert_array_equal(np.asarray(with_derivative, bool), without)
    assert run(make(), quiet, 60.0).outputs.sum() == 0


@pytest.mark.parametrize("name", NEURONS)
def test_relabelled_neurons_permute_the_output(name):
    loud = models.currents[name][0]
    scale = np.linspace(0.8, 1.2, 7)
    order = np.random.default_rng(0).permutation(7)
    a, b = (
        run(models.all_neurons[name](7), bf.input.Constant(loud * s)) for s in (scale, scale[order])
    )
    np.testing.assert_array_equal(np.asarray(a.outputs)[:, order], b.outputs)
    np.testing.assert_array_equal(np.asarray(a.state.model_state.v)[order], b.state.model_state.v)


@pytest.mark.parametrize("name", NEURONS)
def test_in_parts_and_batched(name):
    model, loud = models.all_neurons[name](), models.currents[name][0]
    whole = run(model, loud, 10.0)
    first = run(model, loud, 4.0)
    second = run(model, loud, 6.0, state=first.state)
    jtu.tree_map(np.testing.assert_array_equal, whole.state, second.state)
    drives = loud * jnp.linspace(0.9, 1.1, 3)
    batch = jax.vmap(lambda i: run(model, i, 10.0).state.model_state.v)(drives)
    single = jnp.stack([run(model, i, 10.0).state.model_state.v for i in drives])
    # The kernel and XLA round differently.
    np.testing.assert_allclose(batch, single, rtol=1e-9)


def inexact(model):
    return [
        field.name
        for field in dataclasses.fields(model)
        if "param" in field.metadata and eqx.is_inexact_array(getattr(model, field.name))
    ]


@pytest.mark.parametrize("name", NEURONS)
def test_gradients_are_central_differences_where_nothing_spikes(name):
    make, (_, quiet) = models.all_neurons[name], models.currents[name]
    # Counting steps has no derivative; thresholds are not reached.
    leave = {"refractory", "v_threshold", "v_reset", "v_peak", "c", "d", "width"}
    leave |= {"b"} if name == "AdEx" else set()
    model = make(1)
    names = [n for n in inexact(model) if n not in leave]
    assert names

    def loss(values):
        changed = eqx.tree_at(lambda m: [getattr(m, n) for n in names], model, values)
        return jnp.sum(run(changed, quiet, 5.0, record=lambda s, _: s.v).outputs[-1])

    values = [getattr(model, n) for n in names]
    got = jax.jit(jax.grad(loss))(values)
    f = jax.jit(loss)
    for i, n in enumerate(names):
        h = 1e-5 * max(abs(float(values[i])), 1e-2)
        up, down = (f([v + s * h if j == i else v for j, v in enumerate(values)]) for s in (1, -1))
        # Central differences in float64: h^2 and rounding / h.
        expected = float(up - down) / (2 * h)
        np.testing.assert_allclose(float(got[i]), expected, rtol=2e-5, atol=1e-8, err_msg=n)


@pytest.mark.parametrize("name", NEURONS)
def test_second_derivatives_agree_in_all_modes(name):
    wide = bf.surrogate.Sigmoid(4.0)
    make, (loud, _) = models.all_neurons[name], models.currents[name]

    def loss(current):
        out = run(make(1, surrogate=wide), current, 3.0, record=lambda s, o: (s.v, o)).outputs
        return jnp.mean(out[0] ** 2) * 1e-3 + jnp.sum(out[1])

    modes = [
        jax.jacfwd(jax.jacfwd(loss)),
        jax.jacrev(jax.jacrev(loss)),
        jax.jacfwd(jax.jacrev(loss)),
        jax.jacrev(jax.jacfwd(loss)),
    ]
    values = [float(f(jnp.asarray(loud))) for f in modes]
    assert values[0] != 0
    np.testing.assert_allclose(values, values[0], rtol=1e-8)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("name", NEURONS)
def test_precision_is_kept(name, dtype):
    model = bf.astype(models.all_neurons[name](), dtype)
    out = run(model, models.currents[name][0], 5.0)
    floats = [x for x in jtu.tree_leaves(out.state.model_state) if eqx.is_inexact_array(x)]
    assert all(x.dtype == dtype for x in floats)
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in floats)
    assert out.outputs.dtype == dtype


@pytest.mark.parametrize("name", NEURONS)
def test_merged_equals_apart(name):
    make, loud = models.all_neurons[name], models.currents[name][0]
    low = -60.0 if name.startswith("LIF") else -70.0
    drawn = {"v_init": bf.init.Uniform(low, low + 8.0), "surrogate": None}

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
    for n in "abc":
        np.testing.assert_array_equal(a.outputs[n], b.outputs[n])
        jtu.tree_map(np.testing.assert_array_equal, a.state[n], b.state[n])
    assert int(sum(a.outputs[n].sum() for n in "abc")) > 5


def wrong_parameters():
    for name, make in (models.all_neurons | models.all_rates).items():
        for field in dataclasses.fields(make()):
            declared = field.metadata.get("param")
            if declared is not None:
                yield name, field.name, declared.sign


@pytest.mark.parametrize(("name", "field", "sign"), list(wrong_parameters()))
def test_wrong_parameters_are_named(name, field, sign):
    make = (models.all_neurons | models.all_rates)[name]
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


def wrong_options():
    for name, make in (models.all_neurons | models.all_rates).items():
        for field in dataclasses.fields(make()):
            if "option" in field.metadata and field.name not in ("channels", "ions"):
                yield name, field.name


@pytest.mark.parametrize(("name", "field"), list(wrong_options()))
def test_wrong_options_are_named(name, field):
    make = (models.all_neurons | models.all_rates)[name]
    # The annotation is checked first while the tests run; a user gets the message of the field.
    with pytest.raises(TypeError, match=f"['`]{field}['`]"):
        make(**{field: "something"})
