"""Scores of one peer. Runs in the peers' environment, without any module of this project.

    python child.py PEER < audio > scores

In: per track a line of JSON, `{"samples": n}`, and n samples of 16 kHz int16. Out: per track a line of JSON,
`{"scores": k}`, then k int64 (samples of the track processed before the score) and k float32. Each track has a new
detector, which receives chunks of the size that its package documents.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

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


def chunks(source: BinaryIO, samples: int, size: int, lead: int) -> Iterator[bytes]:
    """The track in whole chunks after `lead` samples of silence; an incomplete last chunk is read and dropped."""
    held, left = bytes(2 * lead), 2 * samples
    while left or len(held) >= 2 * size:
        if len(held) < 2 * size:
            part = source.read(min(left, 1 << 16))
            if not part:
                raise EOFError(f"the audio ended {left // 2} samples early")
            left -= len(part)
            held += part
        whole = len(held) - len(held) % (2 * size)
        yield from (held[first : first + 2 * size] for first in range(0, whole, 2 * size))
        held = held[whole:]


def main() -> None:
    """Score tracks until the input ends."""
    fresh, size, lead = PEERS[sys.argv[1]]
    # Scores have a separate descriptor, since packages print to stdout.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while line := sys.stdin.buffer.readline():
        score, position = fresh(), -lead
        times: list[int] = []
        scores: list[float] = []
        for chunk in chunks(sys.stdin.buffer, json.loads(line)["samples"], size, lead):
            position += size
            found = score(chunk)
            times += [position] * len(found)
            scores += found
        out.write(json.dumps({"scores": len(scores)}).encode() + b"\n")
        out.write(np.asarray(times, dtype="<i8").tobytes() + np.asarray(scores, dtype="<f4").tobytes())
        out.flush()


if __name__ == "__main__":
    main()
