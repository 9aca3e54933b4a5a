"""The source of the bar over epochs."""

from __future__ import annotations

import json
from pathlib import Path

from wakeword.training.progress import last_metrics


def test_a_half_written_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert last_metrics(path) is None
    path.write_text(json.dumps({"epoch": 1}) + "\n" + '{"epoch": 2, "va')
    assert last_metrics(path) == {"epoch": 1}
