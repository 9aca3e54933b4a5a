"""The command line as a whole: help, errors, exit codes, signals, completion, speed."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from wakeword import errors
from wakeword.cli import main as cli
from wakeword.cli.main import PANELS, app, main
from wakeword.config import load_config


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and verb with its words."""
    for name, command in (group or get_command(app)).commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_helps(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"Usage: wakeword {' '.join(words)} ")
    assert main([*words, "-h"]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_describes_itself(words: tuple[str, ...]) -> None:
    """What the reference page is generated from."""
    command = COMMANDS[words]
    summary = command.help.splitlines()[0]
    assert summary.endswith(".")
    assert len(summary) <= 110
    for param in command.params:
        assert param.help, f"{words} {param.name}"
        assert not param.help.endswith("."), f"{words} {param.name}"


def test_commands_are_grouped(capsys: pytest.CaptureFixture[str]) -> None:
    names = [words[0] for words in COMMANDS if len(words) == 1]
    assert len(names) == 19
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for heading in (*PANELS, "Options"):
        assert f"\n{heading}:\n" in printed
    for name in names:
        assert f"\n  {name} " in printed
    assert "130 interrupted" in printed


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("wakeword 0.")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "Missing command. See `wakeword --help`."),
        (["trian"], "No such command 'trian'. Did you mean 'train'? See `wakeword --help`."),
        (["data", "reprot"], "No such command 'reprot'. Did you mean 'report'? See `wakeword data --help`."),
        (["train"], "Missing argument CONFIG: give it as it is, or as --config CONFIG. See `wakeword train --help`."),
        (["train", "--config"], "Option '--config' requires an argument. See `wakeword train --help`."),
        (["mine", "run", "--config", "x", "--out", "y"], "Missing argument BUNDLE: "),
        (["new", "hey nova", "--lable", "nova"], "No such option: --lable (Possible options: --label). See"),
        (["new", "hey nova", "--lable=x"], "No such option: --lable (Possible options: --label). See"),
        (["new", "hey nova", "more"], "override 'more' must look like section.key=value"),
        (["detect", "bundle", "a.wav", "--variant", "int7"], "'int7' is not one of 'float32', 'int8', 'tflite'"),
        (["detect", "bundle", "a.wav", "--threshold", "much"], "Invalid value for '--threshold'"),
        (["detect", "bundle", "a.wav", "--threshold", "0.5", "--fah-target", "1"], "exclude each other"),
        (["audit", "bundle", "home", "--out", "x", "training.epochs=3"], "unexpected extra argument"),
        (["audit", "bundle", "home"], "Missing option '--out'"),
    ],
)
def test_bad_usage_is_one_line_and_2(argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    out, printed = capsys.readouterr()
    assert out == ""
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
    assert sentence in printed


@pytest.mark.parametrize(
    "line",
    [
        ["hey nova", "training.epochs=4", "model.heads=2", "--label", "nova", "--out", "OUT"],
        ["hey nova", "--out", "OUT", "training.epochs=4", "--label", "nova", "model.heads=2"],
        ["training.epochs=3", "--out=OUT", "hey nova", "model.heads=2", "training.epochs=4", "--label", "nova"],
        ["--out", "OUT", "--label", "nova", "model.heads=2", "training.epochs=4", "--phrase", "hey nova"],
        ["--out", "OUT", "--label", "nova", "model.heads=2", "training.epochs=4", "--", "hey nova"],
    ],
)
def test_options_arguments_and_overrides_in_any_order(line: list[str], tmp_path: Path) -> None:
    out = tmp_path / "nova.yaml"
    assert main(["new", *(text.replace("OUT", str(out)) for text in line)]) == 0
    config = load_config(out)
    assert (config.words[0].label, config.words[0].phrase) == ("nova", "hey nova")
    assert (config.training.epochs, config.model.heads) == (4, 2)


def test_a_recipe_by_name_or_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = str(tmp_path / "recipe.yaml")
    Path(recipe).write_text("words: [{label: hey_nova}]\n")
    for line in (
        [recipe, "name=x"],
        ["name=x", recipe],
        ["name=x", "--config", recipe],
        [f"--config={recipe}", "name=x"],
    ):
        assert main(["config", "show", *line]) == 0
        assert "name: x\n" in capsys.readouterr().out


def test_a_folder_that_looks_like_an_override_is_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lr=0.1").mkdir()
    assert main(["dashboard", "lr=0.1"]) == 4
    assert "wake.json" in capsys.readouterr().err


def fail_with(act: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a command line in place whose only command calls `act`."""
    other = typer.Typer()
    other.command()(act)
    monkeypatch.setattr(cli, "app", other)


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
    def fail() -> None:
        raise error

    fail_with(fail, monkeypatch)
    assert main([]) == code
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert printed.startswith("interrupted:" if code == 130 else f"error: {error}")


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> float:
        return 1 / 0

    fail_with(fail, monkeypatch)
    with pytest.raises(ZeroDivisionError):
        main([])


def test_a_missing_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipeline", str(tmp_path / "no.yaml")]) == 2
    assert "no.yaml does not exist: give the path of a YAML recipe" in capsys.readouterr().err


def test_sigterm_unwinds_like_ctrl_c(tmp_path: Path) -> None:
    """What a command cleans up on Ctrl-C it must clean up when a supervisor ends it."""
    code = (
        "import sys, time, pathlib, typer\n"
        "from wakeword.cli import main as cli\n"
        "def wait():\n"
        "    try:\n"
        "        print('waiting', flush=True); time.sleep(60)\n"
        "    finally:\n"
        f"        pathlib.Path({str(tmp_path / 'cleaned')!r}).touch()\n"
        "cli.app = typer.Typer(); cli.app.command()(wait)\n"
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


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("wakeword ev", {"evaluate"}),
        ("wakeword data ", {"report", "cut"}),
        ("wakeword new --la", {"--label", "--language"}),
        ("wakeword train recipe.yaml training.epochs=3 --h", {"--help"}),
        ("wakeword detect b a.wav --variant int", {"int8"}),
    ],
)
def test_the_shell_completes(line: str, wanted: set[str]) -> None:
    words = line.split(" ")
    completion = {"_WAKEWORD_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    code = "import sys; from wakeword.cli.main import main; sys.exit(main())"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **completion},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert set(answer.stdout.split()) == wanted


def test_the_script_of_a_shell() -> None:
    command = [sys.executable, "-m", "wakeword.cli.main", "--show-completion"]
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    answer = subprocess.run([*command, "bash"], env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "_WAKEWORD_COMPLETE=complete_bash" in answer.stdout


def test_every_path_may_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    paths = {"BUNDLE", "CONFIG", "FOLDER", "DIR", "DIR…", "FILE", "OUT", "RUN"}
    paths |= {"OUT.npz|OUT.parquet", "CONFIG|FOLDER", "FOLDER|TYPE:URI"}
    found = [
        (words, param) for words, command in COMMANDS.items() for param in command.params if param.metavar in paths
    ]
    assert len(found) > 20
    for words, param in found:
        several = param.multiple or param.nargs == -1
        value = param.process_value(None, ["~/x"] if several else "~/x")
        assert (list(value) if several else value) == (["/home/somebody/x"] if several else "/home/somebody/x"), words


def test_help_is_fast() -> None:
    """Help takes less than 0.4 s on the developers' machine, where a bare interpreter takes 0.014 s.

    The measure is processor time of the fastest of several runs, beside that of an interpreter that imports `typing`
    and `json`: a busy machine makes both slower.
    """

    def cpu_s(*arguments: str) -> float:
        times = []
        for _ in range(5):
            before = os.times()
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True, timeout=60)
            after = os.times()
            times.append(after.children_user + after.children_system - before.children_user - before.children_system)
        return statistics.median_low(sorted(times)[:3])

    bare = cpu_s("-c", "import asyncio, json, typing")
    assert cpu_s("-m", "wakeword.cli.main", "--help") < max(0.4, 6 * bare)
