"""A recipe for a phrase: the packaged one with this phrase, its language and a user's settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wakeword.config import Config, validate_config
from wakeword.config.loading import apply_override
from wakeword.config.packaged import recipe_for
from wakeword.data.synthesis.languages import language_of_script
from wakeword.system.files import write_text


@dataclass(frozen=True)
class PhraseRecipe:
    """A recipe as a plain tree and validated; `guessed` is the language that the script decided, empty if none."""

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
        phrase: words to say.
        label: name of the word and of the run; None makes one from the phrase.
        language: tag such as `de`; None takes the one that the phrase's script allows alone, else that of the recipe.
        overrides: settings such as `training.epochs=5`.

    Raises:
        ConfigError: the phrase has no letters, no label can be made of it, or a setting is wrong.
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
