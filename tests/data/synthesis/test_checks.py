"""Checks of spoken clips: length against phonemes, level and clipping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from wakeword.audio.io import resample
from wakeword.config import Config, validate_config
from wakeword.data.prepare import prepare
from wakeword.data.synthesis import load_engine
from wakeword.data.synthesis.engine import SpeechError
from wakeword.errors import MissingExtraError

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis.carriers import spoken_bounds
from wakeword.data.synthesis.checks import check_length, check_sound
from wakeword.data.synthesis.espeak import Espeak
from wakeword.data.synthesis.plan import plan_utterances
from wakeword.data.synthesis.pronunciation import sounds_of

TONE = np.sin(np.arange(16_000) * 0.7).astype(np.float32)


def config(**synthesis: Any) -> Config:
    small = {"enabled": True, "engines": {"espeak": 1.0}, "hold_out": [], "clips_per_word": 14, "speech_clips": 7}
    small |= {"noises": 0, "rooms": 0, "near_miss_test_clips": 0}
    return validate_config({"words": [{"label": "computer"}], "synthesis": {**small, **synthesis}})


def test_sound_that_is_clipped_or_faint_is_refused() -> None:
    check_sound(0.5 * TONE)
    check_sound(np.clip(TONE * 1.0005, -1, 1) * 0.998)
    with pytest.raises(SpeechError, match=r"clipped: \d+\.\d% of the samples") as clipped:
        check_sound(np.clip(3 * TONE, -1, 1))
    with pytest.raises(SpeechError, match="spoke at -63 dBFS") as faint:
        check_sound(0.001 * TONE)
    assert (clipped.value.reason, faint.value.reason) == ("clipped", "too_quiet")


def test_length_goes_by_phonemes_and_rate() -> None:
    sounds = "h eɪ n oʊ v ə"
    check_length(0.5, 1.0, sounds)
    check_length(9.0, 1.0, "")
    check_length(0.2, 1.25, "oʊ")
    for spoken_s, rate in ((0.1, 1.0), (2.0, 1.0), (1.5, 1.25)):
        with pytest.raises(SpeechError, match="cannot be 6 phonemes") as caught:
            check_length(spoken_s, rate, sounds)
        assert caught.value.reason == "wrong_length"


@pytest.mark.parametrize("name", ["espeak", "hibari", "piper", "pico"])
def test_engines_pass_the_checks(name: str) -> None:
    try:
        engine = load_engine(name)
    except MissingExtraError as error:
        pytest.skip(str(error))
    voices = engine.voices()
    texts = ["hey nova", "computer", "no", "he wants to become a pilot"]
    for number, (text, (sounds,)) in enumerate(zip(texts, sounds_of(texts), strict=True)):
        for rate in (0.8, 1.25):
            voice = voices[number * 17 % len(voices)].name
            audio = resample(*engine.speak(text, voice, rate, 2.0, number))
            check_sound(audio)
            first, last = spoken_bounds(audio)
            check_length((last - first) / 16_000, rate, " ".join(sounds))


def test_the_phonemes_of_the_engine_input_are_planned() -> None:
    rows = plan_utterances(config(carrier_share=1.0)).to_pylist()
    assert {row["sounds"] for row in rows if row["kind"] == "wakeword"} == {"k ə m p j u t ɚ"}
    assert all(len(row["sounds"].split()) > 1 for row in rows)
    word = {"label": "xiomi", "say": ["show me"]}
    respelled = validate_config({**config().model_dump(mode="json"), "words": [word]})
    assert "ʃ oʊ m i" in {row["sounds"] for row in plan_utterances(respelled).to_pylist()}


class Drawling(Espeak):
    """Real speech of one voice in ten, followed by another text that was not requested."""

    def speak(self, text: str, voice: str, *rest: Any) -> tuple[np.ndarray, int]:
        if voice.endswith("+f2"):
            text = f"{text} {'and so on ' * 8}"
        return super().speak(text, voice, *rest)


def test_a_clip_that_is_too_long_is_quarantined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wakeword.data.synthesis.espeak.Espeak", Drawling)
    made = config(clips_per_word=60, speech_clips=6)
    summary = prepare(made, tmp_path, runner="local")
    wrong = [r for r in plan_utterances(made).to_pylist() if r["voice"].endswith("+f2") and r["kind"] == "wakeword"]
    bad = pq.read_table(tmp_path / "quarantine.parquet").to_pylist()
    assert len(wrong) > 0
    assert sum(row["reason"] == "wrong_length" for row in bad) >= len(wrong)
    assert summary.quarantined["wrong_length"] == sum(row["reason"] == "wrong_length" for row in bad)
    assert "phonemes at the rate" in bad[0]["detail"]
