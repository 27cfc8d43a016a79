"""What a training task says about itself, for the command line and the tests."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..learn import Fit

Figures = dict[str, float]


class TaskVariant(NamedTuple):
    """One model of a task.

    - `title`: its name in words.
    - `expected`: what it reaches.
    - `settings`: arguments of `build`.
    - `reference`: figures of others, `{who: {figure: value}}`.
    """

    title: str
    expected: str
    settings: Mapping[str, Any] = {}
    reference: Mapping[str, Mapping[str, float]] = {}


class Prepared(NamedTuple):
    """A task that is ready to train.

    - `step`, `state`, `batches`, `evaluate`: as [`brainfn.learn.fit`][] takes them.
    - `size`: the network in words.
    - `examples`: number of them in an epoch.
    - `picture`: `picture(done)`, a matplotlib figure of the result.
    """

    step: Any
    state: Any
    batches: Any
    evaluate: Callable[[Any], dict[str, Any]]
    size: str
    examples: int
    picture: Callable[[Fit], Any]


class Task(NamedTuple):
    """A training task. With it in `brainfn.tasks.TASKS`, `python -m brainfn train NAME` trains it.

    - `name`: that of the command.
    - `title`, `source`: what it is, and where it comes from.
    - `variants`: by name; the first is the default.
    - `build`: `build(*, batch, epochs, key, path, **settings) -> Prepared`.
    - `epochs`, `batch`: those of the command if none is given.
    - `rows`: how numbers of a record are printed, `{name: (label, format)}`.
    - `note`: printed below figures of others.
    """

    name: str
    title: str
    source: str
    variants: Mapping[str, TaskVariant]
    build: Callable[..., Prepared]
    epochs: int
    batch: int
    rows: Mapping[str, tuple[str, str]]
    note: str = ""
