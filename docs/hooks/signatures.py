"""A Griffe extension: shows how a class is called where nobody wrote an `__init__`.

The classes of brainfn are Equinox modules, whose `__init__` is made from their fields at run time,
so reading the sources does not show it.
"""

import dataclasses
import importlib
import inspect

import griffe


class Signatures(griffe.Extension):
    """Gives each such class an `__init__` with the parameters that it has at run time."""

    def on_class(self, *, cls, **_):
        if "__init__" in cls.members or cls.name.startswith("_"):
            return
        value = getattr(importlib.import_module(cls.module.path), cls.name, None)
        if not dataclasses.is_dataclass(value) or inspect.isabstract(value):
            return
        cls.set_member(
            "__init__",
            griffe.Function(
                "__init__",
                parameters=griffe.Parameters(
                    griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword),
                    *map(_parameter, inspect.signature(value).parameters.values()),
                ),
            ),
        )


def _parameter(parameter):
    without_default = parameter.default is inspect.Parameter.empty
    return griffe.Parameter(
        parameter.name,
        kind=griffe.ParameterKind(parameter.kind.description),
        default=None if without_default else repr(parameter.default),
    )
