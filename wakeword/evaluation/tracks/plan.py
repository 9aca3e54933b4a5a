"""Planning of the tracks of a split from the lengths of its clips; the audio is rendered when it is read.

A track is a list of pieces (a clip and the quiet after it). Its truth follows from the plan. There is one set of
positive tracks per word and condition, with the same clips and gaps in every condition. Negative tracks contain speech
(with the words of other detectors) or noise and music; a long recording that preparation cut into pieces is joined
again. Near-miss tracks contain `confusable` clips and are outside FRR and FAH.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from wakeword.config import SAMPLE_RATE_HZ, WordConfig
from wakeword.config.evaluation import EvaluationConfig
from wakeword.data.words import holds
from wakeword.evaluation.tracks.clips import Clips, Pool
from wakeword.evaluation.tracks.conditions import Condition, plan_conditions, snr_name
from wakeword.evaluation.tracks.track import SETTLE_S, Piece, Track, TruthRow

__all__ = ["Clips", "Piece", "Pool", "Track", "TrackPlan", "TruthRow", "plan_tracks", "snr_name"]

TRACK_S = 600.0
"""Clips of more than this total length are distributed over several tracks, which are scored in parallel."""
RECORDING_S = 60.0
"""Minimum length of a recording with a separate track."""
AS_RECORDED = "as recorded"
_ABOUT = ("speaker", "clip_id", "source", "kind", "text", "accent", "age", "gender")


@dataclass(frozen=True)
class TrackPlan:
    """Tracks of one split, and notes on missing tracks and on the origin of noise."""

    split: str
    tracks: tuple[Track, ...]
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class _Plan:
    """Inputs of the planning of one split."""

    clips: Clips
    split: str
    words: Sequence[WordConfig]
    config: EvaluationConfig

    def rng(self, *names: str) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, *"/".join([self.split, *names]).encode()])


def plan_tracks(
    tables: Mapping[str, pa.Table],
    split: str,
    words: Sequence[WordConfig],
    config: EvaluationConfig,
    root: str | Path | None = None,
) -> TrackPlan:
    """Plan every track of `split` for `words`.

    `tables`: clips per split. `root`: the prepared folder of the tables; tracks that are sent to other processes then
    refer to it instead of containing the audio. Clips that contain a word (by label, text or `contains`) are ignored
    for that word. Wake-word clips with unknown word times are left out.
    """
    clips = {name: Clips(table, str(root or ""), name) for name, table in tables.items()}
    plan = _Plan(clips[split], split, words, config)
    notes: list[str] = []
    conditions = plan_conditions(clips, split, config, notes)
    tracks: list[Track] = []
    for word in words:
        tracks += _positive_tracks(plan, word, conditions, notes)
    kinds: list[tuple[str, list[int]]] = [
        ("speech", _speech_rows(plan.clips, words)),
        ("noise", plan.clips.rows("noise", "music")),
        ("near_misses", plan.clips.rows("confusable")),
    ]
    for kind, rows in kinds:
        tracks += _negative_tracks(plan, kind, rows)
    if not kinds[0][1]:
        notes.append(f"{split} has no other speech: its false alarms are counted without speech")
    if not kinds[1][1]:
        notes.append(f"{split} has no noise or music: its false alarms are counted without them")
    return TrackPlan(split, tuple(tracks), tuple(notes))


def _speech_rows(clips: Clips, words: Sequence[WordConfig]) -> list[int]:
    """Speech and wake words of other detectors, unless they contain every word of `words`."""
    labels = {word.label for word in words}
    own = clips.table.column("label").to_pylist()
    rows = [r for r in clips.rows("speech", "wakeword") if own[r] not in labels]
    return [row for row in rows if not all(_collides(clips, row, word) for word in words)]


def _collides(clips: Clips, row: int, word: WordConfig) -> bool:
    """True if the clip contains the word by its label, its text or the `contains` column."""
    label, text, contains = (clips.table.column(name)[row].as_py() or "" for name in ("label", "text", "contains"))
    if label == word.label or word.label in contains.replace(",", " ").replace(";", " ").split():
        return True
    return any(holds(text_, word.text) for text_ in (label.replace("_", " "), text, contains))


def _runs(clips: Clips, rows: Sequence[int]) -> list[list[int]]:
    """Rows in their order, with consecutive pieces of one recording grouped.

    Preparation cuts a long recording into `<id>#0`, `<id>#1`, …; at a missing piece (in quarantine) a new group begins.
    """
    ids, files = clips.table.column("clip_id").to_pylist(), clips.table.column("uri").to_pylist()
    pieces: dict[tuple[str, str], dict[int, int]] = {}
    place: dict[int, tuple[tuple[str, str], int]] = {}
    for row in rows:
        recording, _, number = ids[row].rpartition("#")
        if recording and number.isdecimal():
            place[row] = (files[row], recording), int(number)
            pieces.setdefault(place[row][0], {})[int(number)] = row
    runs = []
    for row in rows:
        if row not in place:
            runs.append([row])
            continue
        recording_of, first = place[row]
        own = pieces[recording_of]
        if first - 1 in own:
            continue
        run = [row]
        while first + len(run) in own:
            run.append(own[first + len(run)])
        runs.append(run)
    return runs


def _pieces(
    clips: Clips, runs: Sequence[Sequence[int]], gap_s: tuple[float, float], rng: np.random.Generator
) -> list[list[Piece]]:
    """Pieces of each run, in random order with random gaps after them."""
    order = rng.permutation(len(runs))
    gaps = np.round(rng.uniform(*gap_s, size=len(runs)) * SAMPLE_RATE_HZ).astype(np.int64)
    return [_run(clips, runs[place], gap) for place, gap in zip(order.tolist(), gaps.tolist(), strict=True)]


def _run(clips: Clips, rows: Sequence[int], gap: int) -> list[Piece]:
    pieces = []
    for number, row in enumerate(rows):
        samples = clips.samples(row)
        start, end = (clips.table.column(name)[row].as_py() for name in ("word_start_s", "word_end_s"))
        place = (0, samples)
        if start is not None and end is not None:
            place = (round(start * SAMPLE_RATE_HZ), min(samples, round(end * SAMPLE_RATE_HZ)))
        last = number == len(rows) - 1
        pieces.append(Piece(row, samples, gap if last else 0, place, 0, follows=number > 0, goes_on=not last))
    return pieces


def _positive_tracks(plan: _Plan, word: WordConfig, conditions: Sequence[Condition], notes: list[str]) -> list[Track]:
    clips, split = plan.clips, plan.split
    labels = clips.table.column("label").to_pylist()
    ends = clips.table.column("word_end_s").to_pylist()
    rows = [row for row in clips.rows("wakeword") if labels[row] == word.label]
    placed = [row for row in rows if ends[row] is not None]
    if not placed:
        notes.append(f"{split} has no clips of {word.label!r} with known word times: it has no miss rate")
        return []
    if len(placed) < len(rows):
        notes.append(f"{split}: {len(rows) - len(placed)} clips of {word.label!r} left out, word times are unknown")
    notes += _about_speakers(clips, split, word, placed)
    runs = _pieces(clips, [[row] for row in placed], plan.config.gap_s, plan.rng(word.label))
    tracks = []
    for c in conditions:
        for track in _dealt(plan, f"{split}/{word.label}/{c.name}", "positives", c.name, word.label, runs):
            tracks.append(replace(track, snr_db=c.snr_db, noise=c.noise, rooms=c.rooms, codec=c.codec))
    return tracks


def _about_speakers(clips: Clips, split: str, word: WordConfig, rows: Sequence[int]) -> Iterator[str]:
    """Limits of the miss rate of these clips that follow from their speakers."""
    columns = (clips.table.column(name).to_pylist() for name in ("synthetic", "speaker_source", "speaker"))
    synthetic, known_from, speaker = columns
    if all(synthetic[row] for row in rows):
        yield f"{split}: all clips of {word.label!r} are synthetic: the miss rate of people is not measured"
    guessed = sum(known_from[row] == "guessed" for row in rows)
    if guessed:
        yield (
            f"{split}: the speakers of {guessed} of {len(rows)} clips of {word.label!r} are guessed from file names: "
            "intervals and slices by speaker treat each guess as a person"
        )
    unknown = sum(not speaker[row] for row in rows)
    if unknown:
        yield (
            f"{split}: {unknown} of {len(rows)} clips of {word.label!r} have no speaker: the same voices may be in the "
            "training data, and other speakers may be missed more often"
        )


def _negative_tracks(plan: _Plan, kind: str, rows: Sequence[int]) -> list[Track]:
    """A track for each long recording; tracks of the other clips in random order with gaps."""
    runs = _runs(plan.clips, rows)
    least = RECORDING_S * SAMPLE_RATE_HZ
    is_long = [len(run) > 1 and sum(plan.clips.samples(row) for row in run) >= least for run in runs]
    long, others = ([run for run, flag in zip(runs, is_long, strict=True) if flag is x] for x in (True, False))
    # An event after the end of a near miss belongs to it and not to the next one.
    gap_s = plan.config.gap_s if kind == "near_misses" else plan.config.negative_gap_s
    dealt = _pieces(plan.clips, others, gap_s, plan.rng(kind))
    tracks = _dealt(plan, f"{plan.split}/{kind}", kind, "as is", "", dealt)
    for number, run in enumerate(long, 1):
        name = f"{plan.split}/{kind}/recording {number}"
        tracks.append(_track(plan, name, kind, AS_RECORDED, "", _run(plan.clips, run, 0)))
    return tracks


def _dealt(
    plan: _Plan, name: str, kind: str, condition: str, word: str, runs: Sequence[Sequence[Piece]]
) -> list[Track]:
    """Runs distributed over as few tracks of about `TRACK_S` as possible."""
    count = int(np.ceil(sum(piece.samples for run in runs for piece in run) / (TRACK_S * SAMPLE_RATE_HZ)))
    tracks = []
    for number in range(count):
        dealt = [piece for run in runs[number::count] for piece in run]
        if dealt:
            own_name = name if count == 1 else f"{name}/{number + 1}"
            tracks.append(_track(plan, own_name, kind, condition, word, dealt))
    return tracks


def _track(plan: _Plan, name: str, kind: str, condition: str, word: str, pieces: Sequence[Piece]) -> Track:
    numbered = tuple(replace(piece, number=place) for place, piece in enumerate(pieces))
    whole = Track(
        name=name,
        kind=kind,
        condition=condition,
        word=word,
        clips=plan.clips,
        pieces=numbered,
        truth=(),
        seed=plan.config.seed,
        end_gap_s=plan.config.hit_after_s + SETTLE_S,
        as_recorded=condition == AS_RECORDED,
    )
    return replace(whole, truth=_truth(plan, whole))


def _truth(plan: _Plan, track: Track) -> tuple[TruthRow, ...]:
    clips, rows = plan.clips, []
    for piece, position in zip(track.pieces, track.piece_starts, strict=True):
        about: dict[str, Any] = {name: clips.table.column(name)[piece.row].as_py() or "" for name in _ABOUT}
        about["pitch_hz"] = clips.table.column("pitch_hz")[piece.row].as_py()
        about["synthetic"] = bool(clips.table.column("synthetic")[piece.row].as_py())
        start_s, end_s = position / SAMPLE_RATE_HZ, (position + piece.clip_samples) / SAMPLE_RATE_HZ

        def row(role: str, label: str, low_s: float, high_s: float, about: dict[str, Any] = about) -> TruthRow:
            return TruthRow(track.name, role, label, low_s, high_s, condition=track.condition, **about)

        if track.kind == "positives":
            place = [(position + sample) / SAMPLE_RATE_HZ for sample in piece.word]
            rows.append(row("word", track.word, place[0], place[1]))
        elif track.kind == "near_misses":
            word, distance = (clips.table.column(name)[piece.row].as_py() for name in ("resembles", "phoneme_distance"))
            near = row("near_miss", word or "", start_s, end_s)
            rows.append(replace(near, phoneme_distance=-1 if distance is None else distance))
        else:
            rows.append(row("clip", "", start_s, end_s))
        rows += [
            row("ignored", other.label, start_s, end_s + plan.config.hit_after_s)
            for other in plan.words
            if other.label != track.word and _collides(clips, piece.row, other)
        ]
    return tuple(rows)
