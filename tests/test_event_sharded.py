"""Products on two devices: plain `jit` with sharded arrays, and `jax.shard_map` over columns."""

import inspect
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import brainfn.event as ev
from brainfn.event import _prim

ROWS, COLS = 12, 8
COLLECTIVES = ("all-gather", "all-reduce", "all-to-all", "collective-permute", "reduce-scatter")


def mesh_of(kind):
    return jax.make_mesh((2,), ("d",), axis_types=(kind,))


def problem(seed=0):
    """A matrix with evenly many elements, spikes and two batches of them."""
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(ROWS, COLS)) * (rng.random((ROWS, COLS)) < 0.5)
    if np.count_nonzero(dense) % 2:
        dense[np.nonzero(dense)[0][0], np.nonzero(dense)[1][0]] = 0.0
    x = rng.normal(size=ROWS) * (rng.random(ROWS) < 0.5)
    return dense, x, rng.normal(size=(4, ROWS)), rng.normal(size=COLS)


def ell(dense):
    columns = np.tile(np.arange(COLS), (ROWS, 1))
    return ev.FixedFanout(jnp.asarray(dense), columns, shape=(ROWS, COLS))


def place(mesh, x, *spec):
    return jax.device_put(jnp.asarray(x), NamedSharding(mesh, P(*spec)))


def sharded(mesh, matrix, specs):
    """`matrix` with its arrays placed as `specs` say (weights, then the structure)."""
    leaves, tree = jax.tree.flatten(matrix)
    placed = [place(mesh, x, *spec) for x, spec in zip(leaves, specs, strict=True)]
    return jax.tree.unflatten(tree, placed)


MATRICES = {
    "csr replicated": (ev.CSR.fromdense, [(), (), ()]),
    "csr by elements": (ev.CSR.fromdense, [("d",), ("d",), ()]),
    "ell by rows": (ell, [("d",), ("d",)]),
    "dense by columns": (ev.Dense, [(None, "d")]),
    "dense by rows": (ev.Dense, [("d", None)]),
}


def products(x, padded, batch, v, matrix):
    """All products and their derivatives, to be compiled once."""

    def loss(x, data):
        return jnp.sum((x @ eqx.tree_at(lambda m: m.data, matrix, data)) ** 2)

    block = ev.Block(matrix, 0, 2, 0, 1)
    return {
        "x @ W": x @ matrix,
        "X @ W": batch @ matrix,
        "W @ v": matrix @ v,
        "bool": (x != 0) @ matrix,
        "vmap": jax.vmap(lambda x: x @ matrix)(batch),
        "block": ev.block_matvec([jnp.ones(COLS + 1)], [padded], [block])[0],
        "gradient": jax.grad(loss, (0, 1))(x, matrix.data),
        "jvp": jax.jvp(lambda x: x @ matrix, (x,), (2 * x,))[1],
    }


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
@pytest.mark.parametrize("name", MATRICES)
def test_plain_jit(name, kind):
    mesh = mesh_of(kind)
    dense, x, batch, v = problem()
    make, specs = MATRICES[name]
    matrix = sharded(mesh, make(dense), specs)
    given = [place(mesh, a, "d") for a in (x, np.concatenate([np.zeros(2), x]), batch, v)]
    got = jax.jit(products)(*given, matrix)
    dx, dw = got.pop("gradient")
    wanted = {
        "x @ W": x @ dense,
        "X @ W": batch @ dense,
        "W @ v": dense @ v,
        "bool": (x != 0) @ dense,
        "vmap": batch @ dense,
        "block": np.concatenate([[1.0], 1 + x @ dense]),
        "jvp": 2 * x @ dense,
    }
    for key, value in wanted.items():
        # Another order of summation: a few eps.
        np.testing.assert_allclose(got[key], value, rtol=1e-12, atol=1e-13, err_msg=key)
    np.testing.assert_allclose(dx, 2 * dense @ (x @ dense), rtol=1e-12, atol=1e-13)
    full = np.outer(x, 2 * (x @ dense))
    full = full[np.nonzero(dense)] if "csr" in name else full
    np.testing.assert_allclose(dw, full, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def test_spikes_and_accumulators_sharded_in_a_loop(kind):
    mesh = mesh_of(kind)
    dense, _, batch, _ = problem(1)
    matrix = sharded(mesh, ev.CSR.fromdense(dense), [(), (), ()])
    spikes = place(mesh, batch, None, "d")
    y = place(mesh, np.ones(COLS), "d")

    def run(y, spikes):
        def step(y, x):
            return ev.block_matvec([y], [x], [ev.Block(matrix)])[0], None

        return jax.lax.scan(step, y, spikes)[0]

    out = jax.jit(run)(y, spikes)
    np.testing.assert_allclose(out, 1 + batch.sum(0) @ dense, rtol=1e-12)
    back = jax.jit(jax.grad(lambda s: jnp.sum(run(y, s) ** 2)))(spikes)
    wanted = np.tile(2 * dense @ (1 + batch.sum(0) @ dense), (4, 1))
    np.testing.assert_allclose(back, wanted, rtol=1e-12)
    if kind == AxisType.Explicit:
        assert jax.typeof(out).sharding.spec == P("d")
        assert jax.typeof(back).sharding.spec == P(None, "d")


def test_gradients_keep_explicit_shardings():
    mesh = mesh_of(AxisType.Explicit)
    dense, x, _, _ = problem(2)
    matrix = sharded(mesh, ev.Dense(dense), [(None, "d")])

    def loss(x, data):
        return jnp.sum((x @ eqx.tree_at(lambda m: m.data, matrix, data)) ** 2)

    dx, dw = jax.jit(jax.grad(loss, (0, 1)))(place(mesh, x, "d"), matrix.data)
    assert jax.typeof(dx).sharding.spec == P("d")
    assert jax.typeof(dw).sharding.spec == P(None, "d")
    np.testing.assert_allclose(dw, np.outer(x, 2 * (x @ dense)), rtol=1e-12, atol=1e-13)


def collectives(f, *args):
    text = jax.jit(f).lower(*args).compile().as_text()
    return {c for c in COLLECTIVES if re.search(rf"\b{c}(-start)?\(", text)}


def test_materialize_sends_nothing():
    """A native call would gather its operands: XLA splits the identity instead."""
    mesh = mesh_of(AxisType.Auto)
    x = place(mesh, np.arange(8.0), "d")

    def f(x):
        (y,) = ev.materialize((x * 2.0,))
        return y + 1.0

    assert collectives(f, x) == set()
    assert jax.jit(f)(x).sharding.spec == P("d")
    np.testing.assert_array_equal(jax.jit(f)(x), np.arange(8.0) * 2 + 1)
    explicit = place(mesh_of(AxisType.Explicit), np.arange(8.0), "d")
    assert jax.typeof(jax.jit(f)(explicit)).sharding.spec == P("d")


WEIGHTS = {"each": lambda a: ev.CSR.fromdense(a), "one": lambda a: one_weight(a), "dense": ev.Dense}


def one_weight(dense):
    return eqx.tree_at(lambda m: m.data, ev.CSR.fromdense(dense), jnp.asarray(0.5))


def unequal(seed=3, n_cols=COLS):
    """A matrix whose halves differ much in their number of elements."""
    dense = problem(seed)[0][:, :n_cols]
    dense[:, : n_cols // 2] *= dense[:, : n_cols // 2] > 0.8
    return dense


@pytest.mark.parametrize("parts", [1, 2, 3, 8])
@pytest.mark.parametrize("name", WEIGHTS)
def test_split_columns(name, parts):
    matrix = WEIGHTS[name](unequal())
    dense, x = np.asarray(matrix.todense()), problem(3)[1]
    stacked = ev.split_columns(matrix, parts)
    width = -(-COLS // parts)
    assert stacked.shape == (ROWS, width)
    assert all(leaf.shape[0] == parts for leaf in jax.tree.leaves(stacked))
    full = np.pad(dense, ((0, 0), (0, parts * width - COLS)))

    def each(part, v):
        return x @ part, part @ v

    v = jnp.asarray(np.random.default_rng(4).normal(size=(parts, width)))
    forward, back = jax.vmap(each)(stacked, v)
    np.testing.assert_allclose(forward.reshape(-1), x @ full, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(back.sum(0), full @ np.asarray(v).reshape(-1), atol=1e-12)


@pytest.mark.parametrize("name", WEIGHTS)
def test_padding_adds_nothing_on_the_reference(monkeypatch, name):
    monkeypatch.setattr(_prim, "handler_available", lambda *args: False)
    test_split_columns(name, 4)  # a number of parts that nothing was compiled for before


@pytest.mark.parametrize("name", WEIGHTS)
def test_one_part_per_device(name):
    mesh = mesh_of(AxisType.Auto)
    matrix = WEIGHTS[name](unequal())
    dense, x = np.asarray(matrix.todense()), jnp.asarray(problem(3)[1])
    ct = jnp.asarray(problem(3)[3])

    def local(parts, x):
        mine = jax.tree.map(lambda a: a[0], parts)
        return jax.lax.all_gather(x, "d", tiled=True) @ mine

    step = jax.shard_map(local, mesh=mesh, in_specs=(P("d"), P("d")), out_specs=P("d"))

    def loss(data, x):
        parts = ev.split_columns(eqx.tree_at(lambda m: m.data, matrix, data), 2)
        return jnp.sum(ct * step(parts, x))

    np.testing.assert_allclose(step(ev.split_columns(matrix, 2), x), x @ dense, atol=1e-13)
    got = jax.jit(jax.grad(loss, (0, 1)))(matrix.data, x)
    wanted = jax.grad(
        lambda d, x: jnp.sum(ct * (x @ eqx.tree_at(lambda m: m.data, matrix, d))), (0, 1)
    )(matrix.data, x)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_devices_send_spikes_only():
    mesh = mesh_of(AxisType.Auto)
    parts = ev.split_columns(ev.CSR.fromdense(unequal()), 2)
    parts = jax.tree.map(lambda leaf: place(mesh, leaf, "d"), parts)

    def local(parts, x):
        return x @ jax.tree.map(lambda a: a[0], parts)

    step = jax.shard_map(local, mesh=mesh, in_specs=(P("d"), P()), out_specs=P("d"))
    x = place(mesh, problem(3)[1])
    assert collectives(step, parts, x) == set()
    back = jax.grad(lambda p, x: jnp.sum(step(p, x) ** 2), (0, 1), allow_int=True)
    assert collectives(back, parts, x) == {"all-reduce"}  # of the spikes' cotangents


def test_wrong_split():
    matrix = ev.CSR.fromdense(unequal())
    with pytest.raises(ValueError, match="parts must be at least 1, got 0"):
        ev.split_columns(matrix, 0)
    with pytest.raises(TypeError, match="indices and indptr are traced"):
        jax.jit(lambda m: ev.split_columns(m, 2))(matrix)


def test_example():
    source = inspect.cleandoc(ev.split_columns.__doc__)
    scope = {}
    exec(re.search(r"```python\n(.*?)```", source, re.DOTALL)[1], scope)
    np.testing.assert_array_equal(scope["y"], np.ones(4))
