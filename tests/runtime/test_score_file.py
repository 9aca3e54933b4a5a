"""The Parquet file of raw scores, read back by a reader of somebody else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wakeword.runtime import score_file
from wakeword.runtime.score_file import ScoreFile


def test_pyarrow_reads_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_file, "ROWS_PER_GROUP", 400)
    generator = np.random.default_rng(0)
    words = ["hey_nova", "stöp"]
    files = {f"ordner/ä {k}.wav": generator.random((n, 2)).astype(np.float32) for k, n in enumerate((0, 1, 777, 5000))}
    with ScoreFile(tmp_path / "scores.parquet", words, 0.02) as out:
        for name, scores in files.items():
            out.add(name, scores)
    table = pq.read_table(tmp_path / "scores.parquet")
    assert table.schema.names == ["file", "time_s", "word", "score"]
    assert table.schema.types == [pa.string(), pa.float64(), pa.string(), pa.float32()]
    for name, scores in files.items():
        rows = table.filter(pa.compute.equal(table["file"], name))
        assert rows["word"].to_pylist() == words * len(scores)
        assert np.array_equal(rows["score"].to_numpy(), scores.reshape(-1))
        assert np.allclose(rows["time_s"].to_numpy(), np.repeat(0.02 * np.arange(1, len(scores) + 1), 2))
    assert pq.read_metadata(tmp_path / "scores.parquet").num_row_groups > 20


def test_an_empty_file_is_still_a_table(tmp_path: Path) -> None:
    with ScoreFile(tmp_path / "scores.parquet", ["a"], 0.02):
        pass
    assert pq.read_table(tmp_path / "scores.parquet").num_rows == 0


def test_nothing_is_left_after_an_error(tmp_path: Path) -> None:
    out = ScoreFile(tmp_path / "scores.parquet", ["a"], 0.02).__enter__()
    out.add("f", np.zeros((10, 1)))
    assert list(tmp_path.iterdir())
    error = RuntimeError()
    out.__exit__(RuntimeError, error, None)
    assert not list(tmp_path.iterdir())
