"""Progress of long tasks: a bar on a terminal, lines in the log elsewhere.

Where standard error is a terminal and rich is installed, running tasks share one display. Elsewhere a task logs a line
at every tenth of its work and at least every `LINE_S` seconds, with the estimated remaining time.
"""

from __future__ import annotations

import contextvars
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

LINE_S = 30.0
"""Longest time in seconds between two log lines."""
SHARE = 0.1
"""Share of the work between two log lines."""
SHORTEST_S = 2.0
"""Shortest time in seconds between two log lines about shares, which spares short tasks ten lines."""


class Progress:
    """The progress of one task: a context manager. `advance`, `to` and `line` are thread-safe."""

    _any_line_s = 0.0
    """Time of the last line of any task in this process; a task without a total logs only while others do not."""

    def __init__(
        self, title: str, total: float | None = None, unit: str = "", visible: bool | None = None, tenths: bool = True
    ) -> None:
        """Describe the task.

        Args:
            title: name of the task.
            total: units of work; None where unknown, and then the elapsed time is displayed.
            unit: of `total`, in the plural.
            visible: True displays a bar, False nothing; None a bar on a terminal, and log lines elsewhere.
            tenths: log a line at every tenth; False where the caller logs lines itself (`line`).
        """
        self.title, self.total, self.unit, self.visible, self.tenths = title, total, unit, visible, tenths
        self.done, self.text = 0.0, ""
        self._first: float | None = None
        self._bar: Any = None
        self._lines = False
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._heartbeat: threading.Thread | None = None

    def __enter__(self) -> Progress:
        self._started_s = self._line_s = time.monotonic()
        self._line_share = 0.0
        if self.visible or (self.visible is None and sys.stderr.isatty()):
            with suppress(ImportError):
                self._bar = _Bar(self.title, self.total)
        self._lines = self._bar is None and self.visible is None
        if self._lines:
            self._heartbeat = _thread(self._beat)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._heartbeat is not None:
            self._heartbeat.join()
        if self._bar is not None:
            self._bar.close(self.total is None)

    def advance(self, units: float = 1.0, text: str | None = None) -> None:
        """Add completed units; `text` follows the numbers on the bar and in lines."""
        with self._lock:
            self._update(self.done + units, None, text)

    def to(self, done: float, total: float | None = None, text: str | None = None) -> None:
        """Set the number of completed units, and `total` where it was unknown."""
        with self._lock:
            self._update(done, total, text)

    def start_at(self, done: float) -> None:
        """Set units that were completed before this process; the remaining time is estimated without them."""
        with self._lock:
            self._first = done
            self._update(done, None, None, quiet=True)

    def line(self, text: str) -> None:
        """Log a line now, with the remaining time, even while a bar is displayed."""
        with self._lock:
            self._write(text)

    def _update(self, done: float, total: float | None, text: str | None, quiet: bool = False) -> None:
        self.done = done
        self.total = self.total if total is None else total
        self.text = self.text if text is None else text
        if self._bar is not None:
            self._bar.update(self.done, self.total, self.text)
        if quiet:
            self._line_share = self.done / self.total if self.total else 0.0
        if quiet or not (self._lines and self.tenths and self.total):
            return
        share = self.done / self.total
        if share - self._line_share >= SHARE - 1e-9 and time.monotonic() - self._line_s >= SHORTEST_S:
            self._write(self._state())

    def _beat(self) -> None:
        while not self._stopping.wait(max(0.05, self._due_s() - time.monotonic())):
            with self._lock:
                if time.monotonic() >= self._due_s():
                    self._write(self._state())

    def _due_s(self) -> float:
        # A task without a total waits a little longer, so that a task with more to state comes first.
        return LINE_S + (self._line_s if self.total else max(self._line_s, Progress._any_line_s) + 0.05 * LINE_S)

    def _state(self) -> str:
        parts = []
        if self.total:
            unit = f" {self.unit}" if self.unit else ""
            parts.append(f"{self.done:,.4g} of {self.total:,.4g}{unit} ({self.done / self.total:.0%})")
        else:
            parts.append(f"running for {duration(time.monotonic() - self._started_s)}")
        return ", ".join([*parts, *([self.text] if self.text else [])])

    def _write(self, text: str) -> None:
        self._line_s = Progress._any_line_s = time.monotonic()
        self._line_share = self.done / self.total if self.total else 0.0
        about: dict[str, Any] = {"task": self.title, "done": round(self.done, 3), "total": self.total}
        left_s = self.left_s()
        if left_s is not None:
            about["left_s"] = round(left_s, 1)
            text = f"{text}, {duration(left_s)} left"
        log.info("%s: %s", self.title, text, extra=about)

    def left_s(self) -> float | None:
        """Estimated remaining seconds; None where unknown."""
        made = self.done - (self._first or 0.0)
        if not self.total or made <= 0 or self.done >= self.total:
            return None
        return (time.monotonic() - self._started_s) / made * (self.total - self.done)


def duration(seconds: float) -> str:
    """`45 s`, `3.2 min` or `1.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _thread(work: Callable[[], None]) -> threading.Thread:
    """Start a thread whose log lines carry the names that `log_context` has bound here."""
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(work,), name="wakeword-progress", daemon=True)
    thread.start()
    return thread


class _Bar:
    """A row of the display that all tasks of this process share, since rich draws one display at a time."""

    _display: Any = None
    _rows = 0
    _lock = threading.Lock()

    def __init__(self, title: str, total: float | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Display

        with _Bar._lock:
            if _Bar._display is None:
                columns = (
                    TextColumn("{task.description}"),
                    BarColumn(),
                    TaskProgressColumn(),
                    TextColumn("{task.fields[text]}"),
                    TimeElapsedColumn(),
                    TimeRemainingColumn(),
                )
                _Bar._display = Display(*columns, console=Console(file=_own_stderr()))
                _Bar._display.start()
            _Bar._rows += 1
            self.task = _Bar._display.add_task(title, total=total, text="")

    def update(self, done: float, total: float | None, text: str) -> None:
        _Bar._display.update(self.task, completed=done, total=total, text=text)

    def close(self, remove: bool) -> None:
        """End the row: a bar stays on the screen, `remove` clears it."""
        with _Bar._lock:
            if remove:
                _Bar._display.remove_task(self.task)
            _Bar._rows -= 1
            if not _Bar._rows:
                _Bar._display.stop()
                if (stream := _Bar._display.console.file) is not sys.stderr:
                    stream.close()
                _Bar._display = None


def _own_stderr() -> TextIO:
    """A copy of standard error, so that the display stays on the terminal while descriptor 2 is redirected."""
    try:
        return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return sys.stderr


class Rate:
    """Clips and hours of audio per second, from the columns `rows`, `clips_done` and `duration_s` of a stage's
    batches."""

    def __init__(self) -> None:
        self.clips = 0
        self.audio_s = 0.0
        self._started_s = time.monotonic()

    def add(self, batch: pa.Table) -> None:
        """Count a batch."""
        for name in ("rows", "clips_done"):
            if name in batch.column_names:
                self.clips += sum(batch.column(name).to_pylist())
        if "duration_s" in batch.column_names:
            self.audio_s += sum(value or 0.0 for value in batch.column("duration_s").to_pylist())

    def text(self, now_s: float | None = None) -> str:
        """`120 clips/s, 0.02 h of audio/s`, without unknown parts."""
        elapsed_s = max(1e-3, (time.monotonic() if now_s is None else now_s) - self._started_s)
        parts = [f"{self.clips / elapsed_s:.0f} clips/s"] if self.clips else []
        if self.audio_s:
            parts.append(f"{self.audio_s / 3600 / elapsed_s:.3g} h of audio/s")
        return ", ".join(parts)


def track_batches(batches: Iterator[pa.Table], total: int, title: str, visible: bool | None) -> Iterator[pa.Table]:
    """Yield a stage's batches and display how many of its `total` rows are done."""
    rate = Rate()
    with Progress(title, total, visible=visible) as progress:
        for batch in batches:
            rate.add(batch)
            # A stage may write several rows for one row that it reads.
            progress.to(min(total, progress.done + batch.num_rows), text=rate.text())
            yield batch


@contextmanager
def polled(progress: Progress, read: Callable[[Progress], None], interval_s: float) -> Iterator[None]:
    """Call `read(progress)` from a thread every `interval_s` seconds and at the end of the block."""
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.wait(interval_s):
            read(progress)
        read(progress)

    thread = _thread(watch)
    try:
        yield
    finally:
        stopping.set()
        thread.join()
