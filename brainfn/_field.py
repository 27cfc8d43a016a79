"""Declared fields: each parameter is described once, where it is defined.

A model declares each parameter with its unit and sign; construction converts and checks it, a
simulation checks it again, and documentation and tests read the same metadata.
"""

import dataclasses
import math
import numbers
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np

from ._errors import describe, from_host, is_concrete

_SIGNS: dict[str, Callable[[np.ndarray], Any]] = {
    "positive": lambda x: x > 0,
    "nonnegative": lambda x: x >= 0,
    "negative": lambda x: x < 0,
    "nonpositive": lambda x: x <= 0,
    "probability": lambda x: (x >= 0) & (x <= 1),
}
_WORDS = {
    "positive": "positive",
    "nonnegative": "not negative",
    "negative": "negative",
    "nonpositive": "not positive",
    "probability": "between 0 and 1",
}


class Declared(NamedTuple):
    """The declaration of a field by [`brainfn.param`][]."""

    unit: str
    sign: str | None
    shared: bool
    none: bool


def param(
    default: Any = dataclasses.MISSING,
    *,
    unit: str,
    sign: str | None = None,
    shared: bool = False,
    none: bool = False,
    positional: bool = False,
) -> Any:
    """A parameter of a model: a number, or an array with one entry for each neuron.

    ```python
    class Leak(bf.AbstractPart):
        g: Float[Array, "*n"] = bf.param(10.0, unit="nS", sign="nonnegative")
        reversal: Float[Array, "*n"] = bf.param(-70.0, unit="mV")
    ```

    It becomes a floating-point array, a leaf for `jax.grad` and `eqx.tree_at`. NumPy arrays are
    copied. It must be finite, have the declared sign, and shape `()` or `(size,)`: this is checked
    when the model is made and again when a simulation starts.

    **Arguments:**

    - `default`: the default value; without one, the argument is required.
    - `unit`: the unit as text, such as `"mV"`; `""` for a dimensionless number.
    - `sign`: `"positive"`, `"nonnegative"`, `"negative"`, `"nonpositive"`, `"probability"` (from 0
        to 1), or `None`.
    - `shared`: whether the array belongs to all neurons together; it may have any shape, e.g. a
      table, and is never taken for one number per neuron.
    - `none`: whether `None` is allowed.
    - `positional`: whether the argument may be given by position.
    """
    if sign is not None and sign not in _SIGNS:
        raise ValueError(f"`sign` must be one of {sorted(_SIGNS)} or None, got {sign!r}.")
    declared = Declared(unit, sign, shared, none)
    return _field(default, as_parameter, not positional, param=declared)


def option(
    default: Any = dataclasses.MISSING,
    cls: Any = object,
    *,
    none: bool = False,
    convert: Callable[[Any], Any] | None = None,
    factory: Callable[[], Any] | None = None,
    initial: bool = False,
    check: Callable[[str, Any, int | None], None] | None = None,
    hint: str = "",
    positional: bool = False,
) -> Any:
    """A part of a model that is an object, such as a solver, a surrogate or an initializer.

    **Arguments:**

    - `default`: the default; or `factory`, a function that makes it, for objects that hold arrays.
    - `cls`: the class, or tuple of classes, of which it must be an instance.
    - `none`: whether `None` is allowed.
    - `convert`: applied to the argument, e.g. to convert a number to an initializer.
    - `initial`: whether only `init` reads it.
    - `check`: raises if the value is wrong; gets the name of the field, the value, and the number
        of neurons if that is known.
    - `hint`: a suggestion for the error message.
    - `positional`: whether the argument may be given by position.
    """
    classes = cls if isinstance(cls, tuple) else (cls,)
    extra = {"option": (classes, none, hint), "initial": initial, "check": check}
    return _field(default, convert, not positional, factory=factory, **extra)


def flag(default: bool) -> Any:
    """A switch of a model, `True` or `False`; static."""
    return eqx.field(default=default, static=True, kw_only=True, metadata={"flag": True})


def integer(
    default: Any = dataclasses.MISSING, *, minimum: int = 0, positional: bool = False
) -> Any:
    """A static whole number of a model, such as its size."""

    def convert(x: Any) -> Any:
        whole = isinstance(x, int | np.integer) and not isinstance(x, bool)
        return int(x) if whole else x

    options: dict[str, Any] = {} if default is dataclasses.MISSING else {"default": default}
    return eqx.field(
        static=True,
        converter=convert,
        kw_only=not positional,
        metadata={"integer": minimum},
        **options,
    )


def size() -> Any:
    """The number of neurons (or other units) of a population: its first argument."""
    return integer(positional=True)


def _field(
    default: Any,
    convert: Callable[[Any], Any] | None,
    kw_only: bool,
    factory: Callable[[], Any] | None = None,
    **metadata: Any,
) -> Any:
    options: dict[str, Any] = {"kw_only": kw_only, "metadata": metadata}
    if convert is not None:
        options["converter"] = convert
    if factory is not None:
        options["default_factory"] = factory
    elif default is not dataclasses.MISSING:
        options["default"] = default
    return eqx.field(**options)


def as_parameter(value: Any) -> Any:
    """Numbers and arrays as a floating-point `jax.Array`, copied if they come from NumPy; anything
    else unchanged, to be rejected by the check."""
    if isinstance(value, bool) or not isinstance(
        value, numbers.Real | np.ndarray | jax.Array | np.generic
    ):
        return value
    if isinstance(value, jax.Array):
        if jnp.issubdtype(value.dtype, jnp.integer):
            return value.astype(jnp.result_type(float))
        return value
    host = np.asarray(value)
    if not (jnp.issubdtype(host.dtype, jnp.floating) or host.dtype.kind in "iu"):
        return value
    # A Python float, or float64 if disabled in JAX, gets JAX's default dtype.
    given = host.dtype if isinstance(value, np.ndarray | np.generic) else np.dtype(np.int64)
    floating = jnp.issubdtype(given, jnp.floating)
    dtype = jax.dtypes.canonicalize_dtype(given) if floating else jnp.result_type(float)
    if host.ndim == 0:
        return jnp.array(host, dtype, copy=True)
    return from_host(host.astype(dtype, copy=True))


class AbstractPart(eqx.Module):
    """Anything with declared fields: models, channels, synapses, outputs.

    Its fields are checked when it is made, and again when a simulation starts, since `eqx.tree_at`
    or an optimiser may have changed them.
    """

    def __check_init__(self):
        check_fields(self)


def fields(model: Any) -> Iterator[tuple[dataclasses.Field, Any]]:
    """The fields of a part, with their values."""
    for field in dataclasses.fields(model):
        yield field, getattr(model, field.name)


def check_fields(model: Any, size: int | None = None) -> None:
    """Raise if a declared field of `model` is wrong.

    **Arguments:**

    - `model`: the part; its own `size`, if it declares one, takes precedence over the argument.
    - `size`: number of neurons, if the part belongs to a population.

    **Raises:** `TypeError` or `ValueError` naming the field.
    """
    for field, value in fields(model):
        if "integer" in field.metadata:
            _check_integer(field.name, value, field.metadata["integer"])
    size = own_size(model, size)
    for field, value in fields(model):
        if "param" in field.metadata:
            check_parameter(field.name, value, field.metadata["param"], size)
        elif "option" in field.metadata:
            classes, none, hint = field.metadata["option"]
            _check_option(field.name, value, classes, none, hint)
            if field.metadata["check"] is not None:
                field.metadata["check"](field.name, value, size)
        elif "flag" in field.metadata and not isinstance(value, bool):
            raise TypeError(f"`{field.name}` must be True or False, got {value!r}.")


def own_size(model: Any, size: int | None) -> int | None:
    """The `size` that a part declares, or that of its owner."""
    for field, value in fields(model):
        if field.name == "size" and field.metadata.get("static") and isinstance(value, int):
            return value
    return size


def _check_integer(name: str, value: Any, minimum: int) -> None:
    if value is None and minimum < 0:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        whole = isinstance(value, float) and value.is_integer()
        hint = f" Try {int(value)}." if isinstance(value, float) and whole else ""
        raise TypeError(
            f"`{name}` must be a whole number (int), got {type(value).__name__}: {value!r}.{hint}"
        )
    if value < minimum:
        raise ValueError(f"`{name}` must be at least {minimum}, got {value}.")


def _check_option(name: str, value: Any, classes: Any, none: bool, hint: str) -> None:
    if (value is None and none) or isinstance(value, classes):
        return
    names = " or ".join([cls.__name__ for cls in classes] + ["None"] * none)
    if isinstance(value, type) and issubclass(value, classes):
        hint = f"Try {value.__name__}()."
    raise TypeError(f"`{name}` must be {_a(names)}, got {value!r:.200}." + f" {hint}" * bool(hint))


def _a(noun: str) -> str:
    return ("an " if noun[0] in "AEIOUaeiou" else "a ") + noun


def check_parameter(name: str, value: Any, declared: Declared, size: int | None) -> None:
    """Raise if `value` does not match its declaration; for a traced value only the shape is
    checked."""
    unit, sign, shared, none = declared
    if value is None and none:
        return
    what = f"in {unit}" if unit else "without a unit"
    number = isinstance(value, numbers.Real | np.ndarray | np.generic | jax.Array)
    if not number or isinstance(value, bool):
        raise TypeError(
            f"`{name}` must be a number or an array of numbers {what}, got "
            f"{type(value).__name__}: {value!r:.100}."
        )
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        kind = np.dtype(value.dtype)
        if not (jnp.issubdtype(kind, jnp.floating) or kind.kind in "iu"):
            raise TypeError(f"`{name}` must hold real numbers {what}, got dtype {kind}.")
    shape = np.shape(value)  # type: ignore[arg-type]
    if not shared:
        allowed = {(), (size,)} if size is not None else {(), shape if len(shape) == 1 else ()}
        if shape not in allowed:
            expected = "(size,)" if size is None else f"({size},)"
            raise ValueError(
                f"`{name}` must be one number for all or have shape {expected}, one for each, got "
                f"shape {shape}."
            )
    if not is_concrete(value):
        return
    host = np.asarray(value)
    if host.dtype.itemsize < 4:
        host = host.astype(np.float32)
    if not np.all(np.isfinite(host)):
        raise ValueError(f"`{name}` must be finite, got {describe(host)}.")
    if sign is not None and not np.all(_SIGNS[sign](host)):
        unit_text = f" ({what})" if unit else ""
        raise ValueError(
            f"`{name}` must be {_WORDS[sign]}{unit_text}, got {describe(host)}. "
            "Check its sign and unit."
        )


def check_model(model: Any, path: str = "model", size: int | None = None) -> None:
    """Check a whole model again, with all its parts: `eqx.tree_at` and optimisers bypass
    constructors.

    **Raises:** `TypeError` or `ValueError` with the path of the field concerned.
    """
    if isinstance(model, dict):
        for key, value in model.items():
            check_model(value, f"{path}[{key!r}]", size)
    elif isinstance(model, tuple | list):
        for i, value in enumerate(model):
            check_model(value, f"{path}[{i}]", size)
    elif isinstance(model, eqx.Module):
        size = own_size(model, size)
        if isinstance(model, AbstractPart):
            _check_again(model, path, size)
        for field, value in fields(model):
            if not (field.metadata.get("static") or "param" in field.metadata):
                check_model(value, f"{path}.{field.name}", size)


def _check_again(model: Any, path: str, size: int | None) -> None:
    advice = "Was it changed by `eqx.tree_at` or an optimiser? Try learning its logarithm."
    for field, value in fields(model):
        if "param" in field.metadata:
            try:
                check_parameter(f"{path}.{field.name}", value, field.metadata["param"], size)
            except ValueError as error:
                text = str(error).replace("Check its sign and unit.", advice)
                raise type(error)(text) from None
    for cls in type(model).__mro__:
        check = cls.__dict__.get("__check_init__")
        if check is None or cls is AbstractPart:
            continue
        try:
            check(model)
        except (TypeError, ValueError) as error:
            raise type(error)(f"`{path}`: {error}") from None
    try:
        check_fields(model, size)
    except (TypeError, ValueError) as error:
        raise type(error)(f"`{path}`: {error}") from None


def check_number(model: Any, *names: str) -> None:
    """Raise unless these fields, which belong to all neurons together, are one number each."""
    check_fields(model)  # reports values that are not numbers
    for name in names:
        shape = np.shape(getattr(model, name))
        if shape != ():
            raise ValueError(f"`{name}` must be one number, got shape {shape}.")


def check_below(model: Any, lower: str, upper: str, unit: str = "mV") -> None:
    """Raise unless field `lower` lies below field `upper` everywhere; traced values pass."""
    check_fields(model)  # reports values that are not numbers
    low, high = getattr(model, lower), getattr(model, upper)
    if not (is_concrete(low) and is_concrete(high)):
        return
    if not np.all(np.asarray(low, np.float64) < np.asarray(high, np.float64)):
        raise ValueError(
            f"`{lower}` must lie below `{upper}`, got {lower} = {describe(np.asarray(low))} and "
            f"{upper} = {describe(np.asarray(high))} ({unit})."
        )


def float_dtype(model: Any) -> Any:
    """The floating-point dtype of a model's parameters, and hence of its states."""
    for leaf in jtu.tree_leaves(model):
        if eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf.dtype
    return jnp.result_type(float)


def astype(model: Any, dtype: Any) -> Any:
    """A model with all its floating-point parameters in another precision.

    ```python
    half = bf.astype(bf.neuron.LIF(100), jnp.bfloat16)
    ```

    **Arguments:**

    - `model`: a model, or any pytree.
    - `dtype`: a floating-point dtype: `float16`, `bfloat16`, `float32`, or `float64` if
      `jax_enable_x64` is on.

    **Raises:** `TypeError` if `dtype` is not a floating-point dtype.
    """
    try:
        wanted = jnp.dtype(dtype)
    except TypeError:
        raise TypeError(f"`dtype` must be a floating-point dtype, got {dtype!r}.") from None
    if not jnp.issubdtype(wanted, jnp.floating):
        raise TypeError(f"`dtype` must be a floating-point dtype, got {wanted}. Try jnp.float32.")
    if jax.dtypes.canonicalize_dtype(wanted) != wanted:
        raise TypeError(f"`dtype` {wanted} needs jax_enable_x64.")

    def convert(x: Any) -> Any:
        floating = eqx.is_array(x) and jnp.issubdtype(x.dtype, jnp.floating)
        return x.astype(wanted) if floating else x

    return jtu.tree_map(convert, model)


def with_arrays(model: Any) -> Any:
    """`model` with Python or NumPy numbers among its declared parameters, as `eqx.tree_at` may
    introduce them, converted to arrays of the dtype of the others. A Python number would be
    compiled into the loop, and each new value would recompile it."""
    dtype = float_dtype(model)

    def convert(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: convert(value) for key, value in part.items()}
        if type(part) in (tuple, list):
            return type(part)(convert(value) for value in part)
        if not isinstance(part, eqx.Module):
            return part
        changed = {}
        for field, value in fields(part):
            if field.metadata.get("static"):
                continue
            new = convert(value)
            if "param" in field.metadata and isinstance(
                value, int | float | np.ndarray | np.generic
            ):
                new = jnp.array(np.asarray(value), dtype, copy=True)
            if new is not value:
                changed[field.name] = new
        return replace(part, **changed) if changed else part

    return convert(model)


def replace(part: Any, **changes: Any) -> Any:
    """A copy of a module with other fields, without running its constructor or checks."""
    new = object.__new__(type(part))
    for field in dataclasses.fields(part):
        value = changes[field.name] if field.name in changes else getattr(part, field.name)
        object.__setattr__(new, field.name, value)
    return new


def smallest(*values: Any) -> float:
    """The smallest of some parameters, infinity where one is traced."""
    if not all(is_concrete(value) for value in values):
        return math.inf
    return float(min(np.min(np.asarray(v, np.float64), initial=math.inf) for v in values))
