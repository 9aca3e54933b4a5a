"""Damaged headers through the guarded decoder: audio or a reason, nothing hangs, nothing grows, the parent lives."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.audio.decoding.mutations import FORMS, mutated, whole_files
from wakeword.audio.decoding.guard import GuardedDecoder
from wakeword.audio.io import CODECS, AudioError

HANG_S = 2
MOST_MIB = 256
"""Resident memory of the child; it has some 50 MiB before the first file."""
REASONS = {
    "empty_file", "undecodable", "truncated", "codec_not_allowed", "bad_sample_rate", "wrong_rate", "no_samples", "nan",
    "too_large", "decoder_crashed",
}  # fmt: skip
"""Every reason that a damaged file may have; `decode_timeout` would be a hang."""


def peak_mib(decoder: GuardedDecoder) -> float:
    """Most resident memory that the decoder's child ever had."""
    assert decoder._child is not None
    status = Path(f"/proc/{decoder._child.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found.group(1)) / 1024


def decoded(decoder: GuardedDecoder, path: Path, case: str) -> str:
    """`audio`, or the reason there is none; fails if either is not valid."""
    try:
        # The limit is one of processor time (the child's RLIMIT_CPU), so that a loaded machine does not look like a
        # hang; a child that sleeps for ever runs into the parent's, five seconds after `timeout_s`.
        audio = decoder.read_audio(str(path), timeout_s=60.0)
    except AudioError as error:
        fault = error
    else:
        _check_audio(audio, case)
        return "audio"
    assert fault.reason in REASONS, f"{case}: {fault}"
    assert "signal 24" not in fault.detail, f"{case}: more than {HANG_S} s of processor time"
    assert fault.detail, case
    assert "ended with code" not in fault.detail, f"{case}: an exception of ours, not a crash of a library"
    return fault.reason


def _check_audio(audio: np.ndarray, case: str) -> None:
    assert audio.dtype == np.float32, case
    assert audio.ndim == 1, case
    assert len(audio), case
    assert np.isfinite(audio).all(), case
    assert np.abs(audio).max() <= 1.0, case


def fuzz(folder: Path, numbers: range) -> tuple[Counter[str], float, int]:
    """What became of each mutation, the child's peak in MiB, and how often a child had to be started again."""
    files, found, peak = whole_files(), Counter(), 0.0
    path = folder / "case"
    decoder = GuardedDecoder(cpu_s=HANG_S)
    try:
        for number, (form, data) in enumerate(zip(FORMS, files, strict=True)):
            path.write_bytes(data)
            whole = decoded(decoder, path, f"whole file {number}")
            allowed = form[1] in CODECS.get(form[0], set())
            assert whole == ("audio" if allowed else "codec_not_allowed"), form
        for number in numbers:
            chosen, done, data = mutated(files, number)
            path.write_bytes(data)
            reason = decoded(decoder, path, f"mutation {number} ({'/'.join(map(str, FORMS[chosen]))}: {done})")
            found[reason] += 1
            if reason in ("decoder_crashed", "too_large"):
                print(f"{reason}: mutation {number} ({FORMS[chosen]}: {done})")
            elif number % 100 == 0:
                peak = max(peak, peak_mib(decoder))
        peak = max(peak, peak_mib(decoder))
        restarts = decoder.restarts
    finally:
        decoder.close()
    return found, peak, restarts


def check(found: Counter[str], peak: float, restarts: int, count: int) -> None:
    """Nothing is lost, both outcomes are common, memory is held, a crash costs one child."""
    summary = f"{dict(found)}, peak {peak:.0f} MiB, {restarts} restarts"
    print(summary)
    assert found.total() == count
    assert found["audio"] > 0.05 * count, summary
    assert count - found["audio"] > 0.3 * count, summary
    assert len(found) >= 6, summary
    assert peak < MOST_MIB, summary
    assert restarts <= found["decoder_crashed"], summary


def test_damaged_headers_are_audio_or_a_reason(tmp_path: Path) -> None:
    check(*fuzz(tmp_path, range(2_000)), count=2_000)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_damaged_headers_are_audio_or_a_reason(tmp_path: Path) -> None:
    check(*fuzz(tmp_path, range(2_000, 102_000)), count=100_000)
