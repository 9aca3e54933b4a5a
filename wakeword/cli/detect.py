"""`wakeword detect BUNDLE FILE…`: what a bundle hears in recordings."""

from __future__ import annotations

import argparse
import json
import resource
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import add_variant_argument
from wakeword.errors import DataError, MissingExtraError
from wakeword.system.files import user_path

if TYPE_CHECKING:
    from wakeword.runtime import Detection, Detector
    from wakeword.runtime.score_file import ScoreFile

BLOCK_S = 1.0
PARTLY_FAILED = DataError.exit_code


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "detect",
        help="find the words of a bundle in recordings",
        description="Find the words of a bundle in recordings. Files that cannot be read are reported one by one, those"
        f" of a folder that look like audio and are not read at the end; the exit code is then {PARTLY_FAILED}, and the"
        " others are done.",
    )
    parser.add_argument("bundle", metavar="BUNDLE", type=user_path, help="folder or zip that `wakeword export` wrote")
    parser.add_argument(
        "files",
        metavar="FILE",
        type=user_path,
        nargs="+",
        help="recordings, or folders that are searched to their depth: WAV, and AIFF, FLAC, Ogg, MP3 with soundfile",
    )
    parser.add_argument("--json", action="store_true", help="a JSON object per event and line instead of the table")
    parser.add_argument(
        "--scores",
        metavar="OUT.parquet",
        type=user_path,
        help="write all raw scores: columns file, time_s, word, score",
    )
    add_variant_argument(parser)
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--threshold", type=float, metavar="X", help="threshold for every word, from 0 to 1")
    limit.add_argument(
        "--fah-target", type=float, metavar="N", help="take the bundle's operating point for N false alarms per hour"
    )
    parser.set_defaults(func=_detect)


def _detect(args: argparse.Namespace) -> int:
    from wakeword.runtime import Detector, load_bundle
    from wakeword.runtime.score_file import ScoreFile

    bundle = load_bundle(args.bundle, args.variant)
    detector = Detector(bundle, threshold=bundle.thresholds_for(args.fah_target, args.threshold))
    # Standard output is data when it is JSON: everything else goes to standard error then.
    talk = sys.stderr if args.json else sys.stdout
    for word in bundle.manifest.words:
        if not word.ready and args.threshold is None:
            state = "missed its target on test" if word.operating_points else "has no evaluated threshold"
            print(f"note: {word.label} {state}; its threshold is {word.threshold:.3g}", file=sys.stderr)
    rows: list[list[str]] = []
    files, skipped, others = _found(args.files)
    failed = 0
    opened = ScoreFile(args.scores, bundle.labels, bundle.step_s) if args.scores else nullcontext()
    with opened as scores:
        for number, file in enumerate(files, 1):
            _progress(number, len(files), file)
            try:
                events = _hear(detector, file, scores)
            except (DataError, MissingExtraError) as error:
                failed += 1
                detector.reset()
                print(f"error: {error}", file=sys.stderr)
                continue
            for event in events:
                if args.json:
                    print(json.dumps(_record(file, event)))
                else:
                    times = (f"{event.start_s:.2f}", f"{event.end_s:.2f}", f"{event.score:.3f}")
                    rows.append([file, event.word, *times])
    _progress(0, 0, "")
    for file, reason in skipped:
        print(f"error: {file}: {reason}", file=sys.stderr)
    if others:
        print(f"note: {others} other files are no audio", file=sys.stderr)
    of = len(files) + len(skipped)
    if not args.json:
        title = f"{len(rows)} events in {len(files) - failed} of {of} files"
        print_table(title, ["file", "word", "start_s", "end_s", "score"], rows)
    if args.scores:
        print(f"scores: {args.scores}", file=talk)
    print(f"peak memory {peak_memory_mib():.0f} MiB", file=talk)
    if not args.json:
        print_next(f"wakeword listen {args.bundle}")
    return PARTLY_FAILED if failed or skipped else 0


def _found(given: list[str]) -> tuple[list[str], list[tuple[str, str]], int]:
    """Files to hear, files that are not read with the reason, and how many in folders are no audio.

    A file that was named is heard whatever its name is; of a folder what looks like audio.
    """
    from wakeword.audio.listing import list_audio

    files: list[str] = []
    skipped: list[tuple[str, str]] = []
    others = 0
    for name in given:
        if not Path(name).is_dir():
            files.append(name)
            continue
        listing = list_audio(name)
        files += [str(Path(name) / entry.name) for entry in listing.audio]
        skipped += [(str(Path(name) / entry.name), reason) for entry, reason in listing.unread]
        others += len(listing.others)
        if not (listing.audio or listing.unread):
            skipped.append((name, "the folder holds no recordings: give the folder that holds them"))
    return files, skipped, others


def _hear(detector: Detector, file: str, scores: ScoreFile | None) -> list[Detection]:
    """Events of one file; a file that ends in an error leaves no events and no scores."""
    import numpy as np

    from wakeword.audio.io import stream_blocks

    events: list[Detection] = []
    kept = []
    for block in stream_blocks(file, BLOCK_S, tell=lambda text: print(f"note: {file}: {text}", file=sys.stderr)):
        score, found = detector.process_scores(block)
        events += found
        if scores is not None:
            kept.append(score[0])
    score, found = detector.flush_scores()
    if scores is not None:
        scores.add(file, np.concatenate([*kept, score[0]]))
    return events + found


def _record(file: str, event: Detection) -> dict[str, Any]:
    return {
        "file": file,
        "word": event.word,
        "score": event.score,
        "probability": event.probability,
        "start_s": round(event.start_s, 6),
        "end_s": round(event.end_s, 6),
    }


def peak_memory_mib() -> float:
    """Largest resident size of this process so far.

    From the kernel's VmHWM where there is one: `ru_maxrss` starts at the size of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    # Bytes on macOS, KiB elsewhere.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def _progress(number: int, files: int, file: str) -> None:
    """One line that overwrites itself, on a terminal; `number` 0 clears it."""
    if sys.stderr.isatty():
        text = f"{number}/{files} {Path(file).name}"[:100] if number else ""
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
