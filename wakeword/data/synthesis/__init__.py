"""Text-to-speech engines behind one interface, loaded by name: `load_engine("espeak")`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from wakeword.config.synthesis import CommandConfig
from wakeword.data.synthesis.engine import Engine, Voice
from wakeword.errors import ConfigError, MissingExtraError

ENGINES: dict[str, str] = {
    "espeak": "wakeword.data.synthesis.espeak",
    **{name: f"wakeword.data.synthesis.engines.{name}" for name in ("piper", "pico", "kokoro", "hibari")},
}
"""Engine names and the modules that define `make(argument) -> Engine`."""
EXTRAS = {"pico": "pico"}
"""Engines of another extra than `tts`."""

__all__ = ["ENGINES", "Engine", "Voice", "load_engine", "register"]


def register(name: str, module: str) -> None:
    """Register `module.make(argument)` as an engine."""
    ENGINES[name] = module


def load_engine(spec: str, commands: Mapping[str, CommandConfig] | None = None) -> Engine:
    """Make an engine from its name, or `name:argument` (`piper:/path/voice.onnx`). Models are loaded on first use.

    Args:
        spec: as in `synthesis.engines`.
        commands: `synthesis.commands`; `command:NAME` refers to an entry.

    Raises:
        ConfigError: no such engine or command, or the command's program is absent.
        MissingExtraError: the engine's packages are not installed.
    """
    name, _, argument = spec.partition(":")
    if name == "command":
        from wakeword.data.synthesis.command import Command

        if argument not in (commands or {}):
            raise ConfigError(f"synthesis: {spec} needs a section synthesis.commands.{argument or 'NAME'}")
        return Command(argument, (commands or {})[argument])
    if name not in ENGINES:
        known = ", ".join(sorted([*ENGINES, "command:NAME"]))
        raise ConfigError(f"synthesis: no engine {name!r}; known engines: {known}")
    make: Callable[[str], Engine] = import_module(ENGINES[name]).make
    try:
        return make(argument)
    except ImportError as error:
        raise MissingExtraError(f"The text-to-speech engine {name}", EXTRAS.get(name, "tts"), error) from error
