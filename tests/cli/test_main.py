"""The command line as a whole: help, errors, exit codes, signals."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wakeword import errors
from wakeword.cli import main as cli
from wakeword.cli.main import COMMANDS, build_parser, main
from wakeword.config import load_config


def test_every_command_is_there_and_helps(capsys: pytest.CaptureFixture[str]) -> None:
    actions = [a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    assert tuple(actions[0].choices) == COMMANDS
    for command in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert command in capsys.readouterr().out


def test_usage_errors_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([], ["trian"], ["train"]):
        with pytest.raises(SystemExit) as ended:
            main(argv)
        assert ended.value.code == 2
    assert "usage: wakeword" in capsys.readouterr().err


def test_overrides_may_stand_behind_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "nova.yaml"
    line = ["new", "hey nova", "training.epochs=3", "--label", "nova", "training.epochs=4", "--out", str(out)]
    assert main([*line, "model.heads=2"]) == 0
    config = load_config(out)
    assert (config.words[0].label, config.training.epochs, config.model.heads) == ("nova", 4, 2)
    for wrong in (["new", "hey nova", "--label", "nova", "--lable=x"], ["new", "hey nova", "--label", "nova", "more"],
                  ["detect", "bundle", "a.wav", "--json", "training.epochs=3"]):  # fmt: skip
        with pytest.raises(SystemExit) as ended:
            main(wrong)
        assert ended.value.code == 2
        assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("a"), 2),
        (errors.DataError("a"), 3),
        (errors.BundleError("a"), 4),
        (errors.DeviceError("a"), 5),
        (errors.MissingExtraError("Serving", "serve"), 6),
        (errors.RunError("a"), 7),
        (errors.ServingError("a"), 8),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_one_sentence_and_their_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build() -> argparse.ArgumentParser:
        def fail(args: argparse.Namespace) -> int:
            raise error

        parser = argparse.ArgumentParser()
        parser.set_defaults(func=fail)
        return parser

    monkeypatch.setattr(cli, "build_parser", build)
    assert main([]) == code
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith("interrupted:" if code == 130 else f"error: {error}")


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def build() -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser()
        parser.set_defaults(func=lambda args: 1 // 0)
        return parser

    monkeypatch.setattr(cli, "build_parser", build)
    with pytest.raises(ZeroDivisionError):
        main([])


def test_a_missing_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipeline", str(tmp_path / "no.yaml")]) == 2
    assert "no.yaml does not exist: give the path of a YAML recipe" in capsys.readouterr().err


def test_sigterm_unwinds_like_ctrl_c(tmp_path: Path) -> None:
    """What a command cleans up on Ctrl-C it must clean up when a supervisor ends it."""
    code = (
        "import argparse, sys, time, pathlib\n"
        "from wakeword.cli import main as cli\n"
        "def wait(args):\n"
        "    try:\n"
        "        print('waiting', flush=True); time.sleep(60)\n"
        "    finally:\n"
        f"        pathlib.Path({str(tmp_path / 'cleaned')!r}).touch()\n"
        "parser = argparse.ArgumentParser(); parser.set_defaults(func=wait)\n"
        "cli.build_parser = lambda: parser\n"
        "sys.exit(cli.main([]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "waiting\n"
        started_s = time.monotonic()
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=30) == 130
    assert time.monotonic() - started_s < 30
    assert (tmp_path / "cleaned").exists()


def test_a_reader_that_goes_away_is_no_fault() -> None:
    shell = f"{sys.executable} -m wakeword.cli.main config schema | head -c 1"
    answer = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0
    assert answer.stderr == ""


def arguments(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """Every argument of every command and noun."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from ((f"{name} {where}", found) for where, found in arguments(sub))
        else:
            yield "/".join(action.option_strings) or action.dest, action


def test_every_path_may_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    paths = {
        "BUNDLE",
        "CONFIG",
        "FOLDER",
        "DIR",
        "FILE",
        "OUT",
        "OUT.parquet",
        "CONFIG|FOLDER",
        "FOLDER|TYPE:URI",
        "RUN",
    }
    found = [
        (where, action)
        for where, action in arguments(build_parser())
        if action.metavar in paths or action.dest == "config"
    ]
    assert len(found) > 20
    for where, action in found:
        assert action.type is not None, where
        assert str(action.type("~/x")) == "/home/somebody/x", where
