"""The plan of the clips to cut, from the times of all words.

Every choice is drawn from a hash of its content, so that it does not depend on the order of the work.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from wakeword.config import Config, WordConfig
from wakeword.config.cutting import CuttingConfig
from wakeword.data.cutting.borders import CutWord, fault_of
from wakeword.data.cutting.joining import matched_gains
from wakeword.data.cutting.occurrences import WantedText, places_of, voice_of, wanted_texts
from wakeword.data.manifest import Row, quarantine_row
from wakeword.data.splits import draw

CUT_VERSION = 1
"""Increased when the same plan would give other audio."""
FEWEST_GAPS = 10
"""Least number of pauses of a speaker to draw from; with fewer, those of all speakers are used."""
TRIES = 8
"""Combinations of words tried for each joined phrase."""
_PART = pa.struct([("uri", pa.string()), ("sha256", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64())])
CUT_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("kind", pa.string()),
        ("parts", pa.list_(_PART)),
        ("gains", pa.list_(pa.float64())),
        ("gaps_s", pa.list_(pa.float64())),
    ]
)


@dataclass(frozen=True)
class Piece:
    """Adjacent words of one clip (a row of the manifest, and the hash of its file) that may be cut out."""

    clip: Row
    sha256: str
    words: tuple[CutWord, ...]

    @property
    def key(self) -> str:
        """Key of the piece in draws."""
        return f"{self.sha256}:{self.words[0].place}:{len(self.words)}"

    @property
    def part(self) -> dict[str, Any]:
        """A `parts` entry of the plan."""
        start_s, end_s = self.words[0].start_s, self.words[-1].end_s
        return {"uri": self.clip["uri"], "sha256": self.sha256, "start_s": start_s, "end_s": end_s}


@dataclass
class CutPlan:
    """Clips to cut: `rows` of `CUT_SCHEMA`, `clips` with their manifest columns by name, and the pieces refused."""

    rows: list[Row] = field(default_factory=list)
    clips: dict[str, Row] = field(default_factory=dict)
    refused: list[Row] = field(default_factory=list)

    def table(self) -> pa.Table:
        """The rows in the order of their recordings, so that neighbours decode the same file once."""
        ordered = sorted(self.rows, key=lambda row: (row["parts"][0]["uri"], row["name"]))
        return pa.Table.from_pylist(ordered, schema=CUT_SCHEMA)

    def add(
        self,
        way: str,
        wanted: WantedText,
        pieces: Sequence[Piece],
        gains: Sequence[float] = (1.0,),
        gaps_s: Sequence[float] = (),
        phoneme_distance: int | None = None,
    ) -> None:
        """Plan one clip; its name is a hash of everything that its audio depends on."""
        kind = "wakeword" if way in ("whole", "joined") else "confusable"
        parts = [piece.part for piece in pieces]
        made_of = [
            [[p["sha256"], p["start_s"], p["end_s"]] for p in parts],
            [round(gain, 6) for gain in gains],
            list(gaps_s),
        ]
        content = json.dumps([CUT_VERSION, kind, wanted.label, wanted.text, made_of])
        name = hashlib.sha256(content.encode()).hexdigest()[:24]
        if name in self.clips:
            return
        row = {"name": name, "kind": kind, "parts": parts, "gains": made_of[1], "gaps_s": list(gaps_s)}
        self.rows.append(row)
        clip = pieces[0].clip
        licences = sorted({piece.clip["licence"] for piece in pieces} - {""})
        copied = ("speaker", "speaker_source", "split", "source", "accent", "age", "gender")
        self.clips[name] = {
            **{column: clip[column] for column in copied},
            "kind": kind,
            "label": wanted.label if kind == "wakeword" else "near_miss",
            "text": wanted.text,
            "licence": " AND ".join(licences),
            "resembles": wanted.label if kind == "confusable" else "",
            "phoneme_distance": phoneme_distance,
            "way": way,
            "cut_from": " + ".join(f"{p['uri']}@{p['start_s']:.2f}-{p['end_s']:.2f}" for p in parts),
        }


@dataclass(frozen=True)
class Nearness:
    """Phonemes between a partial phrase and its word (None: unknown), and whether it may train."""

    phoneme_distance: int | None
    trains: bool
    is_word: bool = False
    """It sounds like a configured word and is no near miss."""


def plan_cuts(
    config: Config,
    clips: dict[str, Row],
    aligned: Sequence[Row],
    nearness: Callable[[WordConfig, str], Nearness],
) -> CutPlan:
    """Plan whole phrases, joined phrases and near misses.

    Args:
        config: words and `cutting`.
        clips: rows of the manifest by their key.
        aligned: rows of `stages.ALIGNED_SCHEMA` without a reason, in any order.
        nearness: of a text to a word.
    """
    plan = CutPlan()
    aligned = sorted(aligned, key=lambda row: row["key"])
    gaps = _Gaps(config.cutting, clips, aligned)
    good: dict[tuple[str, ...], list[Piece]] = {}
    for wanted in wanted_texts(config.words):
        if wanted.words not in good:
            good[wanted.words] = _pieces(plan, wanted, clips, aligned, config.cutting)
    taken: set[tuple[str, ...]] = set()
    for word in config.words:
        for wanted in (text for text in wanted_texts(config.words) if text.label == word.label):
            if wanted.way == "phrase":
                for piece in good[wanted.words]:
                    plan.add("whole", wanted, [piece])
                if len(wanted.words) > 1:
                    _join(plan, wanted, good, gaps, config.cutting)
            elif wanted.near_miss and wanted.words not in taken:
                taken.add(wanted.words)
                _add_parts(plan, wanted, good[wanted.words], nearness(word, wanted.text), config.cutting)
    return plan


def _pieces(
    plan: CutPlan, wanted: WantedText, clips: dict[str, Row], aligned: Sequence[Row], cutting: CuttingConfig
) -> list[Piece]:
    """All places of a text that can be cut; the plan lists the refused ones with a reason."""
    found = []
    for row in aligned:
        words = [CutWord(**word) for word in row["words"]]
        for start in places_of(wanted.words, [word.text for word in words]):
            mine = tuple(words[start : start + len(wanted.words)])
            if mine[-1].place - mine[0].place != len(mine) - 1:
                continue  # the transcript has another word between them
            clip = clips[row["key"]]
            fault = fault_of(mine, cutting)
            if fault is None:
                found.append(Piece(clip, row["sha256"], mine))
                continue
            where = f"{clip['uri']}@{mine[0].start_s:.2f}"
            plan.refused.append(quarantine_row(where, clip["source"], f"cut {wanted.way}", *fault))
    return found


class _Gaps:
    """Pauses between two words, of each speaker and of all."""

    def __init__(self, cutting: CuttingConfig, clips: dict[str, Row], aligned: Iterable[Row]) -> None:
        self.low, self.high = cutting.gap_s
        self.all_speakers: list[float] = []
        self.own: dict[str, list[float]] = defaultdict(list)
        for row in aligned:
            kept = [gap for gap in row["gaps_s"] if self.low <= gap <= self.high]
            self.all_speakers += kept
            self.own[voice_of(clips[row["key"]])] += kept
        for gaps in (self.all_speakers, *self.own.values()):
            gaps.sort()

    def draw(self, voice: str, key: str) -> float:
        """A pause in seconds, drawn from those of the speaker, of all speakers, or uniformly where there are few."""
        number = draw(f"gap:{key}")
        for gaps in (self.own.get(voice, []), self.all_speakers):
            if len(gaps) >= FEWEST_GAPS:
                return gaps[int(number * len(gaps))]
        return round(self.low + number * (self.high - self.low), 4)


def _join(
    plan: CutPlan,
    wanted: WantedText,
    good: dict[tuple[str, ...], list[Piece]],
    gaps: _Gaps,
    cutting: CuttingConfig,
) -> None:
    """Join words of one speaker and one split, at most `cutting.joined_per_speaker` times per speaker."""
    by_voice: dict[tuple[str, str], list[list[Piece]]] = {}
    for place, word in enumerate(wanted.words):
        for piece in good[(word,)]:
            home = (voice_of(piece.clip), piece.clip["split"])
            by_voice.setdefault(home, [[] for _ in wanted.words])[place].append(piece)
    for (voice, _), choices in sorted(by_voice.items()):
        if not all(choices):
            continue
        made: set[tuple[str, ...]] = set()
        for attempt in range(TRIES * cutting.joined_per_speaker):
            drawn = f"{wanted.label}:{voice}:{attempt}"
            chosen = [own[int(draw(f"join:{drawn}:{i}") * len(own))] for i, own in enumerate(choices)]
            names = tuple(piece.key for piece in chosen)
            gains = matched_gains([piece.words[0].level_db for piece in chosen])
            if names in made or len(set(names)) < len(names) or _as_spoken(chosen) or gains is None:
                continue
            made.add(names)
            pauses = [gaps.draw(voice, f"{drawn}:{i}") for i in range(len(chosen) - 1)]
            plan.add("joined", wanted, chosen, gains, pauses)
            if len(made) == cutting.joined_per_speaker:
                break


def _as_spoken(pieces: Sequence[Piece]) -> bool:
    """True if the words are adjacent in one clip, which is cut as a whole phrase."""
    places = [piece.words[0].place for piece in pieces]
    return len({piece.sha256 for piece in pieces}) == 1 and bool(np.all(np.diff(places) == 1))


def _add_parts(plan: CutPlan, wanted: WantedText, pieces: list[Piece], near: Nearness, cutting: CuttingConfig) -> None:
    if near.is_word:
        return
    by_split: dict[str, list[Piece]] = defaultdict(list)
    for piece in pieces:
        if not cutting.hold_out_parts or near.trains == (piece.clip["split"] == "train"):
            by_split[piece.clip["split"]].append(piece)
    for own in by_split.values():
        for piece in _spread(own)[: cutting.parts_per_text]:
            plan.add("part", wanted, [piece], phoneme_distance=near.phoneme_distance)


def _spread(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces in random order, one of each speaker before a second of any."""
    turns: dict[str, int] = defaultdict(int)
    ranked = []
    for piece in sorted(pieces, key=lambda piece: draw(f"part:{piece.key}")):
        voice = voice_of(piece.clip)
        ranked.append((turns[voice], draw(f"part:{piece.key}"), piece.key, piece))
        turns[voice] += 1
    return [piece for *_, piece in sorted(ranked, key=lambda one: one[:3])]
