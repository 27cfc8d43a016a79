"""The CUDA kernels without a GPU: their source, run on the CPU, against a dense oracle."""

import _emulated_cuda
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from brainfn.event import _bilinear
from brainfn.event._bilinear import COLS, ROWS, WEIGHTS, BlockSpec, Term, contract

KINDS = ("csr", "csr64", "dense", "dense_by_columns", "ell", "one_to_one", "permuted", "delayed")
LENGTHS = {ROWS: 30, COLS: 44}  # of arrays over rows and columns
RING = (4, 10)  # slots and columns of the ring buffers among the latter


@pytest.fixture(scope="module")
def emulated():
    with _emulated_cuda.operators() as lib:
        yield lib


class Case:
    """A random call of a contraction, and what it must give, by NumPy in float64."""

    def __init__(self, seed, kinds, role, dtype, weight_dtype, mean, batch, masks_on, density):
        self.rng, self.batch, self.role, self.dtype = (
            np.random.default_rng(seed),
            batch,
            role,
            dtype,
        )
        self.mean, self.masks_on, self.density = mean, masks_on, density
        self.weight_dtype = dtype if dtype == np.float64 else weight_dtype
        n = len(kinds) if role == WEIGHTS else 2
        self.masks = [self.mask() for _ in range(n)]
        self.accumulators = [
            None if role == WEIGHTS else self.draw(m, LENGTHS[role], dtype) for m in self.masks
        ]
        self.terms, self.added = [], []
        for i, kind in enumerate(kinds):
            self.add_block(kind, i if role == WEIGHTS else int(self.rng.integers(n)))

    def targets(self):
        return zip(self.accumulators, self.masks, strict=True)

    def mask(self):
        return tuple(bool(self.rng.random() < self.masks_on) for _ in self.batch)

    def draw(self, mask, core, dtype):
        lead = tuple(n for n, has in zip(self.batch, mask, strict=True) if has)
        shape = lead + (core if isinstance(core, tuple) else (core,))
        return np.asarray(self.rng.standard_normal(shape)).astype(dtype)

    def wide(self, x, mask):
        """`x` in float64, with all batch dimensions, of size one where it has none."""
        lead = tuple(n if has else 1 for n, has in zip(self.batch, mask, strict=True))
        return np.array(x, np.float64).reshape(lead + x.shape[sum(mask) :])

    def structure(self, kind, n_rows, n_cols):
        """Index arrays, extra, and for each element row, place, position of its weight."""
        rng, mean = self.rng, self.mean
        if kind == "one_to_one":
            i = np.arange(n_rows)
            return (), (), i, i, i, (n_rows,)
        if kind.startswith("dense"):
            rows, cols = np.indices((n_rows, n_cols)).reshape(2, -1)
            if kind == "dense":
                return (), (), rows, cols, rows * n_cols + cols, (n_rows, n_cols)
            return (), (1,), rows, cols, cols * n_rows + rows, (n_cols, n_rows)
        if kind == "ell":
            cols = np.sort(rng.integers(0, n_cols, (n_rows, mean)), axis=1).astype(np.int32)
            rows = np.repeat(np.arange(n_rows), mean)
            return (cols,), (), rows, cols.reshape(-1), np.arange(rows.size), cols.shape
        # Lengths vary a lot, some rows are empty, and columns occur twice.
        lengths = rng.permutation(np.arange(n_rows) % 4 * mean // 2)
        rows = np.repeat(np.arange(n_rows), lengths)
        cols = rng.integers(0, n_cols, rows.size)
        cols = cols[np.lexsort((cols, rows))].astype(np.int32)
        wide = np.int64 if kind == "csr64" or rng.random() < 0.3 else np.int32
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(wide)
        at = np.arange(rows.size)
        if kind == "permuted":
            order = rng.permutation(rows.size).astype(wide)
            return (cols, indptr, order), (), rows, cols, order, (rows.size,)
        if kind == "delayed":
            delays = rng.integers(1, RING[0], rows.size).astype(rng.choice([np.uint8, np.uint16]))
            now = np.int32(rng.integers(0, 100))
            place = (now + delays.astype(int)) % RING[0] * RING[1] + cols
            return (cols, indptr, delays, now), RING, rows, place, at, (rows.size,)
        return (cols, indptr), (), rows, cols, at, (rows.size,)

    def add_block(self, kind, target):
        rng, role = self.rng, self.role
        n_rows = int(rng.integers(1, 25))
        room = RING[1] if kind == "delayed" else LENGTHS[COLS]
        n_cols = n_rows if kind == "one_to_one" else int(rng.integers(1, min(room, 35)))
        arrays, extra, rows, places, weights, shape = self.structure(kind, n_rows, n_cols)
        scalar = not kind.startswith("dense") and rng.random() < 0.5
        row_offset = int(rng.integers(0, LENGTHS[ROWS] - n_rows + 1))
        col_offset = int(rng.integers(0, room - n_cols + 1))
        masks = [self.mask() for _ in range(3)]
        masks[role] = self.masks[target]
        xs = [
            self.draw(masks[ROWS], LENGTHS[ROWS], self.dtype),
            self.draw(masks[COLS], LENGTHS[COLS], self.dtype),
            self.draw(masks[WEIGHTS], () if scalar else shape, self.weight_dtype),
        ]
        silent = rng.random(xs[ROWS].shape) >= self.density
        xs[ROWS] = np.where(silent, np.zeros((), self.dtype), xs[ROWS])
        if role == WEIGHTS:
            self.accumulators[target] = xs[WEIGHTS]
        if role != ROWS and rng.random() < 0.5:
            xs[ROWS] = xs[ROWS] != 0
        need, need_mask = None, self.mask()
        if rng.random() < 0.5:
            need = self.draw(need_mask, LENGTHS[ROWS], np.float64) < 0.5
        name = {"csr64": "csr", "dense_by_columns": "dense"}.get(kind, kind)
        self.terms.append(
            Term(
                BlockSpec(
                    name, (n_rows, n_cols), (0, 0, 0), row_offset, col_offset, (), extra=extra
                ),
                tuple(target if r == role else jnp.asarray(x) for r, x in enumerate(xs)),
                tuple(masks),
                tuple(jnp.asarray(a) for a in arrays),
                () if need is None else (jnp.asarray(need), need_mask),
            )
        )
        # What each element adds, over all batch dimensions.
        value = np.ones(rows.size)
        at = {ROWS: rows + row_offset, COLS: places + col_offset}
        for r in (ROWS, COLS):
            if r != role:
                value = value * self.wide(xs[r], masks[r])[..., at[r]]
        if need is not None:
            value = value * self.wide(need, need_mask)[..., at[ROWS]]
        if role != WEIGHTS:
            w = self.wide(xs[WEIGHTS], masks[WEIGHTS])
            w = w.reshape((*w.shape[: len(self.batch)], -1))
            value = value * (w if scalar else w[..., weights])
        to = np.zeros(rows.size, int) if scalar else weights
        self.added.append((target, value, to if role == WEIGHTS else at[role]))

    def run(self):
        accumulators = [jnp.asarray(a) for a in self.accumulators]
        out = contract(self.role, self.batch, accumulators, self.masks, self.terms)
        return [np.asarray(x) for x in out]

    def check(self, got):
        """Another order of n additions whose magnitudes add up to s: a few eps * sqrt(n) * s."""
        for i, (accumulator, mask) in enumerate(self.targets()):
            total = self.wide(accumulator, mask)
            flat = total.reshape((*total.shape[: len(self.batch)], -1))
            size, count = np.abs(flat), np.ones_like(flat)
            for target, value, at in self.added:
                if target != i:
                    continue
                summed = tuple(d for d, has in enumerate(mask) if not has and value.shape[d] > 1)
                for out, v in ((flat, value), (size, np.abs(value)), (count, np.ones_like(value))):
                    v = v.sum(axis=summed, keepdims=True)
                    np.add.at(out, (..., at), np.broadcast_to(v, (*out.shape[:-1], at.size)))
            assert got[i].dtype == accumulator.dtype and got[i].shape == accumulator.shape
            error = np.abs(got[i].astype(np.float64).reshape(flat.shape) - flat)
            eps = float(jnp.finfo(accumulator.dtype).eps)
            assert np.all(error <= 4 * eps * np.sqrt(count) * size), np.max(error)


CASES = {
    "seed": st.integers(0, 2**31),
    "kinds": st.lists(st.sampled_from(KINDS), min_size=1, max_size=9),
    "dtype": st.sampled_from([np.float32, np.float64]),
    "weight_dtype": st.sampled_from([np.float32, np.float32, np.float16, jnp.bfloat16]),
    "mean": st.sampled_from([1, 5, 40, 90]),
    "batch": st.sampled_from([(), (), (3,), (2, 3), (2, 1, 4)]),
    "masks_on": st.sampled_from([0.3, 0.8]),
    "density": st.sampled_from([0.0, 0.3, 1.0]),
}


@pytest.mark.parametrize("role", [ROWS, COLS, WEIGHTS])
@settings(max_examples=15)
@given(order=st.integers(0, 3), deterministic=st.booleans(), case=st.data())
def test_kernels_equal_the_dense_oracle(emulated, role, order, deterministic, case):
    case = case.draw(st.builds(Case, role=st.just(role), **CASES))
    emulated.brainfn_emulated_order(order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_bilinear, "deterministic", lambda: deterministic)
        case.check(case.run())


@pytest.mark.parametrize("role", [COLS, ROWS, WEIGHTS])
def test_deterministic_results_do_not_depend_on_the_order(emulated, monkeypatch, role):
    case = Case(3, KINDS, role, np.float32, np.float32, 40, (2, 3), 0.5, 1.0)

    def runs(deterministic):
        monkeypatch.setattr(_bilinear, "deterministic", lambda: deterministic)
        jax.clear_caches()  # it is read when a function is compiled
        out = []
        for order in range(4):
            emulated.brainfn_emulated_order(order)
            got = case.run()
            case.check(got)
            out.append([x.tobytes() for x in got])
        return out

    ordered = runs(True)
    assert all(x == ordered[0] for x in ordered)
    # `gather` owns its rows always; the others show that the test can fail.
    free = runs(False)
    assert all(x == free[0] for x in free) == (role == ROWS)
