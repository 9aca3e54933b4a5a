"""The plan of a batch of training windows: which clips, where, and with which surroundings.

A window is `context_samples` (the model's receptive field) followed by `training.window_s` that is scored. The same
distributions place every class and fill what its clip leaves free (see `windows`), so that the layout does not give
the class away.

* Placement: an *anchor* of the clip comes to the middle of the scored part, give or take `augmentation.shift_s`. The
  anchor of an isolated word (of any class) is the end of its speech, that of longer audio a random point of it.
* Positives, `training.positive_share` of the rows: a word drawn uniformly, then one of its clips by weight.
* Negatives: `training.hard_negative_share` of them are hard negatives, where there are any; the others go by
  `NEGATIVE_SHARES`, and a group without clips leaves its share to the others. Within a group a source's share grows
  with the square root of its seconds, so that hours of read speech do not displace a few hundred isolated words;
  within a source, audio is drawn by the second up to `LONG_CLIP_S`.
* Weights (`data.sources[].weight`) multiply how often a clip is drawn, positive, negative or around another clip. Equal
  weights change no draw.

Every draw is a function of the row's seed (a counter-based generator, on the CPU), and the seeds are a function of
(run seed, step): batches are the same on every device and for any number of workers, and a resumed run continues with
the batches of an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from wakeword.config import SAMPLE_RATE_HZ, Config
from wakeword.config.labels import fold
from wakeword.data.manifest import VOICED
from wakeword.data.resident import ResidentClips
from wakeword.errors import DataError

NEGATIVE_SHARES = {"speech": 0.62, "words": 0.25, "confusable": 0.05, "noise": 0.08}
"""`words`: recordings of other wake words. A larger share of near misses costs recall of real voices."""
FILL_SHARES = {"quiet": 0.4, "speech": 0.35, "noise": 0.25}
"""Surroundings of a clip in its window, of every class; the noise floor is added to all of it."""
ISOLATED_S = 3.5
"""Negative clips up to this length are placed like isolated words."""
LONG_CLIP_S = 15.0
SHIFT_MARGIN_S = 0.45
"""The anchor keeps this distance from the window's end, so that the peak after a word is always scored."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class WindowPlan:
    """Rows of a batch; all arrays `(batch, ...)`. Samples are 16 kHz."""

    seed: np.ndarray
    """uint64 seed of every draw of the row."""
    view: np.ndarray
    """View of the clip that a teacher scored; -1 where there is no teacher."""
    clip: np.ndarray
    start: np.ndarray
    """Clip sample that is the window's first; negative where the clip starts inside the window."""
    anchor: np.ndarray
    """Sample of the window where the clip's anchor lies; a change of speed leaves it in place."""
    word_end_s: np.ndarray
    """End of the word in window time; 0 for negatives."""
    target: np.ndarray
    """float32 `(batch, words)`."""
    fill: np.ndarray
    """Clip that surrounds this one; -1 for quiet."""
    fill_start: np.ndarray
    fill_gain: np.ndarray
    floor_gain: np.ndarray
    """RMS of the noise floor, full scale 1."""
    floor_start: np.ndarray

    def __len__(self) -> int:
        return len(self.clip)

    def take(self, rows: np.ndarray | slice) -> WindowPlan:
        """Some of the rows, in the order given."""
        return WindowPlan(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def row_seeds(seed: int, step: int, rows: int) -> np.ndarray:
    """Seeds of the rows of global batch `step`: uint64 `(rows,)`."""
    base = int.from_bytes(hashlib.sha256(f"{seed}/{step}".encode()).digest()[:8], "little")
    with np.errstate(over="ignore"):
        return _mix(np.uint64(base) + np.arange(1, rows + 1, dtype=np.uint64) * _GOLDEN)


def view_seed(seed: int, clip_id: str, view: int) -> int:
    """Seed of one augmented view of a clip."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{clip_id}/{view}".encode()).digest()[:8], "little")


def uniforms(seeds: np.ndarray, count: int, stream: int = 0) -> np.ndarray:
    """Uniform numbers in [0, 1) from seeds alone: `(rows,) -> (rows, count)`; splitmix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        counter = np.uint64(stream) * np.uint64(1 << 20) + np.arange(1, count + 1, dtype=np.uint64)
        mixed = _mix(seeds[:, None].astype(np.uint64) + counter[None, :] * _GOLDEN)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(value: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))


def word_targets(columns: Mapping[str, Sequence[Any]], labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Targets `(clips, words)` float32 of each clip, and a mask of the clips that are safe negatives.

    A clip whose transcript holds a word (`contains`), or whose label holds the word's label as part of a longer phrase
    (`hey_computer` for `computer`), is neither a positive nor a safe negative.
    """
    clips = len(columns["kind"])
    targets = np.zeros((clips, len(labels)), dtype=np.float32)
    safe = np.ones(clips, dtype=bool)
    parts = [f"_{label}_" for label in labels]
    for row in range(clips):
        kind, label = columns["kind"][row], columns["label"][row] or ""
        if kind == "wakeword" and label in labels:
            targets[row, labels.index(label)] = 1.0
            safe[row] = False
        elif kind in VOICED:
            spoken = f"_{label}_" if kind == "wakeword" else ""
            words = {fold(word) for word in re.split("[;|,]", columns["contains"][row] or "")}
            safe[row] = not any(part in spoken or part.strip("_") in words for part in parts)
    return targets, safe


class BatchSampler:
    """Draws window plans from resident clips; `views` > 0 limits the plans to so many fixed views of each clip.

    Raises:
        DataError: the split has no clip of one of the words, or no negatives.
    """

    def __init__(self, config: Config, clips: ResidentClips, context_samples: int, views: int = 0) -> None:
        columns = clips.columns
        self.views = views
        self.clip_ids = [str(clip_id) for clip_id in columns["clip_id"]]
        self.config = config
        self.context_samples = context_samples
        self.scored_samples = round(config.training.window_s * SAMPLE_RATE_HZ)
        self.window_samples = context_samples + self.scored_samples
        self.length = clips.length.cpu().numpy().astype(np.int64)
        self.targets, safe = word_targets(columns, config.labels)
        self.kinds = np.array([str(kind) for kind in columns["kind"]])
        self.word_end = _word_ends(columns, self.length)
        self.isolated = (
            self.targets.any(1) | (self.kinds == "hard_negative") | (self.length <= ISOLATED_S * SAMPLE_RATE_HZ)
        )
        self.weight = np.asarray(columns["weight"], dtype=np.float64)
        self.positives = self._positives()
        sources = np.array([str(source) for source in columns["source"]])
        self.groups = self._groups(safe, sources)
        self.fills: dict[str, tuple[np.ndarray, np.ndarray]] = {
            name: self.groups[name] for name in ("speech", "noise") if name in self.groups
        }

    def _positives(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Rows of each word, and their cumulative weights where those differ."""
        found = [np.flatnonzero(self.targets[:, word] > 0.5) for word in range(self.targets.shape[1])]
        missing = [label for label, rows in zip(self.config.labels, found, strict=True) if not len(rows)]
        if missing:
            raise DataError(
                f"the train split has no clip of {', '.join(missing)}: add recordings with that label, switch on "
                "synthesis (synthesis.enabled=true), or check the labels under `words`"
            )
        return [(rows, _cumulative(self.weight[rows])) for rows in found]

    def _groups(self, safe: np.ndarray, sources: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Rows and cumulative weights of each group of negatives that has clips."""
        members = {
            "speech": self.kinds == "speech",
            "words": self.kinds == "wakeword",
            "confusable": self.kinds == "confusable",
            "noise": np.isin(self.kinds, ["noise", "music"]),
            "hard_negative": self.kinds == "hard_negative",
        }
        groups = {name: np.flatnonzero(mask & safe) for name, mask in members.items()}
        groups = {name: rows for name, rows in groups.items() if len(rows)}
        if not set(groups) - {"noise", "hard_negative"}:
            raise DataError(
                "the train split has no speech besides the wake words, so the model would fire on all speech: add a "
                "source of kind speech, or set synthesis.speech_clips"
            )
        seconds = np.minimum(self.length / SAMPLE_RATE_HZ, LONG_CLIP_S)
        return {
            name: (rows, _balanced(seconds[rows], sources[rows], self.weight[rows])) for name, rows in groups.items()
        }

    def batch(self, step: int, rank: int = 0, world: int = 1) -> WindowPlan:
        """Rows of global batch `step` that fall to worker `rank` (every `world`-th)."""
        seeds = row_seeds(self.config.training.seed, step, self.config.training.batch_size)[rank::world]
        draws = uniforms(seeds, 4)
        positive = draws[:, 0] < self.config.training.positive_share
        clips = np.where(positive, self._draw_positive(draws), self._draw_negative(draws))
        if not self.views:
            return self.plan(clips, seeds)
        return self.plan_views(clips, (draws[:, 3] * self.views).astype(np.int64))

    def plan_views(self, clips: np.ndarray, views: np.ndarray) -> WindowPlan:
        """Plan given views of given clips: a function of (run seed, clip, view) alone."""
        seed = self.config.training.seed
        pairs = zip(clips.tolist(), views.tolist(), strict=True)
        seeds = np.array([view_seed(seed, self.clip_ids[clip], view) for clip, view in pairs], dtype=np.uint64)
        plan = self.plan(clips, seeds)
        plan.view = views
        return plan

    def _draw_positive(self, draws: np.ndarray) -> np.ndarray:
        words = (draws[:, 1] * len(self.positives)).astype(int)
        return _draw_each(words, self.positives, draws[:, 2])

    def _draw_negative(self, draws: np.ndarray) -> np.ndarray:
        names = [name for name in NEGATIVE_SHARES if name in self.groups]
        shares = [NEGATIVE_SHARES[name] for name in names]
        hard = self.config.training.hard_negative_share
        if "hard_negative" in self.groups and hard:
            # Appended, so that data without hard negatives give the same draws.
            names.append("hard_negative")
            shares.append(sum(shares) * hard / (1 - hard))
        edges = np.cumsum(shares)
        chosen = np.searchsorted(edges / edges[-1], draws[:, 1], side="right").clip(max=len(names) - 1)
        return _draw_each(chosen, [self.groups[name] for name in names], draws[:, 2])

    def plan(self, clips: np.ndarray, seeds: np.ndarray) -> WindowPlan:
        """Place given clips; `seeds`, uint64 `(rows,)`, decide every draw."""
        draws = uniforms(seeds, 8, stream=1)
        rate = SAMPLE_RATE_HZ
        shift = self.config.augmentation.shift_s * (2 * draws[:, 0] - 1)
        limit = self.window_samples - SHIFT_MARGIN_S * rate
        anchor_at = self.context_samples + np.clip(self.scored_samples / 2 + shift * rate, 0, limit)
        anchor_at = np.minimum(anchor_at, limit).astype(np.int64)
        anywhere = (draws[:, 1] * self.length[clips]).astype(np.int64)
        anchor = np.where(self.isolated[clips], self.word_end[clips], anywhere)
        target = self.targets[clips]
        fill, fill_start = self._draw_fill(draws)
        return WindowPlan(
            seed=seeds,
            view=np.full(len(clips), -1, dtype=np.int64),
            clip=clips.astype(np.int64),
            start=anchor - anchor_at,
            anchor=anchor_at,
            word_end_s=np.where(target.any(1), anchor_at / rate, 0.0),
            target=target,
            fill=fill,
            fill_start=fill_start,
            fill_gain=10 ** ((-15 * draws[:, 5]) / 20),
            floor_gain=10 ** ((-85 + 30 * draws[:, 6]) / 20),
            floor_start=draws[:, 7],
        )

    def _draw_fill(self, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        names = list(FILL_SHARES)
        edges = np.cumsum(list(FILL_SHARES.values()))
        chosen = np.searchsorted(edges, draws[:, 2], side="right").clip(max=len(names) - 1)
        fill = _draw_each(chosen, [self.fills.get(name) for name in names], draws[:, 3])
        span = np.where(fill >= 0, self.length[np.maximum(fill, 0)], 0) - self.window_samples
        # A fill shorter than the window lies somewhere inside it; a longer one is cropped.
        return fill, np.where(span >= 0, draws[:, 4] * (span + 1), -draws[:, 4] * (1 - span)).astype(np.int64)


def _word_ends(columns: Mapping[str, Sequence[Any]], length: np.ndarray) -> np.ndarray:
    """End of each clip's speech in samples; the clip's end where preparation gave none."""
    ends = np.array([np.nan if end is None else float(end) for end in columns["word_end_s"]])
    return np.where(np.isfinite(ends), np.minimum(ends * SAMPLE_RATE_HZ, length), length).astype(np.int64)


def _balanced(seconds: np.ndarray, sources: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Cumulative shares: a source has the square root of its seconds, a clip its part of them, times its weight."""
    shares = np.empty(len(seconds))
    for source in np.unique(sources):
        mine = sources == source
        shares[mine] = seconds[mine] / np.sqrt(seconds[mine].sum())
    # Equal weights are left out: a factor would change the last bit of a sum, and so a draw.
    if np.ptp(weight):
        shares *= weight
    return np.cumsum(shares / shares.sum())


def _cumulative(weight: np.ndarray) -> np.ndarray | None:
    return np.cumsum(weight / weight.sum()) if np.ptp(weight) else None


def _draw_each(
    chosen: np.ndarray, groups: Sequence[tuple[np.ndarray, np.ndarray | None] | None], uniform: np.ndarray
) -> np.ndarray:
    """A clip of the chosen group for each row, `(rows,)` int64; -1 where the group is None."""
    drawn = np.full(len(chosen), -1, dtype=np.int64)
    for number, group in enumerate(groups):
        mine = np.flatnonzero(chosen == number)
        if group is not None and len(mine):
            drawn[mine] = _draw(group, uniform[mine])
    return drawn


def _draw(group: tuple[np.ndarray, np.ndarray | None], uniform: np.ndarray) -> np.ndarray:
    rows, cumulative = group
    if cumulative is None:
        return rows[(uniform * len(rows)).astype(np.int64)]
    return rows[np.searchsorted(cumulative, uniform, side="right").clip(max=len(rows) - 1)]
