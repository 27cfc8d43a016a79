"""The code on the pages runs, and does what the pages say."""

import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np

import brainfn as bf

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


def test_training(monkeypatch, capsys):
    """With a few images of stripes in place of the data set."""
    rng = np.random.default_rng(0)
    labels = np.arange(600, dtype=np.int32) % 2
    images = np.clip(rng.random((600, 28, 28)) * 0.4 + 0.6 * (np.indices((28, 28))[0] % 2), 0, 1)
    images = np.where(labels[:, None, None] == 0, images, images.transpose(0, 2, 1))
    few = bf.data.Examples(images.astype(np.float32), labels)
    parts = bf.data.Examples(*(a[:512] for a in few)), bf.data.Examples(*(a[512:] for a in few))
    monkeypatch.setattr(bf.data, "fashion_mnist", lambda: parts)
    done = run("training.md")["done"]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11 and lines[9].startswith("epoch 10/10: loss ")
    assert done.records[-1]["test_accuracy"] > 0.9
