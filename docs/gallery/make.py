"""Draws the pictures of the gallery: python docs/gallery/make.py [NAME ...]."""

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLES = sorted(path.stem for path in HERE.glob("*.py") if path.stem != "make")


def load(name):
    """The module of an example."""
    spec = importlib.util.spec_from_file_location(f"gallery_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    for name in sys.argv[1:] or EXAMPLES:
        figure = load(name).main()
        figure.savefig(HERE.parent / "assets" / "gallery" / f"{name}.png", dpi=110)
        print(name)
