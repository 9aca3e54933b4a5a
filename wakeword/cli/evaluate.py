"""`wakeword evaluate CONFIG`: evaluate a bundle, recompute a report from scores, or compare evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import FLOAT32, Overrides, Variant, path, path_argument, read_config
from wakeword.cli.stages import display_path, finish, print_report, run_stages
from wakeword.errors import ConfigError

_COMPARE = "finished evaluation folders, each compared with the first on the same words"
_FROM_SCORES = "finished evaluation folder whose tables are recomputed, with evaluation settings as KEY=VALUE"


def evaluate(
    *,
    config: Annotated[
        str | None, path_argument("CONFIG", "YAML recipe, such as configs/demo.yaml; also as --config CONFIG")
    ] = None,
    overrides: Overrides,
    variant: Variant = FLOAT32,
    compare: Annotated[list[str] | None, path("DIR…", _COMPARE)] = None,
    from_scores: Annotated[str | None, path("DIR", _FROM_SCORES)] = None,
    out: Annotated[str | None, path("DIR", "with --from-scores, the output folder", "DIR of --from-scores")] = None,
) -> None:
    """Choose thresholds, measure the bundle and write the report; or compare finished evaluations."""
    if out and not from_scores:
        raise ConfigError("--out needs --from-scores: the evaluation of a recipe is written to its run")
    if variant != FLOAT32 and (compare or from_scores):
        raise ConfigError("--variant needs a recipe: the model of a finished evaluation cannot be changed")
    if compare:
        if config or from_scores:
            raise ConfigError("--compare takes evaluation folders only: remove the recipe and --from-scores")
        _compare(compare)
    elif from_scores:
        if config:
            raise ConfigError(f"--from-scores takes settings such as operating_fah=1 only: remove the recipe {config}")
        _from_scores(from_scores, overrides, out)
    elif config is None:
        raise ConfigError("evaluate needs a recipe (wakeword evaluate CONFIG), or --compare DIR DIR")
    elif variant != FLOAT32:
        _evaluate_variant(config, overrides, variant)
    else:
        finish(run_stages(read_config(config, overrides), ("evaluate",)))


def _evaluate_variant(recipe: str, overrides: list[str], variant: str) -> None:
    """Evaluate another form of a run's model; the bundle's operating points stay the same."""
    from wakeword.evaluation.evaluate import evaluate
    from wakeword.pipeline import prepared_folder, run_folder

    config = read_config(recipe, overrides)
    run_dir = run_folder(config)
    out = run_dir / f"evaluation-{variant}"
    report = evaluate(run_dir / "bundle", prepared_folder(config), config, out, run_dir=run_dir, variant=variant)
    print_report(report, out)
    print_next(f"wakeword evaluate --compare {display_path(run_dir / 'evaluation')} {display_path(out)}")


def _from_scores(folder: str, overrides: list[str], out: str | None) -> None:
    from wakeword.evaluation.evaluate import evaluate_scores

    report = evaluate_scores(folder, overrides, out)
    print_report(report, Path(out or folder))
    print_next(f"wakeword evaluate --compare {display_path(Path(folder))} OTHER_EVALUATION")


def _compare(folders: list[str]) -> None:
    from wakeword.evaluation.compare import compare

    if len(folders) < 2:
        raise ConfigError("--compare needs at least two evaluation folders; the others are compared with the first")
    first, *others = folders
    for other in others:
        found = compare(first, other)
        print_table(f"A = {first}, B = {other}", *found.table())
        for word in found.words:
            print(f"{word.label}: is B better than A? {word.better}. {word.verdict}")
    print_next("wakeword dashboard")
