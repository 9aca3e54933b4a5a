"""Speaker-disjoint splits: given ones are kept, missing ones go by a hash of the speaker, balanced where few speak."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import pyarrow as pa

from wakeword.config.data import SplitConfig
from wakeword.data.balance import Balance, Voices, spared_for_val, voices_of, wanted_splits
from wakeword.data.manifest import SPLITS, VOICED, Row, quarantine_row, set_column
from wakeword.errors import DataError


def draw(key: str) -> float:
    """A pseudo-random number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64


def split_of(key: str, config: SplitConfig) -> str:
    """Split of a speaker (or of a clip without a speaker) by a hash of the name."""
    number = draw(f"split:{key}")
    return "test" if number < config.test else "val" if number < config.test + config.val else "train"


def assign_splits(table: pa.Table, labels: Sequence[str], config: SplitConfig) -> tuple[pa.Table, list[Row], list[str]]:
    """Assign every speaker to one split.

    A speaker whose given splits differ keeps the split with most clips, and the clips of the other splits are left out
    (`speaker_in_two_splits`), since a test on a trained voice overrates the model. A speaker whose wake word clips
    mostly have no split trains. Clips without a speaker count as one speaker each; a guessed speaker counts as one.

    Speakers without a given split are assigned by a hash of their name. `balance` moves them where that serves a wake
    word badly: fewer people than splits all train where engines' voices are in val and test; of more people every
    split has one, and most recordings train. Where the sources give recordings to train and test and none to val, a
    share of train's speakers becomes val.

    Hard negatives do not decide a split: those of a voice of val or test are left out.

    Returns:
        the table with `split` filled in, the rows left out, warnings.

    Raises:
        DataError: a wake word with too few speakers to train on some and test on others.
    """
    table = _one_spelling(table)
    keys = _speaker_keys(table)
    given = table.column("split").to_pylist()
    kinds = table.column("kind").to_pylist()
    hard = [kind == "hard_negative" for kind in kinds]
    home = _given_homes(keys, ["" if mined else split for split, mined in zip(given, hard, strict=True)], kinds)
    # Voices of hard negatives alone.
    home |= dict.fromkeys(set(keys) - {key for key, mined in zip(keys, hard, strict=True) if not mined}, "train")
    free = {key for key in keys if key not in home}
    words, others = voices_of(table, keys, labels)
    spared = spared_for_val([*words.values(), others], home, _order, config)
    home |= dict.fromkeys(spared, "val")
    _check_speakers(words, home, config, set(_guessed_names(table)))
    for key in sorted(free):
        home[key] = split_of(key, config)
    order = {key: _order(key) for key in free}
    Balance(home, free, list(words.values()), others, order, config).settle()

    keep, left_out = [], []
    rows = zip(keys, given, table.column("uri").to_pylist(), table.column("source").to_pylist(), strict=True)
    for key, split, uri, source in rows:
        keep.append(split in ("", home[key]) or (split == "train" and key in spared))
        if not keep[-1]:
            detail = f"speaker {key} belongs to {home[key]}; this clip of the same voice is marked {split}"
            left_out.append(quarantine_row(uri, source, "splits", "speaker_in_two_splits", detail))
    table = set_column(table, "split", [home[key] for key in keys]).filter(pa.array(keep, pa.bool_()))
    warnings = _warnings(table, labels, config)
    if spared:
        clips = sum(key in spared for key in keys)
        warnings.append(
            f"the sources give recordings to train and test and none to val: {len(spared)} speakers of train ({clips} "
            "clips) are val, which gives thresholds; to train on them as well, set data.splits.val to 0"
        )
    return table, left_out, warnings


def _order(key: str) -> tuple[float, str]:
    return draw(f"order:{key}"), key


def _one_spelling(table: pa.Table) -> pa.Table:
    """Guessed names that differ by case alone are one person; the spelling of a given name takes precedence."""
    speakers, sources = (table.column(name).to_pylist() for name in ("speaker", "speaker_source"))
    spelling: dict[str, str] = {}
    for source in ("given", "guessed"):
        for name in sorted({name for name, known_from in zip(speakers, sources, strict=True) if known_from == source}):
            spelling.setdefault(name.casefold(), name)
    named = [
        spelling[name.casefold()] if source == "guessed" else name
        for name, source in zip(speakers, sources, strict=True)
    ]
    return table if named == speakers else set_column(table, "speaker", named)


def _speaker_keys(table: pa.Table) -> list[str]:
    rows = zip(*(table.column(name).to_pylist() for name in ("speaker", "clip_id", "kind")), strict=True)
    return [speaker if speaker and kind in VOICED else f"clip {clip_id}" for speaker, clip_id, kind in rows]


def _given_homes(keys: list[str], given: list[str], kinds: list[str]) -> dict[str, str]:
    """Splits of speakers with given ones; who says wake words mostly in clips without a split trains."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    words: dict[str, Counter[bool]] = defaultdict(Counter)
    for key, split, kind in zip(keys, given, kinds, strict=True):
        if split:
            votes[key][split] += 1
        if kind == "wakeword":
            words[key][bool(split)] += 1
    home = {key: max(SPLITS, key=lambda split: counter[split]) for key, counter in votes.items()}
    # A few test clips do not move all other clips of the speaker to test.
    return {key: "train" if words[key][False] > words[key][True] > 0 else split for key, split in home.items()}


def _check_speakers(words: dict[str, Voices], home: dict[str, str], config: SplitConfig, guessed: set[str]) -> None:
    wanted = wanted_splits(config)
    for label, voices in words.items():
        speakers = sorted(voices)
        if len(speakers) >= len(wanted):
            continue
        way_out = (
            f"add recordings of at least {len(wanted)} speakers, let engines speak it too (synthesis.enabled=true), or "
            "set data.splits.val and data.splits.test to 0 to train without them"
        )
        if guessed & set(speakers):
            way_out += "; or, if the guess is wrong, put the recordings of each person into a separate folder"
        if len(speakers) == 1 and len(wanted) > 1:
            how = ", guessed from file names" if speakers[0] in guessed else ""
            raise DataError(
                f"the wake word {label} has a single speaker ({speakers[0]}{how}), so no other voice is left to "
                f"validate and test on: {way_out}"
            )
        if not all(key in home for key in speakers):
            raise DataError(
                f"the wake word {label} has {len(speakers)} speakers ({', '.join(speakers)}), {' + '.join(wanted)} "
                f"need one each: {way_out}"
            )


def _guessed_names(table: pa.Table) -> Counter[str]:
    """Clips of each speaker who is guessed from file names."""
    pairs = zip(table.column("speaker").to_pylist(), table.column("speaker_source").to_pylist(), strict=True)
    return Counter(speaker for speaker, source in pairs if source == "guessed")


def _warnings(table: pa.Table, labels: Sequence[str], config: SplitConfig) -> list[str]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    people: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    unknown: Counter[str] = Counter()
    columns = ("kind", "label", "split", "speaker", "synthetic")
    for kind, label, split, speaker, made in zip(*(table.column(name).to_pylist() for name in columns), strict=True):
        if kind == "wakeword":
            found[label][split] += 1
            unknown[label] += not speaker
            if not made:
                people[label][split][speaker] += 1
    warnings = []
    for label in labels:
        absent = [split for split in SPLITS if not found[label][split]]
        if absent and sum(found[label].values()):
            warnings.append(f"{label} has no clips in {' and '.join(absent)}")
        if unknown[label]:
            warnings.append(
                f"{unknown[label]} clips of {label} name no speaker: their splits go by file and may share voices"
            )
        warnings += _about_people(label, found[label], people[label], config)
    guessed = _guessed_names(table)
    if guessed:
        warnings.append(
            f"the speakers of {guessed.total()} clips are guessed from file names ({shortened(sorted(guessed))}): if "
            "that is wrong, put each person's recordings into a separate folder below the label, or name speakers in a "
            "manifest"
        )
    return warnings


def _about_people(
    label: str, clips: Counter[str], people: dict[str, Counter[str]], config: SplitConfig
) -> Iterator[str]:
    """Sentences on splits in which only engines say a word although people say it in others."""
    if not people:
        return
    lacking = [split for split in wanted_splits(config) if clips[split] and not people.get(split)]
    if "train" in lacking:
        yield (
            f"no person says {label} in train, only engines do: recordings of people are all in "
            f"{' and '.join(split for split in SPLITS if people.get(split))}: give some of them the split train"
        )
    elif lacking and people.get("train"):
        spoken = Counter[str]()
        for clips_of in people.values():
            spoken += clips_of
        named = shortened(sorted(name for name in spoken if name))
        there = f"people say {label} in {' and '.join(split for split in SPLITS if people.get(split))} alone"
        there += f" ({f'{named}: ' if named else ''}{spoken.total()} clips)"
        if "test" in lacking:
            yield (
                f"{there}, in {' and '.join(lacking)} only engines say it: the miss rate for people is not measured: "
                f"record {len(wanted_splits(config))} people or more"
            )
        else:
            yield f"{there}: in val, which ranks epochs and gives thresholds, only engines say it"


def shortened(names: Sequence[str], most: int = 5) -> str:
    """Names in a sentence, the first few of many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
