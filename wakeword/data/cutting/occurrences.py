"""Texts to search for in a corpus, and how many clips and speakers of the transcripts hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wakeword.config import WordConfig
from wakeword.data.manifest import SPLITS, Row
from wakeword.data.words import holds, spoken


@dataclass(frozen=True)
class WantedText:
    """A text to search for.

    Attributes:
        label: of the configured word.
        words: in the spelling of transcripts, lower case.
        way: `phrase`, `word` (one of several of a phrase) or `part` (several, not all).
        near_miss: it holds no configured word, so its cuts are near misses.
    """

    label: str
    words: tuple[str, ...]
    way: str
    near_miss: bool = False

    @property
    def text(self) -> str:
        """The words with spaces between."""
        return " ".join(self.words)


def wanted_texts(words: Sequence[WordConfig]) -> list[WantedText]:
    """Each phrase, and each word and sequence of words within a phrase, once."""
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
    """Places in a transcript where the sequence of words `wanted` begins."""
    span = len(wanted)
    for start in range(len(words) - span + 1):
        if tuple(words[start : start + span]) == tuple(wanted):
            yield start


def voice_of(row: Row) -> str:
    """The speaker of a clip, or the clip's id where none is named."""
    return row["speaker"] or f"clip {row['clip_id']}"


def to_mine(rows: Sequence[Row], words: Sequence[WordConfig]) -> list[Row]:
    """Clips of speech whose transcript holds a wanted word; clips of a configured word are cut already."""
    labels = {word.label for word in words}
    wanted = {word for text in wanted_texts(words) for word in text.words}
    kept = []
    for row in rows:
        speech = row["kind"] == "speech" or (row["kind"] == "wakeword" and row["label"] not in labels)
        if speech and row["text"] and not row["synthetic"] and wanted & set(spoken(row["text"])):
            kept.append(row)
    return kept


def count_texts(rows: Sequence[Row], words: Sequence[WordConfig]) -> list[tuple[str, ...]]:
    """Label, text and way of each wanted text, then clips (and speakers) that say it in train, val and test.

    Args:
        rows: of the manifest, with a split each.
        words: configured words.
    """
    lines = []
    transcripts = [spoken(row["text"]) for row in rows]
    for wanted in wanted_texts(words):
        voices: dict[str, list[str]] = {split: [] for split in SPLITS}
        for row, transcript in zip(rows, transcripts, strict=True):
            if next(places_of(wanted.words, transcript), None) is not None:
                voices[row["split"]].append(voice_of(row))
        cells = (f"{len(own)} ({len(set(own))})" for own in voices.values())
        lines.append((wanted.label, wanted.text, wanted.way, *cells))
    return lines
