"""`wakeword`: all commands, and the handling of errors and signals."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.main import get_command

import wakeword
from wakeword.cli import (
    audit,
    config,
    data,
    demo,
    detect,
    doctor,
    evaluate,
    listen,
    mine,
    new,
    serve,
    stages,
    try_phrase,
)
from wakeword.cli.parsing import Command, Group
from wakeword.errors import WakewordError
from wakeword.system.signals import sigterm_interrupts

Function = Callable[..., int | None]
PANELS: dict[str, tuple[Function | tuple[str, str, tuple[Function, ...]], ...]] = {
    "Make a detector": (
        demo.demo,
        *(try_phrase.try_, new.new),
        *(stages.pipeline, stages.prepare, stages.train, stages.distill, stages.tune, stages.export),
    ),
    "Evaluate it": (evaluate.evaluate, audit.audit),
    "Use it": (detect.detect, listen.listen, serve.serve, serve.dashboard),
    "Inspect": (
        doctor.doctor,
        ("config", "Print, describe or validate recipes.", (config.show, config.schema, config.validate)),
    ),
    "Data": (
        ("data", "Check prepared data, and cut words out of speech.", (data.report, data.cut)),
        ("mine", "Find hard negatives, with a bundle or by their sound.", (mine.run, mine.sounds, mine.review)),
    ),
}
"""Commands of each help panel: a function of the same name, or a name, a summary and a function per verb."""

EPILOG = """start with:

\b
  wakeword demo                       a detector for "hey nova", in minutes
  wakeword new "computer" --run       the same for your phrase
  wakeword detect BUNDLE FILE.wav     find the words of a trained bundle in recordings

exit codes: 0 success, 1 a defect or a demo that failed its check, 2 configuration or usage, 3 data, 4 bundle,
5 device, 6 missing extra, 7 run, 8 serving, 130 interrupted"""

_SETTINGS: dict[str, Any] = {"context_settings": {"help_option_names": ["-h", "--help"]}}


def _group(summary: str, functions: Sequence[Function] = (), **settings: Any) -> typer.Typer:
    """A group of commands; help does not use rich, which takes 0.2 s to load."""
    group = typer.Typer(cls=Group, help=summary, rich_markup_mode=None, **_SETTINGS, **settings)
    for function in functions:
        group.command(function.__name__, cls=Command, **_SETTINGS)(function)
    return group


def _build_app() -> typer.Typer:
    made = _group("Make a small streaming wake-word detector from a phrase.", epilog=EPILOG, callback=_options)
    for panel, entries in PANELS.items():
        for entry in entries:
            if callable(entry):
                made.command(entry.__name__.rstrip("_"), cls=Command, rich_help_panel=panel, **_SETTINGS)(entry)
            else:
                name, summary, functions = entry
                made.add_typer(_group(summary, functions, add_completion=False), name=name, rich_help_panel=panel)
    return made


def _print_version(given: bool) -> None:
    if given:
        print(f"wakeword {wakeword.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    pass


app = _build_app()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code (see `wakeword.errors`)."""
    command = get_command(app)
    if "_WAKEWORD_COMPLETE" in os.environ:
        command.main(prog_name="wakeword")  # prints completions for the shell and exits
    try:
        with (
            sigterm_interrupts(),
            command.make_context("wakeword", list(sys.argv[1:] if argv is None else argv)) as running,
        ):
            return int(command.invoke(running) or 0)
    except typer.Exit as ended:
        return ended.exit_code
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        message = " ".join(error.format_message().split())
        stop = "" if message.endswith((".", "?")) else "."
        where = context.command_path if context else "wakeword"
        print(f"error: {message}{stop} See `{where} --help`.", file=sys.stderr)
        return error.exit_code
    except WakewordError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted: run the same command again to continue", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of the output (head, less) has ended; without this, Python reports an error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
