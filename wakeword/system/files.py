"""Atomic writes: temporary name, fsync, rename, fsync of the folder. A file is either complete or absent."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wakeword.errors import RunError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""The device is full, the user's quota is used up, or the process's limit for a file is reached."""


def user_path(text: str) -> str:
    """Expand `~` and `~name` at the start of a path; everything else stays unchanged."""
    return os.path.expanduser(text)


def user_cache() -> Path:
    """Folder of what can be made again: WAKEWORD_CACHE, or `~/.cache/wakeword`."""
    return Path(os.environ.get("WAKEWORD_CACHE") or Path.home() / ".cache" / "wakeword")


def fsync_folder(folder: Path) -> None:
    """Flush a rename inside `folder` to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_file(path: Path) -> None:
    """Flush a file that another library has written to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained_full_disk(target: Path) -> Iterator[None]:
    """Replace the error of a full disk with a `RunError`; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        reason = os.strerror(error.errno)
        raise RunError(
            f"{target} cannot be written ({reason}): free space there or choose another folder, then run the same "
            "command again; complete files are kept"
        ) from error


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; without an error it becomes `target`, otherwise it is removed.

    Raises:
        RunError: the disk (or quota) is full.
    """
    target = Path(target)
    temporary = target.parent / f".{target.name}.{os.getpid()}.part"
    try:
        with _explained_full_disk(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            fsync_file(temporary)
            os.replace(temporary, target)
            fsync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `target`; without an error it replaces `target`.

    Raises:
        RunError: the disk (or quota) is full.
    """
    target = Path(target)
    with _explained_full_disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
        yield from _replacing(target, temporary)


def _replacing(target: Path, temporary: Path) -> Iterator[Path]:
    try:
        yield temporary
        for path in temporary.rglob("*"):
            if path.is_file():
                fsync_file(path)
        os.chmod(temporary, 0o755)
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
            os.replace(target, old / target.name)
            os.replace(temporary, target)
            shutil.rmtree(old)
        else:
            os.replace(temporary, target)
        fsync_folder(target.parent)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


def write_text(path: Path, text: str) -> None:
    """Write `text` atomically as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` atomically as indented JSON with sorted keys (byte-identical when written again)."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
