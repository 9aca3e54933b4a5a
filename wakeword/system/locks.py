"""Lock of a folder against a second process."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wakeword.errors import MissingExtraError, RunError

log = logging.getLogger(__name__)

POLL_S = 0.2


@contextmanager
def lock_folder(
    folder: Path,
    name: str,
    wait_s: float = 0.0,
    work: str = "works on",
    advice: str = "wait for it, end it, or choose another name=…",
) -> Iterator[None]:
    """Hold the lock file `folder/name`, which contains the process id of its holder.

    The operating system releases the lock when the process ends; the file stays.

    Args:
        folder: created where absent.
        name: of the lock file.
        wait_s: seconds to wait for another holder; `math.inf` for no limit.
        work: verb of the message about the other process.
        advice: last part of that message.

    Raises:
        RunError: another process still holds the lock after `wait_s`.
        MissingExtraError: filelock is not installed.
    """
    try:
        from filelock import FileLock, Timeout
    except ImportError as error:
        raise MissingExtraError("Locking a folder", "train", error) from error
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    lock = FileLock(path, poll_interval=POLL_S)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        try:
            if wait_s:
                log.info("waiting for %s, which %s %s", _holder(path), work, folder)
            lock.acquire(timeout=-1 if wait_s == math.inf else wait_s)
        except Timeout:
            raise RunError(f"{_holder(path)} {work} {folder}: {advice}") from None
    try:
        path.write_text(f"{os.getpid()}\n", encoding="ascii")
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    """`another process (process id 123)`; a new or old lock file may have no id."""
    found = path.read_text(encoding="ascii", errors="replace").strip()
    return f"another process (process id {found})" if found.isdigit() else "another process"
