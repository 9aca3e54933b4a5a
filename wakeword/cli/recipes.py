"""The recipes that come with the package: `configs/` in a checkout, `wakeword/config/recipes` in a wheel."""

from __future__ import annotations

from pathlib import Path

from wakeword.errors import ConfigError


def recipe_path(name: str) -> Path:
    """Path of a packaged recipe such as `demo`.

    Raises:
        ConfigError: there is none of that name.
    """
    import wakeword

    package = Path(wakeword.__file__).resolve().parent
    folders = (package.parent / "configs", package / "config" / "recipes")
    for folder in folders:
        path = folder / f"{name}.yaml"
        if path.is_file():
            return path
    raise ConfigError(f"no packaged recipe {name!r} in {' or '.join(str(folder) for folder in folders)}")
