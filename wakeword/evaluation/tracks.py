"""Continuous tracks from prepared clips: planned at once, rendered piece by piece, never whole in memory.

A track is a list of pieces (a clip and the quiet after it). Its truth follows from the plan alone. Positive tracks
exist once per word and condition and hold the same clips with the same gaps in every condition, so that conditions
differ by nothing but the condition. Negative tracks hold speech (with the words of other detectors) or noise and
music as they are. Near-miss tracks hold `confusable` clips and stay out of FRR and FAH.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wakeword.config import SAMPLE_RATE_HZ, WordConfig
from wakeword.config.evaluation import EvaluationConfig
from wakeword.data.words import holds

Audio = NDArray[np.float32]

TRACK_S = 600.0
"""Longer tracks are dealt out to several, which are scored side by side."""
FLOOR_DBFS = -70.0
"""White noise under everything: a microphone never gives digital zeros."""
FADE_S = 0.005
"""Clips and noise fade in and out this long, so that an edge is no click."""
SETTLE_S = 1.0
"""Quiet before the first and, beside `hit_after_s`, after the last clip."""
NOISE_TRIES = 12
"""Segments of noise that are all but silent (padded recordings) are drawn again so often."""


@dataclass(frozen=True)
class TruthRow:
    """What lies where in a track, in seconds of the track.

    `role`: `word` (`start_s`, `end_s` of the utterance), `ignored` (events of `word` count neither way), `clip` (a
    whole negative clip) or `near_miss` (a whole confusable clip). `word` is empty for a `clip`; of a `near_miss` it is
    the word that it resembles (empty: any) and `distance` how many phonemes lie between (-1: unknown).
    """

    track: str
    role: str
    word: str
    start_s: float
    end_s: float
    speaker: str
    clip_id: str
    condition: str
    source: str
    kind: str
    distance: int = -1


@dataclass(frozen=True)
class Clips:
    """Clips of one split: `table` (columns of the shard schema); rows are named by number."""

    table: pa.Table

    def audio(self, row: int) -> Audio:
        """Samples `(samples,)` of a row, float32 in [-1, 1)."""
        raw = self.table.column("audio")[row].as_buffer()
        return np.frombuffer(raw, dtype="<i2") * np.float32(1 / 32768)

    def rows(self, *kinds: str) -> list[int]:
        """Numbers of the rows of some kinds."""
        return [row for row, kind in enumerate(self.table.column("kind").to_pylist()) if kind in kinds]


@dataclass(frozen=True)
class Pool:
    """Recordings to mix in: some rows of a split."""

    split: str
    clips: Clips
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """A clip and the quiet after it; `word` is the utterance in samples of the clip, for levels."""

    row: int
    clip_samples: int
    gap_samples: int
    word: tuple[int, int]
    number: int

    @property
    def samples(self) -> int:
        """Length in samples."""
        return self.clip_samples + self.gap_samples


@dataclass(frozen=True)
class Track:
    """One continuous recording to be: `kind` is positives, speech, noise or near_misses."""

    name: str
    kind: str
    condition: str
    word: str
    clips: Clips
    pieces: tuple[Piece, ...]
    truth: tuple[TruthRow, ...]
    seed: int
    end_gap_s: float
    snr_db: float | None = None
    noise: Pool | None = None
    rooms: Pool | None = None

    @property
    def samples(self) -> int:
        """Length in samples."""
        quiet = round((SETTLE_S + self.end_gap_s) * SAMPLE_RATE_HZ)
        return quiet + sum(piece.samples for piece in self.pieces)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples / SAMPLE_RATE_HZ

    def blocks(self, block_samples: int) -> Iterator[Audio]:
        """The audio, float32, in blocks of `block_samples`; the last one may be shorter."""
        waiting: list[Audio] = []
        held = 0
        for part in self._parts():
            waiting.append(part)
            held += len(part)
            if held < block_samples:
                continue
            joined = np.concatenate(waiting)
            whole = held - held % block_samples
            for start in range(0, whole, block_samples):
                yield joined[start : start + block_samples]
            waiting, held = [joined[whole:]], held - whole
        if held:
            yield np.concatenate(waiting)

    def _parts(self) -> Iterator[Audio]:
        name = list(self.name.encode())
        yield _floor(round(SETTLE_S * SAMPLE_RATE_HZ), np.random.default_rng([self.seed, 0, *name]))
        for piece in self.pieces:
            yield self._render(piece, np.random.default_rng([self.seed, 1 + piece.number, *name]))
        rest = self.samples - round(SETTLE_S * SAMPLE_RATE_HZ) - sum(piece.samples for piece in self.pieces)
        yield _floor(rest, np.random.default_rng([self.seed, 1 + len(self.pieces), *name]))

    def _render(self, piece: Piece, rng: np.random.Generator) -> Audio:
        audio = np.zeros(piece.samples, dtype=np.float32)
        audio[: piece.clip_samples] = _faded(self.clips.audio(piece.row))
        if self.rooms is not None:
            audio = _in_room(audio, piece.word, self.rooms, rng)
        if self.noise is not None and self.snr_db is not None:
            noise = _noise(self.noise, piece.samples, rng)
            audio = audio + noise * np.float32(_level(audio, piece.word) * 10 ** (-self.snr_db / 20))
        audio = audio + _floor(piece.samples, rng)
        loudest = float(np.abs(audio).max(initial=0.0))
        # Loud noise on a loud clip would clip: turning both down keeps their ratio.
        return audio / np.float32(loudest) * np.float32(0.999) if loudest > 0.999 else audio


def _floor(samples: int, rng: np.random.Generator) -> Audio:
    return rng.standard_normal(samples, dtype=np.float32) * np.float32(10 ** (FLOOR_DBFS / 20))


def _faded(audio: Audio) -> Audio:
    length = min(round(FADE_S * SAMPLE_RATE_HZ), len(audio) // 2)
    if length:
        ramp = np.linspace(0, 1, length, dtype=np.float32)
        audio = audio.copy()
        audio[:length] *= ramp
        audio[-length:] *= ramp[::-1]
    return audio


def _level(audio: Audio, word: tuple[int, int]) -> float:
    """RMS over the word."""
    return float(np.sqrt(np.mean(np.square(audio[slice(*word)], dtype=np.float64)))) if word[1] > word[0] else 0.0


def _in_room(audio: Audio, word: tuple[int, int], rooms: Pool, rng: np.random.Generator) -> Audio:
    """Convolve with a room response from its direct sound on, so that the word stays where it is, at the same level."""
    response = rooms.clips.audio(rooms.rows[int(rng.integers(len(rooms.rows)))])
    response = response[int(np.argmax(np.abs(response))) :]
    size = 1 << (len(audio) + len(response) - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(response, size), size)[: len(audio)].astype(np.float32)
    level = _level(wet, word)
    return wet * np.float32(_level(audio, word) / level) if level > 0 else wet


def _noise(pool: Pool, samples: int, rng: np.random.Generator) -> Audio:
    """A stretch of one recording with RMS 1, from a random place, going round where the recording is short."""
    stretch = np.zeros(samples, dtype=np.float32)
    level = 0.0
    for _ in range(NOISE_TRIES):
        recording = pool.clips.audio(pool.rows[int(rng.integers(len(pool.rows)))])
        start = int(rng.integers(max(1, len(recording))))
        stretch = np.take(recording, np.arange(start, start + samples), mode="wrap")
        level = float(np.sqrt(np.mean(np.square(stretch, dtype=np.float64))))
        if level > 10 ** (FLOOR_DBFS / 20):
            break
    return _faded(stretch / np.float32(level)) if level > 0 else stretch


@dataclass(frozen=True)
class TrackPlan:
    """Tracks of one split, and sentences on what could not be built or where noise came from."""

    split: str
    tracks: tuple[Track, ...]
    notes: tuple[str, ...] = field(default=())


def plan_tracks(
    tables: dict[str, pa.Table], split: str, words: Sequence[WordConfig], config: EvaluationConfig
) -> TrackPlan:
    """Plan every track of `split` for `words`.

    `tables`: clips per split. Noise and room responses come from `split` itself where it has them, else from the other
    of val and test, else from train; notes say so. Clips that hold a word (by label, text or `contains`) count neither
    way for that word. Wake-word clips whose word has no known place are left out.
    """
    clips = Clips(tables[split])
    notes: list[str] = []
    noise = _pool(tables, split, "noise", notes) if config.snr_db else None
    rooms = _pool(tables, split, "rir", notes) if config.far else None
    tracks: list[Track] = []
    for word in words:
        tracks += _positive_tracks(clips, split, word, words, config, noise, rooms, notes)
    kinds: list[tuple[str, list[int]]] = [
        ("speech", _speech_rows(clips, words)),
        ("noise", clips.rows("noise", "music")),
        ("near_misses", clips.rows("confusable")),
    ]
    for kind, rows in kinds:
        if rows:
            rng = _rng(config.seed, split, kind)
            planned = _pieces(clips, rows, config.negative_gap_s, rng)
            tracks += _dealt(clips, f"{split}/{kind}", kind, "as is", "", planned, words, config)
    if not kinds[0][1]:
        notes.append(f"{split} holds no other speech: its false alarms are counted without any")
    if not kinds[1][1]:
        notes.append(f"{split} holds no noise or music of its own: its false alarms are counted on speech alone")
    return TrackPlan(split, tuple(tracks), tuple(notes))


def _rng(seed: int, *names: str) -> np.random.Generator:
    return np.random.default_rng([seed, *"/".join(names).encode()])


def _pool(tables: dict[str, pa.Table], split: str, kind: str, notes: list[str]) -> Pool | None:
    name = {"noise": "noise recordings", "rir": "room responses"}[kind]
    for other in (split, *[s for s in ("test", "val") if s != split], "train"):
        if other not in tables:
            continue
        clips = Clips(tables[other])
        rows = clips.rows(kind)
        if rows:
            if other != split:
                heard = " (training heard them)" if other == "train" else ""
                notes.append(f"{split} holds no {name}: its conditions use those of {other}{heard}")
            return Pool(other, clips, tuple(rows))
    lost = "noisy conditions" if kind == "noise" else "far condition"
    notes.append(f"there are no {name} in any split: no {lost} for {split}")
    return None


def _speech_rows(clips: Clips, words: Sequence[WordConfig]) -> list[int]:
    """Speech, and wake words of other detectors, unless they hold every word that is looked for."""
    labels = {word.label for word in words}
    own = clips.table.column("label").to_pylist()
    rows = [r for r in clips.rows("speech", "wakeword") if own[r] not in labels]
    return [row for row in rows if not all(_collides(clips, row, word) for word in words)]


def _collides(clips: Clips, row: int, word: WordConfig) -> bool:
    """True if the clip holds the word by its label, its text or the `contains` column."""
    label, text, contains = (clips.table.column(name)[row].as_py() or "" for name in ("label", "text", "contains"))
    if label == word.label or word.label in contains.replace(",", " ").replace(";", " ").split():
        return True
    return any(holds(text_, word.text) for text_ in (label.replace("_", " "), text, contains))


def _pieces(clips: Clips, rows: Sequence[int], gap_s: tuple[float, float], rng: np.random.Generator) -> list[Piece]:
    """Pieces in a drawn order with drawn gaps."""
    ordered = rng.permutation(np.asarray(rows, dtype=np.int64))
    gaps = np.round(rng.uniform(*gap_s, size=len(ordered)) * SAMPLE_RATE_HZ).astype(np.int64)
    pieces = []
    for row, gap in zip(ordered.tolist(), gaps.tolist(), strict=True):
        samples = clips.table.column("audio")[row].as_buffer().size // 2
        start, end = (clips.table.column(name)[row].as_py() for name in ("word_start_s", "word_end_s"))
        place = (0, samples)
        if start is not None and end is not None:
            place = (round(start * SAMPLE_RATE_HZ), min(samples, round(end * SAMPLE_RATE_HZ)))
        pieces.append(Piece(row, samples, gap, place, 0))
    return pieces


def _positive_tracks(
    clips: Clips,
    split: str,
    word: WordConfig,
    words: Sequence[WordConfig],
    config: EvaluationConfig,
    noise: Pool | None,
    rooms: Pool | None,
    notes: list[str],
) -> list[Track]:
    labels = clips.table.column("label").to_pylist()
    ends = clips.table.column("word_end_s").to_pylist()
    rows = [row for row in clips.rows("wakeword") if labels[row] == word.label]
    placed = [row for row in rows if ends[row] is not None]
    if not placed:
        notes.append(f"{split} holds no clips of {word.label!r} with a known place of the word: no miss rate for it")
        return []
    if len(placed) < len(rows):
        notes.append(
            f"{split}: {len(rows) - len(placed)} clips of {word.label!r} left out, the word's place is unknown"
        )
    pieces = _pieces(clips, placed, config.gap_s, _rng(config.seed, split, word.label))
    conditions: dict[str, dict] = {"clean": {}}
    if noise is not None:
        conditions |= {snr_name(snr): {"snr_db": snr, "noise": noise} for snr in config.snr_db}
    if rooms is not None:
        conditions["far"] = {"rooms": rooms}
    tracks = []
    for condition, options in conditions.items():
        name = f"{split}/{word.label}/{condition}"
        dealt = _dealt(clips, name, "positives", condition, word.label, pieces, words, config)
        tracks += [replace(track, **options) for track in dealt]
    return tracks


def snr_name(snr_db: float) -> str:
    """Name of a noisy condition, such as `10 dB`."""
    return f"{snr_db:g} dB"


def _dealt(
    clips: Clips,
    name: str,
    kind: str,
    condition: str,
    word: str,
    pieces: Sequence[Piece],
    words: Sequence[WordConfig],
    config: EvaluationConfig,
) -> list[Track]:
    """Pieces dealt out to as few tracks of about `TRACK_S` as hold them all."""
    count = int(np.ceil(sum(piece.samples for piece in pieces) / (TRACK_S * SAMPLE_RATE_HZ)))
    tracks = []
    for number in range(count):
        dealt = pieces[number::count]
        if not dealt:
            continue
        own_name = name if count == 1 else f"{name}/{number + 1}"
        numbered = tuple(replace(piece, number=place) for place, piece in enumerate(dealt))
        truth = _truth(clips, own_name, kind, condition, word, numbered, words, config)
        end_gap_s = config.hit_after_s + SETTLE_S
        tracks.append(Track(own_name, kind, condition, word, clips, numbered, truth, config.seed, end_gap_s))
    return tracks


def _truth(
    clips: Clips,
    track: str,
    kind: str,
    condition: str,
    word: str,
    pieces: Sequence[Piece],
    words: Sequence[WordConfig],
    config: EvaluationConfig,
) -> tuple[TruthRow, ...]:
    rows = []
    position = round(SETTLE_S * SAMPLE_RATE_HZ)
    for piece in pieces:
        about = {name: clips.table.column(name)[piece.row].as_py() or "" for name in _ABOUT}
        start_s, end_s = position / SAMPLE_RATE_HZ, (position + piece.clip_samples) / SAMPLE_RATE_HZ

        def row(role: str, label: str, low_s: float, high_s: float, about: dict[str, Any] = about) -> TruthRow:
            return TruthRow(track, role, label, low_s, high_s, condition=condition, **about)

        if kind == "positives":
            place = [(position + sample) / SAMPLE_RATE_HZ for sample in piece.word]
            rows.append(row("word", word, place[0], place[1]))
        elif kind == "near_misses":
            resembled, distance = (clips.table.column(name)[piece.row].as_py() for name in ("resembles", "distance"))
            near = row("near_miss", resembled or "", start_s, end_s)
            rows.append(replace(near, distance=-1 if distance is None else distance))
        else:
            rows.append(row("clip", "", start_s, end_s))
        rows += [
            row("ignored", other.label, start_s, end_s + config.hit_after_s)
            for other in words
            if other.label != word and _collides(clips, piece.row, other)
        ]
        position += piece.samples
    return tuple(rows)


_ABOUT = ("speaker", "clip_id", "source", "kind")
