"""Contents of a folder of runs: states, curves, reports and bundles, without a user interface."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from wakeword.config import Config
from wakeword.config.loading import load_config
from wakeword.errors import ConfigError, DataError
from wakeword.export.readiness import state_of
from wakeword.runtime.manifest import BundleManifest
from wakeword.training.tracking import read_metrics

_QUIET_S = 120.0
"""An incomplete run that has written nothing for this time was interrupted."""
_FILES = (
    "config.yaml",
    "metrics.jsonl",
    "resources.jsonl",
    "run.json",
    "bundle/wake.json",
    "evaluation/report.json",
)
RUN_COLUMNS = ["run", "status", "words", "epochs", "best epoch", "best val FRR", "last change"]


class RunSummary(NamedTuple):
    """One run as a row of the table, in the order of `RUN_COLUMNS`."""

    name: str
    status: str
    words: str
    epochs: str
    best_epoch: int | None
    best_val_frr: float | None
    changed: str


def find_runs(runs_dir: Path) -> dict[str, Path]:
    """Name (path below `runs_dir`) to folder of every run, the most recently changed first."""
    folders = [path.parent for pattern in ("*/config.yaml", "*/*/config.yaml") for path in runs_dir.glob(pattern)]
    folders.sort(key=_last_change, reverse=True)
    return {str(folder.relative_to(runs_dir)): folder for folder in folders}


def summarise(name: str, folder: Path) -> RunSummary:
    """State of a run, from its files."""
    metrics = read_metrics(folder / "metrics.jsonl")
    scored = [line for line in metrics if isinstance(line.get("val_frr"), int | float)]
    best = min(scored, key=lambda line: line["val_frr"], default=None)
    config = _config(folder)
    total = config.training.epochs if config else 0
    changed = _last_change(folder)
    return RunSummary(
        name=name,
        status=_status(folder, len(metrics), total, changed),
        words=_words(folder, config),
        epochs=f"{len(metrics)}/{total}" if total else str(len(metrics)),
        best_epoch=best["epoch"] if best else None,
        best_val_frr=round(best["val_frr"], 4) if best else None,
        changed=time.strftime("%Y-%m-%d %H:%M", time.localtime(changed)),
    )


def _words(folder: Path, config: Config | None) -> str:
    """The run's words, with the state of each that the bundle was evaluated for, such as `hey_nova (promising)`."""
    path = folder / "bundle" / "wake.json"
    try:
        bundle = BundleManifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return ", ".join(config.labels) if config else ""
    decided = {word.label: word for word in (bundle.verifier or bundle).words}
    states = {label: state_of(word) for label, word in decided.items() if word.operating_points}
    return ", ".join(
        f"{word.label} ({states[word.label]})" if word.label in states else word.label for word in bundle.words
    )


def _config(folder: Path) -> Config | None:
    """The run's saved config; None where another version wrote it."""
    try:
        return load_config(folder / "config.yaml")
    except ConfigError:
        return None


def _status(folder: Path, done: int, total: int, changed: float) -> str:
    if (folder / "evaluation" / "report.json").is_file():
        return "evaluated"
    if (folder / "bundle" / "wake.json").is_file():
        return "exported"
    if total and done >= total:
        return "trained"
    return "running" if time.time() - changed < _QUIET_S else "interrupted"


def _last_change(folder: Path) -> float:
    return max((path.stat().st_mtime for path in (folder / name for name in _FILES) if path.is_file()), default=0.0)


def metric_names(runs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Names of the metrics that any of the runs recorded per epoch, validation first."""
    items = [item for lines in runs.values() for line in lines for item in line.items()]
    names = {key for key, value in items if isinstance(value, int | float)} - {"epoch", "step"}
    return sorted(names, key=lambda name: (not name.startswith("val_"), not name.startswith("loss"), name))


def curve(lines: list[dict[str, Any]], metric: str) -> tuple[list[int], list[float]]:
    """Epochs and values of one metric, without the epochs that have none."""
    points = [(line["epoch"], line[metric]) for line in lines if isinstance(line.get(metric), int | float)]
    return [epoch for epoch, _ in points], [value for _, value in points]


def differing_settings(folders: dict[str, Path]) -> tuple[list[str], list[list[str]]]:
    """Column names and rows of the config keys in which the runs differ."""
    columns: list[dict[str, str]] = []
    for folder in folders.values():
        config = _config(folder)
        tree = {**config.model_dump(mode="json"), "words": ", ".join(config.labels)} if config else {}
        columns.append(_flat(tree))
    keys = sorted({key for column in columns for key in column} - {"name"})
    rows = [[key, *(column.get(key, "") for column in columns)] for key in keys]
    return ["setting", *folders], [row for row in rows if len(set(row[1:])) > 1]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Values as text by dotted keys."""
    found: dict[str, str] = {}
    for key, value in tree.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": str(value)}
    return found


def find_reports(runs_dir: Path) -> dict[str, Path]:
    """Run name to `report.html` of every evaluated run."""
    reports = {name: folder / "evaluation" / "report.html" for name, folder in find_runs(runs_dir).items()}
    return {name: path for name, path in reports.items() if path.is_file()}


def find_bundles(runs_dir: Path, served: Path | None = None) -> dict[str, Path]:
    """Name to path of the served bundle, then of every run's."""
    found = {f"served: {served.name or served}": served} if served is not None else {}
    bundles = {name: folder / "bundle" for name, folder in find_runs(runs_dir).items()}
    return found | {name: path for name, path in bundles.items() if (path / "wake.json").is_file()}


def bundle_named(runs_dir: Path, served: Path | None, name: str | None) -> Path:
    """Path of a listed bundle; text from a browser is never used as a path.

    Raises:
        DataError: the bundle is not listed, or none was chosen.
    """
    bundles = find_bundles(runs_dir, served)
    if not bundles:
        raise DataError(f"there is no bundle in {runs_dir}: train and export one first (`wakeword pipeline`)")
    if name not in bundles:
        raise DataError(f"there is no bundle {name!r}: choose one of {', '.join(bundles)}")
    return bundles[name]
