"""The examples of the gallery run, in short form, and stand on its page with their pictures."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = sorted(path.stem for path in (DOCS / "gallery").glob("*.py") if path.stem != "make")


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / "gallery" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    figure = module.main(short=True)
    axes = [ax for ax in figure.axes if ax.has_data()]
    assert axes and all(ax.lines or ax.collections or ax.images or ax.patches for ax in axes)


def test_the_page_has_them_all():
    page = (DOCS / "gallery.md").read_text()
    for name in EXAMPLES:
        assert f'"docs/gallery/{name}.py"' in page
        assert f"assets/gallery/{name}.png" in page
        assert (DOCS / "assets" / "gallery" / f"{name}.png").stat().st_size < 300_000
    assert page.count("--8<--") == len(EXAMPLES)
