"""Arguments and options of several commands, and the loading of recipes."""

from __future__ import annotations

import shlex
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from wakeword.errors import ConfigError
from wakeword.system.files import user_path

if TYPE_CHECKING:
    from wakeword.config import Config


def path_argument(metavar: str, text: str) -> Any:
    """An argument that is a path; `~` stands for the home folder."""
    return Argument(metavar=metavar, parser=user_path, help=text)


def value(metavar: str, text: str, default: str | bool = True, **settings: Any) -> Any:
    """An option with a value; help prints `default` where None is the default."""
    return Option(metavar=metavar, help=text, show_default=default, **settings)


path = partial(value, parser=user_path)
"""An option whose value is a path; `~` stands for the home folder."""
VariantName = StrEnum("VariantName", ["float32", "int8", "tflite"])
"""Forms of a bundle's model: the keys of `wakeword.runtime.bundle.VARIANTS`, which would load pydantic."""
FLOAT32 = VariantName.float32
SensitivityName = StrEnum("SensitivityName", ["low", "normal", "high"])
"""Keys of `wakeword.runtime.bundle.SENSITIVITIES`."""
_SENSITIVITY = (
    "choose among the bundle's operating points: low fires least, also at similar phrases, and misses most; high misses"
    " least"
)
_OVERRIDES = "values in place of those of the recipe, such as training.epochs=5 data.sources.0.limit=100"
_FAH = "use the bundle's operating point for N false alarms per hour"

Recipe = Annotated[str, path_argument("CONFIG", "YAML recipe, such as configs/demo.yaml; also as --config CONFIG")]
Overrides = Annotated[
    list[str], Argument(metavar="KEY=VALUE", default_factory=list, show_default=False, help=_OVERRIDES)
]
Bundle = Annotated[str, path_argument("BUNDLE", "folder or zip that `wakeword export` wrote")]
Variant = Annotated[
    VariantName, value("float32|int8|tflite", "form of the bundle's model; int8 and tflite where exported")
]
Threshold = Annotated[float | None, value("X", "threshold for every word, from 0 to 1", "that of the bundle")]
FahTarget = Annotated[float | None, value("N", _FAH)]
Sensitivity = Annotated[SensitivityName | None, value("low|normal|high", _SENSITIVITY, "normal")]
NoVerifier = Annotated[
    bool,
    Option("--no-verifier", help="use the detector alone, with its own thresholds, where the bundle has a verifier"),
]
Local = Annotated[bool, Option("--local", help="run in this process, without Ray")]


def require_one(threshold: float | None, fah_target: float | None, sensitivity: SensitivityName | None = None) -> None:
    """Raise ConfigError when more than one of the ways to set the thresholds is given."""
    given = {"--threshold": threshold, "--fah-target": fah_target, "--sensitivity": sensitivity}
    used = [name for name, setting in given.items() if setting is not None]
    if len(used) > 1:
        raise ConfigError(f"{' and '.join(used)} exclude each other: give one of them")


def read_config(config: str | None, overrides: list[str]) -> Config:
    """Load and validate a recipe, and configure logging from it. Raises ConfigError."""
    from wakeword.config import load_config
    from wakeword.system.log import configure_logging

    loaded = load_config(config, overrides)
    configure_logging(loaded.tracking)
    return loaded


def command_text(command: str, config: str, overrides: list[str], options: str = "") -> str:
    """The command line of another command on the same recipe."""
    return " ".join(["wakeword", command, shlex.join([config, *overrides]), *([options] if options else [])])
