"""Images from files."""

import gzip
import importlib
import os
import struct
from typing import Any

import numpy as np

from ._examples import Examples

# Where Debian's and Ubuntu's package puts them.
_FASHION_MNIST = "/usr/share/datasets/fashion-mnist"
_IDX_BYTES = 0x08


def fashion_mnist(path: str | os.PathLike[str] | None = None) -> tuple[Examples, Examples]:
    """Fashion-MNIST: 28 x 28 grey images of ten kinds of clothing.

    ```python
    train, test = bf.data.fashion_mnist()
    ```

    **Arguments:**

    - `path`: a folder with its four files `train-images-idx3-ubyte.gz`,
        `train-labels-idx1-ubyte.gz`, `t10k-images-idx3-ubyte.gz` and `t10k-labels-idx1-ubyte.gz`,
        with or without `.gz`. By default that of the package `dataset-fashion-mnist` of Debian and
        Ubuntu. MNIST and others in this format can be read as well.

    **Returns:** 60 000 examples to train with and 10 000 to test with: `x` float32 from 0 to 1 of
    shape `(examples, 28, 28)`, `y` int32 from 0 to 9.

    **Raises:** `FileNotFoundError` that says how to get the files; `ValueError` for a damaged file.

    ??? cite

        Xiao, Rasul and Vollgraf (2017), "Fashion-MNIST: a novel image dataset for benchmarking
        machine learning algorithms", arXiv:1708.07747.
    """
    folder = os.fspath(_FASHION_MNIST if path is None else path)
    parts = []
    for part in ("train", "t10k"):
        images = _idx(_found(folder, f"{part}-images-idx3-ubyte"), 3)
        labels = _idx(_found(folder, f"{part}-labels-idx1-ubyte"), 1)
        if len(images) != len(labels):
            raise ValueError(
                f"`path` {folder!r} has {len(images)} images for {len(labels)} labels of {part!r}."
            )
        parts.append(Examples(_scaled(images, 255), labels.astype(np.int32)))
    return parts[0], parts[1]


def digits(*, test: int = 360) -> tuple[Examples, Examples]:
    """Handwritten digits, 8 x 8 grey images: small enough to train in seconds.

    They come with scikit-learn, the extra `data` of brainfn.

    **Arguments:**

    - `test`: how many of the 1797 examples, the last ones, are kept for testing. These were written
        by others than the first ones, which makes them harder than a random part.

    **Returns:** examples to train and to test with: `x` float32 from 0 to 1 of shape
    `(examples, 8, 8)`, `y` int32 from 0 to 9.

    **Raises:** `ImportError` if scikit-learn is missing; `ValueError` for a wrong `test`.

    ??? cite

        Alpaydin and Kaynak (1998), "Cascading classifiers", Kybernetika 34:369-374; the test set of
        "Optical recognition of handwritten digits", UCI Machine Learning Repository,
        doi:10.24432/C50P49.
    """
    try:
        load = importlib.import_module("sklearn.datasets").load_digits
    except ImportError as error:
        raise ImportError(
            "the digits come with scikit-learn: pip install 'brainfn[data]'."
        ) from error
    found: Any = load()
    n = len(found.target)
    if not 1 <= test < n:
        raise ValueError(f"`test` must be from 1 to {n - 1}, got {test}.")
    x, y = _scaled(found.images, 16), found.target.astype(np.int32)
    return Examples(x[:-test], y[:-test]), Examples(x[-test:], y[-test:])


def _scaled(images: np.ndarray, white: int) -> np.ndarray:
    return images.astype(np.float32) / np.float32(white)


def _found(folder: str, name: str) -> str:
    for path in (os.path.join(folder, f"{name}.gz"), os.path.join(folder, name)):
        if os.path.exists(path):
            return path
    raise FileNotFoundError(
        f"`path`: there is no {name}.gz in {folder!r}. Debian and Ubuntu have the files: "
        "`apt-get install dataset-fashion-mnist`. Elsewhere download the four files from "
        "https://github.com/zalandoresearch/fashion-mnist and give their folder, "
        "fashion_mnist(path)."
    )


def _idx(path: str, ndim: int) -> np.ndarray:
    """An array of bytes in the IDX format: 0, 0, type, number of axes, sizes, data."""
    opened = gzip.open if path.endswith(".gz") else open
    try:
        with opened(path, "rb") as file:
            raw = file.read()
    except (OSError, EOFError) as error:
        raise ValueError(f"`path`: {path!r} is damaged: {error}. Get it again.") from error
    head = 4 + 4 * ndim
    if len(raw) < head or raw[:4] != bytes([0, 0, _IDX_BYTES, ndim]):
        raise ValueError(f"`path`: {path!r} is not an IDX file of bytes with {ndim} axes.")
    shape = struct.unpack(f">{ndim}I", raw[4:head])
    if len(raw) != head + int(np.prod(shape)):
        raise ValueError(f"`path`: {path!r} is damaged: {len(raw)} bytes for shape {shape}.")
    return np.frombuffer(raw, np.uint8, offset=head).reshape(shape)
