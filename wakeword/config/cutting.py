"""Words cut out of transcribed speech: how they are found, and what makes a cut unfit."""

from __future__ import annotations

from pydantic import Field, model_validator

from wakeword.config.base import Section


class CuttingConfig(Section):
    """`wakeword data cut`: phrases and their words, cut out of `data.sources` by forced alignment."""

    aligner: str = "pocketsphinx"
    """What tells the times of words: `pocketsphinx` (English, extra [mining]), or `ctc:PATH_OR_ID`, any CTC model of
    transformers (extra [teachers]), as a local folder or by its id on the hub."""
    max_source_s: float = Field(30.0, gt=0)
    """Longer clips are left out: an alignment over minutes goes astray, and its memory grows with the length."""
    min_cut_s: float = Field(0.12, ge=0)
    """A word or a row of words that is cut out and is shorter is refused (`wrong_length`)."""
    letter_s: tuple[float, float] = (0.025, 0.25)
    """Mean time of a letter of a word: outside, the times or the transcript are wrong (`wrong_length`)."""
    border_db: float = Field(6.0, ge=0)
    """The cut lies in a frame that is so much quieter than the word beside it, or the sound of the neighbour would be
    heard in the clip (`loud_border`)."""
    min_confidence: float = Field(0.0, ge=0, le=1)
    """Geometric mean of the probabilities of a word's frames, as a CTC model gives them (`low_confidence`); times of
    pocketsphinx come without one and pass."""
    gap_s: tuple[float, float] = (0.0, 0.3)
    """Pauses between two words of a phrase: a joined phrase draws one that speakers make, within this range, and a
    phrase that was spoken with a longer one is refused (`long_pause`)."""
    joined_per_speaker: int = Field(4, ge=0)
    """Phrases of several words that are joined from words of one speaker, at most so many a speaker."""
    parts_per_text: int = Field(200, ge=0)
    """Clips of one partial phrase (a near miss) in one split, at most so many, spread over the speakers."""
    hold_out_parts: bool = True
    """True: half of the partial phrases serve val and test alone, as those of synthesis do, so that the share of near
    misses that fires is measured on texts that training has not heard. False: every one serves every split."""

    @model_validator(mode="after")
    def _sensible(self) -> CuttingConfig:
        for name in ("letter_s", "gap_s"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name} is a range (low, high) from 0 up, got {low}, {high}")
        kind, _, argument = self.aligner.partition(":")
        if not kind or (kind == "ctc") != bool(argument):
            raise ValueError(
                f"aligner = {self.aligner!r}: write pocketsphinx, or ctc:PATH_OR_ID with a folder or an id of a model"
            )
        return self
