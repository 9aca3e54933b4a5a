"""Which clips are the same recording: a fingerprint that survives codecs, gain and trimming.

After Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002: a frame's 32 bits are the signs of
energy differences between 33 bands (logarithmic, 300 to 3,400 Hz here, the band that every codec keeps) and
between successive frames. Two clips hold the same recording where the share of differing bits over the frames that
overlap (bit error rate) lies below a threshold; pairs to compare are those that share a whole 32-bit word.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from wakeword.config.frontend import SAMPLE_RATE_HZ

WINDOW = 2048
HOP = 256
BANDS = 33
LOW_HZ, HIGH_HZ = 300.0, 3_400.0
MAX_BER = 0.18
"""Of 3,060 real recordings, copies lay below 0.15, other takes by one voice above 0.2 (docs/explanation/journal.md)."""
LEAST_FRAMES = 16
LEAST_OVERLAP = 0.6
"""Share of the shorter clip that the overlap must cover."""
TRIED_LAGS = 4
"""Of the offsets between two clips that shared words propose, those with most votes are compared."""
CROWDED = 32
"""Bit words that more clips share (hum, tones) say nothing and are not looked up."""
LEAST_SHARED, SHARED = 31, 47
"""Frames of a recording and a clip that must lie over each other for `FingerprintIndex` (half a second), and over which
at most it compares them (three quarters): a copy may begin and end anywhere."""
INDEX_LAGS = 32
"""Of the places in clips that shared words propose, those with most votes are compared."""
_FLIPS = np.concatenate([[0], 1 << np.arange(32)]).astype(np.uint32)


def fingerprint(audio: np.ndarray) -> np.ndarray:
    """`(frames,)` uint32 of `(samples,)` float audio at 16 kHz; empty where it is shorter than a quarter second."""
    count = (len(audio) - WINDOW) // HOP + 1
    if count < LEAST_FRAMES:
        return np.zeros(0, np.uint32)
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(audio, np.float32), WINDOW)[::HOP]
    window = np.hanning(WINDOW).astype(np.float32)
    edges = np.geomspace(LOW_HZ, HIGH_HZ, BANDS + 1) * WINDOW / SAMPLE_RATE_HZ
    edges = np.round(edges).astype(int)
    edges = np.maximum.accumulate(np.maximum(edges, edges[0] + np.arange(len(edges))))
    energy = np.empty((len(frames), BANDS))
    for start in range(0, len(frames), 512):
        power = np.abs(np.fft.rfft(frames[start : start + 512] * window)) ** 2
        sums = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
        energy[start : start + 512] = sums[:, edges[1:]] - sums[:, edges[:-1]]
    slope = energy[:, :-1] - energy[:, 1:]
    bits = (slope[1:] - slope[:-1]) > 0
    return np.packbits(bits, axis=1, bitorder="little").view("<u4").ravel().astype(np.uint32)


def bit_error_rate(first: np.ndarray, second: np.ndarray, lag: int) -> float:
    """Share of differing bits where `second` starts `lag` frames after `first`; 1 where they hardly overlap."""
    start, stop = max(0, lag), min(len(first), len(second) + lag)
    overlap = stop - start
    if overlap < max(LEAST_FRAMES, LEAST_OVERLAP * min(len(first), len(second))):
        return 1.0
    differing = np.bitwise_count(first[start:stop] ^ second[start - lag : stop - lag])
    return float(differing.sum()) / (32.0 * overlap)


def near_duplicates(prints: Sequence[np.ndarray], max_ber: float = MAX_BER) -> list[tuple[int, int, float]]:
    """Pairs `(i, j, bit error rate)`, i < j, of clips that hold the same recording, sorted."""
    lengths = [len(words) for words in prints]
    if not sum(lengths):
        return []
    words = np.concatenate(prints)
    clip = np.repeat(np.arange(len(prints)), lengths)
    place = np.concatenate([np.arange(length) for length in lengths])
    order = np.argsort(words, kind="stable")
    words, clip, place = words[order], clip[order], place[order]
    bounds = np.flatnonzero(np.concatenate([[True], words[1:] != words[:-1], [True]]))
    lags: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for start, stop in pairwise(bounds.tolist()):
        if not 2 <= stop - start <= CROWDED or words[start] == 0:
            continue
        for a in range(start, stop):
            for b in range(a + 1, stop):
                if clip[a] != clip[b]:
                    lags[int(clip[a]), int(clip[b])][int(place[a] - place[b])] += 1
    found = []
    for (i, j), tried in lags.items():
        rate = min(bit_error_rate(prints[i], prints[j], lag) for lag, _ in tried.most_common(TRIED_LAGS))
        if rate <= max_ber:
            found.append((i, j, rate))
    return sorted(found)


class FingerprintIndex:
    """Clips that stretches of recordings are held against: does a stretch hold a part of one of them?

    Unlike with `near_duplicates`, half a second in common is enough, and words that differ in one bit propose a place
    too: a copy that is missed costs more here than a stretch that is suspected wrongly.
    """

    def __init__(self, prints: Sequence[np.ndarray]) -> None:
        """Index `fingerprint`s."""
        self._prints = list(prints)
        lengths = [len(words) for words in self._prints]
        words = np.concatenate([np.zeros(0, np.uint32), *self._prints])
        order = np.argsort(words, kind="stable")
        self._words = words[order]
        self._clip = np.repeat(np.arange(len(lengths)), lengths)[order]
        self._place = np.concatenate([np.zeros(0, np.int64), *(np.arange(length) for length in lengths)])[order]

    def match(self, words: np.ndarray, first: int = 0, last: int | None = None) -> tuple[int, float] | None:
        """The clip that shares audio with the frames `first` to `last` of a fingerprint `(frames,)`, or None.

        Returns:
            the clip's number and the lowest bit error rate, at most `MAX_BER`, over `SHARED` frames in a row.
        """
        last = len(words) if last is None else min(last, len(words))
        best: tuple[int, float] | None = None
        for clip, lag in self._proposed(words):
            other = self._prints[clip]
            # So far out of the asked frames that at least some of them are compared.
            start = max(0, lag, first - SHARED + LEAST_FRAMES)
            stop = min(len(words), len(other) + lag, last + SHARED - LEAST_FRAMES)
            if stop - start < LEAST_SHARED or min(stop, last) - max(start, first) < LEAST_FRAMES:
                continue
            differing = np.bitwise_count(words[start:stop] ^ other[start - lag : stop - lag])
            total = np.concatenate([[0], np.cumsum(differing, dtype=np.int64)])
            span = min(SHARED, stop - start)
            rate = float((total[span:] - total[:-span]).min()) / (32.0 * span)
            if rate <= MAX_BER and (best is None or rate < best[1]):
                best = clip, rate
        return best

    def _proposed(self, words: np.ndarray) -> list[tuple[int, int]]:
        """(clip, frame of the recording at which the clip begins), most votes first."""
        asked = (words[:, None] ^ _FLIPS).ravel()
        frame = np.repeat(np.arange(len(words)), len(_FLIPS))
        low, high = np.searchsorted(self._words, asked, "left"), np.searchsorted(self._words, asked, "right")
        count = np.where((high - low <= CROWDED) & (asked != 0), high - low, 0)
        if not count.sum():
            return []
        place = np.repeat(low - np.concatenate([[0], np.cumsum(count)[:-1]]), count) + np.arange(count.sum())
        pairs = np.stack([self._clip[place], np.repeat(frame, count) - self._place[place]], axis=1)
        found, votes = np.unique(pairs, axis=0, return_counts=True)
        chosen = np.argsort(-votes, kind="stable")[:INDEX_LAGS]
        return [(int(clip), int(lag)) for clip, lag in found[chosen]]
