"""Sparse matrices as operators of Lineax: against SciPy, NumPy and Lineax's own dense operator."""

import inspect
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

import brainfn.event as ev

N = 20


def positive_definite(seed=0, n=N):
    """A sparse symmetric matrix that is diagonally dominant."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, n)) * (rng.random((n, n)) < 0.15)
    a = a + a.T
    return a + np.diag(np.abs(a).sum(0) + 1.0)


def rectangular(seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(7, 5)) * (rng.random((7, 5)) < 0.5)


def ell(a):
    columns = np.tile(np.arange(a.shape[1]), (a.shape[0], 1))
    return ev.FixedFanout(a, columns, shape=a.shape)


FORMATS = {"csr": ev.CSR.fromdense, "dense": ev.Dense, "ell": ell}


@pytest.mark.parametrize("name", FORMATS)
def test_products_structures_and_transpose(name):
    a = rectangular()
    operator = ev.LinearOperator(FORMATS[name](jnp.asarray(a)))
    rng = np.random.default_rng(2)
    x, y = jnp.asarray(rng.normal(size=5)), jnp.asarray(rng.normal(size=7))
    for op, dense, v in ((operator, a, x), (operator.T, a.T, y), (operator.T.T, a, x)):
        # Five or seven products are summed in another order: a few eps.
        np.testing.assert_allclose(op.mv(v), dense @ np.asarray(v), rtol=1e-13, atol=1e-14)
        np.testing.assert_array_equal(op.as_matrix(), dense)
        assert op.in_structure() == jax.ShapeDtypeStruct((dense.shape[1],), np.float64)
        assert op.out_structure() == jax.ShapeDtypeStruct((dense.shape[0],), np.float64)
        assert (op.in_size(), op.out_size()) == dense.shape[::-1]
        np.testing.assert_array_equal(lx.diagonal(op), np.diag(dense))
        main, lower, upper = lx.tridiagonal(op)
        np.testing.assert_array_equal(main, np.diag(dense))
        np.testing.assert_array_equal(lower, np.diag(dense, -1))
        np.testing.assert_array_equal(upper, np.diag(dense, 1))
    composed = (operator.T @ operator * 2.0 + operator.T @ operator).mv(x)
    np.testing.assert_allclose(composed, 3 * a.T @ (a @ np.asarray(x)), rtol=1e-12)


def test_float32():
    operator = ev.LinearOperator(ev.CSR.fromdense(rectangular().astype(np.float32)))
    assert (
        operator.mv(jnp.ones(5, jnp.float32)).dtype == operator.out_structure().dtype == np.float32
    )


QUERIES = [
    lx.is_symmetric,
    lx.is_diagonal,
    lx.is_tridiagonal,
    lx.has_unit_diagonal,
    lx.is_lower_triangular,
    lx.is_upper_triangular,
    lx.is_positive_semidefinite,
    lx.is_negative_semidefinite,
]
TAGS = [
    (),
    lx.symmetric_tag,
    lx.diagonal_tag,
    lx.tridiagonal_tag,
    lx.unit_diagonal_tag,
    lx.lower_triangular_tag,
    lx.upper_triangular_tag,
    lx.positive_semidefinite_tag,
    lx.negative_semidefinite_tag,
    (lx.lower_triangular_tag, lx.unit_diagonal_tag),
]


@pytest.mark.parametrize("tags", TAGS, ids=str)
def test_queries_agree_with_a_dense_operator(tags):
    a = np.eye(3)
    ours, theirs = ev.LinearOperator(ev.CSR.fromdense(a), tags), lx.MatrixLinearOperator(a, tags)
    for query in QUERIES:
        assert query(ours) == query(theirs), query.__name__
        assert query(ours.T) == query(theirs.T), query.__name__
    assert lx.conj(ours) is ours and lx.linearise(ours) is ours
    kinds = [type(lx.materialise(op)) for op in (ours, theirs)]
    if lx.is_tridiagonal(ours):
        assert kinds[0] is kinds[1]
        np.testing.assert_array_equal(lx.materialise(ours).as_matrix(), a)
    else:
        assert lx.materialise(ours) is ours


def test_solvers_against_scipy():
    a = positive_definite()
    b = np.random.default_rng(3).normal(size=N)
    wanted = scipy.sparse.linalg.spsolve(scipy.sparse.csc_matrix(a), b)
    spd = ev.LinearOperator(ev.CSR.fromdense(a), lx.positive_semidefinite_tag)
    tolerances = {"rtol": 1e-12, "atol": 1e-12}
    solution = jax.jit(lambda b: lx.linear_solve(spd, b, lx.CG(**tolerances)).value)(jnp.asarray(b))
    # The residual is below 1e-12 of b; the condition number is below 10.
    np.testing.assert_allclose(solution, wanted, atol=1e-11)
    rng = np.random.default_rng(4)
    a = a + np.triu(rng.normal(size=(N, N)) * (rng.random((N, N)) < 0.1))
    wanted = scipy.sparse.linalg.spsolve(scipy.sparse.csc_matrix(a), b)
    general = ev.LinearOperator(ev.CSR.fromdense(a))
    for solver in (lx.GMRES(restart=N, **tolerances), lx.AutoLinearSolver(well_posed=True)):
        solution = lx.linear_solve(general, jnp.asarray(b), solver).value
        np.testing.assert_allclose(solution, wanted, atol=1e-10)
    transposed = lx.linear_solve(general.T, jnp.asarray(b), lx.GMRES(restart=N, **tolerances)).value
    np.testing.assert_allclose(transposed, np.linalg.solve(a.T, b), atol=1e-10)


def test_gradient_through_the_solve_and_vmap():
    a = positive_definite(5, 8)
    operator = ev.LinearOperator(ev.CSR.fromdense(a))
    rng = np.random.default_rng(6)
    b, c = jnp.asarray(rng.normal(size=8)), jnp.asarray(rng.normal(size=8))
    solver = lx.GMRES(rtol=1e-13, atol=1e-13, restart=8)

    def loss(data, b):
        replaced = eqx.tree_at(lambda op: op.matrix.data, operator, data)
        return jnp.sum(c * lx.linear_solve(replaced, b, solver).value ** 2)

    data = operator.matrix.data
    by_data, by_b = jax.jit(jax.grad(loss, (0, 1)))(data, b)
    both = jax.jit(lambda d, b: jnp.stack([loss(d, b), loss(2 * data - d, 0 * b)]))
    h = 1e-5
    for k in range(0, data.size, 5):
        step = jnp.zeros_like(data).at[k].set(h)
        difference = (both(data + step, b)[0] - both(data - step, b)[0]) / (2 * h)
        # Central differences in float64: h^2 and 1e-13 / h.
        np.testing.assert_allclose(by_data[k], difference, atol=1e-6)
    wanted = np.linalg.solve(a.T, 2 * np.asarray(c) * np.linalg.solve(a, np.asarray(b)))
    np.testing.assert_allclose(by_b, wanted, atol=1e-10)

    many = jnp.asarray(rng.normal(size=(3, 8)))
    solve = jax.vmap(lambda b: lx.linear_solve(operator, b, solver).value)
    np.testing.assert_allclose(solve(many), np.linalg.solve(a, np.asarray(many).T).T, atol=1e-10)
    scales = jnp.asarray([1.0, 2.0])
    out = jax.vmap(lambda s: jax.grad(loss, 1)(s * data, b))(scales)
    np.testing.assert_allclose(out, [wanted, wanted / 4], atol=1e-10)


def test_wrong_arguments():
    csr = ev.CSR.fromdense(rectangular())
    with pytest.raises(ValueError, match="must have matching input and output"):
        ev.LinearOperator(csr, lx.symmetric_tag)
    with pytest.raises(Exception, match=r"LinearOperator"):
        ev.LinearOperator(np.eye(3))
    with pytest.raises(ValueError, match=r"W @ x: W has shape \(7, 5\)"):
        ev.LinearOperator(csr).mv(jnp.ones(7))


def test_example():
    source = inspect.cleandoc(ev.LinearOperator.__doc__)
    scope = {}
    exec(re.search(r"```python\n(.*?)```", source, re.DOTALL)[1], scope)
    n, k = scope["n"], scope["coupling"]
    a = np.diag(np.full(n, 1 + 2 * k)) - k * (np.eye(n, k=1) + np.eye(n, k=-1))
    inverse = np.linalg.inv(a)
    np.testing.assert_allclose(scope["v"], inverse[0], atol=1e-5)
    np.testing.assert_allclose(scope["slope"], -inverse[10] * inverse[0], atol=1e-5)
