"""Data to train on: images, generated tasks, and batches of them.

Images come as [`brainfn.data.Examples`][], `x` and `y`. Generated tasks are pure functions of a
key. Everything is an array, so any loader can be used in their place: [`brainfn.learn.fit`][] takes
any iterable of batches.
"""

from ._batches import Batches as Batches, batches as batches
from ._cues import (
    delayed_match_to_sample as delayed_match_to_sample,
    evidence_accumulation as evidence_accumulation,
)
from ._examples import Examples as Examples, Trials as Trials
from ._images import digits as digits, fashion_mnist as fashion_mnist
from ._points import randman as randman, yin_yang as yin_yang
from ._saccades import saccades as saccades
from ._sequences import mackey_glass as mackey_glass, sequential as sequential
