"""Interaction during a run: a progress bar, and Ctrl-C."""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from tqdm import tqdm


class Progress:
    """A progress bar over model time, with the rate of model time and the remaining time.

    The time until the first chunk is done includes compilation, so the rate is measured from there.

    **Arguments:**

    - `start`, `stop`: model time in ms at the beginning of the run and at its end.
    - `now`: model time in ms reached so far.
    - `show`: whether to show anything. Nothing is shown outside of a terminal or notebook.
    - `file`: where to write, even if that is no terminal.
    """

    def __init__(self, start: float, now: float, stop: float, show: bool, file: Any = None):
        self._stop, self._now = stop, now
        self._first: tuple[float, float] | None = None
        self._bar: Any = None
        if not show or (file is None and not is_watched(sys.stderr)):
            return
        with self._harmless():
            self._bar = tqdm(
                total=stop - start,
                initial=now - start,
                file=file,
                bar_format="{percentage:3.0f}%|{bar}| {desc}",
                mininterval=0.1,
            )
            self._bar.set_description_str(f"{now:,.6g}/{stop:,.6g} ms, compiling")

    def update(self, now: float) -> None:
        """Update to the model time in ms at the end of the finished chunk."""
        wall = time.perf_counter()
        text = f"{now:,.6g}/{self._stop:,.6g} ms"
        if self._first is None:
            self._first = wall, now
        elif wall > self._first[0]:
            rate = (now - self._first[1]) / (wall - self._first[0])
            left = (self._stop - now) / rate
            text += f", {rate / 1e3:.3g} x real time, {clock_time(left)} left"
        if self._bar is not None:
            with self._harmless():
                self._bar.set_description_str(text, refresh=False)
                self._bar.update(now - self._now)
        self._now = now

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bar is not None:
            with self._harmless():
                self._bar.close()

    @contextlib.contextmanager
    def _harmless(self) -> Iterator[None]:
        """If writing to the file fails, the run continues without a bar."""
        try:
            yield
        except Exception:
            bar, self._bar = self._bar, None
            if bar is not None:
                bar.disable = True  # otherwise it would write once more when garbage-collected


def is_watched(file: Any) -> bool:
    """Whether the output is interactive: a terminal or a notebook, not a log. `sys.stderr` may be
    `None`, closed, or lack `isatty`."""
    try:
        return bool(file.isatty()) or type(file).__module__.startswith("ipykernel")
    except Exception:
        return type(file).__module__.startswith("ipykernel")


def clock_time(seconds: float) -> str:
    """`"1:02:03"` or `"2:03"`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Interrupt:
    """Ctrl-C as a request: the first stops the run at the end of the present chunk, the second
    raises `KeyboardInterrupt` at once.

    Only in the main thread, and only if the default handler of Ctrl-C is installed.
    """

    def __init__(self) -> None:
        self.requested = False
        self._installed = False

    def __enter__(self) -> "Interrupt":
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._on_signal)
            self._installed = True
        return self

    def __exit__(self, *error: Any) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
