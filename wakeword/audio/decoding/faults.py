"""The error for a file that cannot be used, with a reason code for the quarantine table, and warnings about files."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wakeword.errors import DataError

Warn = Callable[[str], None]
"""Called with a sentence about a problem of a file that does not stop the decoder."""
_LOG = logging.getLogger(__name__)


class AudioError(DataError):
    """A file that cannot be used; `reason` is its code in the quarantine table, `detail` a sentence."""

    def __init__(self, reason: str, where: str, detail: str) -> None:
        super().__init__(f"cannot read {where}: {detail} ({reason})")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        # Ray sends exceptions between processes; the default would call __init__ with the message alone.
        return (_restore, (self.reason, self.detail, str(self)))


def _restore(reason: str, detail: str, message: str) -> AudioError:
    error = AudioError(reason, "", detail)
    error.args = (message,)
    return error


def logged(where: str) -> Warn:
    """A `Warn` that logs a warning about the file `where`."""
    return lambda text: _LOG.warning("%s: %s", where, text)


def silent(text: str) -> None:
    """A `Warn` that does nothing, for files that were read before."""


def name_of(source: str | Path | bytes) -> str:
    """Name of a source in messages."""
    return f"{len(source)} bytes of audio" if isinstance(source, bytes) else str(source)
