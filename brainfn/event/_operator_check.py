"""Compares the kernel of an operator, its reference and its rules on an example."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def check(operator: Any, recipe: Any, arrays: list, static: dict, rtol: float | None) -> None:
    """See `Operator.check`."""
    generator = np.random.default_rng(0)
    names = recipe.arrays

    @jax.jit
    def reference(*xs):
        out = recipe.reference(*xs, **static)
        return list(out) if isinstance(out, (tuple, list)) else [out]

    def native(*xs):
        out = operator(*xs, **static)
        return list(out) if isinstance(out, tuple) else [out]

    def compare(what, got, wanted):
        for o, (a, b) in enumerate(zip(got, wanted, strict=True)):
            a, b = np.asarray(a), np.asarray(b)
            floating = jnp.issubdtype(a.dtype, jnp.inexact)
            error = np.abs(a.astype(np.float64) - b.astype(np.float64))
            tolerance = 0.0
            if floating:
                tolerance = float(jnp.finfo(a.dtype).eps) ** 0.5 if rtol is None else rtol
            bound = tolerance * np.max(np.abs(b.astype(np.float64)), initial=1.0 if floating else 0)
            bad = ~(error <= bound)
            if bad.any():
                at = tuple(int(k) for k in np.argwhere(bad)[0])
                raise ValueError(
                    f"{operator.name}: {what} differ in output {o}, in {int(bad.sum())} of "
                    f"{bad.size} elements, first at {at}: got {a[at]}, expected {b[at]} (tolerance "
                    f"{bound:.1e})."
                )

    def like(x):
        return jnp.asarray(generator.normal(size=x.shape), x.dtype)

    wanted = reference(*arrays)
    before = [np.array(x) for x in arrays]
    compare("kernel and reference", jax.jit(native)(*arrays), wanted)
    for name, x, old in zip(names, arrays, before, strict=True):
        if not np.array_equal(np.asarray(x), old, equal_nan=x.dtype.kind == "f"):
            raise ValueError(
                f"{operator.name}: the kernel changes its argument {name!r}; XLA uses that memory "
                "elsewhere. Write to the outputs only, or declare aliases."
            )
    zeroed = list(arrays)
    for i in recipe.accumulate:
        zeroed[i] = jnp.zeros_like(arrays[i])
    for i in recipe.linear:
        if not jnp.issubdtype(arrays[i].dtype, jnp.inexact):
            continue

        @jax.jit
        def of(x, i=i):
            out = native(*zeroed[:i], x, *zeroed[i + 1 :])
            return [y for y in out if jnp.issubdtype(y.dtype, jnp.inexact)]

        x, z = arrays[i], like(arrays[i])
        fx, fz = of(x), of(z)
        sums = [2 * a + b for a, b in zip(fx, fz, strict=True)]
        compare(f"f(2x + z) and 2 f(x) + f(z) for {names[i]!r}", of(2 * x + z), sums)
        cts = [like(y) for y in fz]
        (back,) = jax.jit(lambda x, cts, of=of: jax.vjp(of, x)[1](cts))(x, cts)
        forward = sum(np.vdot(c, y) for c, y in zip(cts, fz, strict=True))
        compare(f"<c, f(z)> and <transpose(c), z> for {names[i]!r}", [np.vdot(back, z)], [forward])
    pairs = [jnp.stack([x, like(x) if x.dtype.kind == "f" else x]) for x in arrays]
    looped = [reference(*[x[k] for x in pairs]) for k in range(2)]
    expected = [jnp.stack(ys) for ys in zip(*looped, strict=True)]
    compare("vmap and a loop over the reference", jax.jit(jax.vmap(native))(*pairs), expected)
