"""The examples of the report's page: caption, sound, and spectrogram with the score below it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wakeword.config import SAMPLE_RATE_HZ
from wakeword.evaluation.cascade.compare import fusion_of
from wakeword.evaluation.cascade.store import TriggerStore
from wakeword.evaluation.metrics.threshold_curve import HitWindow, Truth, track_peaks
from wakeword.evaluation.report.examples import FOLDER, audio_name
from wakeword.evaluation.results import Example, WordResult
from wakeword.evaluation.scoring.store import ScoreStore
from wakeword.pages.figures import COLOURS
from wakeword.pages.media import FFT_SAMPLES, HOP_SAMPLES, flac_address, png_address, spectrogram_db
from wakeword.runtime.events import EventTiming, smooth

TITLES = {"miss": "missed", "false alarm": "false alarm", "nearest": "highest score without a false alarm"}


@dataclass(frozen=True)
class ExampleView:
    """One example of the page; `picture` and `sound` are data URLs, empty if its audio is missing."""

    title: str
    about: str
    lines: tuple[str, ...]
    picture: str
    sound: str


def example_views(
    word: WordResult,
    folder: Path,
    store: ScoreStore | None,
    detector: Mapping[str, float],
    triggers: TriggerStore | None = None,
) -> list[ExampleView]:
    """The examples of a word, the worst first.

    Args:
        word: the word.
        folder: folder of the report, with the audio in `examples/`.
        store: the scores to draw; None draws no score.
        detector: the detector's times, for the smoothing of the scores.
        triggers: what the bundle's verifier found; its fused scores are dots.
    """
    return [_view(example, word, folder, store, detector, triggers) for example in word.examples]


def summary(word: WordResult) -> str:
    """A sentence on the examples of a word."""
    kinds = {example.kind for example in word.examples}
    names = [text for kind, text in (("miss", "misses"), ("false alarm", "false alarms")) if kind in kinds]
    text = f"The worst {' and '.join(names)}." if names else "There are no misses."
    if "nearest" in kinds:
        text += " There are no false alarms; the highest scores of negative audio are listed."
    if word.cascade is not None:
        text += " Line: the detector's score. Dots: the fused scores, to which the threshold applies."
    return text


def _view(
    example: Example,
    word: WordResult,
    folder: Path,
    store: ScoreStore | None,
    detector: Mapping[str, float],
    triggers: TriggerStore | None,
) -> ExampleView:
    path, picture, sound = folder / FOLDER / audio_name(example), "", ""
    if path.is_file():
        audio, _ = soundfile.read(path, dtype="float32")
        dots = _fused(example, word, store, detector, triggers)
        picture = png_address(_picture(audio, example, word, _trace(example, word, store, detector), dots))
        sound = flac_address(path.read_bytes())
    who = ", ".join(part for part in (example.speaker and f"speaker {example.speaker}", example.source) if part)
    about = f"({example.condition}), score {example.score:.3f}, threshold {word.operating.threshold:.3f}"
    lines = (who, f"{example.track} at {example.start_s:.1f} s", "" if sound else "audio not available")
    return ExampleView(TITLES[example.kind], about, tuple(line for line in lines if line), picture, sound)


def _trace(
    example: Example, word: WordResult, store: ScoreStore | None, detector: Mapping[str, float]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Times within the example in seconds and smoothed scores; empty without a store."""
    if store is None:
        return np.zeros(0), np.zeros(0)
    timing = EventTiming.from_seconds(store.step_s, **detector)
    # Start one window earlier, so that the moving average is that of the whole track.
    first = max(0, int(example.start_s / store.step_s) - timing.window)
    last = int(np.ceil(example.end_s / store.step_s))
    scores = smooth(store.scores(example.track, word.label)[first:last], timing.window)
    times_s = (np.arange(first, first + len(scores)) + 1) * store.step_s - example.start_s
    return times_s, scores


def _fused(
    example: Example,
    word: WordResult,
    store: ScoreStore | None,
    detector: Mapping[str, float],
    triggers: TriggerStore | None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Times within the example in seconds and fused scores of its triggers; empty without a verifier."""
    if store is None or triggers is None:
        return np.zeros(0), np.zeros(0)
    timing = EventTiming.from_seconds(store.step_s, **detector)
    peaks = track_peaks(store.scores(example.track, word.label), Truth.of(), HitWindow(0.0, 0.0), timing)
    peaks = fusion_of(triggers, word.label)(example.track, peaks)
    inside = (peaks.time_s >= example.start_s) & (peaks.time_s <= example.end_s)
    return peaks.time_s[inside] - example.start_s, peaks.score[inside]


def _picture(
    audio: NDArray[np.float32],
    example: Example,
    word: WordResult,
    trace: tuple[NDArray[Any], NDArray[Any]],
    dots: tuple[NDArray[Any], NDArray[Any]],
) -> bytes:
    """PNG: spectrogram above, smoothed score with the threshold below, fused scores as dots."""
    from librosa.display import specshow

    # Fixed margins, because a layout engine would draw each picture twice.
    margins = {"left": 0.1, "right": 0.985, "top": 0.97, "bottom": 0.15, "hspace": 0.12}
    figure = Figure(figsize=(4.2, 2.6), dpi=110)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1), gridspec_kw=margins)
    scale = {"sr": SAMPLE_RATE_HZ, "n_fft": FFT_SAMPLES, "hop_length": HOP_SAMPLES}
    specshow(spectrogram_db(audio), **scale, y_axis="linear", x_axis="s", ax=above, cmap="magma")
    above.set(xlabel=None, ylabel=None)
    above.yaxis.set_major_formatter(lambda hz, _: f"{hz / 1000:g}")
    above.set_ylabel("kHz", fontsize=7)
    above.label_outer()
    if example.word_s is not None:
        for edge in example.word_s:
            above.axvline(edge - example.start_s, color="white", linewidth=0.8, linestyle=":")
    below.plot(*trace, color=COLOURS[0], linewidth=1.2)
    if len(dots[0]):
        below.plot(*dots, "o", color=COLOURS[1], markersize=4)
    below.axhline(min(word.operating.threshold, 1.0), color=COLOURS[3], linewidth=0.8, linestyle="--")
    below.set(ylim=(0, 1.02), xlim=(0, max(len(audio) / SAMPLE_RATE_HZ, 0.1)))
    below.set_xlabel("s", fontsize=7)
    for axis in (above, below):
        axis.tick_params(labelsize=6)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()
