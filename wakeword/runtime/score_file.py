"""Write raw scores to a table: `.npz` with numpy, or `.parquet` if pyarrow is installed."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import ConfigError, MissingExtraError
from wakeword.system.files import atomic_path

SUFFIXES = (".npz", ".parquet")
COLUMNS = ("file", "time_s", "word", "score")
PART = 10_000
"""Scores whose rows are in memory at a time."""


class ScoreFile:
    """Table with the columns `file`, `time_s`, `word`, `score`, one row per score and word in time order.

    Context manager; the file exists only after an exit without error. An `.npz` holds one array per column, without
    pickle; its scores are in memory (4 bytes each) until it is written.
    """

    def __init__(self, path: str | Path, words: Sequence[str], step_s: float) -> None:
        """Raises ConfigError for another suffix, MissingExtraError for `.parquet` without pyarrow."""
        self.path = Path(path)
        self.words = list(words)
        self.step_s = step_s
        if self.path.suffix not in SUFFIXES:
            raise ConfigError(f"{path}: a file of scores must end in {' or '.join(SUFFIXES)}")
        self._kept: list[tuple[str, NDArray[np.float32]]] = []
        self._pyarrow: Any = _pyarrow(self.path) if self.path.suffix == ".parquet" else None
        self._writer: Any = None

    def __enter__(self) -> ScoreFile:
        """Open a temporary file beside the target."""
        self._stack = ExitStack()
        self._temporary = self._stack.enter_context(atomic_path(self.path))
        if self._pyarrow is not None:
            types = (self._pyarrow.string(), self._pyarrow.float64(), self._pyarrow.string(), self._pyarrow.float32())
            schema = self._pyarrow.schema(list(zip(COLUMNS, types, strict=True)))
            writer = self._pyarrow.parquet.ParquetWriter(self._temporary, schema, compression="zstd")
            self._writer = self._stack.enter_context(writer)
        return self

    def __exit__(self, *error: Any) -> None:
        """Write the `.npz` and move the file into place."""
        if error[0] is None and self._writer is None:
            self._write_npz()
        self._stack.__exit__(*error)

    def add(self, file: str, scores: NDArray[Any]) -> None:
        """Append all raw `scores (scores, words)` of a file; `time_s` is (index + 1) x step."""
        scores = np.ascontiguousarray(scores, dtype=np.float32)
        # Bytes of a file name that are not UTF-8 are replaced.
        name = file.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if self._writer is None:
            self._kept.append((name, scores))
        elif len(scores):
            columns = dict(zip(COLUMNS, (self._column(column, name, scores) for column in COLUMNS), strict=True))
            self._writer.write_table(self._pyarrow.table(columns, schema=self._writer.schema))

    def _column(self, column: str, file: str, scores: NDArray[np.float32], first: int = 0) -> NDArray[Any]:
        """Values of a column for `scores (scores, words)` of a file, whose index starts at `first`."""
        if column == "file":
            return np.full(scores.size, file)
        if column == "time_s":
            return np.repeat((first + np.arange(len(scores)) + 1) * self.step_s, len(self.words))
        return np.tile(np.array(self.words), len(scores)) if column == "word" else scores.reshape(-1)

    def _write_npz(self) -> None:
        rows = sum(scores.size for _, scores in self._kept)
        widths = {"file": max((len(name) for name, _ in self._kept), default=1), "word": max(map(len, self.words))}
        types = (f"<U{widths['file']}", "<f8", f"<U{widths['word']}", "<f4")
        with zipfile.ZipFile(self._temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for column, kind in zip(COLUMNS, types, strict=True):
                with archive.open(f"{column}.npy", "w", force_zip64=True) as out:
                    header = {"descr": kind, "fortran_order": False, "shape": (rows,)}
                    np.lib.format.write_array_header_1_0(out, header)  # type: ignore[arg-type]
                    # In parts: the texts of all rows would take a hundred times the memory of the scores.
                    for name, scores in self._kept:
                        for first in range(0, len(scores), PART):
                            part = self._column(column, name, scores[first : first + PART], first)
                            out.write(part.astype(kind).tobytes())


def _pyarrow(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            f"Writing {path} (scores as Parquet; .npz needs numpy alone)", "train", error
        ) from error
    return pyarrow
