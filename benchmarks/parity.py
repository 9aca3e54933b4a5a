"""One function everywhere: streaming = offline, ONNX = torch and identical events, over all real test clips.

    python -m benchmarks.parity [--quick] [--json FILE] [--run RUN_DIR]

It takes a trained run and its bundle: `wakeword pipeline configs/real.yaml` makes `runs/real`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import RECORDINGS, ROOT, Bar, run

if TYPE_CHECKING:
    import numpy as np

    from wakeword.models.streaming import StreamingModel

QUICK_CLIPS = 20


def test_clips(quick: bool) -> list[np.ndarray]:
    """Audio `(samples,)` float32 of the recordings' test split, or bursts of tone and noise where they are absent."""
    import csv

    from wakeword.audio.io import read_audio
    from wakeword.export.verify import synthetic_audio

    manifest = RECORDINGS / "manifest.csv"
    if not manifest.is_file():
        print("the real recordings (../shared/data) are absent: measured on synthetic audio")
        return synthetic_audio()
    with manifest.open(newline="", encoding="utf-8") as rows:
        paths = [row["path"] for row in csv.DictReader(rows) if row["split"] == "test"]
    return [read_audio(RECORDINGS / path) for path in (paths[:QUICK_CLIPS] if quick else paths)]


def offline_difference(model: StreamingModel, clip: np.ndarray) -> float:
    """Largest difference between offline scores and scores streamed in chunks of 80 ms, where offline has them."""
    import numpy as np
    import torch

    from wakeword.export.verify import torch_scores

    step, context = model.step_samples, model.context_samples
    # The first offline score is due when the receptive field is full: silence in front gives every score one.
    heard = np.concatenate([np.zeros(context, np.float32), clip[: len(clip) - len(clip) % step]])
    with torch.inference_mode():
        offline = torch.sigmoid(model.offline(torch.from_numpy(heard)[None]))[0].numpy()
    streamed = torch_scores(model, heard, 4 * step)[context // step - 1 :]
    return float(np.abs(offline - streamed).max())


def measure(arguments: argparse.Namespace) -> list[Bar]:
    """Both comparisons over every clip."""
    from wakeword.export.verify import verify_parity
    from wakeword.runtime import load_bundle
    from wakeword.training.checkpoint import load_trained

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
