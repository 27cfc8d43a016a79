"""Ions and kinetic schemes, against closed forms, published constants and matrix exponentials."""

import jax
import jax.numpy as jnp
import models
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from _measured import measured

import brainfn as bf
from brainfn.channel import (
    BufferedCalcium,
    CalciumPool,
    CalciumPump,
    CalciumTraub,
    Concentrations,
    FixedIon,
    Leak,
    Nernst,
    NernstIon,
    PotassiumHH,
    PotassiumLeak,
    RapidlyBufferedCalcium,
    Scheme,
    SKCurrentKohler,
    SodiumHH,
    TCurrentAvery,
    ghk,
    nernst,
    shell_gain,
)
from brainfn.neuron import PointNeuron
from brainfn.solver import Coupled, Independent, integrate


def test_nernst_and_ghk_against_tables():
    # Inside and outside in mM, valence, temperature in K, and E in mV to nine digits, from the
    # equation with the CODATA 2018 constants, computed elsewhere.
    rows = np.array(
        [
            (54.4, 2.5, 1, 279.45, -74.171673),
            (140.0, 5.0, 1, 310.15, -89.058694),
            (10.0, 140.0, 1, 279.45, 63.551503),
            (2.4e-4, 2.0, 2, 309.15, 120.255403),
            (5e-5, 2.0, 2, 307.15, 140.236601),
        ]
    ).T
    inside, outside, valence, kelvin, expected = (jnp.asarray(x) for x in rows)
    found = nernst(inside, outside, valence, kelvin - 273.15)
    # The last digit of the table.
    measured(
        ["channel.Nernst", "channel.NernstIon"],
        "reversal potentials of five ions",
        against="table computed apart",
        error=found - expected,
        bound=1e-6,
        unit="mV",
    )
    v = jnp.array([-90.0, -60.0, 0.0, 20.0])
    expected = np.array([-261.070037, -175.788259, -38.589502, -16.603180])
    found = 1e-4 * ghk(v, jnp.full(4, 2.4e-4), jnp.full(4, 2.0))
    measured(
        ["channel.LCurrentHuguenard", "channel.ghk"],
        "current through a calcium permeability of 1e-4 cm/s",
        against="table computed apart",
        error=found - expected,
        bound=1e-6,
        unit="uA/cm2",
    )


def test_ghk_is_smooth_at_zero_and_reverses_at_nernst():
    f = lambda v: ghk(v, jnp.asarray(1.0), jnp.asarray(3.0), 1.0, 20.0)  # noqa: E731
    slope = jax.grad(f)
    x = 1 / float(bf.channel.nernst(jnp.asarray(1.0), jnp.asarray(np.e), 1.0, 20.0))
    # P z F (ci - co) at 0, and P z F (ci + co) / 2 of the slope by zFV/RT.
    zero = jnp.asarray(0.0)
    np.testing.assert_allclose(f(zero), -2 * 96485.33212331, rtol=1e-12)
    np.testing.assert_allclose(slope(zero), 2 * 96485.33212331 * x, rtol=1e-12)
    np.testing.assert_allclose(jax.jacfwd(f)(zero), slope(zero), rtol=1e-12)
    reversal = nernst(jnp.asarray(1.0), jnp.asarray(3.0), 1.0, 20.0)
    assert abs(float(f(reversal))) < 1e-9


def test_steady_states_at_a_constant_current():
    # C = C_rest + k tau at -1 uA/cm2: a shell of 1 um, and one of 0.1 um with 5 % free calcium.
    found = [
        pool.change(jnp.asarray(c), jnp.asarray(-1.0))
        for pool, c in (
            (CalciumPool(), 4.99106741e-4),
            (CalciumPool(gain=shell_gain(0.1, 0.05), tau=80, resting=1e-4), 2.17285393e-3),
        )
    ]
    np.testing.assert_allclose(found, 0, atol=1e-13)
    assert float(shell_gain(1.0)) == pytest.approx(5.18213483e-5, rel=1e-9)
    assert float(shell_gain(0.1, 0.05)) == pytest.approx(2.59106741e-5, rel=1e-9)


def test_ions_against_scipy():
    """Six ions under one alternating current, integrated elsewhere."""
    kinds = {
        "CalciumPool": CalciumPool(inward=True),
        "CalciumPump": CalciumPump(tau=80.0),
        "BufferedCalcium": BufferedCalcium(tau=20.0, k_on=10.0),
        "RapidlyBufferedCalcium": RapidlyBufferedCalcium(total=0.002),
        "CalciumTraub": CalciumTraub(),
    }
    k, rest = 5.18213483e-5, 2.4e-4

    def buffered(c, i):
        bound = 10 * c[0] * (0.03 - c[1]) - 0.1 * c[1]
        return [-k * i - (c[0] - rest) / 20 - bound, bound]

    equations = {
        "CalciumPool": lambda c, i: [max(-k * i, 0) - (c[0] - rest) / 5],
        "CalciumPump": lambda c, i: [-k * i - 1e-4 * c[0] / (c[0] + 1e-4) - (c[0] - rest) / 80],
        "BufferedCalcium": buffered,
        "RapidlyBufferedCalcium": lambda c, i: [
            (-k * i - (c[0] - rest) / 5) / (1 + 0.002 * 1e-3 / (c[0] + 1e-3) ** 2)
        ],
        "CalciumTraub": lambda c, i: [-0.13 * i - 0.075 * c[0]],
    }
    current = lambda t: -3 + 4 * np.sin(t)  # noqa: E731
    start = {name: [rest] for name in kinds} | {
        "BufferedCalcium": [rest, 0.03 * 10 * rest / (10 * rest + 0.1)],
        "CalciumTraub": [0.0],
    }

    def field(t, y, args):
        i = jnp.broadcast_to(-3 + 4 * jnp.sin(t), (1,))
        return {name: kinds[name].change(y[name], i) for name in kinds}

    @jax.jit
    def run(y):
        def step(y, t):
            shifted = lambda s, y, args: field(t + s, y, args)  # noqa: E731
            return integrate(bf.solver.Midpoint(), shifted, y, 0.01), None

        return jax.lax.scan(step, y, jnp.linspace(0, 19.99, 2000))[0]

    end = run({name: ion.rest(jnp.zeros(1)) for name, ion in kinds.items()})
    for name in kinds:
        y = scipy.integrate.solve_ivp(
            lambda t, c, n=name: equations[n](c, current(t)),
            (0, 20),
            start[name],
            method="LSODA",
            rtol=1e-11,
            atol=1e-15,
            max_step=0.05,
        ).y[:, -1]
        found = np.array([float(x[0]) for x in jax.tree.leaves(end[name])])
        # Midpoint steps: h^2 / 24 = 4e-6 by the squared rates, which are up to 1 per ms.
        measured(
            f"channel.{name}",
            "concentrations after 20 ms of alternating current, steps of 0.01 ms",
            against="SciPy LSODA at 1e-11",
            error=np.abs(found / y - 1),
            bound=4e-6,
        )


def test_reversal_potential_is_that_of_the_ion_if_it_gives_one():
    v, t_type = jnp.array([-60.0]), TCurrentAvery(g=1.0, reversal=100.0)
    gates = {"m": jnp.ones(1), "h": jnp.ones(1)}

    def reversal(ions):
        return float(v[0] - t_type.current(gates, v, ions)[0])

    def seen(ion, c=4.8e-4):
        return {"ca": ion.seen(None if ion.rest(v) is None else jnp.full(1, c))}

    own = 120.255403  # as above; and with twice the calcium
    half = own * np.log(2.0 / 4.8e-4) / np.log(2.0 / 2.4e-4)
    for ions, expected in (
        ({}, 100.0),
        (seen(CalciumPool()), 100.0),
        (seen(CalciumPool(reversal=90)), 90.0),
        (seen(CalciumPool(reversal=Nernst())), half),
        (seen(CalciumPool(reversal=Nernst(always=False))), own),
        (seen(FixedIon(80)), 80.0),
        (seen(NernstIon(inside=2.4e-4, outside=2, valence=2)), own),
    ):
        np.testing.assert_allclose(reversal(ions), expected, atol=2e-6)
    # Sodium and potassium are tracked only if asked for.
    squid = [SodiumHH(), PotassiumHH(), Leak()]
    cell = PointNeuron(1, squid, ions={"na": FixedIon(50.0), "k": FixedIon(-77.0)})
    same = PointNeuron(1, squid)
    y, z = cell.init(), same.init()
    slope, expected = cell.vector_field(0.0, y, None), same.vector_field(0.0, z, None)
    np.testing.assert_array_equal(slope.v, expected.v)
    assert y.ions == {"na": None, "k": None}


def test_leaks_are_an_exponential():
    """Two leaks, one to the potential of its ion, in one step: the closed form of an RC circuit."""
    leaks = [Leak(g=0.3, reversal=-54.0), PotassiumLeak(g=0.2, reversal=0.0)]
    cell = PointNeuron(2, leaks, ions={"k": FixedIon(-90.0)}, v_init=np.array([-65.0, 20.0]))
    new, _ = cell.step(cell.init(), None, bf.Clock(jnp.int32(0), 3.0))
    rest = (0.3 * -54.0 + 0.2 * -90.0) / 0.5
    expected = rest + (np.array([-65.0, 20.0]) - rest) * np.exp(-0.5 * 3.0)
    measured(
        ["channel.PotassiumLeak", "channel.Leak", "channel.FixedIon"],
        "potential after a step of 3 ms", against="closed form",
        error=new.v - expected, bound=1e-12, unit="mV",  # some eps of 100 mV
    )  # fmt: skip


def test_currents_of_an_ion_are_summed_before_it_moves():
    channels = [TCurrentAvery(g=1.0), TCurrentAvery(g=2.0)]
    cell = PointNeuron(2, channels, ions={"ca": CalciumPool()})
    one = PointNeuron(2, [TCurrentAvery(g=3.0)], ions={"ca": CalciumPool()})
    a, b = (c.vector_field(0.0, c.init(), None).ions["ca"] for c in (cell, one))
    np.testing.assert_allclose(a, b, rtol=1e-14)


@pytest.mark.parametrize(
    ("channels", "ions", "match"),
    [
        ([SKCurrentKohler()], {}, "`ions` must have 'ca', which SKCurrentKohler"),
        ([Leak()], {"ca": CalciumPool()}, "no channel carries 'ca'"),
        ([TCurrentAvery()], {"Ca": CalciumPool()}, r"no channel carries 'Ca'.*'ca'"),
        ([TCurrentAvery()], {"ca": CalciumPool(reversal=Nernst(outside=np.ones(3)))}, "outside"),
    ],
)
def test_what_is_missing_is_named(channels, ions, match):
    with pytest.raises(ValueError, match=match):
        PointNeuron(2, channels, ions=ions)


def test_a_permeable_channel_says_that_it_needs_a_concentration_outside():
    cell = PointNeuron(1, [bf.channel.LCurrentHuguenard()], ions={"ca": CalciumPool()})
    with pytest.raises(ValueError, match="concentration outside"):
        cell.vector_field(0.0, cell.init(), None)


RATES = {("C", "O"): 0.8, ("O", "C"): 0.3, ("O", "I"): 5.0, ("I", "O"): 0.01, ("I", "C"): 0.002}


def generator(rates):
    names = list(dict.fromkeys(name for pair in rates for name in pair))
    q = np.zeros((len(names), len(names)))
    for (a, b), rate in rates.items():
        q[names.index(b), names.index(a)] += rate
        q[names.index(a), names.index(a)] -= rate
    return names, q


@pytest.mark.parametrize("solver", [bf.solver.ExponentialEuler(), bf.solver.ExponentialMidpoint()])
def test_a_scheme_is_exact_in_one_step(solver):
    names, q = generator(RATES)
    scheme = Scheme({pair: jnp.full(2, rate) for pair, rate in RATES.items()})
    steady = scheme.start({}, jnp.zeros(2))
    null = scipy.linalg.null_space(q)[:, 0]
    for i, name in enumerate(names[1:], 1):
        np.testing.assert_allclose(steady.values[name], null[i] / null.sum(), rtol=1e-13)
    start = Coupled({"O": jnp.array([0.1, 0.0]), "I": jnp.array([0.2, 1.0])})

    @jax.jit
    def advance(h, y):
        field = lambda t, y, args: Independent(scheme.slope(y.values, {}))  # noqa: E731
        return integrate(solver, field, Independent(y), h).values

    errors = []
    for h in (0.1, 3.0, 100.0):
        found = advance(h, start)
        for j in range(2):
            x = np.array([0.0, float(start.values["O"][j]), float(start.values["I"][j])])
            x[0] = 1 - x.sum()
            expected = scipy.linalg.expm(h * q) @ x
            errors += [float(found.values[n][j]) - expected[names.index(n)] for n in ("O", "I")]
    measured(
        "channel.Scheme",
        "occupations after one step of 0.1, 3 and 100 ms",
        against="SciPy expm",
        error=errors,
        bound=1e-13,  # some eps
    )


def test_a_scheme_of_two_states_is_a_gate():
    a, b, v = jnp.array([0.3, 2.0]), jnp.array([0.1, 0.4]), jnp.zeros(2)
    gate, scheme = bf.channel.alpha_beta(a, b), Scheme({("C", "O"): a, ("O", "C"): b})
    x = jnp.array([0.2, 0.9])
    np.testing.assert_allclose(scheme.start({}, v).values["O"], gate.steady, rtol=1e-15)
    slope = scheme.slope(Coupled({"O": x}), {}).values["O"]
    np.testing.assert_allclose(slope, gate.slope(x, {}), rtol=1e-14)


def test_a_state_without_a_way_out_is_named():
    with pytest.raises(ValueError, match="way out of state 'I'"):
        Scheme({("C", "O"): 1.0, ("O", "C"): 1.0, ("O", "I"): 1.0}).start({}, jnp.zeros(1))


def test_a_cell_with_a_channel_of_each_kind_keeps_the_contract():
    """A scheme, and a gate of calcium; an ion with two variables, and one with none."""
    names = "HCurrentDestexhe", "SKCurrentKohler"
    ions = {
        "ca": BufferedCalcium(gain=1e-7, reversal=Nernst()),
        "k": NernstIon(inside=140, outside=4),
    }
    channels = [models.all_channels[name]() for name in names]
    bf.check(PointNeuron(3, channels, ions=ions, capacitance=100.0), dt=0.1)


@pytest.mark.parametrize("dtype", [jnp.float32])
def test_every_ion_keeps_shape_and_precision(dtype):
    for name, make in models.all_ions.items():
        ion = bf.astype(make(), dtype)
        for shape in [(), (3,), (2, 3)]:
            state = ion.rest(jnp.zeros(shape, dtype))
            change = ion.change(state, jnp.full(shape, -1.0, dtype))
            seen = ion.seen(state)
            assert isinstance(seen, Concentrations)
            found = jax.tree.leaves((state, change))
            assert {(x.shape, x.dtype) for x in found} <= {(shape, jnp.dtype(dtype))}, name
            assert all(x.dtype == dtype for x in jax.tree.leaves(seen)), name
            assert jax.tree.structure(state) == jax.tree.structure(change), name
