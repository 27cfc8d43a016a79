"""Wrong calls of the operator room: each names the argument and raises before any work.

They run without the checks of annotations, as users do.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

import brainfn as bf
import brainfn.event as ev


@pytest.fixture(autouse=True)
def _as_users_do():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


C = ev.CSR(np.ones(4), [0, 1, 2, 1], [0, 2, 3, 4], shape=(3, 4))
OTHER = ev.CSR(np.ones(4), [0, 1, 2, 3], [0, 0, 0, 0, 4], shape=(4, 4))
D = ev.Delayed(C, [1, 2, 3, 1])
RING = np.zeros((4, 4))
S = np.ones(3, bool)
POST = np.ones(4, bool)


def csr(data=1.0, indices=(0,), indptr=(0, 1), shape=(1, 1)):
    return ev.CSR(data, indices, indptr, shape=shape)


def identity(x, *, k=1):
    del k
    return x


# (call, exception, what the message must hold)
WRONG = {
    "data text": (lambda: csr("six"), TypeError, "CSR: data .* got str"),
    "data none": (lambda: ev.Dense(None), TypeError, "Dense: data .* got NoneType"),
    "indices none": (lambda: csr(indices=None), TypeError, "CSR: indices must be"),
    "indices ragged": (
        lambda: ev.FixedFanout(1.0, [[0], [0, 1]], shape=(2, 2)),
        TypeError,
        "FixedFanout: indices must be an array of integers",
    ),
    "shape none": (lambda: csr(shape=None), TypeError, "CSR: shape must be two integers"),
    "shape text": (lambda: csr(shape="ab"), TypeError, "CSR: shape must be two integers"),
    "shape float": (lambda: csr(shape=(1.0, 1)), TypeError, "CSR: shape must be two integers"),
    "shape traced": (
        lambda: jax.jit(lambda n: csr(shape=(1, n)).data)(1),
        TypeError,
        "CSR: shape must be two integers",
    ),
    "size float": (lambda: ev.OneToOne(1.0, 3.0), TypeError, "OneToOne: size must be a whole"),
    "size bool": (lambda: ev.OneToOne(1.0, True), TypeError, "OneToOne: size must be a whole"),
    "size negative": (lambda: ev.OneToOne(1.0, -3), ValueError, "size must be at least 0"),
    "coo too few weights": (
        lambda: ev.CSR.fromcoo([1.0], [0, 0], [0, 0], shape=(1, 1)),
        ValueError,
        r"fromcoo: data must be one number or have the shape of rows \(2,\), got \(1,\)",
    ),
    "coo too many weights": (
        lambda: ev.CSR.fromcoo([1.0, 2.0], [0], [0], shape=(1, 1)),
        ValueError,
        "fromcoo: data must be one number",
    ),
    "coo traced": (
        lambda: jax.jit(lambda r: ev.CSR.fromcoo(1.0, r, r, shape=(1, 1)).data)(np.zeros(1, int)),
        TypeError,
        "fromcoo: rows is traced.*outside of jit",
    ),
    "dense traced": (
        lambda: jax.jit(ev.CSR.fromdense)(jnp.ones((2, 2))),
        TypeError,
        "fromdense: matrix is traced",
    ),
    "spikes none": (lambda: None @ C, TypeError, "x @ W: x must be an array"),
    "two matrices": (lambda: C @ C, TypeError, "W @ x: x must be a vector .*todense"),
    "swapped": (lambda: ev.matvec(C, S), TypeError, "matvec: x must be an array.* comes first"),
    "a dense array": (lambda: ev.matvec(S, np.ones((3, 4))), TypeError, "got ndarray. Try .*Dense"),
    "matrix with delays": (lambda: ev.matvec(S, D), TypeError, "got Delayed.*delayed_matvec"),
    "matmat none": (
        lambda: ev.matmat(S[None], None),
        TypeError,
        "must be a matrix of brainfn.event",
    ),
    "need text": (lambda: ev.matvec(S, C, need="all"), TypeError, "matvec: need must be"),
    "delays none": (lambda: ev.Delayed(C, None), TypeError, "Delayed: delays must be"),
    "delays zero": (lambda: ev.Delayed(C, 0), ValueError, r"lie in \[1, 65535\].* from 0 to 0"),
    "delays too long": (lambda: ev.Delayed(C, 70000), ValueError, r"\[1, 65535\].* 70000"),
    "longest float": (lambda: ev.Delayed(C, 1, longest=2.5), TypeError, "longest must be a whole"),
    "longest traced": (
        lambda: jax.jit(lambda n: ev.Delayed(C, 1, longest=n).delays)(3),
        TypeError,
        "Delayed: longest must be a whole",
    ),
    "ring none": (lambda: ev.delayed_matvec(None, S, D, 0), TypeError, "ring must be an array"),
    "no delays": (lambda: ev.delayed_matvec(RING, S, C, 0), TypeError, "matrix must be .*Delayed"),
    "now none": (lambda: ev.delayed_matvec(RING, S, D, None), TypeError, "now must be"),
    "now a clock": (
        lambda: ev.arrivals(RING, bf.Clock(0, 0.1)),
        TypeError,
        "arrivals: now must be .* got Clock",
    ),
    "ring of integers": (
        lambda: ev.arrivals(np.ones((2, 2), int), 0),
        TypeError,
        "arrivals: ring must be floating point",
    ),
    "update spikes": (lambda: ev.on_pre(C, None, 1.0), TypeError, "on_pre: spikes must be"),
    "update change": (lambda: ev.on_pre(C, S, "six"), TypeError, "on_pre: change must be"),
    "update bounds": (
        lambda: ev.on_pre(C, S, 1.0, lower=2.0, upper=1.0),
        ValueError,
        "on_pre: lower must not exceed upper, got 2.0 and 1.0",
    ),
    "update bound nan": (
        lambda: ev.on_pre(C, S, 1.0, lower=float("nan")),
        ValueError,
        "on_pre: lower must be a number, got NaN",
    ),
    "columns a matrix": (
        lambda: ev.on_post(C, POST, 1.0, columns=C),
        TypeError,
        "columns must be the result of matrix.column_index",
    ),
    "columns of a taller matrix": (
        lambda: ev.on_post(C, POST, np.ones(3), columns=OTHER.column_index()),
        ValueError,
        "columns is of a matrix with 4 rows, but matrix has 3",
    ),
    "no blocks": (
        lambda: ev.block_matvec([RING[0]], [S], None),
        TypeError,
        "blocks must be a list",
    ),
    "a matrix as block": (
        lambda: ev.block_matvec([RING[0]], [S], [C]),
        TypeError,
        r"blocks\[0\] must be a brainfn.event.Block",
    ),
    "block of an array": (lambda: ev.Block(np.ones((3, 4))), TypeError, "Block: matrix must be"),
    "block offset": (lambda: ev.Block(C, 0, 1.5), TypeError, "Block: row_offset must be a whole"),
    "transpose none": (
        lambda: ev.transpose_structure(None, C.indptr, 4),
        TypeError,
        "transpose_structure: indices must be",
    ),
    "transpose columns": (
        lambda: ev.transpose_structure(C.indices, C.indptr, "4"),
        TypeError,
        "transpose_structure: n_cols must be a whole",
    ),
    "split an array": (lambda: ev.split_columns(np.ones((3, 4)), 2), TypeError, "matrix must be"),
    "split float": (lambda: ev.split_columns(C, 2.0), TypeError, "parts must be a whole"),
    "tags text": (lambda: ev.LinearOperator(C, "symmetric"), TypeError, "tags must be .*lineax"),
    "define accumulate": (
        lambda: ev.define(identity, accumulate=["x"]),
        TypeError,
        "define: accumulate must be a dictionary",
    ),
    "define transpose": (
        lambda: ev.define(identity, linear=("x",), transpose=identity),
        TypeError,
        "define: transpose must be a dictionary",
    ),
    "define supports": (
        lambda: ev.define(identity, supports=True),
        TypeError,
        "define: supports must be a function",
    ),
    "operator text": (lambda: ev.define(identity)("six"), TypeError, "identity: x must be"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_call(name):
    call, exception, message = WRONG[name]
    with pytest.raises(exception, match=message):
        call()


def test_lists_are_taken_where_arrays_are():
    np.testing.assert_array_equal([1, 0, 1] @ C, np.asarray([1, 0, 1]) @ C)
    ring = ev.delayed_matvec(RING.tolist(), S.tolist(), D, 0)
    np.testing.assert_array_equal(ring, ev.delayed_matvec(RING, S, D, 0))
    assert ev.CSR.fromcoo([], [], [], shape=(2, 3)).nnz == 0


def test_the_index_of_columns_is_a_pytree_of_its_arrays():
    assert len(jax.tree.leaves(eqx.filter(C.column_index(), eqx.is_array))) == 3
