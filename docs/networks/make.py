"""Run networks by their command, and keep picture and figures for the page of networks.

    python docs/networks/make.py coba "brunel --variant B" "microcircuit --scale 1"

Each argument is what follows `python -m brainfn run`.
"""

import io
import json
import pathlib
import shlex
import sys
import tempfile

import PIL.Image

from brainfn.__main__ import main
from brainfn.zoo import NETWORKS

ASSETS = pathlib.Path(__file__).parents[1] / "assets" / "networks"


def make(words):
    """One run."""
    with tempfile.TemporaryDirectory() as folder:
        code = main(["run", *shlex.split(words), "--out", folder])
        if code:
            sys.exit(code)
        keep(words, pathlib.Path(folder))


def keep(words, folder):
    """Picture and figures of a finished run."""
    about = json.loads((folder / "summary.json").read_text())
    settings = about["settings"]
    name = f"{shlex.split(words)[0]}-{settings['variant']}"
    assert name.startswith(tuple(NETWORKS))
    ASSETS.mkdir(parents=True, exist_ok=True)
    size = about.get("size") or f"{about['neurons']:,} neurons, {about['synapses']:,.0f} synapses"
    window = about.get("window_ms")
    document = {
        "command": f"python -m brainfn run {words}",
        "size": size,
        "window": "" if window is None else f"{window[0]:g}-{window[1]:g}",
        "figures": {
            key: None if value is None else float(f"{value:.5g}")
            for key, value in about["figures"].items()
        },
    }
    (ASSETS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    (ASSETS / f"{name}.png").write_bytes(smaller(folder / "overview.png"))


def smaller(path):
    """A picture of five eighths of the width, with 128 colours."""
    image = PIL.Image.open(path).convert("RGB")
    size = (image.width * 5 // 8, image.height * 5 // 8)
    small = image.resize(size, PIL.Image.Resampling.LANCZOS).quantize(128)
    data = io.BytesIO()
    small.save(data, "png", optimize=True)
    return data.getvalue()


if __name__ == "__main__":
    for given in sys.argv[1:]:
        make(given)
