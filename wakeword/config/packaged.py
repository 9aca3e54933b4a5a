"""Recipes of the package: `configs/` in a checkout, `wakeword/config/recipes` in a wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wakeword.config.labels import label_of
from wakeword.errors import ConfigError, MissingExtraError


def recipe_path(name: str) -> Path:
    """Path of a packaged recipe such as `demo`.

    Raises:
        ConfigError: no recipe has that name.
    """
    import wakeword

    package = Path(wakeword.__file__).resolve().parent
    folders = (package.parent / "configs", package / "config" / "recipes")
    for folder in folders:
        path = folder / f"{name}.yaml"
        if path.is_file():
            return path
    raise ConfigError(f"no packaged recipe {name!r} in {' or '.join(str(folder) for folder in folders)}")


def recipe_for(phrase: str, label: str | None = None) -> dict[str, Any]:
    """The packaged demo recipe with another phrase, as a plain tree.

    Args:
        phrase: words to detect.
        label: name of the word and of the run; None makes one from the phrase.

    Raises:
        ConfigError: the phrase has no letters, or no label can be made from it.
        MissingExtraError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("Making recipes", "train", error) from error
    if not any(character.isalpha() for character in phrase):
        raise ConfigError(f"the phrase {phrase!r} has no letters: give the words to detect, such as 'hey nova'")
    tree = yaml.safe_load(recipe_path("demo").read_text(encoding="utf-8"))
    label = label or label_of(phrase)
    return {**tree, "name": label, "words": [{"label": label, "phrase": " ".join(phrase.split())}]}
