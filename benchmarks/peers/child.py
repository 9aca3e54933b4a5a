"""Scores of one peer on one track. Runs in the peers' environment, without any module of this project.

    python child.py PEER < audio > scores

In: 16 kHz int16 samples. Out: per score an int64 (samples of the track processed before it) and a float32. The detector
receives chunks of the size that its package documents.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

Scorer = Callable[[bytes], list[float]]


def openwakeword() -> Scorer:
    """openWakeWord's ONNX models with its defaults: no VAD, no noise suppression."""
    import openwakeword as package

    folder = Path(package.__file__).parent / "resources" / "models"
    model = package.Model([str(folder / "alexa_v0.1.onnx")])
    return lambda chunk: [float(score) for score in model.predict(np.frombuffer(chunk, dtype=np.int16)).values()]


def pyopen_wakeword() -> Scorer:
    """The TFLite port of openWakeWord."""
    from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures

    features, model = OpenWakeWordFeatures.from_builtin(), OpenWakeWord.from_builtin(Model.ALEXA)
    return lambda chunk: [
        float(score) for window in features.process_streaming(chunk) for score in model.process_streaming(window)
    ]


def pymicro_wakeword() -> Scorer:
    """microWakeWord; the scores are those before its moving average."""
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

    features, model = MicroWakeWordFeatures(), MicroWakeWord.from_builtin(Model.ALEXA)
    windows = 0

    def score(chunk: bytes) -> list[float]:
        nonlocal windows
        scores = []
        for window in features.process_streaming(chunk):
            windows += 1
            model.process_streaming_prob(window)
            # The package returns the mean of the last five scores; the last of them is the new one.
            if windows % model.stride == 0:
                scores.append(float(model._probabilities[-1]))
        return scores

    return score


PEERS: dict[str, tuple[Callable[[], Scorer], int, int]] = {
    "openwakeword": (openwakeword, 1280, 0),
    "pyopen_wakeword": (pyopen_wakeword, 1280, 0),
    # Its first score follows after 50 ms, the others every 30 ms: 20 ms of silence in front give a grid of 30 ms.
    "pymicro_wakeword": (pymicro_wakeword, 160, 320),
}
"""Function that makes a detector, samples per chunk, samples of silence in front of the track."""


def chunks(audio: bytes, size: int, lead: int) -> Iterator[bytes]:
    """Whole chunks of `size` samples after `lead` samples of silence; an incomplete last chunk is dropped."""
    padded = bytes(2 * lead) + audio
    return (padded[first : first + 2 * size] for first in range(0, len(padded) - 2 * size + 1, 2 * size))


def main() -> None:
    """Score one track."""
    make_scorer, size, lead = PEERS[sys.argv[1]]
    # Scores have a separate descriptor, since packages print to stdout.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    score, position = make_scorer(), -lead
    found = []
    for chunk in chunks(sys.stdin.buffer.read(), size, lead):
        position += size
        found += [(position, value) for value in score(chunk)]
    out.write(np.array(found, dtype=[("position", "<i8"), ("score", "<f4")]).tobytes())
    out.close()


if __name__ == "__main__":
    main()
