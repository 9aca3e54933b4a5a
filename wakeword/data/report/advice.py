"""What is wrong with data before anything is trained on them: rules in words, and a score from 0 to 100.

Each rule takes points off 100; docs/explanation/data.md lists them. The numbers are rules of thumb, but for those of the
test split, which follow from the targets: with no false alarm in T hours a rate below R is shown if
T >= -ln(1 - confidence) / R (Poisson), and with none of n words missed a share below F if
n >= ln(1 - confidence) / ln(1 - F) (binomial).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wakeword.config.evaluation import EvaluationConfig
from wakeword.data.manifest import SPLITS
from wakeword.data.report.facts import DataFacts, Voice

TRAIN_SPEAKERS, TEST_SPEAKERS = 50, 20
"""Voices of a wake word below which points are taken off."""
JUDGED_VOICES = 5
"""With fewer voices it means nothing that all are of one sex."""
ONE_SIDED = 0.9
MALE_BELOW_HZ = 165.0
"""Most men speak below, most women and children above: what is left to tell by where no source names a gender."""
OTHER_SPEECH = ("speech", "confusable", "hard_negative")
ONE_SOURCE = 0.95
SHARED_SOURCE = 0.1
MOST_IMBALANCE = 3.0
LEAST_NEGATIVES = 3.0
"""Hours of other speech in training, times those of wake words."""
DROWNED, WEIGHTED_SHARE = 0.1, 0.25
"""Share of people in what training draws of a word: below the first they are few, the second is recommended."""
HIGH_QUARANTINE, VERY_HIGH_QUARANTINE = 0.05, 0.2
DELIBERATE = frozenset(
    {"contains_word", "speaker_in_two_splits", "duplicate_across_splits", "not_kept", "mined_from_evaluation"}
)
"""Left out for a good reason: no fault of the files."""


@dataclass(frozen=True)
class Advice:
    """A finding: `rule` is its code, `text` says what, where and what to do, `error` forbids to go on."""

    rule: str
    points: int
    text: str
    error: bool = False


Rule = Callable[[DataFacts, EvaluationConfig], Iterator[Advice]]


def advise(facts: DataFacts, evaluation: EvaluationConfig) -> list[Advice]:
    """Findings of all rules, errors first, then the dearest."""
    found = [advice for rule in RULES for advice in rule(facts, evaluation)]
    return sorted(found, key=lambda advice: (not advice.error, -advice.points))


def score_of(findings: list[Advice]) -> int:
    """100 without findings, 0 at the least and with any error."""
    if any(advice.error for advice in findings):
        return 0
    return max(0, 100 - sum(advice.points for advice in findings))


def _overlap(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    if facts.overlap:
        named = ", ".join(f"{speaker} ({' and '.join(splits)})" for speaker, splits in list(facts.overlap.items())[:3])
        if len(facts.overlap) > 3:
            named += f" and {len(facts.overlap) - 3} more"
        text = (
            f"{_count(len(facts.overlap), 'speaker')} in more than one split: {named}: test would "
            "flatter the model: give each speaker one split, and prepare again"
        )
        yield Advice("speaker_overlap", 100, text, error=True)


def _missing(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    for label in facts.labels:
        absent = [split for split in SPLITS if not facts.clips(split, "wakeword", label)]
        if absent:
            yield Advice(
                "missing_word",
                40 if "train" in absent else 20,
                f"{label} has no clips in {' and '.join(absent)}: record more speakers, or let it be synthesised",
            )


def _few_speakers(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    for label in facts.labels:
        for split, wanted, most in (("train", TRAIN_SPEAKERS, 20), ("test", TEST_SPEAKERS, 10)):
            speakers = sum(amount.speakers for amount in facts.of(split, "wakeword", label))
            if 0 < speakers < wanted:
                yield Advice(
                    "few_speakers",
                    math.ceil(most * (1 - speakers / wanted)),
                    f"{label} has {_count(speakers, 'speaker')} in {split}, {wanted} or more are better: "
                    + (
                        "more takes do not help, other voices do"
                        if split == "train"
                        else "a miss rate is that of voices"
                    ),
                )


def _unnamed(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    for label in facts.labels:
        amounts = facts.of(kinds="wakeword", label=label)
        clips, unnamed = sum(one.clips for one in amounts), sum(one.unnamed for one in amounts)
        if clips and unnamed > clips / 2:
            text = (
                f"{unnamed} of {clips} clips of {label} name no speaker: their splits go by file, so one voice may be "
                "in several: name speakers (a folder each, or a column)"
            )
            yield Advice("unnamed_speakers", 15, text)


def _guessed(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    for label in facts.labels:
        amounts = facts.of(kinds="wakeword", label=label)
        clips = sum(one.clips - one.synthetic for one in amounts)
        guessed = sum(one.guessed for one in amounts)
        if guessed:
            text = (
                f"the speakers of {guessed} of {clips} recordings of {label} are guessed from file names: a wrong "
                "guess takes two people for one, or a room for a person: put each person's into a folder of their own"
            )
            yield Advice("guessed_speakers", 5, text)


def side_of(voice: Voice) -> str | None:
    """`male` or `female`, as the source tells or else by pitch; None where neither tells."""
    if voice.gender in ("male", "female"):
        return voice.gender
    if voice.gender or voice.pitch_hz is None:
        return None
    return "male" if voice.pitch_hz < MALE_BELOW_HZ else "female"


def _one_gender(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    for label in facts.labels:
        for split in ("train", "test"):
            voices = [voice for voice in facts.voices if voice.label == label and voice.split == split]
            sides = Counter(side for voice in voices if (side := side_of(voice)))
            total = sum(sides.values())
            if total < JUDGED_VOICES:
                continue
            side, number = sides.most_common(1)[0]
            if number >= ONE_SIDED * total:
                low = "low" if side == "male" else "high"
                text = f"{number} of {total} speakers of {label} in {split} are {side}, or have a {low} voice: " + (
                    "others will be missed more often" if split == "train" else "the miss rate says nothing on others"
                )
                yield Advice("one_gender", 10 if split == "train" else 5, text)


def _one_source(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    others: Counter[str] = Counter()
    for one in facts.sources:
        if one.split == "train" and one.kind in OTHER_SPEECH:
            others[one.source] += one.clips
    for label in facts.labels:
        own: Counter[str] = Counter()
        for one in facts.sources:
            if one.split == "train" and one.kind == "wakeword" and one.label == label:
                own[one.source] += one.clips
        if not own:
            continue
        source, number = own.most_common(1)[0]
        if number < ONE_SOURCE * own.total():
            continue
        if others and others[source] < SHARED_SOURCE * others.total():
            text = (
                f"{number} of {own.total()} training clips of {label} come from {source}, and hardly any other speech "
                "does: the model could learn the channel instead of the word: add other speech from there, or the word "
                "from elsewhere"
            )
            yield Advice("one_source", 15, text)
        else:
            text = f"all of {label} comes from {source}: other microphones and rooms are left to augmentation"
            yield Advice("one_source", 5, text)


def _synthetic_test(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    for label in facts.labels:
        amounts = facts.of("test", "wakeword", label)
        if amounts and all(amount.synthetic == amount.clips for amount in amounts):
            train = facts.of("train", "wakeword", label)
            people = sum(amount.clips - amount.synthetic for amount in train)
            told = f" (the {people} recordings of people train, so their owners are not judged by strangers)"
            text = (
                f"no person says {label} in test, only engines do{told if people else ''}: the miss rate for people "
                "stays unknown: record some"
            )
            yield Advice("synthetic_test", 10, text)


def _untrained_people(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    for label in facts.labels:
        people = dict.fromkeys(SPLITS, 0)
        for one in facts.of(kinds="wakeword", label=label):
            people[one.split] += one.clips - one.synthetic
        held = [split for split in SPLITS if people[split]]
        if held and "train" not in held and facts.clips("train", "wakeword", label):
            text = (
                f"people say {label} in {' and '.join(held)} alone, training hears it from engines: give some people "
                "the split train"
            )
            yield Advice("people_not_trained", 20, text)


def _drowned_people(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    for label in facts.labels:
        amounts = facts.of("train", "wakeword", label)
        everyone, people = sum(one.weight for one in amounts), sum(one.people_weight for one in amounts)
        if 0 < people < DROWNED * everyone:
            factor = (everyone - people) / people * WEIGHTED_SHARE / (1 - WEIGHTED_SHARE)
            text = (
                f"of what training hears of {label}, {100 * people / everyone:.1f} % are people, the rest engines: "
                f"multiply the weight of their sources (data.sources[].weight) by {factor:.0f} for "
                f"{100 * WEIGHTED_SHARE:.0f} %"
            )
            yield Advice("drowned_people", 5, text)


def _missing_speech(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    absent = [split for split in SPLITS if facts.clips(split, "wakeword") and not facts.clips(split, "speech")]
    if absent:
        text = (
            f"{' and '.join(absent)} {'holds' if len(absent) == 1 else 'hold'} no speech besides the wake words: add a "
            "source of kind speech with several speakers, or set synthesis.speech_clips"
        )
        yield Advice("missing_speech", 40 if "train" in absent else 10, text)


def _imbalance(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    counts = {label: facts.clips("train", "wakeword", label) for label in facts.labels}
    counts = {label: number for label, number in counts.items() if number}
    if len(counts) > 1:
        least, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        if counts[most] > MOST_IMBALANCE * counts[least]:
            text = f"training has {counts[most]} clips of {most} and {counts[least]} of {least}: add clips of {least}"
            yield Advice("imbalance", 10, text)


def _few_negatives(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    words, others = facts.hours("train", "wakeword"), facts.hours("train", OTHER_SPEECH)
    if words and others < LEAST_NEGATIVES * words:
        text = (
            f"training has {others:.2f} h of other speech for {words:.2f} h of wake words, at least "
            f"{LEAST_NEGATIVES:g} times as much is better: false alarms come from what was never heard"
        )
        yield Advice("few_negatives", 15, text)


def _scenery(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    if not facts.clips("train", ("noise", "music")):
        text = "training has no noise or music: words in noise will be missed: add a noise_folder, or synthesis.noises"
        yield Advice("no_noise", 10, text)
    if not facts.clips("train", "rir"):
        text = "training has no room responses: words from afar will be missed: add a rir_folder, or synthesis.rooms"
        yield Advice("no_rooms", 10, text)


def _small_test(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    doubt = 1 - evaluation.confidence
    hours = facts.hours("test", ("speech", "noise", "music"))
    needed_h = -math.log(doubt) / evaluation.operating_fah
    if hours < needed_h:
        text = (
            f"test has {hours:.2f} h without a wake word, {needed_h:.1f} h without a false alarm would show "
            f"{evaluation.operating_fah:g} per hour ({100 * evaluation.confidence:g} %): the target cannot be proven "
            "here; days of recordings can be added by `wakeword audit`"
        )
        yield Advice("test_hours", 10, text)
    if evaluation.operating_frr >= 1:
        return
    needed = math.ceil(math.log(doubt) / math.log(1 - evaluation.operating_frr))
    for label in facts.labels:
        words = facts.clips("test", "wakeword", label)
        if 0 < words < needed:
            text = (
                f"test has {_count(words, 'clip')} of {label}, {needed} without a miss would show a miss rate of "
                f"{100 * evaluation.operating_frr:g} %: add test clips of other speakers"
            )
            yield Advice("test_words", 10, text)


def _quarantine(facts: DataFacts, evaluation: EvaluationConfig) -> Iterator[Advice]:
    faults = [one for one in facts.refused if one.reason not in DELIBERATE]
    bad, good = sum(one.count for one in faults), facts.clips()
    share = bad / max(1, bad + good)
    if share > HIGH_QUARANTINE:
        reasons = ", ".join(f"{one.count} {one.reason}" for one in faults[:3])
        text = f"{bad} of {bad + good} clips ({100 * share:.0f} %) could not be used ({reasons}): mend or remove them"
        yield Advice("quarantine", 20 if share > VERY_HIGH_QUARANTINE else 10, text)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


RULES: tuple[Rule, ...] = (
    _overlap,
    _missing,
    _few_speakers,
    _unnamed,
    _guessed,
    _one_gender,
    _one_source,
    _synthetic_test,
    _untrained_people,
    _drowned_people,
    _missing_speech,
    _imbalance,
    _few_negatives,
    _scenery,
    _small_test,
    _quarantine,
)
