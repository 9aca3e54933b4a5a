"""Speaker-disjoint splits: given ones are kept, missing ones are made from a hash of the speaker."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

import pyarrow as pa

from wakeword.config.data import SplitConfig
from wakeword.data.manifest import SPLITS, VOICED, Row, quarantine_row, set_column
from wakeword.errors import DataError


def draw(key: str) -> float:
    """A number in [0, 1) that depends on the text alone: the same speaker falls into the same split everywhere."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64


def split_of(key: str, config: SplitConfig) -> str:
    """Split of a speaker (or of a clip without one) that has none."""
    number = draw(f"split:{key}")
    return "test" if number < config.test else "val" if number < config.test + config.val else "train"


def assign_splits(table: pa.Table, labels: Sequence[str], config: SplitConfig) -> tuple[pa.Table, list[Row], list[str]]:
    """Fill in missing splits and hold every speaker to one split.

    A speaker whose given splits differ keeps the split with most clips; the others' clips are left out
    (`speaker_in_two_splits`): a test on a voice that training heard would flatter the model. Clips without a speaker
    count as one speaker each. Where the hash leaves val or test without a speaker of a wake word, speakers without a
    given split move there.

    Hard negatives have no say in it: a voice of val or test stays there, and its hard negatives are left out.

    Returns:
        the table with `split` filled in, the rows left out, warnings in plain sentences.

    Raises:
        DataError: a wake word with too few speakers to train on some and test on others.
    """
    keys = _speaker_keys(table)
    given = table.column("split").to_pylist()
    voting = [kind != "hard_negative" for kind in table.column("kind").to_pylist()]
    home = _given_homes(keys, [split if votes else "" for split, votes in zip(given, voting, strict=True)])
    # Voices that only hard negatives have.
    home |= dict.fromkeys(set(keys) - {key for key, votes in zip(keys, voting, strict=True) if votes}, "train")
    free = {key for key in keys if key not in home}
    _check_speakers(table, labels, keys, home, config)
    for key in sorted(free):
        home[key] = split_of(key, config)
    _fill_empty_splits(table, labels, keys, home, free, config)

    keep, left_out = [], []
    rows = zip(keys, given, table.column("uri").to_pylist(), table.column("source").to_pylist(), strict=True)
    for key, split, uri, source in rows:
        keep.append(split in ("", home[key]))
        if not keep[-1]:
            detail = f"speaker {key} belongs to {home[key]}; this clip of the same voice is marked {split}"
            left_out.append(quarantine_row(uri, source, "splits", "speaker_in_two_splits", detail))
    table = set_column(table, "split", [home[key] for key in keys]).filter(pa.array(keep, pa.bool_()))
    return table, left_out, _warnings(table, labels)


def _speaker_keys(table: pa.Table) -> list[str]:
    rows = zip(*(table.column(name).to_pylist() for name in ("speaker", "clip_id", "kind")), strict=True)
    return [speaker if speaker and kind in VOICED else f"clip {clip_id}" for speaker, clip_id, kind in rows]


def _given_homes(keys: list[str], given: list[str]) -> dict[str, str]:
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for key, split in zip(keys, given, strict=True):
        if split:
            votes[key][split] += 1
    return {key: max(SPLITS, key=lambda split: counter[split]) for key, counter in votes.items()}


def _speakers_of(table: pa.Table, keys: list[str]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    rows = zip(table.column("kind").to_pylist(), table.column("label").to_pylist(), keys, strict=True)
    for kind, label, key in rows:
        if kind == "wakeword":
            found[label].add(key)
    return {label: sorted(speakers, key=lambda key: (draw(f"order:{key}"), key)) for label, speakers in found.items()}


def _wanted(config: SplitConfig) -> list[str]:
    return ["train"] + (["val"] if config.val else []) + (["test"] if config.test else [])


def _check_speakers(
    table: pa.Table, labels: Sequence[str], keys: list[str], home: dict[str, str], config: SplitConfig
) -> None:
    wanted = _wanted(config)
    for label, speakers in _speakers_of(table, keys).items():
        if label not in labels or len(speakers) >= len(wanted):
            continue
        if len(speakers) == 1 and len(wanted) > 1:
            raise DataError(
                f"the wake word {label} has a single speaker ({speakers[0]}), so no other voice is left to validate "
                f"and test on: add recordings of at least {len(wanted)} speakers, or set data.splits.val and "
                f"data.splits.test to 0 to train without them"
            )
        if not all(key in home for key in speakers):
            raise DataError(
                f"the wake word {label} has {len(speakers)} speakers, {' + '.join(wanted)} need one each: add "
                f"recordings of other voices, or set data.splits.val or data.splits.test to 0"
            )


def _fill_empty_splits(
    table: pa.Table, labels: Sequence[str], keys: list[str], home: dict[str, str], free: set[str], config: SplitConfig
) -> None:
    by_label = _speakers_of(table, keys)
    for label in (label for label in labels if label in by_label):
        speakers = by_label[label]
        for split in _wanted(config):
            held = Counter(home[key] for key in speakers)
            if held[split]:
                continue
            movable = [key for key in speakers if key in free and held[home[key]] > 1]
            if movable:
                # From the fullest split, so that train gives first.
                home[max(movable, key=lambda key: held[home[key]])] = split


def _warnings(table: pa.Table, labels: Sequence[str]) -> list[str]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    unknown: Counter[str] = Counter()
    columns = ("kind", "label", "split", "speaker")
    for kind, label, split, speaker in zip(*(table.column(name).to_pylist() for name in columns), strict=True):
        if kind == "wakeword":
            found[label][split] += 1
            unknown[label] += not speaker
    warnings = []
    for label in labels:
        absent = [split for split in SPLITS if not found[label][split]]
        if absent and sum(found[label].values()):
            warnings.append(f"{label} has no clips in {' and '.join(absent)}")
        if unknown[label]:
            warnings.append(
                f"{unknown[label]} clips of {label} name no speaker: their splits go by file and may share voices"
            )
    return warnings
