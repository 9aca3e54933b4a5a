"""`type: csv`: times of the word within its clip are taken as they are given, or the row is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.corpus import config_for, write_manifest
from wakeword.data.sources.types import read_source

COLUMNS = ("path", "kind", "label", "word_start_s", "word_end_s")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [("0.2", "0.75", (0.2, 0.75)), ("", "", (None, None)), ("0.2", "", None), ("0.5", "0.2", None), ("x", "1", None)],
)
def test_word_times(tmp_path: Path, start: str, end: str, expected: tuple[float | None, float | None] | None) -> None:
    row = {"path": "a.wav", "kind": "wakeword", "label": "marvin", "word_start_s": start, "word_end_s": end}
    config = config_for(write_manifest(tmp_path / "manifest.csv", [row], COLUMNS))
    found = read_source(config.data.sources[0], config.words)
    if expected is None:
        assert [bad["reason"] for bad in found.quarantine] == ["wrong_word_times"]
    else:
        (clip,) = found.clips.to_pylist()
        assert (clip["word_start_s"], clip["word_end_s"]) == expected
