"""What the scripts in jobs/ do: parse `--config` and overrides, then run the command of the same name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from wakeword.cli.main import main
from wakeword.cli.options import OVERRIDES_HELP
from wakeword.system.files import user_path


def run_job(
    command: str, argv: Sequence[str] | None = None, options: Sequence[str] = (), before: Sequence[str] = ()
) -> int:
    """Run `wakeword COMMAND CONFIG overrides…`; returns its exit code.

    Args:
        command: a command that takes a recipe.
        argv: the job's arguments, None for the process's own.
        options: further options of that command, such as `--teacher`, handed on as often as given.
        before: options of the job that the command takes as arguments in front of the recipe, such as `--bundle`.
    """
    script = command.split()[0]
    parser = argparse.ArgumentParser(
        prog=f"jobs/{script}.py",
        description=f"`wakeword {command}` as a Ray job, or by hand: "
        f"ray job submit --working-dir . -- python jobs/{script}.py {''.join(f'{name} … ' for name in before)}--config "
        "configs/demo.yaml",
    )
    parser.add_argument(
        "--config", type=user_path, required=True, help="a YAML recipe; paths are relative to the working directory"
    )
    parser.add_argument("overrides", metavar="key=value", nargs="*", help=OVERRIDES_HELP)
    for option in before:
        parser.add_argument(option, required=True)
    for option in options:
        parser.add_argument(option, action="append", default=[])
    args = parser.parse_args(argv)
    first = [getattr(args, option.lstrip("-")) for option in before]
    extra = [part for option in options for value in getattr(args, option.lstrip("-")) for part in (option, value)]
    return main([*command.split(), *first, args.config, *args.overrides, *extra])
