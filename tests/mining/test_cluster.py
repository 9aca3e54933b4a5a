"""Copies and clusters of candidates with known answers."""

from __future__ import annotations

import numpy as np

from tests.data.test_duplicates import voice
from wakeword.audio.fingerprint import fingerprint
from wakeword.audio.frontend import Frontend
from wakeword.config.frontend import FrontendConfig
from wakeword.mining.cluster import clusters_of, copies_of
from wakeword.mining.stage import embedding


def test_of_copies_the_highest_stays() -> None:
    one, two = voice(1, 3.0), voice(2, 3.0)
    prints = [fingerprint(audio) for audio in (one, two, 0.5 * one[256 * 4 :], one[256 * 8 :])]
    assert copies_of(prints, [0.5, 0.9, 0.8, 0.6]) == {0: 2, 3: 2}
    assert copies_of(prints, [0.7, 0.7, 0.7, 0.7]) == {2: 0, 3: 0}
    assert copies_of([], []) == {}


def test_clusters_are_numbered_and_ranked_by_score() -> None:
    draw = np.random.default_rng(0)
    centres = np.eye(3, 40)[[0, 1, 0, 2, 1, 0]]
    near = centres + 0.02 * draw.standard_normal(centres.shape)
    near = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    clusters, ranks = clusters_of(near, [0.3, 0.9, 0.5, 0.6, 0.4, 0.5])
    assert clusters == [3, 1, 3, 2, 1, 3]
    assert ranks == [3, 1, 1, 1, 2, 2]
    assert clusters_of(near[:1], [0.5]) == ([1], [1])
    assert clusters_of(near[:0], []) == ([], [])


def test_the_embedding_describes_the_sound_near_the_peak_at_any_level() -> None:
    frontend = Frontend(FrontendConfig())
    one, other = voice(3, 4.0), voice(4, 4.0)
    peak = 40_000
    reference = embedding(frontend, one, peak)
    assert np.linalg.norm(reference) == np.float32(1.0) or abs(np.linalg.norm(reference) - 1) < 1e-5
    assert reference @ embedding(frontend, 0.3 * one, peak) > 0.97
    assert reference @ embedding(frontend, other, peak) < 0.9
    changed = one.copy()
    changed[:10_000] = 0
    np.testing.assert_allclose(embedding(frontend, changed, peak), reference, atol=1e-6)
    # At the very start and end of a recording, what is missing is silence.
    assert np.isfinite(embedding(frontend, one[:500], 400)).all()
    assert np.isfinite(embedding(frontend, one[:0], 0)).all()
