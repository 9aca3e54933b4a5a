"""Open and list files by path, fsspec URI (`s3://…`, `memory://…`), or place inside an archive.

`a/b.tar#dir/key.wav` is a member of an uncompressed tar, `a/b.parquet#17` is row 17 of a Parquet file with a column of
encoded audio. Members are read in place, without extraction. All sources and decoders open their files here.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from wakeword.errors import DataError, MissingExtraError
from wakeword.system.files import user_path

_INSIDE = re.compile(r"^(?P<archive>.+\.(?:tar|parquet))#(?P<member>.+)$", re.IGNORECASE | re.DOTALL)
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """A file below a root: its relative path, URI, size in bytes, and a stamp that changes with its content."""

    name: str
    uri: str
    size: int
    stamp: str


def parts_of(uri: str) -> tuple[str, str]:
    """Split a URI into archive and member, as in `("a.tar", "key.wav")`; the member of a plain file is empty."""
    match = _INSIDE.match(uri)
    return (match["archive"], match["member"]) if match else (uri, "")


def plain(uri: str | Path) -> str:
    """Resolve `file:///x` and `~/x` to paths; return anything else unchanged."""
    text = str(uri)
    return text[7:] if text.startswith("file://") else user_path(text)


def local_path(source: str | Path | bytes) -> str | None:
    """The path of a local file; None for bytes, a member of an archive and a remote file."""
    if isinstance(source, bytes):
        return None
    archive, member = parts_of(plain(source))
    return None if member or _SCHEME.match(archive) else archive


def join(root: str, name: str) -> str:
    """Join a folder and a relative name; an absolute path, a `~/…` path or a URI is returned as it is."""
    name = user_path(name) if name.startswith("~/") else name
    if _SCHEME.match(name) or os.path.isabs(name):
        return plain(name)
    root = plain(root)
    if _SCHEME.match(root):
        return f"{root.rstrip('/')}/{name}"
    return str((Path(root) / name).absolute())


def parent(uri: str) -> str:
    """The folder of a file."""
    return uri.rsplit("/", 1)[0] if _SCHEME.match(plain(uri)) else str(Path(plain(uri)).parent)


def _filesystem(uri: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError(f"Reading {uri}", "train", error) from error
    try:
        return fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise DataError(f"{uri} cannot be opened: {' '.join(str(error).split())}") from error


def open_uri(uri: str | Path) -> BinaryIO:
    """Open a seekable binary stream for reading.

    Raises:
        OSError: from the file system; FileNotFoundError also for an archive without that member.
        DataError: an unknown scheme, a damaged archive, or an error of a remote file system.
    """
    archive, member = parts_of(plain(uri))
    if member:
        read = _tar_member if archive.lower().endswith(".tar") else _parquet_row
        return io.BytesIO(read(archive, member))
    if not _SCHEME.match(archive):
        return Path(archive).open("rb")
    filesystem, path = _filesystem(archive)
    with remote_errors(archive):
        stream: BinaryIO = filesystem.open(path, "rb")
    return stream


_FAULTS = {
    "aiohttp": ("ClientError",),
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "gcsfs.retry": ("HttpError",),
    "google.auth.exceptions": ("GoogleAuthError",),
    "azure.core.exceptions": ("AzureError",),
}
"""Exceptions of fsspec's file systems other than OSError, by module; only loaded modules are looked up."""


@contextmanager
def remote_errors(uri: str) -> Iterator[None]:
    """Raise a `DataError` for a refusal, a broken connection or missing credentials; pass FileNotFoundError on."""
    try:
        yield
    except FileNotFoundError as error:
        # fsspec raises FileNotFoundError for every HTTP failure; the cause is chained.
        cause = error.__cause__
        if cause is None or isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) == 404:
            raise
        raise DataError(f"{uri} cannot be read: {' '.join(str(cause).split()) or type(cause).__name__}") from error
    except OSError:
        raise
    except _faults() as error:
        raise DataError(f"{uri} cannot be read: {' '.join(str(error).split()) or type(error).__name__}") from error


def _faults() -> tuple[type[BaseException], ...]:
    loaded = ((sys.modules[module], names) for module, names in _FAULTS.items() if module in sys.modules)
    return tuple(getattr(module, name) for module, names in loaded for name in names if hasattr(module, name))


def read_bytes(uri: str) -> bytes:
    """All bytes of a small file. Raises OSError and DataError as `open_uri`."""
    with open_uri(uri) as stream, remote_errors(uri):
        return stream.read()


def exists(uri: str) -> bool:
    """Whether a file or folder exists."""
    uri = plain(uri)
    if not _SCHEME.match(uri):
        return Path(uri).exists()
    filesystem, path = _filesystem(uri)
    with remote_errors(uri):
        return bool(filesystem.exists(path))


def sha256_of_uri(uri: str) -> str:
    """Hex SHA-256 of a file, which is read in blocks."""
    digest = hashlib.sha256()
    with open_uri(uri) as stream, remote_errors(uri):
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def size_of(uri: str) -> int:
    """Bytes of a clip without reading it (for a Parquet row, the mean of all rows); 0 if it does not exist."""
    archive, member = parts_of(plain(uri))
    try:
        stamp = _stamp(archive)
        if not member:
            return int(stamp.split(":")[0])
        if archive.lower().endswith(".tar"):
            return _tar_index(archive, stamp).get(member, (0, 0))[1]
        return _parquet_mean(archive, stamp)
    except (OSError, DataError):
        return 0


def stamp_of(uri: str) -> str:
    """Size and time of the file that holds a clip; empty if it does not exist."""
    try:
        return _stamp(parts_of(plain(uri))[0])
    except (OSError, DataError):
        return ""


def walk(root: str) -> list[Entry]:
    """Every file below a folder (or the file itself) except hidden ones, sorted by name.

    Raises:
        DataError: the folder does not exist.
    """
    root = plain(root)
    if not exists(root):
        raise DataError(f"{root} does not exist: check data.sources[].uri")
    found = _walk_remote(root) if _SCHEME.match(root) else _walk_local(Path(root))
    return sorted(found, key=lambda entry: entry.name)


def _walk_local(root: Path) -> Iterator[Entry]:
    if root.is_file():
        yield Entry(root.name, str(root.absolute()), root.stat().st_size, str(root.stat().st_mtime_ns))
        return
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(folder) / name
            if name.startswith(".") or not path.exists():
                continue
            status = path.stat()
            relative = path.relative_to(root).as_posix()
            yield Entry(relative, str(path.absolute()), status.st_size, str(status.st_mtime_ns))


def _walk_remote(root: str) -> Iterator[Entry]:
    filesystem, path = _filesystem(root)
    base = path.rstrip("/")
    with remote_errors(root):
        found = filesystem.find(path, detail=True)
    for name, info in found.items():
        relative = name[len(base) :].lstrip("/") or name.rsplit("/", 1)[-1]
        if any(part.startswith(".") for part in relative.split("/")):
            continue
        yield Entry(relative, filesystem.unstrip_protocol(name), int(info.get("size") or 0), _remote_stamp(info))


def _remote_stamp(info: dict[str, Any]) -> str:
    return str(next((info[key] for key in ("ETag", "etag", "mtime", "LastModified", "created") if key in info), ""))


def _stamp(archive: str) -> str:
    """Size and time of an archive; the cached index of an older version is not used."""
    if not _SCHEME.match(archive):
        status = Path(archive).stat()
        return f"{status.st_size}:{status.st_mtime_ns}"
    filesystem, path = _filesystem(archive)
    with remote_errors(archive):
        info = filesystem.info(path)
    return f"{int(info.get('size') or 0)}:{_remote_stamp(info)}"


def tar_members(archive: str) -> dict[str, tuple[int, int]]:
    """Files of an uncompressed tar in order: name -> (offset, bytes). Raises DataError for any other file."""
    return _tar_index(plain(archive), _stamp(plain(archive)))


@lru_cache(maxsize=8)
def _tar_index(archive: str, stamp: str) -> dict[str, tuple[int, int]]:
    try:
        with open_uri(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            return {member.name: (member.offset_data, member.size) for member in tar if member.isfile()}
    except tarfile.TarError as error:
        raise DataError(f"{archive} is not an uncompressed tar ({error}): write it without gzip") from error


def _tar_member(archive: str, member: str) -> bytes:
    place = _tar_index(archive, _stamp(archive)).get(member)
    if place is None:
        raise FileNotFoundError(2, "no such member", f"{archive}#{member}")
    with open_uri(archive) as stream:
        stream.seek(place[0])
        data = stream.read(place[1])
    if len(data) < place[1]:
        raise DataError(f"{archive} ends inside {member}: copy the archive again")
    return data


@contextmanager
def open_parquet(archive: str) -> Iterator[Any]:
    """Open a `pyarrow.parquet.ParquetFile`. Raises DataError for any other file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_uri(archive) as stream:
        try:
            file = pq.ParquetFile(stream)
        except pa.ArrowInvalid as error:
            raise DataError(f"{archive} is not a Parquet file ({error}): copy it again") from error
        yield file


def audio_column(schema: Any) -> str:
    """Name of the column of encoded audio (a struct with `bytes`, or binary); empty if there is none."""
    import pyarrow as pa

    for column in schema:
        if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
            return str(column.name)
    for column in schema:
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            return str(column.name)
    return ""


def _parquet_row(archive: str, member: str) -> bytes:
    if not member.isdigit():
        raise FileNotFoundError(2, "no such row", f"{archive}#{member}")
    stamp, row = _stamp(archive), int(member)
    start = 0
    for group, rows in enumerate(_group_rows(archive, stamp)):
        if row < start + rows:
            data = _group_audio(archive, stamp, group)[row - start].as_py()
            if not data:
                raise DataError(f"{archive}#{member}: the audio of this row is empty")
            return bytes(data)
        start += rows
    raise FileNotFoundError(2, "no such row", f"{archive}#{member}")


@lru_cache(maxsize=32)
def _group_rows(archive: str, stamp: str) -> tuple[int, ...]:
    with open_parquet(archive) as file:
        return tuple(file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups))


@lru_cache(maxsize=1)
def _group_audio(archive: str, stamp: str, group: int) -> Any:
    """Audio of one row group; only one is cached because clips are read in order."""
    import pyarrow as pa

    with open_parquet(archive) as file:
        name = audio_column(file.schema_arrow)
        if not name:
            raise DataError(f"{archive} has no column with audio bytes: use a manifest with a column path instead")
        column = file.read_row_group(group, columns=[name]).column(name).combine_chunks()
    if pa.types.is_struct(column.type):
        column = column.field("bytes")
    return column


@lru_cache(maxsize=32)
def _parquet_mean(archive: str, stamp: str) -> int:
    rows = sum(_group_rows(archive, stamp))
    return int(stamp.split(":")[0]) // max(1, rows)
