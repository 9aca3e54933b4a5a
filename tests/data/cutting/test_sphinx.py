"""The aligner pocketsphinx on speech whose words' places are known to the frame, and on recordings."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from wakeword.audio.io import read_audio, resample
from wakeword.data.cutting.aligner import AlignmentError, load_aligner
from wakeword.data.cutting.borders import cut_words
from wakeword.data.words import spoken

pytest.importorskip("pocketsphinx", reason="the extra [mining] (pocketsphinx) is not installed")


def test_the_place_of_a_phrase_in_a_joined_sentence() -> None:
    """An engine speaks the parts one by one, so the phrase's place is known: it is found to within some frames."""
    pytest.importorskip("hibari", reason="the text-to-speech extra [tts] is not installed")
    from wakeword.data.synthesis import load_engine
    from wakeword.data.synthesis.carriers import joined

    engine = load_engine("hibari")
    voice = engine.voices()[0].name
    parts = [
        resample(*engine.speak(text, voice, 1.0, 0.0, 0)) for text in ("turn it down,", "computer,", "are you there")
    ]
    clip = joined(parts, 1, 3, 0.2)
    words = spoken("turn it down computer are you there")
    # A recording has noise, and the recogniser wants it: in digital silence it is off by a tenth of a second.
    audio = (clip.audio + 1e-3 * np.random.default_rng(0).standard_normal(len(clip.audio))).astype(np.float32)
    times = load_aligner("pocketsphinx").align(audio, words)
    found = times[3]
    assert found.start_s == pytest.approx(clip.start_s, abs=0.05)
    assert found.end_s == pytest.approx(clip.end_s, abs=0.08)
    cut = cut_words(audio, words, times)[3]
    assert cut.start_s == pytest.approx(clip.start_s, abs=0.08)
    assert cut.end_s == pytest.approx(clip.end_s, abs=0.1)


def test_recordings_align_the_same_in_any_order(recordings: Path) -> None:
    with (recordings / "manifest.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["kind"] == "speech" and "Mozilla" in row["source"]][:6]
    aligner = load_aligner("pocketsphinx")
    clips = [(read_audio(recordings / row["path"]), spoken(row["text"])) for row in rows]

    def times(audio: np.ndarray, words: tuple[str, ...]) -> object:
        try:
            return aligner.align(audio, words)
        except AlignmentError as error:
            return error.reason

    forwards = [times(*clip) for clip in clips]
    backwards = [times(*clip) for clip in reversed(clips)][::-1]
    assert forwards == backwards
    assert sum(isinstance(found, list) for found in forwards) >= 4


def test_a_clip_without_the_text_is_not_aligned() -> None:
    with pytest.raises(AlignmentError) as caught:
        load_aligner("pocketsphinx").align(np.zeros(3200, np.float32), ["computer", "house", "seven"])
    assert caught.value.reason == "not_aligned"
