"""The fusion map that the package ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from wakeword.errors import DataError
from wakeword.phonetics import fusion
from wakeword.phonetics.fusion import shipped_fusion


def test_the_shipped_map_says_how_it_was_made() -> None:
    found = shipped_fusion()
    assert found.weights["logit"] > 0
    assert len(found.made) > 20


def test_a_damaged_map_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fusion.json").write_text('{"weights": {"volume": 1.0}}')
    monkeypatch.setattr(fusion.resources, "files", lambda _: tmp_path)
    with pytest.raises(DataError, match="is damaged"):
        shipped_fusion()
