"""`wakeword listen BUNDLE`: what a bundle hears at the microphone, until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from wakeword.cli.console import print_next
from wakeword.cli.options import add_variant_argument
from wakeword.system.files import user_path

if TYPE_CHECKING:
    from wakeword.runtime import Detection, Detector

METER_WIDTH = 30
METER_FLOOR_DB = -60.0


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("listen", help="find the words of a bundle at the microphone")
    parser.add_argument("bundle", metavar="BUNDLE", type=user_path, help="folder or zip that `wakeword export` wrote")
    parser.add_argument("--device", help="index or part of the name of the input; `python -m sounddevice` lists them")
    parser.add_argument("--threshold", type=float, metavar="X", help="threshold for every word, from 0 to 1")
    add_variant_argument(parser)
    parser.add_argument("--seconds", type=float, metavar="S", help="stop by itself after S seconds")
    parser.set_defaults(func=_listen)


def _listen(args: argparse.Namespace) -> int:
    from wakeword.runtime import Detector, load_bundle
    from wakeword.runtime.microphone import Microphone

    bundle = load_bundle(args.bundle, args.variant)
    thresholds = bundle.thresholds_for(threshold=args.threshold)
    device = int(args.device) if args.device is not None and args.device.isdigit() else args.device
    phrases = ", ".join(f"“{word.phrase}”" for word in bundle.manifest.words)
    with Microphone(bundle.manifest.chunk_ms, device) as microphone:
        detector = Detector(bundle, threshold=thresholds, sample_rate_hz=microphone.sample_rate_hz)
        print(f"listening for {phrases} at {microphone.sample_rate_hz} Hz; Ctrl-C ends", file=sys.stderr)
        try:
            events = _loop(detector, microphone, args.seconds)
        except KeyboardInterrupt:
            print(file=sys.stderr)
            return 0
    print(f"\n{events} events in {args.seconds:g} s")
    print_next(f"wakeword serve {args.bundle}")
    return 0


def _loop(detector: Detector, microphone: Any, seconds: float | None) -> int:
    """Print events as they come; returns their number when `seconds` are over."""
    began, events, lost = time.monotonic(), 0, 0
    for block in microphone:
        events += _shown(detector.process(block))
        if microphone.blocks.overflows > lost:
            lost = microphone.blocks.overflows
            print(f"\r\033[Kwarning: {lost} blocks of audio lost so far: this machine is too slow", file=sys.stderr)
        if sys.stderr.isatty():
            print(f"\r\033[K{level_meter(block)}", end="", file=sys.stderr, flush=True)
        if seconds is not None and time.monotonic() - began >= seconds:
            break
    return events + _shown(detector.flush())


def _shown(found: list[Detection]) -> int:
    for event in found:
        print(f"\r\033[K{time.strftime('%H:%M:%S')}  {event.word}  score {event.score:.3f}", flush=True)
    return len(found)


def level_meter(block: Any) -> str:
    """A bar for the level of int16 samples `(samples,)`: empty at -60 dBFS, full at 0."""
    import numpy as np

    level = float(np.sqrt(np.mean(np.square(np.asarray(block, dtype=np.float64) / 32768.0)))) if len(block) else 0.0
    level_db = max(METER_FLOOR_DB, 20.0 * float(np.log10(max(level, 1e-9))))
    filled = round(METER_WIDTH * (1.0 - level_db / METER_FLOOR_DB))
    return f"|{'#' * filled}{' ' * (METER_WIDTH - filled)}| {level_db:5.1f} dBFS"
