"""Events and raw scores of a recording in any format that is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from wakeword.audio.io import stream_blocks
from wakeword.runtime import Detection, Detector
from wakeword.runtime.score_file import ScoreFile

BLOCK_S = 1.0


def detect_in_file(
    detector: Detector, file: str | Path, scores: ScoreFile | None, note: Callable[[str], None]
) -> list[Detection]:
    """Events of one recording, read in blocks of a second.

    Args:
        detector: of one stream, at the start of it; reset it after an error.
        file: the recording.
        scores: gets the raw scores once the whole recording was read.
        note: called with a sentence on anything odd about the file.

    Raises:
        DataError: the file cannot be read; it leaves no events and no scores.
    """
    events: list[Detection] = []
    kept = []
    for block in stream_blocks(file, BLOCK_S, warn=note):
        score, found = detector.process_scores(block)
        events += found
        if scores is not None:
            kept.append(score[0])
    score, found = detector.flush_scores()
    if scores is not None:
        scores.add(str(file), np.concatenate([*kept, score[0]]))
    return events + found
