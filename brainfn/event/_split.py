"""A matrix cut into columns, one part for each device."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ._check import concrete, whole_number
from ._csr import CSR
from ._dense import Dense
from ._matrix import AbstractMatrix


def split_columns(matrix: AbstractMatrix, parts: int) -> AbstractMatrix:
    r"""Cuts a matrix into parts of equally many columns, for one device each.

    Under a plain `jit` a kernel gets whole arrays: XLA gathers what is sharded, and each device
    computes everything. Under `jax.shard_map` each device calls the kernel on its own columns, that
    is, its own postsynaptic neurons:

    ```python
    import jax
    import jax.numpy as jnp
    from jax.sharding import AxisType, PartitionSpec as P
    import brainfn as bf

    matrix = bf.event.CSR.fromdense(jnp.eye(4))
    n = jax.device_count()
    mesh = jax.make_mesh((n,), ("neurons",), axis_types=(AxisType.Auto,))
    parts = bf.event.split_columns(matrix, n)

    def step(parts, spikes):
        mine = jax.tree.map(lambda x: x[0], parts)
        everywhere = jax.lax.all_gather(spikes, "neurons", tiled=True)
        return everywhere @ mine

    specs = (P("neurons"), P("neurons"))
    step = jax.shard_map(step, mesh=mesh, in_specs=specs, out_specs=P("neurons"))
    y = step(parts, jnp.ones(4))
    ```

    Devices exchange only spikes in the forward pass, and only their cotangents in the backward
    pass.

    **Arguments:**

    - `matrix`: `(n_rows, n_cols)`, of any format.
    - `parts`: the number of parts. Each has `ceil(n_cols / parts)` columns; the last ones may have
      columns that are empty.

    **Returns:** a `Dense` if `matrix` is one, else a `CSR`, with an axis of length `parts` in front
    of each array; its `shape` is that of one part. Parts of a `CSR` are padded to equally many
    stored elements; padding adds nothing to products and derivatives, and is not meant for
    `.T` or `todense`. Differentiable in the weights.

    Raises `ValueError` for fewer than one part, `TypeError` if the positions of the elements are
    traced.
    """
    if not isinstance(matrix, AbstractMatrix):
        raise TypeError(
            "split_columns: matrix must be a matrix of brainfn.event, got "
            f"{type(matrix).__name__}. Try brainfn.event.Dense or CSR.fromdense."
        )
    parts = whole_number("parts", parts, 1, "split_columns")
    n_rows, n_cols = matrix.shape
    width = -(-n_cols // parts)
    if isinstance(matrix, Dense):
        padded = jnp.pad(matrix.data, ((0, 0), (0, parts * width - n_cols)))
        blocks = jnp.moveaxis(padded.reshape(n_rows, parts, width), 1, 0)
        template = Dense(jnp.zeros((n_rows, width), matrix.dtype))
        return eqx.tree_at(lambda m: m.data, template, blocks)
    csr = matrix.tocsr()
    assert isinstance(csr, CSR)
    if not (concrete(csr.indices) and concrete(csr.indptr)):
        raise TypeError(
            "split_columns: indices and indptr are traced, but the parts' sizes depend on their "
            "values. Call it outside of jit."
        )
    columns, starts = np.asarray(csr.indices), np.asarray(csr.indptr)
    rows = np.repeat(np.arange(n_rows), np.diff(starts))
    place = columns // max(width, 1)
    length = int(np.bincount(place, minlength=parts).max()) if columns.size else 0
    indices = np.zeros((parts, length), np.int32)
    picks = np.full((parts, length), -1, starts.dtype)
    indptr = np.zeros((parts, n_rows + 1), starts.dtype)
    for p in range(parts):
        mine = np.flatnonzero(place == p)
        picks[p, : mine.size] = mine
        indices[p, : mine.size] = columns[mine] - p * width
        np.cumsum(np.bincount(rows[mine], minlength=n_rows), out=indptr[p, 1:])
    if csr.data.ndim == 0:
        data = jnp.broadcast_to(csr.data, (parts,))
    else:
        data = csr.data.at[picks].get(mode="fill", fill_value=0, wrap_negative_indices=False)
    empty = CSR(
        jnp.zeros((), csr.dtype),
        np.zeros(0, np.int32),
        np.zeros(n_rows + 1, starts.dtype),
        shape=(n_rows, width),
    )
    return eqx.tree_at(
        lambda m: (m.data, m.indices, m.indptr),
        empty,
        (data, jnp.asarray(indices), jnp.asarray(indptr)),
    )
