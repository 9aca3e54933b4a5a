"""The commands that run stages of the pipeline on a recipe, and what they print at the end."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakeword.cli.console import print_next, print_peak, print_table
from wakeword.cli.options import command_text, read_config

if TYPE_CHECKING:
    from wakeword.config import Config
    from wakeword.pipeline import PipelineResult


def run_stages(config: Config, stages: tuple[str, ...] | None = None) -> PipelineResult:
    """Run the pipeline with progress on the terminal, then print the summary tables."""
    from wakeword.pipeline import run_pipeline

    result = run_pipeline(config, stages)
    print_result(result)
    return result


def print_result(result: PipelineResult) -> None:
    """Tables of the prepared data, the training, the report and the stages; then the peak memory."""
    if result.prepared is not None:
        print(f"\n{result.prepared.table()}")
    if result.trained is not None:
        best, last = result.trained.best, result.trained.metrics
        figures = [(key, _number(best.get(key, "")), _number(value)) for key, value in last.items()]
        print_table(f"training: {result.trained.epochs} epochs", ("metric", "best epoch", "last epoch"), figures)
    if result.report is not None:
        print(f"\n{result.report.table()}")
    rows = [(s.name, s.state, f"{s.seconds:.1f}", f"{s.peak_gib:.2f}") for s in result.stages]
    print_table(f"run {shown(result.run_dir)}", ("stage", "state", "seconds", "peak GiB"), rows)
    print_peak(result.peak_gib)


def _number(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def shown(path: Path) -> str:
    """A path as it is typed from here: relative when it lies below the working folder."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def prepare_command(args: argparse.Namespace) -> int:
    """`wakeword prepare`."""
    run_stages(read_config(args), ("prepare",))
    print_next(command_text("train", args))
    return 0


def train_command(args: argparse.Namespace) -> int:
    """`wakeword train`: prepares (and makes targets) first where that is missing."""
    run_stages(read_config(args), ("prepare", "targets", "train"))
    print_next(command_text("export", args))
    return 0


def distill_command(args: argparse.Namespace) -> int:
    """`wakeword distill`: as train, and refuses a recipe that names no teacher."""
    from wakeword.config import load_config
    from wakeword.errors import ConfigError
    from wakeword.system.log import configure_logging

    teacher = [f"distillation.teacher={args.teacher}"] if args.teacher else []
    args.overrides = [*args.overrides, *teacher]
    config = load_config(args.config, args.overrides)
    configure_logging(config.tracking)
    if not config.distillation.teacher:
        raise ConfigError(
            f"{args.config} names no teacher: give --teacher RUN_FOLDER (a trained run), or distillation.teacher=…"
        )
    run_stages(config, ("prepare", "targets", "train"))
    print_next(command_text("export", args))
    return 0


def export_command(args: argparse.Namespace) -> int:
    """`wakeword export`."""
    args.overrides = [*args.overrides, *(f"export.{variant}=true" for variant in args.variant)]
    result = run_stages(read_config(args), ("export",))
    print(f"\nbundle: {shown(result.bundle_dir)}")
    print_readiness(result.bundle_dir)
    print_next(command_text("evaluate", args))
    return 0


def print_readiness(bundle_dir: Path) -> None:
    """A line per further form of the model and per word: ready, not ready and why, or not evaluated."""
    from wakeword.runtime.bundle import VARIANTS, load_bundle

    bundle = load_bundle(bundle_dir)
    manifest = bundle.manifest
    for variant in bundle.variants:
        if (facts := manifest.variants.get(variant)) is None:
            continue
        size = manifest.files[VARIANTS[variant]].bytes / 1024
        print(
            f"{VARIANTS[variant]}: {size:.0f} KiB, scores within {facts.score_difference:.2g} of {VARIANTS['float32']},"
            f" {facts.events_changed} of {facts.events} events changed"
        )
    for word in manifest.words:
        point = next((p for p in word.operating_points if p.threshold == word.threshold), None)
        if point is None:
            told = "not evaluated yet, its threshold is a guess"
        else:
            told = str(getattr(point, "verdict", "ready" if word.ready else "not ready"))
        print(f"{word.label}: {told}")


def evaluate_command(args: argparse.Namespace) -> int:
    """`wakeword evaluate`."""
    finish(run_stages(read_config(args), ("evaluate",)))
    return 0


def pipeline_command(args: argparse.Namespace) -> int:
    """`wakeword pipeline`."""
    finish(run_stages(read_config(args)))
    return 0


def finish(result: PipelineResult) -> None:
    """Where the report and the bundle are, and what can be done with them."""
    bundle = shown(result.bundle_dir)
    print(f"\nreport: {shown(result.evaluation_dir / 'report.html')}\nbundle: {bundle}")
    print_next(f"wakeword detect {bundle} RECORDING.wav", f"wakeword listen {bundle}", f"wakeword serve {bundle}")
