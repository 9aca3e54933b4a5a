"""The worst misses and false alarms in the report: an audio player, a spectrogram, the score under it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.signal import spectrogram

from wakeword.config import SAMPLE_RATE_HZ
from wakeword.evaluation.report.examples import FOLDER, audio_name
from wakeword.evaluation.results import Example, WordResult
from wakeword.evaluation.scoring.store import ScoreStore
from wakeword.runtime.events import EventTiming, smooth
from wakeword.system.html_page import section

DYNAMIC_RANGE_DB = 70.0
TITLES = {"miss": "missed", "false alarm": "false alarm", "nearest": "nearest to a false alarm"}


def examples_part(word: WordResult, folder: Path, store: ScoreStore | None, detector: Mapping[str, float]) -> str:
    """HTML of a word's examples; nothing where there are none. Audio that is not at hand is said to be missing."""
    if not word.examples:
        return ""
    parts = []
    for example in word.examples:
        parts.append(_example(example, word, folder, store, detector))
    kinds = {example.kind for example in word.examples}
    told = "What it missed and what fired wrongly, the worst first."
    if "miss" not in kinds:
        told = "It missed nothing; " + ("what fired wrongly." if "false alarm" in kinds else "nothing fired wrongly.")
    if "nearest" in kinds:
        told += " No false alarm came: these came nearest."
    name = html.escape(word.phrase or word.label)
    return section(f"“{name}” to hear", f'<p class="note">{told}</p><div class="examples">{"".join(parts)}</div>')


def _example(
    example: Example, word: WordResult, folder: Path, store: ScoreStore | None, detector: Mapping[str, float]
) -> str:
    who = ", ".join(part for part in (example.speaker and f"speaker {example.speaker}", example.source) if part)
    caption = (
        f"<strong>{TITLES[example.kind]}</strong> ({html.escape(example.condition)}), score {example.score:.3f}, "
        f"threshold {word.operating.threshold:.3f}<br><small>{html.escape(who)}<br>{html.escape(example.track)} at "
        f"{example.start_s:.1f} s</small>"
    )
    path = folder / FOLDER / audio_name(example)
    if not path.is_file():
        return f'<figure class="example"><figcaption>{caption}<br><small>no audio at hand</small></figcaption></figure>'
    audio, _ = soundfile.read(path, dtype="float32")
    picture = base64.b64encode(_picture(audio, example, word, _trace(example, word, store, detector))).decode()
    return (
        f'<figure class="example"><figcaption>{caption}</figcaption>'
        f'<img alt="spectrogram and score" src="data:image/png;base64,{picture}">'
        f"{sound_tag(path.read_bytes())}</figure>"
    )


def _trace(
    example: Example, word: WordResult, store: ScoreStore | None, detector: Mapping[str, float]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Times within the example and smoothed scores; empty without a store."""
    if store is None:
        return np.zeros(0), np.zeros(0)
    timing = EventTiming.from_seconds(store.step_s, **detector)
    # From a little before, so that the moving average is that of the whole track.
    first = max(0, int(example.start_s / store.step_s) - timing.window)
    last = int(np.ceil(example.end_s / store.step_s))
    scores = smooth(store.scores(example.track, word.label)[first:last], timing.window)
    times_s = (np.arange(first, first + len(scores)) + 1) * store.step_s - example.start_s
    return times_s, scores


def _picture(
    audio: NDArray[np.float32],
    example: Example,
    word: WordResult,
    trace: tuple[NDArray[Any], NDArray[Any]],
) -> bytes:
    """PNG: spectrogram above, smoothed score with the threshold below."""
    # Fixed margins: a layout engine would draw each of a report's many pictures twice.
    margins = {"left": 0.1, "right": 0.985, "top": 0.97, "bottom": 0.15, "hspace": 0.12}
    figure = Figure(figsize=(4.2, 2.6), dpi=110)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1), gridspec_kw=margins)
    frequency, time_s, level_db = levels(audio)
    top = float(level_db.max(initial=-120.0))
    above.imshow(
        level_db,
        origin="lower",
        aspect="auto",
        extent=_edges(time_s, 0.01) + _edges(frequency / 1000, 0.03),
        vmin=top - DYNAMIC_RANGE_DB,
        vmax=top,
        cmap="magma",
        interpolation="nearest",
    )
    above.set_ylabel("kHz", fontsize=7)
    if example.word_s is not None:
        for edge in example.word_s:
            above.axvline(edge - example.start_s, color="white", linewidth=0.8, linestyle=":")
    below.plot(*trace, color="#1f5fbf", linewidth=1.2)
    below.axhline(min(word.operating.threshold, 1.0), color="#b3372f", linewidth=0.8, linestyle="--")
    below.set(ylim=(0, 1.02), xlim=(0, max(len(audio) / SAMPLE_RATE_HZ, 0.1)))
    below.set_xlabel("s", fontsize=7)
    for axis in (above, below):
        axis.tick_params(labelsize=6)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _edges(centres: NDArray[Any], single: float) -> tuple[float, float]:
    """Outer edges of cells whose centres are evenly spaced; `single` is the width of a cell that is alone."""
    half = (centres[1] - centres[0]) / 2 if len(centres) > 1 else single / 2
    return float(centres[0] - half), float(centres[-1] + half)


def levels(audio: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Spectrogram of `(samples,)` at 16 kHz: frequencies in Hz, times in s, levels in dB `(frequencies, times)`."""
    frequency, time_s, power = spectrogram(audio, SAMPLE_RATE_HZ, nperseg=400, noverlap=240, nfft=512)
    return frequency, time_s, 10 * np.log10(power + 1e-12)


def sound_tag(flac: bytes) -> str:
    """HTML of a player that carries its sound."""
    data = base64.b64encode(flac).decode()
    return f'<audio controls preload="metadata" src="data:audio/flac;base64,{data}"></audio>'
