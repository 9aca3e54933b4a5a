"""The file of raw scores: numpy's and Parquet, the same columns, read back by other readers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wakeword.errors import ConfigError, MissingExtraError
from wakeword.runtime import score_file
from wakeword.runtime.score_file import ScoreFile


def read(path: Path) -> dict[str, np.ndarray]:
    """Columns of either format."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    table = pq.read_table(path)
    assert table.schema.types == [pa.string(), pa.float64(), pa.string(), pa.float32()]
    return {name: table[name].to_numpy() for name in table.column_names}


@pytest.mark.parametrize("name", ["scores.npz", "scores.parquet"])
def test_other_readers_read_what_was_written(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_file, "PART", 400)
    generator = np.random.default_rng(0)
    words = ["hey_nova", "stöp"]
    files = {f"ordner/ä {k}.wav": generator.random((n, 2)).astype(np.float32) for k, n in enumerate((0, 1, 777, 5000))}
    with ScoreFile(tmp_path / name, words, 0.02) as out:
        for file, scores in files.items():
            out.add(file, scores)
    columns = read(tmp_path / name)
    assert list(columns) == ["file", "time_s", "word", "score"]
    assert columns["score"].dtype == np.float32
    for file, scores in files.items():
        rows = columns["file"] == file
        assert columns["word"][rows].tolist() == words * len(scores)
        assert np.array_equal(columns["score"][rows], scores.reshape(-1))
        times = np.repeat(0.02 * np.arange(1, len(scores) + 1), 2)
        assert np.allclose(columns["time_s"][rows].astype(float), times)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["scores.npz", "scores.parquet"])
def test_without_files_it_is_still_a_table(tmp_path: Path, name: str) -> None:
    with ScoreFile(tmp_path / name, ["a"], 0.02):
        pass
    assert [len(column) for column in read(tmp_path / name).values()] == [0, 0, 0, 0]


@pytest.mark.parametrize("name", ["scores.npz", "scores.parquet"])
def test_nothing_is_left_after_an_error(tmp_path: Path, name: str) -> None:
    out = ScoreFile(tmp_path / name, ["a"], 0.02).__enter__()
    out.add("f\udcff", np.zeros((10, 1)))
    out.__exit__(RuntimeError, RuntimeError(), None)
    assert not list(tmp_path.iterdir())


def test_parquet_without_pyarrow_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        MissingExtraError, match=r"s\.parquet .*\.npz needs numpy alone.*pip install 'wakeword\[train\]'"
    ):
        ScoreFile(tmp_path / "s.parquet", ["a"], 0.02)
    with ScoreFile(tmp_path / "s.npz", ["a"], 0.02) as out:
        out.add("f", np.ones((3, 1)))
    assert read(tmp_path / "s.npz")["score"].tolist() == [1, 1, 1]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"scores\.csv: a file of scores must end in \.npz or \.parquet"):
        ScoreFile(tmp_path / "scores.csv", ["a"], 0.02)
