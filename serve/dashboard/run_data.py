"""What lies in a folder of runs: their state, curves, reports and bundles. Plain values, no user interface."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wakeword.config.loading import load_config
from wakeword.errors import ConfigError, DataError
from wakeword.training.tracking import read_metrics

_QUIET_S = 120.0
"""A run that has written nothing for this long and is not complete was interrupted."""
_HIDDEN_METRICS = {"epoch", "step"}


@dataclass(frozen=True)
class RunSummary:
    """One run as a row of the table."""

    name: str
    status: str
    words: str
    epochs: str
    best_epoch: int | None
    best_val_frr: float | None
    changed: str

    def row(self) -> list[Any]:
        """Values in the order of `RUN_COLUMNS`."""
        best = None if self.best_val_frr is None else round(self.best_val_frr, 4)
        return [self.name, self.status, self.words, self.epochs, self.best_epoch, best, self.changed]


RUN_COLUMNS = ["run", "status", "words", "epochs", "best epoch", "best val FRR", "last change"]


def find_runs(runs_dir: Path) -> dict[str, Path]:
    """Name (path below `runs_dir`) to folder of every run, the most recently changed first."""
    if not runs_dir.is_dir():
        return {}
    folders = [path.parent for pattern in ("*/config.yaml", "*/*/config.yaml") for path in runs_dir.glob(pattern)]
    folders.sort(key=_last_change, reverse=True)
    return {str(folder.relative_to(runs_dir)): folder for folder in folders}


def run_named(runs_dir: Path, name: str) -> Path:
    """Folder of a listed run; what a browser sends is never used as a path.

    Raises:
        DataError: there is no such run.
    """
    runs = find_runs(runs_dir)
    if name not in runs:
        raise DataError(f"there is no run {name!r} in {runs_dir}: press Refresh")
    return runs[name]


def summarise(name: str, folder: Path) -> RunSummary:
    """State of a run, from the files it leaves."""
    metrics = read_metrics(folder / "metrics.jsonl")
    scored = [line for line in metrics if isinstance(line.get("val_frr"), int | float)]
    best = min(scored, key=lambda line: line["val_frr"], default=None)
    total, words = _planned(folder)
    changed = _last_change(folder)
    return RunSummary(
        name=name,
        status=_status(folder, len(metrics), total, changed),
        words=words,
        epochs=f"{len(metrics)}/{total}" if total else str(len(metrics)),
        best_epoch=best["epoch"] if best else None,
        best_val_frr=best["val_frr"] if best else None,
        changed=time.strftime("%Y-%m-%d %H:%M", time.localtime(changed)),
    )


def _planned(folder: Path) -> tuple[int, str]:
    """Epochs and words of the run's saved config; nothing where an older version wrote it."""
    try:
        config = load_config(folder / "config.yaml")
    except ConfigError:
        return 0, ""
    return config.training.epochs, ", ".join(config.labels)


def _status(folder: Path, done: int, total: int, changed: float) -> str:
    if (folder / "evaluation" / "report.json").is_file():
        return "evaluated"
    if (folder / "bundle" / "wake.json").is_file():
        return "exported"
    if total and done >= total:
        return "trained"
    return "running" if time.time() - changed < _QUIET_S else "interrupted"


def _last_change(folder: Path) -> float:
    names = (
        "config.yaml",
        "metrics.jsonl",
        "resources.jsonl",
        "run.json",
        "bundle/wake.json",
        "evaluation/report.json",
    )
    times = [path.stat().st_mtime for path in (folder / name for name in names) if path.is_file()]
    return max(times, default=0.0)


def metric_names(runs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Numbers that any of the runs recorded per epoch, the validation figures first."""
    names = {
        key
        for lines in runs.values()
        for line in lines
        for key, value in line.items()
        if isinstance(value, int | float) and key not in _HIDDEN_METRICS
    }
    return sorted(names, key=lambda name: (not name.startswith("val_"), not name.startswith("loss"), name))


def curve(lines: list[dict[str, Any]], metric: str) -> tuple[list[int], list[float]]:
    """Epochs and values of one metric, without the epochs that have none."""
    points = [(line["epoch"], line[metric]) for line in lines if isinstance(line.get(metric), int | float)]
    return [epoch for epoch, _ in points], [value for _, value in points]


def differing_settings(folders: dict[str, Path]) -> tuple[list[str], list[list[str]]]:
    """Column names and rows of the config keys in which the runs differ."""
    flat: dict[str, dict[str, str]] = {}
    for name, folder in folders.items():
        try:
            tree = load_config(folder / "config.yaml").model_dump(mode="json")
        except ConfigError:
            tree = {}
        flat[name] = dict(_leaves(tree))
    keys = sorted({key for values in flat.values() for key in values} - {"name"})
    rows = [[key, *(values.get(key, "") for values in flat.values())] for key in keys]
    return ["setting", *folders], [row for row in rows if len(set(row[1:])) > 1]


def _leaves(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            found += _leaves(value, f"{prefix}{key}.")
        else:
            labels = [entry["label"] for entry in value if "label" in entry] if key == "words" else []
            found.append((f"{prefix}{key}", ", ".join(labels) or str(value)))
    return found


def find_reports(runs_dir: Path) -> dict[str, Path]:
    """Run name to `report.html` of every evaluated run."""
    reports = {name: folder / "evaluation" / "report.html" for name, folder in find_runs(runs_dir).items()}
    return {name: path for name, path in reports.items() if path.is_file()}


def find_bundles(runs_dir: Path, served: Path | None = None) -> dict[str, Path]:
    """Name to path of the bundle being served, then of every run's."""
    found = {f"served: {served.name or served}": served} if served is not None else {}
    for name, folder in find_runs(runs_dir).items():
        if (folder / "bundle" / "wake.json").is_file():
            found[name] = folder / "bundle"
    return found


def bundle_named(runs_dir: Path, served: Path | None, name: str | None) -> Path:
    """Path of a listed bundle.

    Raises:
        DataError: there is no such bundle, or none was chosen.
    """
    bundles = find_bundles(runs_dir, served)
    if not bundles:
        raise DataError(f"there is no bundle in {runs_dir}: train and export one first (`wakeword pipeline`)")
    if name not in bundles:
        raise DataError(f"there is no bundle {name!r}: choose one of {', '.join(bundles)}")
    return bundles[name]
