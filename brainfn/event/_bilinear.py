r"""Three primitives that are closed under differentiation.

Each sparse block is a trilinear form
$$ \sum_k x_{r(k)}\, W_k\, v_{c(k)} $$
of an array over rows $x$, one over columns $v$ and one of weights $W$. Its three partial
derivatives are the three primitives, each of which adds the contributions of many blocks to
accumulators, in place:

- `scatter` ($\partial/\partial v$): $y_{c(k)} \mathrel{+}= x_{r(k)} W_k$, only rows with $x \neq 0$
  are touched;
- `gather` ($\partial/\partial x$): $y_{r(k)} \mathrel{+}= W_k v_{c(k)}$;
- `sddmm` ($\partial/\partial W$): $y_k \mathrel{+}= x_{r(k)} v_{c(k)}$, only rows with $x \neq 0$
  are touched.

The JVP and the transpose of each are again calls of the three. Batches: `Spec.batch` lists batch
sizes and each operand has a mask that says which of these dimensions it has (in front); a block
runs over the union of the masks of its operands and sums into an accumulator that lacks a
dimension. So `vmap`, nested or not, never copies an operand that it does not batch.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from ._cuda import deterministic
from ._materialize import materialize
from ._prim import (
    Native,
    add_cotangents,
    define,
    is_zero,
    loop_over_batch,
    shard_like,
    zero_tangent,
)
from ._reference import contributions, spread_sums

ROWS, COLS, WEIGHTS, NEEDS, STRUCTURE = range(5)

Mask = tuple[bool, ...]


class BlockSpec(NamedTuple):
    """One sparse block: which arrays it joins and where. All static.

    `arrays` are positions among the rows, columns and weights; `structure` positions of its index
    arrays. A block with `need >= 0` ignores rows where that boolean array is False; `need_tangent`
    does so only for derivatives with respect to the array over rows.

    Kinds, with their structure and `extra`: `"csr"` (indices, indptr); `"dense"` (), extra `(1,)`
    where the weights are stored as (columns, rows); `"ell"` (indices,); `"one_to_one"` ();
    `"permuted"` (indices, indptr, order), the k-th element has weight `order[k]`; `"delayed"`
    (indices, indptr, delays, now), extra (length, width): the array over columns is a ring buffer
    of `length` slots of `width`, and the k-th element meets slot `(now + delays[k]) % length`;
    `"all_to_all"` (), extra `(diagonal,)` where the elements (i, i + diagonal) are left out;
    `"circulant"` (), the element (i, j) has weight `(j - i) % n`.
    """

    kind: str
    shape: tuple[int, int]
    arrays: tuple[int, int, int]
    row_offset: int
    col_offset: int
    structure: tuple[int, ...]
    need: int = -1
    need_tangent: int = -1
    extra: tuple[int, ...] = ()  # further integers that the kind needs


class Spec(NamedTuple):
    """The static description of a call; `masks[role][position]` over `batch` for rows, columns,
    weights, needs."""

    batch: tuple[int, ...]
    masks: tuple[tuple[Mask, ...], ...]
    blocks: tuple[BlockSpec, ...]

    def split(self, operands: Sequence) -> list[list]:
        """Operands by role."""
        out, start = [], 0
        for masks in self.masks:
            out.append(list(operands[start : start + len(masks)]))
            start += len(masks)
        return [*out, list(operands[start:])]


class Term(NamedTuple):
    """A block together with its arrays (rows, columns, weights), as the rules handle it."""

    block: BlockSpec
    arrays: tuple
    masks: tuple[Mask, ...]
    structure: tuple
    need: tuple = ()  # (array, mask) or nothing
    need_tangent: tuple = ()


def contract(
    role: int,
    batch: tuple[int, ...],
    accumulators: Sequence,
    masks: Sequence[Mask],
    terms: Sequence[Term],
):
    """Add the terms to the accumulators of `role`. `term.arrays[role]` is the position of its
    accumulator."""
    plain = [t for t in terms if t.block.kind in _PLAIN]
    if 0 < len(plain) < len(terms):
        # A call of their own: they have no kernel, and all others would lose theirs.
        terms = [t for t in terms if t.block.kind not in _PLAIN]
        out = contract(role, batch, accumulators, masks, terms)
        touched = sorted({t.arrays[role] for t in plain})
        plain = [_retarget(t, role, touched.index(t.arrays[role])) for t in plain]
        some = contract(role, batch, [out[i] for i in touched], [masks[i] for i in touched], plain)
        for i, value in zip(touched, some, strict=True):
            out[i] = value
        return out
    operands: list[list] = [[], [], [], [], []]
    spec_masks: list[list] = [[], [], [], []]
    seen: list[dict[int, int]] = [{}, {}, {}, {}, {}]
    operands[role] = list(accumulators)
    spec_masks[role] = list(masks)

    def position(r, array, mask):
        if id(array) not in seen[r]:
            seen[r][id(array)] = len(operands[r])
            operands[r].append(array)
            if r != STRUCTURE:
                spec_masks[r].append(mask)
        return seen[r][id(array)]

    blocks = []
    for term in terms:
        arrays = tuple(
            term.arrays[r] if r == role else position(r, term.arrays[r], term.masks[r])
            for r in range(3)
        )
        blocks.append(
            term.block._replace(
                arrays=arrays,
                structure=tuple(position(STRUCTURE, s, None) for s in term.structure),
                need=position(NEEDS, *term.need) if term.need else -1,
                need_tangent=position(NEEDS, *term.need_tangent) if term.need_tangent else -1,
            )
        )
    spec = Spec(batch, tuple(map(tuple, spec_masks)), tuple(blocks))
    outputs = _OPERATORS[role](*[x for group in operands for x in group], spec=spec)
    return [shard_like(y, x) for y, x in zip(outputs, accumulators, strict=True)]


def terms_of(spec: Spec, operands: Sequence) -> list[Term]:
    """The blocks of a call with their arrays."""
    groups = spec.split(operands)

    def need(i):
        return (groups[NEEDS][i], spec.masks[NEEDS][i]) if i >= 0 else ()

    return [
        Term(
            b,
            tuple(groups[r][b.arrays[r]] for r in range(3)),
            tuple(spec.masks[r][b.arrays[r]] for r in range(3)),
            tuple(groups[STRUCTURE][i] for i in b.structure),
            need(b.need),
            need(b.need_tangent),
        )
        for b in spec.blocks
    ]


def _jvp(role, primals, tangents, *, spec):
    out = _OPERATORS[role](*primals, spec=spec)
    tangent_groups = spec.split(tangents)
    primal_groups = spec.split(primals)
    terms, touched = [], set()
    for term in terms_of(spec, primals):
        target = term.block.arrays[role]
        for r in range(3):
            tangent = None if r == role else tangent_groups[r][term.block.arrays[r]]
            if tangent is None or is_zero(tangent):
                continue
            arrays = list(term.arrays)
            arrays[r], arrays[role] = tangent, target
            need = term.need_tangent if r == ROWS and term.need_tangent else term.need
            terms.append(term._replace(arrays=tuple(arrays), need=need))
            touched.add(target)
    order = sorted(touched)
    accumulators = [
        jnp.zeros_like(primal_groups[role][i])
        if is_zero(tangent_groups[role][i])
        else tangent_groups[role][i]
        for i in order
    ]
    out_tangents = [
        zero_tangent(p) if is_zero(t) else t
        for p, t in zip(primal_groups[role], tangent_groups[role], strict=True)
    ]
    if order:
        terms = [_retarget(t, role, order.index(t.arrays[role])) for t in terms]
        masks = [spec.masks[role][i] for i in order]
        for i, tangent in zip(
            order, contract(role, spec.batch, accumulators, masks, terms), strict=True
        ):
            out_tangents[i] = tangent
    return out, out_tangents


def _retarget(term: Term, role: int, array) -> Term:
    arrays = list(term.arrays)
    arrays[role] = array
    return term._replace(arrays=tuple(arrays))


def _transpose(role, cotangents, operands, running, *, spec):
    groups = spec.split(operands)
    out = spec.split(running)
    for i, cotangent in enumerate(cotangents):
        if out[role][i] is not None:
            out[role][i] = add_cotangents(out[role][i], cotangent)
    for r in range(3):
        if r == role:
            continue
        terms, wanted = [], []
        for term in terms_of(spec, operands):
            cotangent = cotangents[term.block.arrays[role]]
            i = term.block.arrays[r]
            if out[r][i] is not None and not is_zero(cotangent):
                if i not in wanted:
                    wanted.append(i)
                terms.append(_retarget(_retarget(term, role, cotangent), r, wanted.index(i)))
        if wanted:
            # Added to the cotangents accumulated so far, in place where JAX carries them.
            collected = [
                jnp.zeros(groups[r][i].aval.shape, groups[r][i].aval.dtype)
                if is_zero(out[r][i])
                else out[r][i]
                for i in wanted
            ]
            masks = [spec.masks[r][i] for i in wanted]
            for i, value in zip(
                wanted, contract(r, spec.batch, collected, masks, terms), strict=True
            ):
                out[r][i] = value
    # The cotangent of a ring buffer is changed in place, one slot at a time, after it has been
    # read: if XLA did not know this order, it would copy the ring.
    for i in {b.arrays[COLS] for b in spec.blocks if b.kind == "delayed"} if role == COLS else ():
        if out[COLS][i] is not None and not is_zero(out[COLS][i]):
            read = [x for r in (ROWS, WEIGHTS) for x in out[r] if x is not None and not is_zero(x)]
            out[COLS][i] = materialize(out[COLS][i], after=read)
    return [x for group in out for x in group]


def _batch(role, operands, dims, *, spec):
    dim_groups = spec.split(dims)
    if any(d is not None for d in dim_groups[STRUCTURE]):
        return loop_over_batch(_OPERATORS[role], operands, dims, spec=spec)
    size = next(x.shape[d] for x, d in zip(operands, dims, strict=True) if d is not None)
    batched = [[d is not None for d in group] for group in dim_groups[:STRUCTURE]]
    # An accumulator needs the new dimension as soon as anything that is added to it has it.
    for b in spec.blocks:
        parts = [batched[r][b.arrays[r]] for r in range(3)]
        parts += [batched[NEEDS][i] for i in (b.need,) if i >= 0]
        batched[role][b.arrays[role]] |= any(parts)
    masks = tuple(
        tuple((has, *mask) for has, mask in zip(group, old, strict=True))
        for group, old in zip(batched, spec.masks, strict=True)
    )
    new = []
    for r, group in enumerate(spec.split(operands)):
        for i, x in enumerate(group):
            d = dim_groups[r][i]
            if d is not None:
                x = jnp.moveaxis(x, d, 0)
            elif r == role and batched[role][i]:
                x = jnp.broadcast_to(x[None], (size, *x.shape))
            new.append(x)
    out = _OPERATORS[role](*new, spec=Spec((size, *spec.batch), masks, spec.blocks))
    return out, [0 if has else None for has in batched[role]]


def _outputs(role, *avals, spec):
    return [(a.shape, a.dtype) for a in spec.split(avals)[role]]


def _reference(role, *operands, spec):
    groups = spec.split(operands)
    accumulators = groups[role]
    terms = terms_of(spec, operands)
    spread = [_retarget(t, role, t.block.arrays[role]) for t in terms if t.block.kind == _SPREAD]
    if spread:
        accumulators = spread_sums(role, spec.batch, spread, accumulators)
    for term in terms:
        if term.block.kind == _SPREAD:
            continue
        i = term.block.arrays[role]
        accumulators[i] = contributions(role, spec.batch, term, accumulators[i])
    return accumulators


# Kinds that have no kernel: a few sums or Fourier transforms, which XLA does as well.
_SPREAD = "all_to_all"
_PLAIN = (_SPREAD, "circulant")
_KINDS = {
    "csr": 0,
    "dense": 1,
    "ell": 2,
    "one_to_one": 3,
    "permuted": 4,
    "delayed": 5,
    "jit": 6,
}
_HALF = (np.dtype(jnp.float16), np.dtype(jnp.bfloat16))
_MAX_STRUCTURE = _MAX_EXTRA = 4
_TARGETS = ("brainfn_gather", "brainfn_scatter", "brainfn_sddmm")


# From this batch size on, XLA's dense matrix product is faster than processing spikes one by one,
# at any activity (`tests/benchmarks/dense.py`).
_MATRIX = 16


def _is_matrix_product(spec: Spec) -> bool:
    """Whether a call is a product of dense matrices: a large batch through shared weights."""
    dense = all(b.kind == "dense" for b in spec.blocks)
    shared = not any(any(mask) for mask in spec.masks[WEIGHTS])
    return bool(spec.blocks) and dense and shared and math.prod(spec.batch) >= _MATRIX


def native_call(role, *avals, spec):
    groups = spec.split(avals)
    dtype = groups[COLS][0].dtype if groups[COLS] else None
    if dtype not in (np.float32, np.float64) or len(spec.batch) > 8:
        return None
    if any(a.dtype != dtype for a in groups[COLS] + (groups[ROWS] if role == ROWS else [])):
        return None
    weights = (dtype, *_HALF) if dtype == np.float32 else (dtype,)
    if any(a.dtype not in weights for a in groups[WEIGHTS]):
        return None
    made = [groups[WEIGHTS][b.arrays[WEIGHTS]] for b in spec.blocks if b.kind == "jit"]
    if any(a.dtype != dtype for a in made):
        return None
    if any(a.dtype not in (dtype, np.dtype(bool)) for a in groups[ROWS]):
        return None
    if _is_matrix_product(spec) or any(b.kind in _PLAIN for b in spec.blocks):
        return None
    if any(a.size >= 2**31 for group in groups[:2] for a in group):
        return None
    meta = [len(spec.batch), *spec.batch, *map(len, groups), len(spec.blocks)]
    for r, masks in enumerate(spec.masks):
        for mask, aval in zip(masks, groups[r], strict=True):
            core = aval.shape[sum(mask) :]
            size = math.prod(core) if core else -1
            meta += [sum(has << d for d, has in enumerate(mask)), size]
    for b in spec.blocks:
        structure = b.structure + (-1,) * (_MAX_STRUCTURE - len(b.structure))
        extra = b.extra + (0,) * (_MAX_EXTRA - len(b.extra))
        meta += [
            _KINDS[b.kind],
            *b.shape,
            *b.arrays,
            b.row_offset,
            b.col_offset,
            *structure,
            b.need,
            *extra,
        ]
    start = sum(len(g) for g in groups[:role])
    aliases = {start + i: i for i in range(len(groups[role]))}
    return Native(_TARGETS[role], {"meta": np.asarray(meta, np.int64)}, aliases)


def cuda_call(role, *avals, spec):
    """The same call for a GPU."""
    call = native_call(role, *avals, spec=spec)
    return None if call is None else for_cuda(call)


def for_cuda(call: Native) -> Native:
    """The call with the additional attribute that the CUDA handlers need."""
    return call._replace(attributes={**call.attributes, "deterministic": deterministic()})


def _make(role: int, name: str) -> Callable[..., list]:
    def with_role(f):
        return lambda *args, **kwargs: f(role, *args, **kwargs)

    return define(
        name,
        reference=with_role(_reference),
        outputs=with_role(_outputs),
        native=with_role(native_call),
        cuda=with_role(cuda_call),
        jvp=with_role(_jvp),
        accumulate=with_role(_transpose),
        batch=with_role(_batch),
    )


_OPERATORS = {
    ROWS: _make(ROWS, "event_gather"),
    COLS: _make(COLS, "event_scatter"),
    WEIGHTS: _make(WEIGHTS, "event_sddmm"),
}
