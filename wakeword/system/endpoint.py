"""Import of the endpoint's code: `wakeword_serve` in an installed wheel, `serve` in a checkout."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from wakeword.errors import ServingError


def served(module: str) -> ModuleType:
    """Import a module of the endpoint, such as `served("app")`.

    Raises:
        ServingError: the package is absent, or Python finds another package `serve`.
        MissingExtraError: its packages are not installed.
    """
    return importlib.import_module(f"{_package()}.{module}")


def _package() -> str:
    # In a checkout, `wakeword_serve` may be an outdated copy from an editable install.
    if not in_checkout():
        if importlib.util.find_spec("wakeword_serve") is None:
            raise ServingError("the endpoint's code is not installed: run `pip install 'wakeword[serve]'`")
        return "wakeword_serve"
    found = importlib.util.find_spec("serve")
    folders = [Path(folder).resolve() for folder in (found.submodule_search_locations or [])] if found else []
    if _root() / "serve" not in folders:
        where = folders[0] if folders else "nothing"
        raise ServingError(
            f"the package `serve` that Python finds ({where}) is not the one of this checkout ({_root() / 'serve'}): "
            "start from the checkout's folder, or install wakeword as a wheel, where the endpoint is wakeword_serve"
        )
    return "serve"


def in_checkout() -> bool:
    """True if the running `wakeword` is in a checkout (or a copy of one), beside the endpoint's code."""
    return (_root() / "pyproject.toml").is_file() and (_root() / "serve" / "app.py").is_file()


def _root() -> Path:
    import wakeword

    return Path(wakeword.__file__).resolve().parent.parent
