"""A recipe for a phrase, and a table of how the engines of a recipe read its phrases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wakeword.config import Config, validate_config
from wakeword.config.loading import apply_override
from wakeword.config.packaged import recipe_for
from wakeword.data.synthesis.languages import language_of_script
from wakeword.data.synthesis.reading import check_phonemes, readings_of, word_notes
from wakeword.data.synthesis.roster import left_out
from wakeword.system.files import write_text

COLUMNS = ("engine", "voices", "language", "text", "is read as", "phonemes", "syllables")


@dataclass(frozen=True)
class PhraseRecipe:
    """A recipe as a plain tree and validated; `guessed` is the language inferred from the script, or empty."""

    phrase: str
    tree: dict[str, Any]
    config: Config
    guessed: str

    def write(self, path: Path) -> None:
        """Write the recipe as YAML."""
        import yaml

        head = f"# Detector for {' '.join(self.phrase.split())!r}. All options: `wakeword config show {path}`.\n"
        write_text(path, head + yaml.safe_dump(self.tree, sort_keys=False, allow_unicode=True))


def make_recipe(phrase: str, label: str | None, language: str | None, overrides: list[str]) -> PhraseRecipe:
    """Make a recipe from the packaged one.

    Args:
        phrase: words to detect.
        label: name of the word and of the run; None makes one from the phrase.
        language: tag such as `de`; None infers it from the phrase's script, else keeps the recipe's.
        overrides: settings such as `training.epochs=5`.

    Raises:
        ConfigError: the phrase has no letters, no label can be made from it, or a setting is invalid.
        MissingExtraError: PyYAML is not installed.
    """
    tree = recipe_for(phrase, label)
    where = f"{tree['name']}.yaml"
    if language:
        tree["synthesis"]["language"] = language
    for override in overrides:
        apply_override(tree, override)
    config = validate_config(tree, where)
    guessed = "" if language else language_of_script(config)
    if guessed:
        tree["synthesis"]["language"] = guessed
        config = validate_config(tree, where)
    return PhraseRecipe(phrase, tree, config, guessed)


def reading_table(config: Config) -> tuple[list[tuple[str, ...]], list[str]]:
    """A row of `COLUMNS` per word, engine and spelling, and remarks for the user, one sentence each.

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
            one.given,
            one.fault or ("unknown before synthesis" if one.ipa is None else one.ipa),
            str(one.phonemes or ""),
            str(one.syllables or ""),
        )
        for found in readings.values()
        for one in found
    ]
    return rows, [*left_out(synthesis), *notes]


def _accents(tags: tuple[str, ...]) -> str:
    return tags[0] if len(tags) == 1 else f"{tags[0]} and {len(tags) - 1} more" if tags else ""
