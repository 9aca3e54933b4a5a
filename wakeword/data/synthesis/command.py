"""An engine that runs a program of the user: any text-to-speech command that writes an audio file."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wakeword.audio.io import AudioError, read_audio
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.config.synthesis import ENGLISH, PLACEHOLDER, CommandConfig
from wakeword.data.synthesis.engine import Engine, SpeechError, Voice, resampled_pitch
from wakeword.errors import ConfigError
from wakeword.system.files import sha256_of

NORMAL_WPM = 160
"""Words per minute at rate 1, as espeak and others count them."""
LONGEST_S = 60.0
ERROR_CHARACTERS = 200


class Command(Engine):
    """One section of `synthesis.commands`: a program that is started for each utterance, without a shell."""

    def __init__(self, name: str, config: CommandConfig) -> None:
        self.spec = f"command:{name}"
        self.slow = config.slow
        self.config = config
        self.name = name
        _program(name, config.argv[0])

    def identity(self) -> str:
        return _identity(self.config.argv)

    def languages(self) -> tuple[str, ...]:
        return self.config.languages

    def scripts(self, language: str) -> tuple[str, ...]:
        """As in `Engine`; empty (unknown) where the config lists no languages."""
        return super().scripts(language) if self.config.languages else ()

    def voices(self, language: str = ENGLISH) -> list[Voice]:
        # With the program's name, since two programs may use one name for different voices.
        return [Voice(self.spec, voice, (f"{self.name}/{voice}",)) for voice in self.config.voices]

    def speak(
        self, text: str, voice: str, rate: float, pitch: float, seed: int, phonemes: str = ""
    ) -> tuple[np.ndarray, int]:
        read_hz, engine_rate = resampled_pitch(SAMPLE_RATE_HZ, rate, pitch)
        with tempfile.TemporaryDirectory(prefix="wakeword-speech-") as folder:
            out = Path(folder) / "speech.wav"
            values = {
                # A leading dash would be parsed as an option.
                "text": text.lstrip("-"),
                "voice": voice,
                "out": str(out),
                "rate": f"{engine_rate:.3f}",
                "length": f"{1 / engine_rate:.3f}",
                "wpm": str(round(NORMAL_WPM * engine_rate)),
                "seed": str(seed),
            }
            argv = [PLACEHOLDER.sub(lambda found: values[found[1]], part) for part in _absolute(self.config.argv)]
            self._run(argv, text, Path(folder), out)
            where = f"{self.spec} for {text!r} as {voice}"
            try:
                return read_audio(out, max_s=LONGEST_S), read_hz
            except AudioError as error:
                missing = error.reason in ("missing_file", "empty_file")
                detail = "wrote no audio" if missing else f"wrote a file that cannot be used: {error.detail}"
                raise SpeechError(f"{where} {detail}") from error

    def _run(self, argv: list[str], text: str, folder: Path, out: Path) -> None:
        """Run the program in a temporary folder; it writes its audio to `out`.

        Raises:
            ConfigError: the program is absent or cannot be started.
            SpeechError: it failed or exceeded `timeout_s`.
        """
        argv[0] = _program(self.name, argv[0])
        by_file = any("{out}" in part for part in self.config.argv)
        by_argument = any("{text}" in part for part in self.config.argv)
        standard_input, errors = folder / "text.txt", folder / "errors.txt"
        standard_input.write_text("" if by_argument else f"{text}\n", encoding="utf-8")
        standard_output = folder / "output.txt" if by_file else out
        with standard_input.open("rb") as stdin, standard_output.open("wb") as stdout, errors.open("wb") as stderr:
            try:
                child = subprocess.Popen(
                    argv, stdin=stdin, stdout=stdout, stderr=stderr, cwd=folder, start_new_session=True
                )
            except OSError as error:
                raise ConfigError(
                    f"synthesis.commands.{self.name}: {argv[0]} cannot be started ({error.strerror}): it must be a "
                    "program, or name its interpreter first, such as [python, speak.py]"
                ) from error
            try:
                code = child.wait(self.config.timeout_s)
            except subprocess.TimeoutExpired as error:
                # Kill the group: children of the program would continue.
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                limit = f"{self.config.timeout_s:g} s"
                raise SpeechError(f"{self.spec} took longer than {limit} for {text!r}", "timeout") from error
        if code:
            lines = errors.read_text(encoding="utf-8", errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")[:ERROR_CHARACTERS]
            how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise SpeechError(f"{self.spec} {how} for {text!r}" + (f": {last}" if last else ""))


def _program(name: str, program: str) -> str:
    found = shutil.which(os.path.abspath(program) if os.sep in program else program)
    if found is None:
        raise ConfigError(
            f"synthesis.commands.{name}: there is no program {program!r}: install it on every machine that runs "
            "synthesis, or give its full path in argv"
        )
    return found


def _absolute(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Make paths of existing files absolute, since the program runs in another folder."""
    rest = (os.path.abspath(part) if Path(part).is_file() else part for part in argv[1:])
    return (os.path.abspath(argv[0]) if os.sep in argv[0] else argv[0], *rest)


def absolute_paths(commands: Mapping[str, CommandConfig]) -> dict[str, CommandConfig]:
    """Commands with absolute paths, for workers in other folders."""
    return {name: one.model_copy(update={"argv": _absolute(one.argv)}) for name, one in commands.items()}


def _identity(argv: tuple[str, ...]) -> str:
    """Hash of the arguments and of the content of files among them; their locations do not matter."""
    digest = hashlib.sha256()
    for place, part in enumerate(argv):
        path = shutil.which(part) if place == 0 else part
        known = path is not None and Path(path).is_file()
        digest.update((f"file {Path(part).name} {sha256_of(Path(str(path)))}" if known else part).encode() + b"\0")
    return f"command={digest.hexdigest()[:16]}"
