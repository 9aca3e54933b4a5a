"""Describe the model files of a bundle, and whether its words met their targets."""

from __future__ import annotations

from collections.abc import Iterator

from wakeword.runtime.bundle import VARIANTS, Bundle
from wakeword.runtime.manifest import VERIFIER_NAME, BundleWord, OperatingPoint, VerifierWord


def state_of(word: BundleWord | VerifierWord) -> str:
    """`proven`, `promising` or `not ready`; `not evaluated` for a default threshold, `ready` in older bundles."""
    point = _point(word)
    if point is None:
        return "not evaluated"
    return str(getattr(point, "state", "ready" if word.ready else "not ready"))


def _point(word: BundleWord | VerifierWord) -> OperatingPoint | None:
    """The operating point of the word's threshold; None if an evaluation chose none."""
    return next((point for point in word.operating_points if point.threshold == word.threshold), None)


def readiness_lines(bundle: Bundle) -> Iterator[str]:
    """One line per further model file and per word: its state and why, or that it is not evaluated."""
    manifest = bundle.manifest
    for variant in bundle.variants:
        if (facts := manifest.variants.get(variant)) is None:
            continue
        size_kib = manifest.files[VARIANTS[variant]].bytes / 1024
        yield (
            f"{VARIANTS[variant]}: {size_kib:.0f} KiB, scores differ by at most {facts.score_difference:.2g} from "
            f"{VARIANTS['float32']}, {facts.events_changed} of {facts.events} events changed"
        )
    verified = manifest.verifier is not None
    if manifest.verifier is not None:
        size_kib = manifest.files[VERIFIER_NAME].bytes / 1024
        yield f"{VERIFIER_NAME}: {size_kib:.0f} KiB, {manifest.verifier.recogniser}, hears each trigger again"
    for word in bundle.decided_words(verified):
        point = _point(word)
        if point is None:
            yield f"{word.label}: not evaluated, its threshold is a default"
        else:
            yield f"{word.label}: {getattr(point, 'verdict', state_of(word))}"
