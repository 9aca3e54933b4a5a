"""`wakeword tune CONFIG`: search the recipe's space, write the best recipe."""

from __future__ import annotations

import argparse

from wakeword.cli.options import add_config_arguments, read_config


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("tune", help="search the recipe's space, write the best recipe")
    add_config_arguments(parser)
    parser.set_defaults(func=_tune)


def _tune(args: argparse.Namespace) -> int:
    from wakeword.cli.console import print_next, print_peak
    from wakeword.pipeline import run_folder, run_pipeline
    from wakeword.system.log import log_context
    from wakeword.system.resources import ResourceSampler
    from wakeword.tuning.search import run_sweep

    config = read_config(args)
    prepared = run_pipeline(config, ("prepare",))
    if prepared.prepared is not None:
        print(f"\n{prepared.prepared.table()}\n")
    sweep_dir = run_folder(config) / "sweep"
    with log_context(config.name), ResourceSampler(interval_s=config.tracking.resource_interval_s) as sampler:
        sweep = run_sweep(config, sweep_dir, prepared.prepared_dir)
    print_peak(max(prepared.peak_gib, sampler.peak_gib))
    print_next(sweep.next_command)
    return 0
