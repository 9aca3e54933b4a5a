"""Results of an audit, as `audit.json` stores them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from wakeword.evaluation.statistics.intervals import alarm_rate, hours_needed
from wakeword.evaluation.statistics.numbers import number, rate_with_interval, whole
from wakeword.evaluation.statistics.records import Rate, Record, StoredRecord

SCHEMA_VERSION = 1
TARGETS = (0.05, 0.1, 0.5, 1.0)
"""False alarms per hour that the audit tries to prove."""


class Trigger(Record):
    """One event; times are seconds of its recording. `said`: a person found the word in its clip."""

    recording: str
    word: str
    score: float
    start_s: float
    end_s: float
    clip: str
    said: bool = False


class Recording(Record):
    """One finished recording, as its journal file stores it. A changed `size` or `changed_ns` marks a changed file.

    `notes`: problems of a file that was scored nevertheless, such as a header without a length.
    """

    recording: str
    state: Literal["heard", "bad"]
    size: int
    changed_ns: int
    seconds: float
    reason: str = ""
    notes: tuple[str, ...] = ()
    triggers: tuple[Trigger, ...] = ()


class Proof(Record):
    """Whether the hours prove a rate below the target (one-sided); `hours_needed` at this number of false alarms."""

    fah_target: float
    hours_needed: float
    proven: bool


class WordAudit(Record):
    """One word: its false alarms, the number of triggers in which the word was `said`, and the proofs."""

    label: str
    threshold: float
    alarms: Rate
    said: int
    proofs: tuple[Proof, ...]


class BadRecording(Record):
    """A recording that could not be used, and why."""

    recording: str
    reason: str


class OddRecording(Record):
    """A recording that was scored, and a problem of its file."""

    recording: str
    note: str


class AuditReport(StoredRecord):
    """An audit. It stores no time of day, so that a resumed and an uninterrupted audit write the same file.

    `hours`: of the scored recordings. `bad`: recordings that could not be used. `odd`: scored recordings with a note.
    `other_files`: number of files without audio.
    """

    command: ClassVar[str] = "wakeword audit"
    schema_version: int = SCHEMA_VERSION
    bundle: str
    model_sha256: str
    confidence: float
    recordings: int
    hours: float
    words: tuple[WordAudit, ...]
    triggers: tuple[Trigger, ...]
    bad: tuple[BadRecording, ...]
    odd: tuple[OddRecording, ...] = ()
    other_files: int = 0

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Header and one row per word, for a terminal."""
        header = ["word", "threshold", "false alarms", "per hour", "word was spoken", "proven"]
        rows = []
        for word in self.words:
            targets = [proof.fah_target for proof in word.proofs if proof.proven]
            proven = f"below {min(targets):g} per hour" if targets else "nothing yet"
            count = str(word.alarms.false_alarms)
            rate_text = rate_with_interval(word.alarms)
            rows.append([word.label, f"{word.threshold:.3f}", count, rate_text, str(word.said), proven])
        return header, rows

    def evidence(self) -> list[str]:
        """A sentence per word: the nearest target that is not proven yet and the hours that it needs."""
        lines = []
        for word in self.words:
            unproven = [proof for proof in word.proofs if not proof.proven]
            if not unproven:
                lines.append(f"{word.label}: every target down to {word.proofs[0].fah_target:g} per hour is proven")
                continue
            nearest = max(unproven, key=lambda proof: proof.fah_target)
            lines.append(
                f"{word.label}: with {word.alarms.false_alarms} false alarms, {number(nearest.hours_needed)} h prove"
                f" less than {nearest.fah_target:g} per hour ({whole(self.confidence)}); the audit has"
                f" {number(self.hours)} h"
            )
        return lines


def summarise(
    bundle: str,
    model_sha256: str,
    labels: Sequence[str],
    thresholds: Sequence[float],
    recordings: Sequence[Recording],
    confidence: float,
    unread: Sequence[BadRecording] = (),
    other_files: int = 0,
) -> AuditReport:
    """The report on finished recordings, on `unread` files and on the number of files without audio.

    Every trigger counts as a false alarm of its word, except those that a person marked as `said`.
    """
    scored = [recording for recording in recordings if recording.state == "heard"]
    triggers = [trigger for recording in scored for trigger in recording.triggers]
    hours = sum(recording.seconds for recording in scored) / 3600
    words = []
    for label, threshold in zip(labels, thresholds, strict=True):
        said = [trigger.said for trigger in triggers if trigger.word == label]
        false = said.count(False)
        needed = [(target, hours_needed(target, false, confidence)) for target in TARGETS]
        proofs = tuple(Proof(fah_target=target, hours_needed=h, proven=hours >= h) for target, h in needed)
        alarms = alarm_rate(false, hours, confidence)
        words.append(WordAudit(label=label, threshold=threshold, alarms=alarms, said=sum(said), proofs=proofs))
    faults = [BadRecording(recording=r.recording, reason=r.reason) for r in recordings if r.state == "bad"]
    return AuditReport(
        bundle=bundle,
        model_sha256=model_sha256,
        confidence=confidence,
        recordings=len(scored),
        hours=hours,
        words=tuple(words),
        triggers=tuple(triggers),
        bad=tuple(sorted([*faults, *unread], key=lambda recording: recording.recording)),
        odd=tuple(OddRecording(recording=r.recording, note=note) for r in scored for note in r.notes),
        other_files=other_files,
    )
