"""Equal scores everywhere: streaming = offline, ONNX = torch with identical events, over all real test clips.

    python -m benchmarks.parity [--quick] [--json FILE] [--run RUN_DIR]

Takes a trained run and its bundle: `wakeword pipeline configs/real.yaml` makes `runs/real`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.harness import ROOT, Bar, recording_rows, run
from wakeword.audio.io import read_audio
from wakeword.errors import DataError
from wakeword.export.verify import synthetic_audio, torch_scores, verify_parity
from wakeword.models.streaming import StreamingModel
from wakeword.runtime import load_bundle
from wakeword.training.checkpoint import load_trained

QUICK_CLIPS = 20


def test_clips(quick: bool) -> list[np.ndarray]:
    """Audio `(samples,)` float32 of the recordings' test split, or bursts of tone and noise where they are absent."""
    try:
        paths = [row["path"] for row in recording_rows() if row["split"] == "test"]
    except DataError as error:
        print(f"{error}; measured on synthetic audio")
        return synthetic_audio()
    return [read_audio(path) for path in (paths[:QUICK_CLIPS] if quick else paths)]


def offline_difference(model: StreamingModel, clip: np.ndarray) -> float:
    """Largest difference between offline scores and scores streamed in chunks of 80 ms, where offline has them."""
    step, context = model.step_samples, model.context_samples
    # The first offline score needs a full receptive field: with silence in front, every streamed score has a partner.
    audio = np.concatenate([np.zeros(context, np.float32), clip[: len(clip) - len(clip) % step]])
    with torch.inference_mode():
        offline = torch.sigmoid(model.offline(torch.from_numpy(audio)[None]))[0].numpy()
    streamed = torch_scores(model, audio, 4 * step)[context // step - 1 :]
    return float(np.abs(offline - streamed).max())


def measure(arguments: argparse.Namespace) -> list[Bar]:
    """Both comparisons over every clip."""
    model, _ = load_trained(arguments.run)
    clips = test_clips(arguments.quick)
    offline = max(offline_difference(model, clip) for clip in clips)
    report = verify_parity(model, load_bundle(arguments.run / "bundle"), 1.0, clips)
    return [
        Bar("clips", len(clips), "clips"),
        Bar("streaming against offline, largest difference of a score", offline, "", 1e-5),
        Bar("ONNX against torch, largest difference of a score", report.score_difference, "", 1e-4),
        Bar("scores compared", report.scores, "scores"),
        # An event that differs ends the measurement with an error.
        Bar("events compared, all identical in word and time", report.events, "events", 1, "least"),
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The run to measure."""
    parser.add_argument("--run", type=Path, default=ROOT / "runs" / "real", help="folder of a trained run")


if __name__ == "__main__":
    sys.exit(run("parity", measure, add_options))
