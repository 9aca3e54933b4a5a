"""Commands that run stages of the pipeline on a recipe, and their summaries."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import Overrides, Recipe, command_text, path, read_config, value
from wakeword.errors import ConfigError

if TYPE_CHECKING:
    from wakeword.config import Config
    from wakeword.evaluation.results import EvaluationReport
    from wakeword.pipeline import PipelineResult

AddedVariant = StrEnum("AddedVariant", ["int8", "tflite"])
_ADD = "add this form of the model, same as export.int8=true or export.tflite=true; may be repeated"
PEAK = "\npeak memory {:.2f} GiB (all processes of this command)"
TO_TRAINED = ("prepare", "targets", "train")


def prepare(config: Recipe, overrides: Overrides) -> None:
    """Check, split and store recordings and synthetic speech as shards."""
    run_stages(read_config(config, overrides), ("prepare",))
    print_next(command_text("train", config, overrides))


def train(config: Recipe, overrides: Overrides) -> None:
    """Train a recipe's model or continue its training; prepares the data first if needed."""
    run_stages(read_config(config, overrides), TO_TRAINED)
    print_next(command_text("export", config, overrides))


def distill(
    config: Recipe,
    overrides: Overrides,
    teacher: Annotated[str | None, path("RUN", "run folder of the teacher, same as distillation.teacher=RUN")] = None,
) -> None:
    """Train a student on the scores of a teacher."""
    overrides = [*overrides, *([f"distillation.teacher={teacher}"] if teacher else [])]
    loaded = read_config(config, overrides)
    if not loaded.distillation.teacher:
        raise ConfigError(f"{config} has no distillation.teacher: give --teacher RUN, the folder of a trained run")
    run_stages(loaded, TO_TRAINED)
    print_next(command_text("export", config, overrides))


def export(
    config: Recipe,
    overrides: Overrides,
    variant: Annotated[list[AddedVariant] | None, value("int8|tflite", _ADD)] = None,
) -> None:
    """Write the bundle of a trained run and compare its scores with those of the trained model."""
    from wakeword.export.readiness import readiness_lines
    from wakeword.runtime.bundle import load_bundle

    overrides = [*overrides, *(f"export.{form}=true" for form in variant or [])]
    result = run_stages(read_config(config, overrides), ("export",))
    print(f"\nbundle: {display_path(result.bundle_dir)}", *readiness_lines(load_bundle(result.bundle_dir)), sep="\n")
    print_next(command_text("evaluate", config, overrides))


def pipeline(config: Recipe, overrides: Overrides) -> None:
    """Run all stages: prepare, train, export, evaluate."""
    finish(run_stages(read_config(config, overrides)))


def tune(config: Recipe, overrides: Overrides) -> None:
    """Search settings in the recipe's tuning.space and write the best recipe."""
    from wakeword.pipeline import run_folder, run_pipeline
    from wakeword.system.log import log_context
    from wakeword.system.resources import ResourceSampler
    from wakeword.tuning.search import run_sweep

    loaded = read_config(config, overrides)
    prepared = run_pipeline(loaded, ("prepare", "targets"))
    if prepared.prepared is not None:
        print(f"\n{prepared.prepared.table()}\n")
    with log_context(loaded.name), ResourceSampler(interval_s=loaded.tracking.resource_interval_s) as sampler:
        sweep = run_sweep(loaded, run_folder(loaded) / "sweep", prepared.prepared_dir, prepared.targets)
    print(PEAK.format(max(prepared.peak_gib, sampler.peak_gib)))
    print_next(sweep.next_command)


def run_stages(config: Config, stages: tuple[str, ...] | None = None) -> PipelineResult:
    """Run the pipeline, then print its summary tables."""
    from wakeword.pipeline import run_pipeline

    result = run_pipeline(config, stages)
    if result.prepared is not None:
        print(f"\n{result.prepared.table()}")
    if result.trained is not None:
        figures = result.trained.figures()
        print_table(f"training: {result.trained.epochs} epochs", ("metric", "best epoch", "last epoch"), figures)
    if result.report is not None:
        print_report(result.report)
    rows = [(s.name, s.state, f"{s.seconds:.1f}", f"{s.peak_gib:.2f}") for s in result.stages]
    print_table(f"run {display_path(result.run_dir)}", ("stage", "state", "seconds", "peak GiB"), rows)
    print(PEAK.format(result.peak_gib))
    return result


def display_path(full: Path) -> str:
    """A path relative to the working folder where it is below it, absolute elsewhere."""
    relative = os.path.relpath(full)
    return str(full) if relative.startswith("..") else relative


def print_report(report: EvaluationReport, folder: Path | None = None) -> None:
    """Print the table of an evaluation and the path of its page."""
    from wakeword.evaluation.report.wording import text_table

    print(f"\n{text_table(report)}")
    if folder is not None:
        print(f"\nreport: {display_path(folder / 'report.html')}")


def finish(result: PipelineResult) -> None:
    """Print the paths of report and bundle, and the next commands."""
    bundle = display_path(result.bundle_dir)
    print(f"\nreport: {display_path(result.evaluation_dir / 'report.html')}\nbundle: {bundle}")
    print_next(f"wakeword detect {bundle} RECORDING.wav", f"wakeword listen {bundle}", f"wakeword serve {bundle}")
