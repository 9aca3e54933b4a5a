"""What is wrong with prepared data before anything is trained on them: rules that give warnings in words.

docs/explanation/data.md lists the rules. Their limits are rules of thumb, except those of the test split, which follow
from the targets: with no false alarm in T hours a rate below R is proved if T >= -ln(1 - confidence) / R (Poisson), and
with none of n words missed a share below F if n >= ln(1 - confidence) / ln(1 - F) (binomial).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wakeword.config.evaluation import EvaluationConfig
from wakeword.data.manifest import SPLITS
from wakeword.data.report.facts import DataFacts

ERRORS = frozenset({"speaker_overlap"})
"""Rules that forbid to train on the data."""
RULES = (
    *("speaker_overlap", "missing_word", "missing_speech", "people_not_trained", "few_speakers", "quarantine"),
    *("few_negatives", "one_source", "unnamed_speakers", "no_noise", "no_rooms", "synthetic_test", "test_hours"),
    *("test_words", "imbalance", "one_gender", "drowned_people", "guessed_speakers"),
)
"""All rules, the most severe first."""
MIN_SPEAKERS = {"train": 50, "test": 20}
MIN_VOICES = 5
"""With fewer voices it means nothing that all are of one sex."""
ONE_SIDED = 0.9
MALE_BELOW_HZ = 165.0
"""Most men speak below, most women and children above."""
OTHER_SPEECH = ("speech", "confusable", "hard_negative")
ONE_SOURCE = 0.95
SHARED_SOURCE = 0.1
MAX_IMBALANCE = 3.0
MIN_NEGATIVES = 3.0
"""Hours of other speech in training, times those of wake words."""
FEW_PEOPLE, WEIGHTED_SHARE = 0.1, 0.25
"""Share of people in what training draws of a word: below the first they are few, the second is recommended."""
HIGH_QUARANTINE = 0.05
DELIBERATE = ("contains_word", "speaker_in_two_splits", "duplicate_across_splits", "not_kept", "mined_from_evaluation")
"""Reasons of the quarantine table that are no fault of the files."""

Finding = tuple[str, str]
"""Rule and sentence."""


@dataclass(frozen=True)
class Advice:
    """A finding: `rule` is its code, `text` says what, where and what to do."""

    rule: str
    text: str

    @property
    def error(self) -> bool:
        """Whether the data must not be trained on."""
        return self.rule in ERRORS


def advise(facts: DataFacts, evaluation: EvaluationConfig) -> list[Advice]:
    """Findings of all rules: errors first, then by severity."""
    found = [*_files(facts), *_scenery(facts), *_test_hours(facts, evaluation)]
    for label in facts.labels:
        found += [*_speakers(facts, label), *_people(facts, label), *_one_source(facts, label)]
        found += [*_missing_word(facts, label), *_test_words(facts, label, evaluation)]
        found += [finding for split in ("train", "test") for finding in _one_gender(facts, label, split)]
    return [Advice(*finding) for finding in sorted(found, key=lambda finding: RULES.index(finding[0]))]


def sides_of(voices: pd.DataFrame) -> pd.Series:
    """`male` or `female` per voice, as the source states or else by pitch; empty where neither is known."""
    by_pitch = np.where(voices["pitch_hz"] < MALE_BELOW_HZ, "male", np.where(voices["pitch_hz"].isna(), "", "female"))
    stated = voices["gender"].where(voices["gender"].isin(["male", "female"]), "")
    return stated.where(voices["gender"].notna(), by_pitch)


def _files(facts: DataFacts) -> Iterator[Finding]:
    if facts.overlap:
        named = _first([f"{speaker} ({' and '.join(splits)})" for speaker, splits in facts.overlap.items()])
        yield (
            "speaker_overlap",
            f"{_count(len(facts.overlap), 'speaker')} in more than one split: {named}: the test split would "
            "overrate the model: give each speaker one split, and prepare again",
        )
    faults = facts.refused[~facts.refused["reason"].isin(DELIBERATE)]["reason"].value_counts()
    bad, total = int(faults.sum()), int(faults.sum()) + facts.clips()
    if bad > HIGH_QUARANTINE * total:
        reasons = _first([f"{count} {reason}" for reason, count in faults.items()])
        text = (
            f"{bad} of {total} clips ({100 * bad / total:.0f} %) could not be used ({reasons}): repair or remove them"
        )
        yield "quarantine", text


def _scenery(facts: DataFacts) -> Iterator[Finding]:
    """What training needs besides the words."""
    absent = [split for split in SPLITS if facts.clips(split, "wakeword") and not facts.clips(split, "speech")]
    if absent:
        yield (
            "missing_speech",
            f"{' and '.join(absent)} {'holds' if len(absent) == 1 else 'hold'} no speech besides the wake words: add a "
            "source of kind speech with several speakers, or set synthesis.speech_clips",
        )
    counts = facts.of("train", "wakeword").groupby("label")["clips"].sum()
    if len(counts) and counts.max() > MAX_IMBALANCE * counts.min():
        least = counts.idxmin()
        text = f"training has {counts.max()} clips of {counts.idxmax()} and {counts.min()} of {least}"
        yield "imbalance", f"{text}: add clips of {least}"
    words_h, others_h = facts.hours("train", "wakeword"), facts.hours("train", OTHER_SPEECH)
    if others_h < MIN_NEGATIVES * words_h:
        yield (
            "few_negatives",
            f"training has {others_h:.2f} h of other speech for {words_h:.2f} h of wake words, at least "
            f"{MIN_NEGATIVES:g} times as much is better: audio unlike the training negatives causes false alarms",
        )
    if not facts.clips("train", ("noise", "music")):
        text = "training has no noise or music: words in noise will be missed: add a noise_folder, or synthesis.noises"
        yield "no_noise", text
    if not facts.clips("train", "rir"):
        text = "training has no room responses: far words will be missed: add a rir_folder, or synthesis.rooms"
        yield "no_rooms", text


def _missing_word(facts: DataFacts, label: str) -> Iterator[Finding]:
    if absent := [split for split in SPLITS if not facts.clips(split, "wakeword", label)]:
        text = f"{label} has no clips in {' and '.join(absent)}: record more speakers, or let it be synthesised"
        yield "missing_word", text


def _speakers(facts: DataFacts, label: str) -> Iterator[Finding]:
    for split, why in (
        ("train", "more takes do not help, other voices do"),
        ("test", "the miss rate depends on voices"),
    ):
        speakers, wanted = len(facts.speakers(split, label)), MIN_SPEAKERS[split]
        if 0 < speakers < wanted:
            text = f"{label} has {_count(speakers, 'speaker')} in {split}, {wanted} or more are better: {why}"
            yield "few_speakers", text
    amounts = facts.of(kinds="wakeword", label=label)
    clips, unnamed, guessed, synthetic = (
        int(amounts[name].sum()) for name in ("clips", "unnamed", "guessed", "synthetic")
    )
    if unnamed > clips / 2:
        yield (
            "unnamed_speakers",
            f"{unnamed} of {clips} clips of {label} name no speaker: they are split by file, so one voice may be in "
            "several splits: name speakers (a folder each, or a column)",
        )
    if guessed:
        yield (
            "guessed_speakers",
            f"the speakers of {guessed} of {clips - synthetic} recordings of {label} are guessed from file names: a "
            "wrong guess joins two people, or takes a room for a person: use a folder for each person",
        )


def _one_gender(facts: DataFacts, label: str, split: str) -> Iterator[Finding]:
    sides = sides_of(facts.speakers(split, label))
    counts = sides[sides != ""].value_counts()
    if counts.sum() >= MIN_VOICES and counts.max() >= ONE_SIDED * counts.sum():
        side = counts.idxmax()
        effect = "others will be missed more often" if split == "train" else "the miss rate of others stays unknown"
        yield (
            "one_gender",
            f"{counts.max()} of {counts.sum()} speakers of {label} in {split} are {side}, or have a "
            f"{'low' if side == 'male' else 'high'} voice: {effect}",
        )


def _one_source(facts: DataFacts, label: str) -> Iterator[Finding]:
    own = facts.of("train", "wakeword", label).groupby("source")["clips"].sum()
    others = facts.of("train", OTHER_SPEECH).groupby("source")["clips"].sum()
    if not len(own) or own.max() < ONE_SOURCE * own.sum():
        return
    source = own.idxmax()
    if others.get(source, 0) < SHARED_SOURCE * others.sum():
        yield (
            "one_source",
            f"{own.max()} of {own.sum()} training clips of {label} come from {source}, and hardly any other speech "
            "does: the model could learn the channel instead of the word: add other speech from there, or the word "
            "from elsewhere",
        )
    else:
        text = f"nearly all of {label} comes from {source}: only augmentation provides other microphones and rooms"
        yield "one_source", text


def _people(facts: DataFacts, label: str) -> Iterator[Finding]:
    """Whether people say the word where it counts, or engines alone."""
    amounts = facts.of(kinds="wakeword", label=label).groupby("split")[["clips", "synthetic"]].sum()
    people = (amounts["clips"] - amounts["synthetic"]).reindex(SPLITS, fill_value=0)
    engines = amounts["synthetic"].reindex(SPLITS, fill_value=0)
    if engines["test"] and not people["test"]:
        note = f" (the {people['train']} recordings of people are all used in training)" if people["train"] else ""
        text = f"no person says {label} in test, only engines do{note}: the miss rate for people stays unknown"
        yield "synthetic_test", f"{text}: record some"
    if engines["train"] and not people["train"] and people.any():
        held = " and ".join(people.index[people > 0])
        text = f"people say {label} in {held} only, all of training is synthetic: give some people the split train"
        yield "people_not_trained", text
    weights = facts.of("train", "wakeword", label)
    total, share = weights["weight"].sum(), weights["people_weight"].sum()
    if 0 < share < FEW_PEOPLE * total:
        factor = (total - share) / share * WEIGHTED_SHARE / (1 - WEIGHTED_SHARE)
        yield (
            "drowned_people",
            f"{100 * share / total:.1f} % of what training draws of {label} is spoken by people, the rest by engines: "
            f"multiply the weight of the people's sources (data.sources[].weight) by {factor:.0f} for "
            f"{100 * WEIGHTED_SHARE:.0f} %",
        )


def _test_hours(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Finding]:
    hours = facts.hours("test", ("speech", "noise", "music"))
    needed_h = -math.log(1 - evaluation.confidence) / evaluation.operating_fah
    if hours < needed_h:
        yield (
            "test_hours",
            f"test has {hours:.2f} h without a wake word, {needed_h:.1f} h without a false alarm would show "
            f"{evaluation.operating_fah:g} per hour ({100 * evaluation.confidence:g} %): the target cannot be proven "
            "here; days of recordings can be added by `wakeword audit`",
        )


def _test_words(facts: DataFacts, label: str, evaluation: EvaluationConfig) -> Iterator[Finding]:
    if evaluation.operating_frr >= 1:
        return
    words = facts.clips("test", "wakeword", label)
    needed = math.ceil(math.log(1 - evaluation.confidence) / math.log(1 - evaluation.operating_frr))
    if 0 < words < needed:
        yield (
            "test_words",
            f"test has {_count(words, 'clip')} of {label}, {needed} without a miss would show a miss rate of "
            f"{100 * evaluation.operating_frr:g} %: add test clips of other speakers",
        )


def _first(texts: Sequence[str]) -> str:
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
