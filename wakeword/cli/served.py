"""Find the endpoint's code: `wakeword_serve` in an installed wheel, `serve` in a checkout."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from wakeword.errors import ServingError


def served(module: str) -> ModuleType:
    """Import a module of the endpoint, such as `served("app")`.

    Raises:
        ServingError: neither package is there, or the `serve` that is found is somebody else's.
        MissingExtraError: its packages are not installed.
    """
    name = _package()
    return importlib.import_module(f"{name}.{module}")


def _package() -> str:
    if importlib.util.find_spec("wakeword_serve") is not None:
        return "wakeword_serve"
    found = importlib.util.find_spec("serve")
    if found is None:
        raise ServingError(
            "the endpoint's code is not installed: run `pip install 'wakeword[serve]'`, or start from a checkout"
        )
    folders = [Path(folder) for folder in found.submodule_search_locations or []]
    if not any(is_ours(folder) for folder in folders):
        where = found.origin or (folders[0] if folders else "?")
        raise ServingError(
            f"the package `serve` that Python finds ({where}) is not wakeword's: "
            "install wakeword as a wheel, where the endpoint is called wakeword_serve"
        )
    return "serve"


def is_ours(folder: Path) -> bool:
    """True for this product's endpoint: it lies beside the very `wakeword` that is running."""
    import wakeword

    root = Path(wakeword.__file__).resolve().parent.parent
    return folder.resolve() == root / "serve" and (folder / "app.py").is_file()
