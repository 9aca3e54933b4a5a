"""Text to speech: positives from the phrase, and speech that is not the phrase."""

from __future__ import annotations

from pydantic import Field

from wakeword.config.base import Section


class SynthesisConfig(Section):
    """Engines register themselves in `wakeword.data.synthesis`; a missing one is named with its install command."""

    enabled: bool = False
    engines: tuple[str, ...] = ("espeak", "kokoro", "piper")
    hold_out: tuple[str, ...] = ("hibari",)
    """Engines whose voices speak only in the test split: training hears neither their phrase nor their other speech."""
    clips_per_word: int = Field(400, ge=1)
    speech_clips: int = Field(400, ge=0)
    """Sentences that do not hold the phrase, spoken by the same voices."""
    near_miss_clips: int = Field(0, ge=0)
    """Phrases one edit or one word away, as negatives. Costly on real voices: see docs/accuracy.md."""
    espeak_share: float = Field(0.5, ge=0, le=1)
    """Share of the training clips spoken by espeak's many robotic timbres; the other engines share the rest."""
    rates: tuple[float, float] = (0.8, 1.25)
    """Speaking rate, times normal, drawn uniformly."""
    noises: int = Field(60, ge=0)
    """Synthesised noises (coloured, hum, babble) for where there are no recordings."""
    rooms: int = Field(60, ge=0)
    """Simulated room responses for where there are none."""
