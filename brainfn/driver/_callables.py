"""Describes callables as text that is the same in every process: two that differ in any visible way
give different texts."""

import builtins
import dataclasses
import functools
import hashlib
import inspect
import types
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

UNKNOWN = "can't be compared"


def callable_text(function: Any) -> str | None:
    """Code, constants, defaults, closure and used globals of a function; class and attributes of
    another callable. `None` if something in it can't be compared."""
    seen: dict[int, int] = {}
    parts = list(_walk(function, seen))
    return None if any(part is None for part in parts) else "\n".join(map(str, parts))


# For these packages names are enough: their versions are not part of a user's experiment.
_LIBRARIES = {
    "abc", "brainfn", "builtins", "diffrax", "equinox", "functools", "jax", "jaxlib", "jaxtyping",
    "math", "numpy", "optax", "scipy", "typing",
}  # fmt: skip


def _walk(x: Any, seen: dict[int, int]) -> Iterator[str | None]:
    """Pieces of text; `None` for things that can't be compared."""
    if x is None or isinstance(x, bool | int | float | complex | str | bytes | np.generic):
        yield f"{type(x).__name__} {x!r}"
        return
    if x is Ellipsis or isinstance(x, range | slice | np.dtype):
        yield repr(x)
        return
    if isinstance(x, types.ModuleType):
        yield f"module {x.__name__}"
        return
    if id(x) in seen:
        yield f"again {seen[id(x)]}"
        return
    seen[id(x)] = len(seen)
    if isinstance(x, jax.Array | np.ndarray):
        yield _array(x)
    elif isinstance(x, tuple | list):
        yield f"{type(x).__name__} {len(x)}"
        for item in x:
            yield from _walk(item, seen)
    elif isinstance(x, dict):
        yield f"dict {len(x)}"
        for key, item in x.items():
            yield from _walk(key, seen)
            yield from _walk(item, seen)
    elif isinstance(x, set | frozenset):
        yield f"set {sorted(map(repr, x))}"
    elif isinstance(x, types.CodeType):
        yield f"code {x.co_name} {x.co_code.hex()} {x.co_names} {x.co_varnames} {x.co_flags}"
        yield from _walk(x.co_consts, seen)
    elif isinstance(x, functools.partial):
        yield "partial"
        yield from _walk((x.func, x.args, x.keywords), seen)
    elif isinstance(x, types.MethodType):
        yield "method"
        yield from _walk((x.__func__, x.__self__), seen)
    elif isinstance(x, types.FunctionType):
        yield from _function(x, seen)
    elif isinstance(x, property | staticmethod | classmethod | functools.cached_property):
        yield type(x).__name__
        yield from _walk(getattr(x, "fget", None) or getattr(x, "__func__", None), seen)
    elif isinstance(x, type):
        yield from _class(x, seen)
    elif isinstance(x, types.BuiltinFunctionType | types.BuiltinMethodType | np.ufunc):
        owner = getattr(x, "__self__", None)
        yield f"builtin {x.__name__}"
        if owner is not None and not isinstance(owner, types.ModuleType):
            yield from _walk(owner, seen)
    elif inspect.isroutine(getattr(x, "__wrapped__", None)):
        # Functions wrapped by jax.jit and the like.
        yield type(x).__name__
        yield from _walk(x.__wrapped__, seen)
    else:
        yield from _object(x, seen)


def _function(f: types.FunctionType, seen: dict[int, int]) -> Iterator[str | None]:
    if _package(f) == "brainfn":
        # It may be wrapped by run-time checks of annotations.
        f = inspect.unwrap(f)
    # The module of the code itself, regardless of functools.wraps.
    module = str(f.__globals__.get("__name__"))
    library = module.partition(".")[0] in _LIBRARIES
    if library:
        yield f"function {module}.{f.__qualname__}"
    else:
        yield "function"
        yield from _walk(f.__code__, seen)
        yield from _walk((f.__defaults__, f.__kwdefaults__), seen)
    for cell in f.__closure__ or ():
        try:
            inside = _walk(cell.cell_contents, seen)
            yield from (_known(inside, cell.cell_contents) if library else inside)
        except ValueError:  # not filled yet
            yield "empty"
    if library:
        return
    for name in sorted(_names(f.__code__)):
        if name in f.__globals__:
            yield f"global {name}"
            value = f.__globals__[name]
            # Loggers, files and locks are not part of an experiment.
            yield from _known(_walk(value, seen), value)
        elif name in vars(builtins):
            yield f"builtin {name}"


def _known(parts: Iterator[str | None], x: Any) -> Iterator[str]:
    """Marks a class whose instances can't be compared."""
    return (type(x).__name__ if part is None else part for part in parts)


def _names(code: types.CodeType) -> set[str]:
    """Names of globals and attributes, including those in nested functions."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def _class(kind: type, seen: dict[int, int]) -> Iterator[str | None]:
    yield f"class {kind.__qualname__}"
    if _package(kind) in _LIBRARIES:
        return
    for base in kind.__mro__[:-1]:
        if _package(base) in _LIBRARIES:
            yield f"base {base.__qualname__}"
            continue
        for name, value in sorted(vars(base).items()):
            if isinstance(value, types.FunctionType | property | staticmethod | classmethod):
                yield name
                yield from _walk(value, seen)


def _object(x: Any, seen: dict[int, int]) -> Iterator[str | None]:
    yield "object"
    yield from _class(type(x), seen)
    if dataclasses.is_dataclass(x):
        for field in dataclasses.fields(x):
            yield field.name
            yield from _walk(getattr(x, field.name, None), seen)
    elif isinstance(getattr(x, "__dict__", None), dict):
        yield from _walk(vars(x), seen)
    elif " at 0x" in (text := repr(x)):
        yield None
    else:
        yield text


def _package(x: Any) -> str:
    return (getattr(x, "__module__", None) or "").partition(".")[0]


def _array(x: Any) -> str:
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        x = jax.random.key_data(x)
    host = np.ascontiguousarray(np.asarray(jax.device_get(x)))
    if host.dtype == object:
        return f"array of objects {host.tolist()!r}"
    data = host.reshape(-1).view(np.uint8)
    return f"array {x.dtype}{x.shape} {hashlib.blake2b(data.tobytes(), digest_size=16).hexdigest()}"
