"""Copies and clusters of candidates: copies are removed, similar sounds form a cluster, ranked by score."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from wakeword.audio.fingerprint import near_duplicates

CLUSTER_DISTANCE = 0.45
"""Largest cosine distance between the embeddings of clusters that are joined (docs/howto/mine.md)."""


def copies_of(prints: Sequence[np.ndarray], scores: Sequence[float]) -> dict[int, int]:
    """Candidates that hold the same recording as one with a higher score: `{candidate: the one that stays}`.

    `prints`: `(frames,)` uint32 fingerprints. Of equal scores the first one stays.
    """
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    linked: dict[int, list[int]] = defaultdict(list)
    for i, j, _ in near_duplicates(prints):
        linked[i].append(j)
        linked[j].append(i)
    gone: dict[int, int] = {}
    for stays in order:
        if stays not in gone:
            # A copy of a copy alone may be another part of a longer sound: it stays.
            gone |= {copy: stays for copy in linked[stays] if copy not in gone and copy not in gone.values()}
    return gone


def clusters_of(embeddings: np.ndarray, scores: Sequence[float]) -> tuple[list[int], list[int]]:
    """Cluster and rank of each candidate, both from 1 and in the order of their highest scores.

    `embeddings (candidates, values)` are float32 of length 1. Average linkage on cosine distance needs no number of
    clusters, and a sound unlike all others is a separate cluster.
    """
    count = len(embeddings)
    if count < 2:
        return [1] * count, [1] * count
    from sklearn.cluster import AgglomerativeClustering

    found = AgglomerativeClustering(
        n_clusters=None, metric="cosine", linkage="average", distance_threshold=CLUSTER_DISTANCE
    ).fit_predict(embeddings.astype(np.float64))
    numbers: dict[int, int] = {}
    sizes: Counter[int] = Counter()
    clusters, ranks = [0] * count, [0] * count
    for i in sorted(range(count), key=lambda i: (-scores[i], i)):
        clusters[i] = numbers.setdefault(int(found[i]), len(numbers) + 1)
        sizes[clusters[i]] += 1
        ranks[i] = sizes[clusters[i]]
    return clusters, ranks
