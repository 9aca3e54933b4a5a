"""Describe the model files of a bundle, and whether its words met their targets."""

from __future__ import annotations

from collections.abc import Iterator

from wakeword.runtime.bundle import VARIANTS, Bundle
from wakeword.runtime.manifest import VERIFIER_NAME


def readiness_lines(bundle: Bundle) -> Iterator[str]:
    """One line per further model file and per word: ready, not ready and why, or not evaluated."""
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
        point = next((p for p in word.operating_points if p.threshold == word.threshold), None)
        if point is None:
            yield f"{word.label}: not evaluated, its threshold is a default"
        else:
            yield f"{word.label}: {getattr(point, 'verdict', 'ready' if word.ready else 'not ready')}"
