"""Detect the words of a bundle in an audio file of any supported format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from wakeword.audio.io import stream_blocks
from wakeword.runtime import Detection, Detector
from wakeword.runtime.score_file import ScoreFile

BLOCK_S = 1.0


def detect_in_file(
    detector: Detector, file: str | Path, scores: ScoreFile | None, warn: Callable[[str], None]
) -> list[Detection]:
    """Return the events of one audio file, which is read in blocks of one second.

    Args:
        detector: a detector with one stream, at its start; reset it after an error.
        scores: receives the raw scores when the whole file has been read.
        warn: called with one sentence for each problem of the file that does not stop the decoder.

    Raises:
        DataError: the file cannot be read. No scores are added then.
    """
    events: list[Detection] = []
    kept = []
    for block in stream_blocks(file, BLOCK_S, warn=warn):
        score, found = detector.process_scores(block)
        events += found
        if scores is not None:
            kept.append(score[0])
    score, found = detector.flush_scores()
    if scores is not None:
        scores.add(str(file), np.concatenate([*kept, score[0]]))
    return events + found
