"""on_pre and on_post: the weights of spiking neurons change, and no others, by a NumPy loop."""

import functools as ft
import re

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from _event_cases import FORMATS, NO_KERNEL, with_data
from hypothesis import given, settings
from jax.sharding import PartitionSpec as P

import brainfn.event as ev
from brainfn.event import _prim

NAMES = [name for name in FORMATS if "delayed" not in name and name not in NO_KERNEL]
SIDES = ["pre", "post"]


def update(side, matrix, spikes, *args, **kwargs):
    if side == "pre":
        return ev.on_pre(matrix, spikes, *args, **kwargs)
    if isinstance(matrix, ev.CSR | ev.FixedFanout):
        kwargs["columns"] = matrix.column_index()
    return ev.on_post(matrix, spikes, *args, **kwargs)


def expected(side, case, data, spikes, change, factor=0.0, lower=-np.inf, upper=np.inf):
    out = np.array(data, np.float64).reshape(-1)
    sides = (case.rows, case.cols) if side == "pre" else (case.cols, case.rows)
    change, factor = (np.broadcast_to(v, np.max(sides[1], initial=0) + 1)
                      if np.ndim(v) == 0 else v for v in (change, factor))  # fmt: skip
    for k, (r, c) in enumerate(zip(*sides, strict=True)):
        if spikes[r] != 0:
            w = out[k] + float(spikes[r]) * (change[c] + factor[c] * out[k])
            out[k] = min(max(w, lower), upper)
    return out.reshape(np.shape(data))


def sizes(side, case):
    return case.shape if side == "pre" else case.shape[::-1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", SIDES)
@settings(max_examples=4)
@given(
    seed=st.integers(0, 2**31),
    size=st.sampled_from([(0, 3), (3, 0), (1, 1), (13, 17)]),
    dtype=st.sampled_from([np.float32, np.float64]),
    spikes=st.sampled_from(["none", "all", "bool", "float"]),
    form=st.sampled_from(["change", "factor", "bounds", "numbers"]),
)
def test_equals_a_loop(name, side, seed, size, dtype, spikes, form):
    rng = np.random.default_rng(seed)
    case = FORMATS[name](rng, *size, False, dtype)
    n, m = sizes(side, case)
    s = {
        "none": np.zeros(n, bool),
        "all": np.ones(n, bool),
        "bool": rng.random(n) < 0.3,
        "float": (rng.normal(size=n) * (rng.random(n) < 0.3)).astype(dtype),
    }[spikes]
    change, factor = rng.normal(size=(2, m)).astype(dtype)
    bounds = {"lower": -0.3, "upper": 0.7}
    arguments = {
        "change": {"change": change},
        "factor": {"change": change, "factor": factor},
        "bounds": {"change": change, "factor": factor, **bounds},
        "numbers": {"change": 0.1, "factor": -0.5, "upper": 0.7},
    }[form]
    new = update(side, case.matrix, jnp.asarray(s), **arguments)
    assert type(new) is type(case.matrix) and new.shape == case.matrix.shape
    assert new.data.dtype == dtype
    wanted = expected(side, case, case.data, s, **arguments)
    # A few roundings of numbers of order one.
    atol = 4e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(new.data, wanted, rtol=0, atol=atol)
    # What the new matrix multiplies by is what its weights say.
    x = rng.normal(size=case.shape[0]).astype(dtype)
    atol = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(jnp.asarray(x) @ new, x @ case.dense(new.data), rtol=0, atol=atol)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", ["csr", "fan_in", "dense"])
def test_transformations(monkeypatch, name, side, native):
    if not native:
        monkeypatch.setattr(_prim, "handler_available", lambda *args: False)
    elif ev.kernels()["update"] == "reference":
        pytest.skip("no native library")
    rng = np.random.default_rng(0)
    case = FORMATS[name](rng, 9, 11, False, np.float64)
    n, m = sizes(side, case)
    s = rng.normal(size=(3, n)) * (rng.random((3, n)) < 0.5)
    change, factor = rng.normal(size=(2, 3, m))
    data = rng.normal(size=(3, *case.data.shape))
    w = rng.normal(size=case.data.shape)

    def rule(data, s, a, b, lo, hi):
        return update(side, with_data(case.matrix, data), s, a, factor=b, lower=lo, upper=hi).data

    def oracle(*arguments):
        return expected(side, case, *arguments)

    whole = (data, s, change, factor, np.array([-1.0, -0.5, -2.0]), np.array([1.0, 0.5, 1.5]))
    first = [a[0] for a in whole]
    moves = [rng.normal(size=a.shape) for a in first]
    # Silent neurons have a derivative too; a slope by finite differences must not make them spike.
    moves[1] = moves[1] * (first[1] != 0)
    each = [tuple(0 if i == j else None for j in range(6)) for i in range(6)]
    masks = [*each, (0,) * 6, (0, None, 0, None, None, None), (None, 0, None, 0, 0, None)]

    @jax.jit
    def run(whole, first, moves):
        out = [
            jax.vmap(rule, mask)(
                *[a if m == 0 else f for a, f, m in zip(whole, first, mask, strict=True)]
            )
            for mask in masks
        ]
        nested = jax.vmap(jax.vmap(rule, (0, *[None] * 5)), (None, 0, *[None] * 4))(
            whole[0], whole[1], *first[2:]
        )
        tangent = jax.jvp(rule, first, moves)[1]
        grads = jax.grad(lambda *a: jnp.sum(w * rule(*a)), tuple(range(6)))
        many = jax.vmap(grads)(*whole)
        return out, nested, tangent, grads(*first), many

    arguments = [jax.tree.map(jnp.asarray, x) for x in (whole, first, moves)]
    assert ("brainfn_update" in run.lower(*arguments).as_text()) == native
    out, nested, tangent, grads, many = run(*arguments)
    for mask, got in zip(masks, out, strict=True):
        for b in range(3):
            picked = [a[b] if m == 0 else f for a, f, m in zip(whole, first, mask, strict=True)]
            np.testing.assert_allclose(got[b], oracle(*picked), rtol=0, atol=1e-13)
    for i in range(3):
        for j in range(3):
            wanted = oracle(data[j], s[i], *first[2:])
            np.testing.assert_allclose(nested[i, j], wanted, rtol=0, atol=1e-13)
    ends = [oracle(*[f + e * d for f, d in zip(first, moves, strict=True)]) for e in (1e-6, -1e-6)]
    slope = (ends[0] - ends[1]) / 2e-6
    np.testing.assert_allclose(tangent, slope, rtol=0, atol=1e-6)
    product = sum(np.sum(np.asarray(g) * d) for g, d in zip(grads, moves, strict=True))
    np.testing.assert_allclose(product, np.sum(w * slope), rtol=1e-6, atol=1e-6)
    for i, g in enumerate(many):
        np.testing.assert_allclose(g[0], grads[i], rtol=0, atol=1e-12)


@pytest.mark.parametrize("bounds", [{}, {"lower": -0.5, "upper": 0.5}])
@pytest.mark.parametrize("side", SIDES)
def test_enough_synapses_for_several_threads(side, bounds):
    rng = np.random.default_rng(4)
    n, k = 4000, 40
    indices = np.sort(rng.integers(0, n, (n, k)), axis=1).astype(np.int32)
    data = rng.normal(size=(n, k))
    matrix = ev.FixedFanout(jnp.asarray(data), indices, shape=(n, n))
    s, a = rng.random(n) < 0.6, rng.normal(size=n)
    new = update(side, matrix, s, a, **bounds)
    pre = np.broadcast_to(np.arange(n)[:, None], (n, k))
    spiking, other = (pre, indices) if side == "pre" else (indices, pre)
    moved = data + a[other]
    moved = np.clip(moved, -0.5, 0.5) if bounds else moved
    np.testing.assert_allclose(new.data, np.where(s[spiking], moved, data), rtol=0, atol=1e-14)


@pytest.mark.parametrize("side", SIDES)
def test_derivative_of_a_silent_neuron(side):
    """That of the unclipped rule: a surrogate derivative reaches neurons that did not spike."""
    rng = np.random.default_rng(1)
    case = FORMATS["csr"](rng, 6, 7, False, np.float64)
    n, m = sizes(side, case)
    a, b = rng.normal(size=(2, m))
    for bounds in ({}, {"lower": -0.1, "upper": 0.1}):
        for factor in (None, jnp.asarray(b)):

            def total(s, bounds=bounds, factor=factor):
                new = update(side, case.matrix, s, jnp.asarray(a), factor=factor, **bounds)
                return jnp.sum(new.data)

            got = jax.grad(total)(jnp.zeros(n))
            ends = (case.rows, case.cols) if side == "pre" else (case.cols, case.rows)
            wanted = np.zeros(n)
            slope = a[ends[1]] + (0 if factor is None else b[ends[1]] * np.asarray(case.data))
            np.add.at(wanted, ends[0], slope)
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("plain", [True, False])
def test_in_place_inside_scan(plain):
    """A loop of pair-based STDP holds no copy of the weights and of the indices."""
    if ev.kernels()["update"] == "reference":
        pytest.skip("the reference lowering has no aliases")
    n, k = 500, 20
    rng = np.random.default_rng(2)
    indices = np.sort(rng.integers(0, n, (n, k)), axis=1).astype(np.int32)
    data = rng.random((n, k)).astype(np.float32)
    matrix = ev.FixedFanout(jnp.asarray(data), indices, shape=(n, n))
    columns = matrix.column_index()
    spikes = rng.random((6, 2, n)) < 0.1
    options = {} if plain else {"lower": 0.0, "upper": 1.0, "factor": -0.1}

    @jax.jit
    def run(matrix, columns, spikes):
        def step(carry, s):
            matrix, trace = carry
            matrix = ev.on_pre(matrix, s[0], -trace, **options)
            matrix = ev.on_post(matrix, s[1], trace, columns=columns, **options)
            return (matrix, jnp.float32(0.9) * trace + s[1].astype(jnp.float32)), None

        start = (matrix, jnp.zeros(n, jnp.float32))
        return jax.lax.scan(step, start, spikes)[0][0]

    out = run(matrix, columns, jnp.asarray(spikes))
    rows = np.repeat(np.arange(n), k)
    wanted, trace = data.astype(float).reshape(-1), np.zeros(n)
    low, high, b = (-np.inf, np.inf, 0.0) if plain else (0.0, 1.0, -0.1)
    for s in spikes:
        changed = np.clip(wanted + (-trace[indices.reshape(-1)] + b * wanted), low, high)
        wanted = np.where(s[0][rows], changed, wanted)
        changed = np.clip(wanted + (trace[rows] + b * wanted), low, high)
        wanted = np.where(s[1][indices.reshape(-1)], changed, wanted)
        trace = 0.9 * trace + s[1]
    # Six steps of float32.
    np.testing.assert_allclose(out.data.reshape(-1), wanted, rtol=0, atol=1e-5)
    text = run.lower(matrix, columns, jnp.asarray(spikes)).compile().as_text()
    kernel = "brainfn_sddmm" if plain else "brainfn_update"
    bodies = [c for c in re.split(r"\n\n|\n(?=%|ENTRY)", text) if kernel in c]
    (body,) = [c for c in bodies if not c.startswith("ENTRY")]
    assert not re.search(rf"\[({n},{k}|{n * k})\]\S* copy\(", body)


def test_shard_map_over_networks():
    mesh = jax.make_mesh((2,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    rng = np.random.default_rng(3)
    case = FORMATS["csr"](rng, 6, 7, False, np.float64)
    columns = case.matrix.column_index()
    data = rng.normal(size=(2, case.matrix.nnz))
    s = rng.random((2, 7)) < 0.5
    trace = jnp.asarray(rng.normal(size=6))

    def one(data, s):
        new = ev.on_post(
            with_data(case.matrix, data), s, trace, columns=columns, lower=-1.0, upper=1.0
        )
        return new.data

    sharded = jax.shard_map(jax.vmap(one), mesh=mesh, in_specs=(P("d"), P("d")), out_specs=P("d"))
    out = jax.jit(sharded)(jnp.asarray(data), jnp.asarray(s))
    for b in range(2):
        wanted = expected("post", case, data[b], s[b], np.asarray(trace), lower=-1.0, upper=1.0)
        np.testing.assert_allclose(out[b], wanted, rtol=0, atol=1e-13)


W = ev.CSR.fromdense(np.eye(3))
S = np.ones(3, bool)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ev.on_post(W, S, 1.0), ValueError, "columns is needed for a CSR"),
        (
            lambda: ev.on_post(W, S, columns=ev.CSR.fromdense(np.ones((3, 3))).column_index()),
            ValueError,
            "columns has 9 elements in 3 columns, but matrix has 3 in 3",
        ),
        (lambda: ev.on_pre(W, S[:2], 1.0), ValueError, r"spikes must have shape \(3,\), got"),
        (lambda: ev.on_pre(W, S, np.ones(2)), ValueError, r"change must have shape \(\) or \(3,\)"),
        (lambda: ev.on_pre(W, S, 0.0, factor=np.ones(2)), ValueError, "factor must have shape"),
        (lambda: ev.on_pre(W, S, 0.0, lower=np.ones(3)), ValueError, r"lower must have shape \(\)"),
        (
            lambda: ev.on_pre(W, S, np.ones(3, np.float32)),
            TypeError,
            "change: x has dtype float32 but the weights have float64",
        ),
        (lambda: ev.on_pre(ev.OneToOne(1.0, 3), S, 1.0), ValueError, "one number for all synapses"),
    ],
)
def test_wrong_calls_raise(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_only_matrices_that_store_weights():
    wrong = ft.partial(object.__new__, ev.Delayed)
    with pytest.raises(Exception, match="matrix"):
        ev.on_pre(wrong(), S, 1.0)
