"""Audio fingerprints that find copies of a recording despite codecs, gain changes and trimming.

The method is that of Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002. The 32 bits of a
frame are the signs of energy differences between 33 bands and between successive frames. The bands are logarithmic
from 300 to 3,400 Hz, which every codec keeps. Two clips are copies where the bit error rate over their overlap is below
a threshold. Only pairs that share a whole 32-bit word are compared.
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
"""In 3,060 real recordings, copies were below 0.15 and other takes by one voice above 0.2 (the lab journal in docs)."""
LEAST_FRAMES = 16
LEAST_OVERLAP = 0.6
"""Least share of the shorter clip that overlaps."""
TRIED_LAGS = 4
"""Number of offsets between two clips that are compared: those with the most shared words."""
CROWDED = 32
"""Words that occur more often than this (hum, tones) are ignored."""
LEAST_SHARED, SHARED = 31, 47
"""Least overlap in frames (0.5 s), and most frames (0.75 s) over which `FingerprintIndex` takes one bit error rate."""
INDEX_LAGS = 32
"""Number of (clip, offset) candidates that are compared: those with the most shared words."""
_FLIPS = np.concatenate([[0], 1 << np.arange(32)]).astype(np.uint32)


def fingerprint(audio: np.ndarray) -> np.ndarray:
    """Fingerprint `(frames,)` uint32 of `(samples,)` float audio at 16 kHz; empty for less than about 0.4 s."""
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
    """Share of differing bits when `second` starts `lag` frames after `first`; 1 if the overlap is too short."""
    start, stop = max(0, lag), min(len(first), len(second) + lag)
    overlap = stop - start
    if overlap < max(LEAST_FRAMES, LEAST_OVERLAP * min(len(first), len(second))):
        return 1.0
    differing = np.bitwise_count(first[start:stop] ^ second[start - lag : stop - lag])
    return float(differing.sum()) / (32.0 * overlap)


def near_duplicates(prints: Sequence[np.ndarray], max_ber: float = MAX_BER) -> list[tuple[int, int, float]]:
    """Sorted pairs `(i, j, bit error rate)`, i < j, of clips that are copies of one recording."""
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
    """Index of clips that finds parts of them in other recordings.

    Unlike `near_duplicates`, it accepts half a second in common and also looks up words that differ in one bit: here a
    missed copy costs more than a wrong match.
    """

    def __init__(self, prints: Sequence[np.ndarray]) -> None:
        self._prints = list(prints)
        lengths = [len(words) for words in self._prints]
        words = np.concatenate([np.zeros(0, np.uint32), *self._prints])
        order = np.argsort(words, kind="stable")
        self._words = words[order]
        self._clip = np.repeat(np.arange(len(lengths)), lengths)[order]
        self._place = np.concatenate([np.zeros(0, np.int64), *(np.arange(length) for length in lengths)])[order]

    def match(self, words: np.ndarray, first: int = 0, last: int | None = None) -> tuple[int, float] | None:
        """Find the clip that shares audio with the frames `first` to `last` of a fingerprint `(frames,)`.

        Returns:
            The number of the clip and its lowest bit error rate over `SHARED` frames, at most `MAX_BER`; None if no
            clip matches.
        """
        last = len(words) if last is None else min(last, len(words))
        best: tuple[int, float] | None = None
        for clip, lag in self._proposed(words):
            other = self._prints[clip]
            # The comparison may leave [first, last), but includes at least LEAST_FRAMES of it.
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
        """Candidates (clip, frame of the recording at which the clip begins), most shared words first."""
        wanted = (words[:, None] ^ _FLIPS).ravel()
        frame = np.repeat(np.arange(len(words)), len(_FLIPS))
        low, high = np.searchsorted(self._words, wanted, "left"), np.searchsorted(self._words, wanted, "right")
        count = np.where((high - low <= CROWDED) & (wanted != 0), high - low, 0)
        if not count.sum():
            return []
        place = np.repeat(low - np.concatenate([[0], np.cumsum(count)[:-1]]), count) + np.arange(count.sum())
        pairs = np.stack([self._clip[place], np.repeat(frame, count) - self._place[place]], axis=1)
        found, votes = np.unique(pairs, axis=0, return_counts=True)
        chosen = np.argsort(-votes, kind="stable")[:INDEX_LAGS]
        return [(int(clip), int(lag)) for clip, lag in found[chosen]]
