"""Which candidates are one sound: copies are taken out, what sounds alike is a cluster, heard by its highest first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wakeword.audio.fingerprint import near_duplicates

CLUSTER_DISTANCE = 0.45
"""Cosine distance between the embeddings of clusters up to which they are joined (docs/howto/mine.md)."""


def copies_of(prints: Sequence[np.ndarray], scores: Sequence[float]) -> dict[int, int]:
    """Candidates that hold the same recording as one with a higher score: `{candidate: the one that stays}`.

    `prints`: `(frames,)` uint32 fingerprints. Of equal scores the first one stays.
    """
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    linked: dict[int, list[int]] = {}
    for i, j, _ in near_duplicates(prints):
        linked.setdefault(i, []).append(j)
        linked.setdefault(j, []).append(i)
    gone: dict[int, int] = {}
    for stays in order:
        if stays not in gone:
            # What is a copy of a copy alone may be another stretch of a longer sound: it stays.
            gone |= {copy: stays for copy in linked.get(stays, []) if copy not in gone and copy not in gone.values()}
    return gone


def clusters_of(embeddings: np.ndarray, scores: Sequence[float]) -> tuple[list[int], list[int]]:
    """Cluster and rank of each candidate, both from 1: the cluster with the highest score is 1, within it the highest.

    `embeddings (candidates, values)` float32 of length 1. Average linkage on cosine distance: no number of clusters
    must be known, and a sound that is like no other is a cluster of its own.
    """
    count = len(embeddings)
    if count < 2:
        return [1] * count, [1] * count
    from sklearn.cluster import AgglomerativeClustering

    found = AgglomerativeClustering(
        n_clusters=None, metric="cosine", linkage="average", distance_threshold=CLUSTER_DISTANCE
    ).fit_predict(embeddings.astype(np.float64))
    numbers: dict[int, int] = {}
    heard: dict[int, int] = {}
    clusters, ranks = [0] * count, [0] * count
    for i in sorted(range(count), key=lambda i: (-scores[i], i)):
        clusters[i] = numbers.setdefault(int(found[i]), len(numbers) + 1)
        ranks[i] = heard[clusters[i]] = heard.get(clusters[i], 0) + 1
    return clusters, ranks
