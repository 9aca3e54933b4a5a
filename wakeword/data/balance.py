"""Corrections of the splits of few speakers, whose shares by hash would be uneven."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from wakeword.config.data import SplitConfig

FEW_PEOPLE = 10
"""With fewer people of a word, val and test get exact shares of them instead of random ones."""
LEAST_TRAINED = 0.7
"""Train holds at least this part of its share (by `data.splits`) of a word's recordings."""
LEAST_SPARED = 3
"""With fewer people in train none of them goes to val."""


@dataclass
class Voices:
    """Clips of each person and engines' voices of a label; with `may_lack`, a single voice goes to train."""

    people: Counter[str] = field(default_factory=Counter)
    engines: set[str] = field(default_factory=set)
    may_lack: bool = False

    def __iter__(self) -> Iterator[str]:
        return iter({*self.people, *self.engines})


def voices_of(table: pa.Table, keys: Sequence[str], labels: Sequence[str]) -> tuple[dict[str, Voices], Voices]:
    """Voices of each wake word with clips, in the order of `labels`, and those of other speech."""
    found: dict[str, Voices] = defaultdict(Voices)
    others = Voices(may_lack=True)
    columns = (table.column(name).to_pylist() for name in ("kind", "label", "synthetic"))
    for kind, label, synthetic, key in zip(*columns, keys, strict=True):
        if kind not in ("wakeword", "speech"):
            continue
        voices = found[label] if kind == "wakeword" else others
        if synthetic:
            voices.engines.add(key)
        else:
            voices.people[key] += 1
    return {label: found[label] for label in labels if label in found}, others


def wanted_splits(config: SplitConfig) -> list[str]:
    """Splits with a share above 0."""
    return ["train"] + (["val"] if config.val else []) + (["test"] if config.test else [])


def spared_for_val(
    groups: Sequence[Voices], given: Mapping[str, str], order: Callable[[str], tuple[float, str]], config: SplitConfig
) -> set[str]:
    """People of train who become val, where the sources give recordings to train and test and none to val.

    Without val there are no thresholds, and thresholds chosen on test would overrate the detector.

    Args:
        groups: voices of each wake word and of other speech; each spares its share and keeps a person in train.
        given: split of each speaker who has one from the source.
        order: sort key of people; the first are spared first.
    """
    people = {key for voices in groups for key in voices.people}
    splits = {given.get(key, "") for key in people}
    if not config.val or splits != {"train", "test"}:
        return set()
    spared: set[str] = set()
    for voices in groups:
        trained = sorted((key for key in voices.people if given[key] == "train"), key=order)
        wanted = max(1, round(config.val / (1 - config.test) * len(trained))) if len(trained) >= LEAST_SPARED else 0
        for key in trained:
            if len(spared & set(trained)) >= wanted:
                break
            if all(_others_train(key, other, given, spared) for other in groups if key in other.people):
                spared.add(key)
    return spared


def _others_train(key: str, voices: Voices, given: Mapping[str, str], spared: set[str]) -> bool:
    return any(given[other] == "train" and other not in spared and other != key for other in voices.people)


@dataclass
class Balance:
    """Moves speakers without a given split (`free`) between splits, by names and numbers of clips alone.

    Args:
        home: split of every speaker; changed in place.
        words: voices of each wake word.
        others: voices of other speech.
        order: sort key of speakers; the first are moved first.
    """

    home: dict[str, str]
    free: set[str]
    words: Sequence[Voices]
    others: Voices
    order: dict[str, tuple[float, str]]
    config: SplitConfig

    @property
    def wanted(self) -> list[str]:
        """Splits with a share above 0."""
        return wanted_splits(self.config)

    def settle(self) -> None:
        """Balance every word, then other speech."""
        for word in self.words:
            if len(word.engines) >= len(self.wanted):
                self._fill(word, word.engines)
        for word in self.words:
            self._train_all_of_few(word)
        for voices in [*self.words, self.others]:
            # A person for each split, or any voice where there are fewer people than splits.
            self._fill(voices, voices.people if len(voices.people) >= len(self.wanted) else set(voices))
            self._trim(voices)
            self._train_most(voices)

    def _train_all_of_few(self, word: Voices) -> None:
        """With fewer people than splits and other voices in val and test, all people train."""
        others = {self.home[key] for key in word if key in word.engines or key not in self.free}
        if 0 < len(word.people) < len(self.wanted) and set(self.wanted) - {"train"} <= others:
            for key in word.people:
                if key in self.free:
                    self.home[key] = "train"
                    self.free.discard(key)

    def _fill(self, voices: Voices, pool: Collection[str]) -> None:
        """Give each wanted split a speaker of `pool`."""
        for split in self.wanted:
            held = Counter(self.home[key] for key in pool)
            if held[split]:
                continue
            alone = voices.may_lack and split == "train"
            movable = [key for key in self._ordered(pool) if held[self.home[key]] > 1 or alone]
            movable = [key for key in movable if not self._needed(key, voices)] or movable
            if movable:
                # From the fullest split, so that train gives first.
                self.home[max(movable, key=lambda key: held[self.home[key]])] = split

    def _trim(self, voices: Voices) -> None:
        """Of few people, those beyond the shares of val and test train."""
        number = len(voices.people)
        if not len(self.wanted) <= number < FEW_PEOPLE:
            return
        for split, share in (("val", self.config.val), ("test", self.config.test)):
            own = [key for key in voices.people if self.home[key] == split]
            most = max(1, round(share * number)) if share else 0
            spare = [key for key in self._ordered(voices.people) if self.home[key] == split]
            spare.sort(key=lambda key: -voices.people[key])
            for key in spare[: max(0, len(own) - most)]:
                if not self._needed(key, voices):
                    self.home[key] = "train"

    def _train_most(self, voices: Voices) -> None:
        """Swap people with many recordings into train, until most recordings train."""
        least = LEAST_TRAINED * (1 - self.config.val - self.config.test) * voices.people.total()
        while sum(clips for key, clips in voices.people.items() if self.home[key] == "train") < least:
            if not self._train_one_more(voices):
                return

    def _train_one_more(self, voices: Voices) -> bool:
        free = self._ordered(voices.people)
        held = Counter(self.home[key] for key in voices.people)
        away = [key for key in free if self.home[key] != "train" and not self._needed(key, voices)]
        trained = [key for key in free if self.home[key] == "train" and not self._needed(key, voices)]
        trained.sort(key=lambda key: voices.people[key])
        for key in sorted(away, key=lambda key: -voices.people[key]):
            split = self.home[key]
            if held[split] > 1:
                self.home[key] = "train"
                return True
            if trained and voices.people[trained[0]] < voices.people[key]:
                self.home[key], self.home[trained[0]] = "train", split
                return True
        return False

    def _ordered(self, pool: Collection[str]) -> list[str]:
        return sorted((key for key in pool if key in self.free), key=lambda key: self.order[key])

    def _needed(self, key: str, moved_for: Voices) -> bool:
        """Whether the move would take the last person (or engine) of another word or speech from a wanted split."""
        split = self.home[key]
        for voices in [*self.words, self.others]:
            group = voices.people if key in voices.people else voices.engines
            if voices is moved_for or key not in group or split not in self.wanted:
                continue
            if not any(self.home[other] == split for other in group if other != key):
                return True
        return False
