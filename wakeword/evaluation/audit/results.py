"""What an audit found, as it is stored in `audit.json` and printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from wakeword.errors import DataError
from wakeword.evaluation.metrics.measure import rate
from wakeword.evaluation.statistics.intervals import hours_needed
from wakeword.evaluation.statistics.numbers import number, rate_with_interval, whole
from wakeword.evaluation.statistics.rates import Rate
from wakeword.system.files import write_json

SCHEMA_VERSION = 1
TARGETS = (0.05, 0.1, 0.5, 1.0)
"""False alarms per hour of which the audit says whether they are shown."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Trigger(_Part):
    """One event; times are seconds of its recording. `said`: a person found the word in its clip."""

    recording: str
    word: str
    score: float
    start_s: float
    end_s: float
    clip: str
    said: bool = False


class Recording(_Part):
    """One finished recording, as its journal file keeps it. `size` and `changed_ns` tell a changed file.

    `notes`: what was odd about a file that was heard all the same, such as a length that its header does not know.
    """

    recording: str
    state: Literal["heard", "bad"]
    size: int
    changed_ns: int
    seconds: float
    reason: str = ""
    notes: tuple[str, ...] = ()
    triggers: tuple[Trigger, ...] = ()


class Proof(_Part):
    """Whether the hours show, one-sided, that the rate lies below a target; `hours_needed` for this many alarms."""

    fah_target: float
    hours_needed: float
    proven: bool


class WordAudit(_Part):
    """One word: its false alarms with Garwood's interval, the triggers that were no mistake, and what is shown."""

    label: str
    threshold: float
    alarms: Rate
    said: int
    proofs: tuple[Proof, ...]


class BadRecording(_Part):
    """A recording that could not be used, and why."""

    recording: str
    reason: str


class OddRecording(_Part):
    """A recording that was heard, and what its file has against it."""

    recording: str
    note: str


class AuditReport(_Part):
    """An audit. It holds no time of day, so that a resumed audit and an unbroken one are the same file.

    `hours` are those that were heard. `bad` are recordings that gave nothing, of a format that is not read or with a
    fault; `odd` those that were heard with a note; `other_files` counts files that are no audio.
    """

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

    def save(self, path: Path) -> None:
        """Write as JSON, atomically."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: str | Path) -> AuditReport:
        """Read `audit.json`. Raises DataError when it is absent or no audit of this version."""
        try:
            return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}): run `wakeword audit` first") from error
        except ValidationError as error:
            raise DataError(f"{path} is no audit of this version: run `wakeword audit` again") from error

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Header and a row per word for a terminal."""
        header = ["word", "threshold", "false alarms", "per hour", "the word itself", "proven"]
        rows = []
        for word in self.words:
            shown = [proof.fah_target for proof in word.proofs if proof.proven]
            proven = f"below {min(shown):g} per hour" if shown else "nothing yet"
            rate_text = rate_with_interval(word.alarms)
            count = str(word.alarms.false_alarms)
            rows.append([word.label, f"{word.threshold:.3f}", count, rate_text, str(word.said), proven])
        return header, rows

    def evidence(self) -> list[str]:
        """A sentence per word: what the hours show, and how many the next target takes."""
        lines = []
        for word in self.words:
            open_ = [proof for proof in word.proofs if not proof.proven]
            if not open_:
                lines.append(f"{word.label}: every target down to {word.proofs[0].fah_target:g} per hour is shown")
                continue
            nearest = max(open_, key=lambda proof: proof.fah_target)
            told = f"({whole(self.confidence)}); there are {number(self.hours)} h"
            lines.append(
                f"{word.label}: with {word.alarms.false_alarms} false alarms, {number(nearest.hours_needed)} h show"
                f" less than {nearest.fah_target:g} per hour {told}"
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
    """The report over finished recordings, and files beside them that are not read or no audio.

    Every trigger counts as a false alarm of its word, except those whose clip a person marked (`said`).
    """
    heard = [recording for recording in recordings if recording.state == "heard"]
    triggers = [trigger for recording in heard for trigger in recording.triggers]
    hours = sum(recording.seconds for recording in heard) / 3600
    words = []
    for label, threshold in zip(labels, thresholds, strict=True):
        own = [trigger for trigger in triggers if trigger.word == label]
        false = sum(not trigger.said for trigger in own)
        proofs = []
        for target in TARGETS:
            needed = hours_needed(target, false, confidence)
            proofs.append(Proof(fah_target=target, hours_needed=needed, proven=hours >= needed))
        alarms = rate(false, hours, confidence)
        words.append(
            WordAudit(label=label, threshold=threshold, alarms=alarms, said=len(own) - false, proofs=tuple(proofs))
        )
    faults = [BadRecording(recording=r.recording, reason=r.reason) for r in recordings if r.state == "bad"]
    odd = [OddRecording(recording=recording.recording, note=note) for recording in heard for note in recording.notes]
    return AuditReport(
        bundle=bundle,
        model_sha256=model_sha256,
        confidence=confidence,
        recordings=len(heard),
        hours=hours,
        words=tuple(words),
        triggers=tuple(triggers),
        bad=tuple(sorted([*faults, *unread], key=lambda recording: recording.recording)),
        odd=tuple(odd),
        other_files=other_files,
    )
