"""Texts, labels and speakers from `metadata.csv` and `metadata.jsonl` beside recordings (Hugging Face audiofolder)."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from wakeword.audio.locators import Entry, read_bytes
from wakeword.data.sources.listing import lines_of
from wakeword.errors import DataError

NAMES = ("metadata.csv", "metadata.jsonl")
_FILE = "file_name"


def read_metadata(entries: Iterable[Entry]) -> tuple[dict[str, dict[str, Any]], str]:
    """Rows of the metadata files by the clip's path relative to the folder, and a digest of the files.

    A file without the column `file_name` is skipped.

    Raises:
        DataError: a file cannot be read, or a row has another number of cells than the header.
    """
    found: dict[str, dict[str, Any]] = {}
    digest = hashlib.sha256()
    for entry in entries:
        path = PurePosixPath(entry.name)
        if path.name not in NAMES:
            continue
        try:
            data = read_bytes(entry.uri)
            text = data.decode("utf-8-sig")
            rows = _lines(text) if path.suffix == ".jsonl" else _cells(text)
        except (OSError, ValueError, csv.Error) as error:
            raise DataError(f"{entry.uri} cannot be read as metadata of clips ({error}): fix or remove it") from error
        digest.update(hashlib.sha256(data).digest())
        found |= {str(path.parent / str(row[_FILE])): row for row in rows if row.get(_FILE)}
    return found, digest.hexdigest()


def _lines(text: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in lines_of(text) if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line is not a JSON object")
    return rows


def _cells(text: str) -> list[dict[str, Any]]:
    reader = csv.reader(lines_of(text), strict=True)
    header = [name.strip() for name in next(reader, [])]
    if _FILE not in header:
        return []
    rows: list[dict[str, Any]] = []
    for cells in reader:
        if any(cells) and len(cells) != len(header):
            raise ValueError(f"line {reader.line_num}: {len(cells)} cells, the header names {len(header)} columns")
        if any(cells):
            rows.append(dict(zip(header, cells, strict=True)))
    return rows
