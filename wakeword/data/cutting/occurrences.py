"""Which texts are wanted of a corpus, and how often and by whom they are said: counted from transcripts alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wakeword.config import WordConfig
from wakeword.data.manifest import SPLITS, Row
from wakeword.data.words import holds, spoken


@dataclass(frozen=True)
class WantedText:
    """A text to look for.

    Attributes:
        label: of the word that it serves.
        words: as transcripts spell them, lower case.
        way: `phrase`, `word` (one of several of a phrase) or `part` (several, not all).
        near_miss: it holds no configured word, so that its cuts are near misses.
    """

    label: str
    words: tuple[str, ...]
    way: str
    near_miss: bool = False

    @property
    def text(self) -> str:
        """The words with spaces between."""
        return " ".join(self.words)


@dataclass(frozen=True)
class Count:
    """How often a text is said: clips of transcripts that hold it, and speakers, by split."""

    wanted: WantedText
    clips: dict[str, int]
    speakers: dict[str, int]

    def cells(self) -> tuple[str, ...]:
        """Label, text, way, then clips and speakers in train, val and test."""
        found = (f"{self.clips[split]} ({self.speakers[split]})" for split in SPLITS)
        return self.wanted.label, self.wanted.text, self.wanted.way, *found


def wanted_texts(words: Sequence[WordConfig]) -> list[WantedText]:
    """Each phrase; of a phrase of several words also every word and every row of words within it, once."""
    found: list[WantedText] = []
    for word in words:
        whole = spoken(word.text)
        found.append(WantedText(word.label, whole, "phrase"))
        seen: set[tuple[str, ...]] = {whole}
        for span in range(1, len(whole)):
            for start in range(len(whole) - span + 1):
                part = whole[start : start + span]
                if part not in seen:
                    seen.add(part)
                    near_miss = not any(holds(" ".join(part), other.text) for other in words)
                    found.append(WantedText(word.label, part, "word" if span == 1 else "part", near_miss))
    return found


def places_of(wanted: Sequence[str], words: Sequence[str]) -> Iterator[int]:
    """Where the row of words `wanted` begins in a transcript."""
    span = len(wanted)
    for start in range(len(words) - span + 1):
        if tuple(words[start : start + span]) == tuple(wanted):
            yield start


def voice_of(row: Row) -> str:
    """Whose voice a clip is: its speaker, or where none is named the clip alone."""
    return row["speaker"] or f"clip {row['clip_id']}"


def to_mine(rows: Sequence[Row], words: Sequence[WordConfig]) -> list[Row]:
    """Clips of speech whose transcript holds a word that is wanted; clips of a configured word are cut already."""
    labels = {word.label for word in words}
    wanted = {word for text in wanted_texts(words) for word in text.words}
    kept = []
    for row in rows:
        speech = row["kind"] == "speech" or (row["kind"] == "wakeword" and row["label"] not in labels)
        if speech and row["text"] and not row["synthetic"] and wanted & set(spoken(row["text"])):
            kept.append(row)
    return kept


def count_texts(rows: Sequence[Row], words: Sequence[WordConfig]) -> list[Count]:
    """How often each wanted text is said, in the order of `wanted_texts`.

    Args:
        rows: of the manifest, with a split each.
        words: configured words.
    """
    counts = []
    transcripts = [spoken(row["text"]) for row in rows]
    for wanted in wanted_texts(words):
        clips = dict.fromkeys(SPLITS, 0)
        voices: dict[str, set[str]] = {split: set() for split in SPLITS}
        for row, said in zip(rows, transcripts, strict=True):
            if next(places_of(wanted.words, said), None) is not None:
                clips[row["split"]] += 1
                voices[row["split"]].add(voice_of(row))
        counts.append(Count(wanted, clips, {split: len(found) for split, found in voices.items()}))
    return counts
