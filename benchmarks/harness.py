"""Shared code of the benchmarks: bars with a target, the machine, the real recordings, child processes, tables."""

from __future__ import annotations

import argparse
import csv
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wakeword.errors import DataError
from wakeword.system.files import write_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wakeword.config import Config
    from wakeword.evaluation.metrics.measure import WordOnSplit
    from wakeword.evaluation.tracks.track import Track
    from wakeword.runtime.events import EventTiming
    from wakeword.runtime.manifest import BundleManifest

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = ROOT.parent / "shared" / "data"
_GAIN = 30.0
"""Factor on the classifier's weights: scores of an untrained network vary little, and there would be no events."""


@dataclass(frozen=True)
class Bar:
    """A measured value with its target; without one (`target` None) the value is only printed."""

    name: str
    value: float
    unit: str
    target: float | None = None
    at: Literal["most", "least"] = "most"

    @property
    def ok(self) -> bool:
        """Whether the target is met."""
        if self.target is None:
            return True
        return self.value <= self.target if self.at == "most" else self.value >= self.target


def machine() -> dict[str, Any]:
    """The machine and its load."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": names[0] if names else platform.processor(),
        "cpus": usable,
        "load_1min": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }


def commit() -> str:
    """The commit that was measured, with `+` where the working tree differs from it; "unknown" outside git."""
    command = ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def recording_rows() -> list[dict[str, str]]:
    """Rows of the recordings' manifest with absolute paths. Raises DataError where the recordings are absent."""
    manifest = RECORDINGS / "manifest.csv"
    if not manifest.is_file():
        raise DataError(f"{manifest} does not exist: this benchmark needs the real recordings beside the repository")
    with manifest.open(newline="", encoding="utf-8") as file:
        return [{**row, "path": str(RECORDINGS / row["path"])} for row in csv.DictReader(file)]


def write_manifest(rows: Iterable[dict[str, str]], path: Path) -> Path:
    """Write rows as a CSV manifest for the `csv` source."""
    kept = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(kept[0]))
        writer.writeheader()
        writer.writerows(kept)
    return path


def python(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """Standard output of a new Python process in the repository's folder; SystemExit where it fails."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | (environment or {}), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the measured process ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def pip_install(interpreter: str | Path, *arguments: str) -> str:
    """Install with pip; the reason where that fails, else an empty string."""
    command = [str(interpreter), "-m", "pip", "install", "--quiet", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    except subprocess.TimeoutExpired:
        return "pip did not finish within 15 minutes"
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()]
    return lines[-1] or f"pip ended with {done.returncode}" if done.returncode else ""


def untrained_bundle(folder: Path, labels: Sequence[str] = ("hey_nova",), tracks: Sequence[np.ndarray] = ()) -> Path:
    """Export the default model with random weights, which have no effect on its cost.

    Args:
        tracks: int16 audio `(samples,)` of equal lengths; the classifier is scaled so that scores on it cause events.
    """
    import numpy as np
    import torch

    from wakeword.config import validate_config
    from wakeword.export.manifest import build_manifest, graph_metadata, write_bundle_files
    from wakeword.export.onnx import export_onnx
    from wakeword.models.streaming import StreamingModel

    torch.manual_seed(0)
    config = validate_config({"name": "untrained", "words": [{"label": label} for label in labels]})
    model = StreamingModel(config, config.labels).eval()
    if tracks:
        classifier: Any = model.network.classify
        with torch.no_grad():
            classifier.weight *= _GAIN
            logits = model.offline(torch.from_numpy(np.stack(tracks).astype(np.float32) / 32768))
            # Each word's mean output lies 1.5 standard deviations below 0, so that rare peaks become events.
            classifier.bias -= logits.mean((0, 1)) + 1.5 * logits.std((0, 1))
    manifest = build_manifest(config, model.step_samples, model.state_size, model.context_samples, {})
    write_bundle_files(folder, export_onnx(model, config.export.opset, graph_metadata(manifest)), manifest)
    return folder


def timing_of(config: Config | BundleManifest, step_s: float) -> EventTiming:
    """The detector's times of a config or bundle manifest, in scores that are `step_s` apart."""
    from wakeword.runtime.events import EventTiming

    detector = config.detector
    return EventTiming.from_seconds(step_s, detector.smoothing_s, detector.nms_window_s, detector.refractory_s)


def detect_on(
    tracks: Sequence[Track], scores: Sequence[NDArray[np.float32]], word: str, timing: EventTiming, config: Config
) -> WordOnSplit:
    """Peaks of a word's raw scores, `(n,)` per track."""
    from wakeword.evaluation.metrics.measure import measure_word
    from wakeword.evaluation.scoring.store import TrackInfo

    by_name = {track.name: values for track, values in zip(tracks, scores, strict=True)}
    infos = [TrackInfo.of("test", track) for track in tracks]
    return measure_word(word, infos, lambda track, _: by_name[track], timing, config.evaluation)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def table(bars: Sequence[Bar]) -> str:
    """The bars as text, a line each."""
    width = max(len(bar.name) for bar in bars)
    lines = []
    for bar in bars:
        sign = "    " if bar.target is None else "ok  " if bar.ok else "MISS"
        target = "" if bar.target is None else f"  at {bar.at} {bar.target:g}"
        lines.append(f"{sign}  {bar.name:<{width}}  {bar.value:>10.4g} {bar.unit}{target}")
    return "\n".join(lines)


def run(
    name: str,
    measure: Callable[[argparse.Namespace], list[Bar]],
    arguments: Callable[[argparse.ArgumentParser], None] | None = None,
) -> int:
    """Measure, print the table, write the JSON.

    Args:
        name: of the benchmark.
        measure: takes the parsed arguments (`quick` among them), returns the bars.
        arguments: adds the benchmark's arguments.

    Returns:
        The exit code: 0 when all targets are met, 1 otherwise.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--quick", action="store_true", help="smaller, for a check that it runs")
    parser.add_argument("--json", type=Path, help="write machine, commit and bars here")
    if arguments:
        arguments(parser)
    args = parser.parse_args()
    bars = measure(args)
    print(table(bars))
    if args.json:
        record = [{**asdict(bar), "ok": bar.ok} for bar in bars]
        write_json(
            args.json, {"name": name, "quick": args.quick, "machine": machine(), "commit": commit(), "bars": record}
        )
    return 0 if all(bar.ok for bar in bars) else 1
