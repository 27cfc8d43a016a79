"""The code on the pages runs, and does what the pages say."""

import re
from pathlib import Path

import jax.numpy as jnp

DOCS = Path(__file__).parents[1] / "docs"


def run(page):
    code = "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))
    names = {}
    exec(compile(code, str(DOCS / page), "exec"), names)
    return names


def test_write_your_own():
    names = run("write_your_own.md")
    assert float(names["rates"].mean()) > 0
    before = names["net"].projections["clock"].weight
    assert bool(jnp.any(names["learned"] > before))
