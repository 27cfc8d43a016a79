"""The public way to add an operator: a reference function, native kernels, rules from linearity."""

import inspect
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._errors import nearest
from ._compile import Source
from ._numba import import_numba
from ._operator import Operator, Recipe


def define(
    reference: Any,
    *,
    name: str | None = None,
    linear: Sequence[str] = (),
    cpp: str | pathlib.Path | None = None,
    cuda: str | pathlib.Path | None = None,
    numba: Callable[..., Any] | None = None,
    symbol: str | None = None,
    flags: Sequence[str] = (),
    cuda_flags: Sequence[str] = (),
    supports: Callable[..., bool] | None = None,
    transpose: Mapping[str, Callable[..., Any]] | None = None,
    batch: str | Callable[..., Any] = "loop",
    aliases: Mapping[str, int] | None = None,
    accumulate: Mapping[str, int] | None = None,
) -> Operator:
    r"""Makes an operator from a JAX function and, optionally, native kernels that compute the same.

    The operator works wherever a JAX function does: eagerly, under `jit`, `vmap` (nested too),
    `jvp`, `grad`, `scan` and `jax.shard_map`. On a platform with a kernel, that kernel is called,
    with no Python in between; elsewhere the reference is used. Derivatives follow from linearity.
    For an operator $f$ that is linear in each of the arguments $x$ and $w$,
    $$ \dot f = f(\dot x, w) + f(x, \dot w), $$
    so the kernel computes tangents as well; cotangents come from the reference or from operators
    that you name. The page [Custom operators](../custom_operators.md) has an example.

    **Arguments:**

    - `reference`: the definition of the operator, in pure JAX. Its positional arguments are arrays,
      its keyword-only arguments static (hashable); it returns an array or a tuple of arrays.
    - `name`: shown in jaxprs and messages; by default the name of `reference`.
    - `linear`: names of the arguments in which the function is linear, each with the others held
      fixed (multilinear). Derivatives with respect to other floating-point arguments are those of
      the reference; integers and bools have none.
    - `cpp`: C++17 source (or the path of a file) with an XLA FFI handler for CPU that takes the
      arrays in order, static arguments as attributes by name. Compiled when first needed, by `CXX`,
      `g++` or `clang++`, against the headers that come with jaxlib, and kept in the user's cache
      directory (`BRAINFN_CACHE_DIR`). Without a compiler the reference runs, after a warning.
    - `cuda`: the same in CUDA, by `NVCC` or `nvcc`, for NVIDIA GPUs.
    - `numba`: instead of `cpp`, a function for Numba to compile: it takes the arrays, then the
      outputs, which it fills, and the static arguments by name. It must not use Python objects.
    - `symbol`: the handler's name in the sources; by default `name`.
    - `flags`, `cuda_flags`: compiler flags, by default `-O3 -march=native` and `-O3`.
    - `supports`: `supports(*arrays, **static)` says from shapes and dtypes whether the kernels can
      be used; otherwise the reference is.
    - `transpose`: for a linear argument, `rule(ct, *arguments, **static)` that gives its cotangent,
      event-driven for instance. `ct` is the cotangent of the output (a tuple for several
      floating-point outputs); the argument whose cotangent is computed is replaced by a
      `jax.ShapeDtypeStruct`. By default the transpose of the reference.
    - `batch`: what `vmap` does. `"loop"` calls the kernel for each element, `"reference"` maps the
      reference, and a function `rule(axis_size, batched, *arguments, **static) -> (outputs,
      outputs_batched)`, as for `jax.custom_batching.custom_vmap`, may call another, wider operator;
      batched arguments have the new axis in front.
    - `aliases`: arguments whose memory is reused for an output (given by its position) of the same
      shape and dtype. JAX copies the argument if it is used again.
    - `accumulate`: the same for arguments to which the output is added, $y + f(x, w)$: `linear`
      then refers to $f$, and derivatives are added in place.

    **Returns:** the operator, a function of the same arguments. `operator.check(*arguments)`
    compares kernel, reference and rules on an example.

    Raises `TypeError` or `ValueError` for arguments that do not fit, `ImportError` for a Numba
    kernel without Numba; at first use `brainfn.event.CompileError` with the compiler's message.
    """
    arrays, static = _signature(reference)
    name = _name("name", getattr(reference, "__name__", "operator") if name is None else name)
    symbol = _name("symbol", name if symbol is None else symbol)
    if isinstance(linear, str):
        raise TypeError(
            f"define: linear must be a tuple of names, got {linear!r}; try ({linear!r},)."
        )
    for argument, rules in (
        ("transpose", transpose),
        ("aliases", aliases),
        ("accumulate", accumulate),
    ):
        if rules is not None and not isinstance(rules, Mapping):
            raise TypeError(
                f"define: {argument} must be a dictionary with names of arguments as keys, got "
                f"{rules!r}."
            )
    if supports is not None and not callable(supports):
        raise TypeError(f"define: supports must be a function, got {supports!r}.")
    for argument, names in (
        ("linear", linear),
        ("transpose", transpose or ()),
        ("aliases", aliases or ()),
        ("accumulate", accumulate or ()),
    ):
        for n in names:
            if n not in arrays:
                raise ValueError(
                    f"define: {argument} names {n!r}, but the array arguments of {name!r} are "
                    f"{', '.join(arrays)}.{nearest(n, arrays)}"
                )
    for n, rule in (transpose or {}).items():
        if n not in linear:
            raise ValueError(f"define: transpose has a rule for {n!r}, which linear must name too.")
        if not callable(rule):
            raise TypeError(f"define: transpose[{n!r}] must be a function, got {rule!r}.")
    both = {**(aliases or {}), **(accumulate or {})}
    if len(both) != len(aliases or {}) + len(accumulate or {}) or len(set(both.values())) != len(
        both
    ):
        raise ValueError(
            f"define: aliases and accumulate give an argument or output of {name!r} twice: "
            f"{dict(aliases or {})} and {dict(accumulate or {})}."
        )
    for n in accumulate or ():
        if n in linear:
            raise ValueError(f"define: {n!r} is in accumulate, so it must not be in linear.")
    if not callable(batch) and batch not in ("loop", "reference"):
        raise ValueError(f"define: batch must be 'loop', 'reference' or a function, got {batch!r}.")
    if numba is not None:
        if cpp is not None:
            raise ValueError("define: give cpp or numba, not both: each is the kernel for CPU.")
        if not callable(numba):
            raise TypeError(f"define: numba must be a function, got {numba!r}.")
        import_numba()
    recipe = Recipe(
        name=name,
        reference=reference,
        arrays=arrays,
        static=static,
        linear=tuple(arrays.index(n) for n in linear),
        transpose={arrays.index(n): rule for n, rule in (transpose or {}).items()},
        batch=batch,
        aliases={arrays.index(n): o for n, o in both.items()},
        accumulate={arrays.index(n): o for n, o in (accumulate or {}).items()},
        cpp=_source("cpp", cpp, symbol, "cpu", flags),
        cuda=_source("cuda", cuda, symbol, "cuda", cuda_flags),
        numba=numba,
        supports=supports,
    )
    return Operator(recipe)


def _signature(reference: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Names of the array arguments, and static arguments with their defaults."""
    if not callable(reference):
        raise TypeError(
            f"define: reference must be a JAX function, got {type(reference).__name__}: "
            f"{reference!r}."
        )
    arrays, static = [], {}
    for p in inspect.signature(reference).parameters.values():
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise TypeError(
                f"define: reference must name all of its arguments, got {p}; arrays come first, "
                "static arguments after a `*`."
            )
        if p.kind == p.KEYWORD_ONLY:
            static[p.name] = p.default
        elif p.default is not p.empty:
            raise TypeError(
                f"define: the argument {p.name!r} of reference is an array and can't have a "
                "default; put static arguments after a `*`."
            )
        else:
            arrays.append(p.name)
    if not arrays:
        raise TypeError("define: reference must take at least one array.")
    return tuple(arrays), static


def _name(argument: str, name: Any) -> str:
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(
            f"define: {argument} must be a valid function name, got {name!r}. Give name=."
        )
    return name


def _source(argument, source, symbol, platform, flags) -> Source | None:
    if source is None:
        return None
    if isinstance(flags, str):
        raise TypeError(f"define: flags must be a tuple of strings, got {flags!r}; try .split().")
    if isinstance(source, str):
        if "\n" not in source and pathlib.PurePath(source).suffix in (".cc", ".cpp", ".cu", ".cxx"):
            raise ValueError(
                f"define: {argument} is source code, but {source!r} looks like a file name. "
                f"Try pathlib.Path({source!r})."
            )
        return Source(source, None, symbol, platform, tuple(flags))
    if not isinstance(source, pathlib.Path):
        raise TypeError(
            f"define: {argument} must be source code (str) or a pathlib.Path, got "
            f"{type(source).__name__}."
        )
    path = source.expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError(f"define: {argument} names a file that does not exist: {path}.")
    return Source(path.read_text(), str(path), symbol, platform, tuple(flags))
