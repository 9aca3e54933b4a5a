"""Rules that find faults of prepared data before a training, as sentences (listed in docs/explanation/data.md).

The limits are rules of thumb, except those of the test split, which follow from the targets: no false alarm in T hours
proves a rate below R if T >= -ln(1 - confidence) / R (Poisson), and no miss of n words proves a miss rate below F if
n >= ln(1 - confidence) / ln(1 - F) (binomial).
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
        found += [*_one_gender(facts, label), *_test_words(facts, label, evaluation)]
    return [Advice(*finding) for finding in sorted(found, key=lambda finding: RULES.index(finding[0]))]


def sides_of(voices: pd.DataFrame) -> pd.Series:
    """`male` or `female` per voice, as the source states or else by pitch; empty where neither is known."""
    by_pitch = np.where(voices["pitch_hz"] < MALE_BELOW_HZ, "male", np.where(voices["pitch_hz"].isna(), "", "female"))
    stated = voices["gender"].where(voices["gender"].isin(["male", "female"]), "")
    return stated.where(voices["gender"].notna(), by_pitch)


def _files(facts: DataFacts) -> Iterator[Finding]:
    if facts.overlap:
        named = _first([f"{speaker} ({' and '.join(splits)})" for speaker, splits in facts.overlap.items()])
        text = f"{_count(len(facts.overlap), 'speaker')} in more than one split: {named}: the test split would"
        yield "speaker_overlap", f"{text} overrate the model: give each speaker one split, and prepare again"
    faults = facts.refused[~facts.refused["reason"].isin(DELIBERATE)]["reason"].value_counts()
    bad, total = int(faults.sum()), int(faults.sum()) + facts.clips()
    if bad > HIGH_QUARANTINE * total:
        reasons = _first([f"{count} {reason}" for reason, count in faults.items()])
        text = f"{bad} of {total} clips ({100 * bad / total:.0f} %) could not be used ({reasons})"
        yield "quarantine", f"{text}: repair or remove them"


def _scenery(facts: DataFacts) -> Iterator[Finding]:
    """What training needs besides the words."""
    absent = [split for split in SPLITS if facts.clips(split, "wakeword") and not facts.clips(split, "speech")]
    if absent:
        text = f"{' and '.join(absent)} {'holds' if len(absent) == 1 else 'hold'} no speech besides the wake words"
        text += ": add a source of kind speech with several speakers, or set synthesis.speech_clips"
        yield "missing_speech", text
    counts = facts.of("train", "wakeword").groupby("label")["clips"].sum()
    if len(counts) and counts.max() > MAX_IMBALANCE * counts.min():
        least = counts.idxmin()
        text = f"training has {counts.max()} clips of {counts.idxmax()} and {counts.min()} of {least}"
        yield "imbalance", f"{text}: add clips of {least}"
    words_h, others_h = facts.hours("train", "wakeword"), facts.hours("train", OTHER_SPEECH)
    if others_h < MIN_NEGATIVES * words_h:
        text = f"training has {others_h:.2f} h of other speech for {words_h:.2f} h of wake words, at least"
        text += f" {MIN_NEGATIVES:g} times as much is better: audio unlike the training negatives causes false alarms"
        yield "few_negatives", text
    if not facts.clips("train", ("noise", "music")):
        text = "training has no noise or music, so words in noise are missed: add a noise_folder, or synthesis.noises"
        yield "no_noise", text
    if not facts.clips("train", "rir"):
        text = "training has no room impulse responses, so far words are missed: add a rir_folder, or synthesis.rooms"
        yield "no_rooms", text


def _speakers(facts: DataFacts, label: str) -> Iterator[Finding]:
    if absent := [split for split in SPLITS if not facts.clips(split, "wakeword", label)]:
        text = f"{label} has no clips in {' and '.join(absent)}: record more speakers, or let it be synthesised"
        yield "missing_word", text
    whys = (("train", "more takes do not help, other voices do"), ("test", "the miss rate depends on voices"))
    for split, why in whys:
        speakers, wanted = len(facts.speakers(split, label)), MIN_SPEAKERS[split]
        if 0 < speakers < wanted:
            text = f"{label} has {_count(speakers, 'speaker')} in {split}, {wanted} or more are better: {why}"
            yield "few_speakers", text
    clips, unnamed, guessed, synthetic = map(
        int, facts.of(kinds="wakeword", label=label)[["clips", "unnamed", "guessed", "synthetic"]].sum()
    )
    if unnamed > clips / 2:
        text = f"{unnamed} of {clips} clips of {label} name no speaker, are split by file, and may share voices"
        yield "unnamed_speakers", f"{text} across splits: name speakers (a folder each, or a column)"
    if guessed:
        text = f"the speakers of {guessed} of {clips - synthetic} recordings of {label} are guessed from file names"
        yield "guessed_speakers", f"{text}, which may join two people or split one: use a folder for each person"


def _one_gender(facts: DataFacts, label: str) -> Iterator[Finding]:
    effects = (("train", "others will be missed more often"), ("test", "the miss rate of others stays unknown"))
    for split, effect in effects:
        sides = sides_of(facts.speakers(split, label))
        counts = sides[sides != ""].value_counts()
        if counts.sum() >= MIN_VOICES and counts.max() >= ONE_SIDED * counts.sum():
            side = counts.idxmax()
            text = f"{counts.max()} of {counts.sum()} speakers of {label} in {split} are {side}, or have a"
            yield "one_gender", f"{text} {'low' if side == 'male' else 'high'} voice: {effect}"


def _one_source(facts: DataFacts, label: str) -> Iterator[Finding]:
    own = facts.of("train", "wakeword", label).groupby("source")["clips"].sum()
    others = facts.of("train", OTHER_SPEECH).groupby("source")["clips"].sum()
    if not len(own) or own.max() < ONE_SOURCE * own.sum():
        return
    source = own.idxmax()
    if others.get(source, 0) < SHARED_SOURCE * others.sum():
        text = f"{own.max()} of {own.sum()} training clips of {label} come from {source}, and hardly any other speech"
        text += " does: the model could learn the channel instead of the word: add other speech from there, or the"
        yield "one_source", f"{text} word from elsewhere"
    else:
        text = f"nearly all of {label} comes from {source}: only augmentation provides other microphones and rooms"
        yield "one_source", text


def _people(facts: DataFacts, label: str) -> Iterator[Finding]:
    """Whether people say the word in train and test, or engines alone."""
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
    total, share = facts.of("train", "wakeword", label)[["weight", "people_weight"]].sum()
    if 0 < share < FEW_PEOPLE * total:
        factor = (total - share) / share * WEIGHTED_SHARE / (1 - WEIGHTED_SHARE)
        text = f"{100 * share / total:.1f} % of what training draws of {label} is spoken by people, the rest by"
        text += " engines: multiply the weight of the people's sources (data.sources[].weight) by"
        yield "drowned_people", f"{text} {factor:.0f} for {100 * WEIGHTED_SHARE:.0f} %"


def _test_hours(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Finding]:
    hours = facts.hours("test", ("speech", "noise", "music"))
    needed_h = -math.log(1 - evaluation.confidence) / evaluation.operating_fah
    if hours < needed_h:
        text = f"test has {hours:.2f} h without a wake word, {needed_h:.1f} h without a false alarm would show"
        text += f" {evaluation.operating_fah:g} per hour ({100 * evaluation.confidence:g} %): the target cannot be"
        yield "test_hours", f"{text} proven here: `wakeword audit` adds days of recordings"


def _test_words(facts: DataFacts, label: str, evaluation: EvaluationConfig) -> Iterator[Finding]:
    if evaluation.operating_frr >= 1:
        return
    words = facts.clips("test", "wakeword", label)
    needed = math.ceil(math.log(1 - evaluation.confidence) / math.log(1 - evaluation.operating_frr))
    if 0 < words < needed:
        text = f"test has {_count(words, 'clip')} of {label}, {needed} without a miss would show a miss rate of"
        yield "test_words", f"{text} {100 * evaluation.operating_frr:g} %: add test clips of other speakers"


def _first(texts: Sequence[str]) -> str:
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
