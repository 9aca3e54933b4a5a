"""Which forms of a bundle's model there are, and whether its words reached their targets, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from wakeword.runtime.bundle import VARIANTS, Bundle


def readiness_lines(bundle: Bundle) -> Iterator[str]:
    """A line per further form of the model and per word: ready, not ready and why, or not evaluated."""
    manifest = bundle.manifest
    for variant in bundle.variants:
        if (facts := manifest.variants.get(variant)) is None:
            continue
        size_kib = manifest.files[VARIANTS[variant]].bytes / 1024
        yield (
            f"{VARIANTS[variant]}: {size_kib:.0f} KiB, scores within {facts.score_difference:.2g} of "
            f"{VARIANTS['float32']}, {facts.events_changed} of {facts.events} events changed"
        )
    for word in manifest.words:
        point = next((p for p in word.operating_points if p.threshold == word.threshold), None)
        if point is None:
            yield f"{word.label}: not evaluated yet, its threshold is a guess"
        else:
            yield f"{word.label}: {getattr(point, 'verdict', 'ready' if word.ready else 'not ready')}"
