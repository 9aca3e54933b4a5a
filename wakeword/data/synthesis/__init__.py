"""Text to speech engines behind one small interface, found by name; `load_engine("espeak")`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from wakeword.data.synthesis.engine import Engine, Voice
from wakeword.errors import ConfigError, MissingExtraError

ENGINES: dict[str, str] = {name: f"wakeword.data.synthesis.{name}" for name in ("espeak", "piper", "kokoro", "hibari")}
"""Engine name to the module that defines `make(argument) -> Engine`."""

__all__ = ["ENGINES", "Engine", "Voice", "load_engine", "register"]


def register(name: str, module: str) -> None:
    """Make `module.make(argument)` available as an engine."""
    ENGINES[name] = module


def load_engine(spec: str) -> Engine:
    """Make an engine from its name, or `name:argument` (`piper:/path/voice.onnx`); models are loaded when it speaks.

    Raises:
        ConfigError: no such engine.
        MissingExtraError: the engine's packages are not installed.
    """
    name, _, argument = spec.partition(":")
    if name not in ENGINES:
        raise ConfigError(f"synthesis: no engine {name!r}; there are: {', '.join(sorted(ENGINES))}")
    make: Callable[[str], Engine] = import_module(ENGINES[name]).make
    try:
        return make(argument)
    except ImportError as error:
        raise MissingExtraError(f"The text-to-speech engine {name}", "tts", error) from error
