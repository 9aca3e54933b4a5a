"""`wakeword listen BUNDLE`: find the words of a bundle at the microphone, until Ctrl-C."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

from wakeword.cli.console import overwrite_line, print_next
from wakeword.cli.options import FLOAT32, Bundle, NoVerifier, Sensitivity, Threshold, Variant, require_one, value

if TYPE_CHECKING:
    from wakeword.runtime import Detection, Detector

_DEVICE = "index or part of the name of an input that `python -m sounddevice` lists"
METER_WIDTH = 30
METER_FLOOR_DB = -60.0


def listen(
    bundle: Bundle,
    device: Annotated[str | None, value("DEVICE", _DEVICE)] = None,
    threshold: Threshold = None,
    variant: Variant = FLOAT32,
    seconds: Annotated[float | None, value("S", "stop after S seconds", "until Ctrl-C")] = None,
    sensitivity: Sensitivity = None,
    no_verifier: NoVerifier = False,
) -> None:
    """Find the words of a bundle at the microphone."""
    from wakeword.runtime import Detector, load_bundle
    from wakeword.runtime.microphone import Microphone

    require_one(threshold, None, sensitivity)
    loaded = load_bundle(bundle, variant)
    verified = loaded.manifest.verifier is not None and not no_verifier
    if sensitivity is None:
        thresholds = loaded.thresholds_for(threshold=threshold, verified=verified)
    else:
        thresholds = loaded.thresholds_at(sensitivity, verified)
    phrases = ", ".join(f"“{word.phrase}”" for word in loaded.manifest.words)
    chosen = int(device) if device is not None and device.isdigit() else device
    with Microphone(loaded.manifest.chunk_ms, chosen) as microphone:
        detector = Detector(loaded, threshold=thresholds, sample_rate_hz=microphone.sample_rate_hz, verify=verified)
        how = f"at {microphone.sample_rate_hz} Hz{', verified' if verified else ''}"
        print(f"listening for {phrases} {how}; Ctrl-C ends", file=sys.stderr)
        try:
            events = _loop(detector, microphone, seconds)
        except KeyboardInterrupt:
            print(file=sys.stderr)
            return
    print(f"\n{events} events in {seconds:g} s")
    print_next(f"wakeword serve {bundle}")


def _loop(detector: Detector, microphone: Any, seconds: float | None) -> int:
    """Print events at once, for `seconds` or until Ctrl-C; return their number."""
    began, events, lost = time.monotonic(), 0, 0
    for block in microphone:
        events += _print_events(detector.process(block))
        if microphone.blocks.overflows > lost:
            lost = microphone.blocks.overflows
            print(
                f"\r\033[Kwarning: {lost} blocks of audio lost: this machine is too slow",
                file=sys.stderr,
            )
        overwrite_line(level_meter(block))
        if seconds is not None and time.monotonic() - began >= seconds:
            break
    return events + _print_events(detector.flush())


def _print_events(found: list[Detection]) -> int:
    for event in found:
        print(f"\r\033[K{time.strftime('%H:%M:%S')}  {event.word}  score {event.score:.3f}", flush=True)
    return len(found)


def level_meter(block: Any) -> str:
    """A bar of the RMS level of int16 samples `(samples,)`, from -60 to 0 dBFS."""
    import numpy as np

    level = float(np.sqrt(np.mean(np.square(np.asarray(block, dtype=np.float64) / 32768.0)))) if len(block) else 0.0
    level_db = max(METER_FLOOR_DB, 20.0 * float(np.log10(max(level, 1e-9))))
    filled = round(METER_WIDTH * (1.0 - level_db / METER_FLOOR_DB))
    return f"|{'#' * filled}{' ' * (METER_WIDTH - filled)}| {level_db:5.1f} dBFS"
