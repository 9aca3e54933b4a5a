"""`wakeword detect BUNDLE FILE…`: find the words of a bundle in recordings."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import (
    FLOAT32,
    Bundle,
    FahTarget,
    NoVerifier,
    Sensitivity,
    Threshold,
    Variant,
    path,
    path_argument,
    require_one,
)
from wakeword.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from wakeword.runtime import Detection, Detector
    from wakeword.runtime.score_file import ScoreFile

_FILES = "recordings, or folders with their subfolders: WAV, and AIFF, FLAC, Ogg, MP3 with soundfile"
_SCORES = "write all raw scores: columns file, time_s, word, score; .npz, or .parquet with pyarrow"


def detect(
    bundle: Bundle,
    files: Annotated[list[str], path_argument("FILE", _FILES)],
    as_json: Annotated[bool, Option("--json", help="print one JSON object per event instead of the table")] = False,
    scores: Annotated[str | None, path("OUT.npz|OUT.parquet", _SCORES)] = None,
    variant: Variant = FLOAT32,
    threshold: Threshold = None,
    fah_target: FahTarget = None,
    sensitivity: Sensitivity = None,
    no_verifier: NoVerifier = False,
) -> int:
    """Find the words of a bundle in recordings.

    The verifier of a bundle that has one hears the audio around each trigger again, and scores are then those of both.

    Files that cannot be read are reported, and the other files are processed; the exit code is then 3. Audio files in
    folders whose format is not supported are reported at the end.
    """
    from wakeword.audio.listing import list_given
    from wakeword.export.readiness import state_of
    from wakeword.runtime import Detector, load_bundle
    from wakeword.runtime.score_file import ScoreFile
    from wakeword.system.resources import peak_rss_mib

    require_one(threshold, fah_target, sensitivity)
    loaded = load_bundle(bundle, variant)
    verified = loaded.manifest.verifier is not None and not no_verifier
    if sensitivity is None:
        thresholds = loaded.thresholds_for(fah_target, threshold, verified)
    else:
        thresholds = loaded.thresholds_at(sensitivity, verified)
    detector = Detector(loaded, threshold=thresholds, verify=verified)
    for word in loaded.decided_words(verified):
        if not word.ready and threshold is None:
            print(f"note: {word.label} is {state_of(word)}; its threshold is {word.threshold:.3g}", file=sys.stderr)
    found, skipped, others = list_given(files)
    with ScoreFile(scores, loaded.labels, loaded.step_s) if scores else nullcontext() as score_file:
        events, failed = _detect_in_files(detector, found, score_file, as_json)
    for file, reason in skipped:
        print(f"error: {file}: {reason}", file=sys.stderr)
    if others:
        print(f"note: {others} other files are not audio", file=sys.stderr)
    if not as_json:
        title = f"{len(events)} events in {len(found) - failed} of {len(found) + len(skipped)} files"
        if loaded.manifest.verifier is not None:
            title += ", verified" if verified else ", not verified"
        rows = [(f, e.word, f"{e.start_s:.2f}", f"{e.end_s:.2f}", f"{e.score:.3f}") for f, e in events]
        print_table(title, ("file", "word", "start_s", "end_s", "score"), rows)
    # With --json, standard output holds events only.
    stream = sys.stderr if as_json else sys.stdout
    if scores:
        print(f"scores: {scores}", file=stream)
    print(f"peak memory {peak_rss_mib():.0f} MiB", file=stream)
    if not as_json:
        print_next(f"wakeword listen {bundle}")
    return DataError.exit_code if failed or skipped else 0


def _detect_in_files(
    detector: Detector, files: list[str], scores: ScoreFile | None, as_json: bool
) -> tuple[list[tuple[str, Detection]], int]:
    """Events with their files, and the number of failed files; with `as_json`, each event is printed at once."""
    from wakeword.audio.detection import detect_in_file
    from wakeword.stages.progress import Progress

    found: list[tuple[str, Detection]] = []
    failed = 0
    # On a terminal only: log lines would mix with the notes about files.
    with Progress("detect", len(files), "files", visible=sys.stderr.isatty()) as progress:
        for number, file in enumerate(files):
            progress.to(number, text=Path(file).name)
            try:
                events = detect_in_file(detector, file, scores, partial(print, f"note: {file}:", file=sys.stderr))
            except (DataError, MissingExtraError) as error:
                failed += 1
                detector.reset()
                print(f"error: {error}", file=sys.stderr)
                continue
            for event in events:
                found.append((file, event))
                if as_json:
                    print(json.dumps(_record(file, event, detector.verification is not None)))
        progress.to(len(files))
    return found, failed


def _record(file: str, event: Detection, verified: bool) -> dict[str, Any]:
    times = {"start_s": round(event.start_s, 6), "end_s": round(event.end_s, 6)}
    scores = {"score": event.score, "probability": event.probability, "verified": verified}
    return {"file": file, "word": event.word, **scores, **times}
