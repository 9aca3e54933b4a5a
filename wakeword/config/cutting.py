"""Words that are cut out of transcribed speech: alignment, and the checks of each cut."""

from __future__ import annotations

from pydantic import Field, model_validator

from wakeword.config.base import Section


class CuttingConfig(Section):
    """`wakeword data cut`: phrases and their words, cut out of `data.sources` by forced alignment.

    A reason in parentheses is the code under which a refused cut is listed.
    """

    aligner: str = "pocketsphinx"
    """Forced aligner that gives the times of words: `pocketsphinx` (English, extra [mining]), or `ctc:PATH_OR_ID`, any
    CTC model of transformers (extra [teachers]) from a local folder or by its id on the hub. Choose CTC for other
    languages and for confidences."""
    max_source_s: float = Field(30.0, gt=0)
    """Clips longer than this many seconds are skipped: alignment over minutes becomes unreliable, and its memory grows
    with the length."""
    min_cut_s: float = Field(0.12, ge=0)
    """Cuts shorter than this many seconds are refused (`wrong_length`)."""
    letter_s: tuple[float, float] = (0.025, 0.25)
    """Allowed mean seconds per letter of a word. Outside this range the times or the transcript are wrong
    (`wrong_length`)."""
    border_db: float = Field(6.0, ge=0)
    """A cut must lie in a frame that is at least this many dB quieter than the word beside it; otherwise the clip would
    contain sound of the neighbouring word (`loud_border`)."""
    min_confidence: float = Field(0.0, ge=0, le=1)
    """Smallest geometric mean of a CTC model's probabilities over a word's frames (`low_confidence`). Words without a
    confidence, as from pocketsphinx, pass."""
    gap_s: tuple[float, float] = (0.0, 0.3)
    """Pause in seconds between two words of a phrase. A joined phrase gets a pause within this range, as speakers make
    it; a spoken phrase with a longer pause is refused (`long_pause`)."""
    joined_per_speaker: int = Field(4, ge=0)
    """Largest number of phrases that are joined from separate words of one speaker; 0 for none."""
    parts_per_text: int = Field(200, ge=0)
    """Largest number of clips of one partial phrase (a near miss) in one split, spread over the speakers."""
    hold_out_parts: bool = True
    """True: half of the partial phrases are used in val and test only, as in synthesis, so that the near-miss rate is
    measured on texts that were not trained on. False: all partial phrases are used in all splits."""

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
