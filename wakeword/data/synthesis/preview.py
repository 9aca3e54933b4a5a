"""How the voices of a recipe read its phrases, as a table for people."""

from __future__ import annotations

from wakeword.config import Config
from wakeword.data.synthesis.reading import check_phonemes, readings_of, word_notes
from wakeword.data.synthesis.roster import left_out

COLUMNS = ("engine", "voices", "language", "text", "is read as", "phonemes", "syllables")


def reading_table(config: Config) -> tuple[list[tuple[str, ...]], list[str]]:
    """A row of `COLUMNS` per word, engine and spelling, and a sentence on each thing that a user should know.

    Raises:
        ConfigError: no engine can read a phrase.
        MissingExtraError: an engine is not installed.
    """
    synthesis = config.synthesis
    check_phonemes(config)
    readings = {word.label: readings_of(config, word) for word in config.words}
    notes = [note for word in config.words for note in word_notes(config, word, readings[word.label])]
    rows: list[tuple[str, ...]] = [
        (
            f"{one.engine}{' (test only)' if one.engine in synthesis.hold_out else ''}",
            str(one.voices),
            _accents(one.accents) or synthesis.language,
            one.said,
            one.fault or ("not told before it speaks" if one.ipa is None else one.ipa),
            str(one.phonemes or ""),
            str(one.syllables or ""),
        )
        for found in readings.values()
        for one in found
    ]
    return rows, [*left_out(synthesis), *notes]


def _accents(tags: tuple[str, ...]) -> str:
    return tags[0] if len(tags) == 1 else f"{tags[0]} and {len(tags) - 1} more" if tags else ""
