"""Audit of a bundle on days of recordings: a clip of every trigger, and false alarms per hour with their interval.

Recordings are scored one after the other, each from the detector's settled state, block by block. When a recording is
finished and its clips are complete, a journal file is written atomically. An interrupted audit continues after the last
journal file: a recording without one is scored again from its start, and its clips, named by their position, are
overwritten. No trigger is counted twice or lost.

A stream on standard input cannot be read again. It is journalled in sections of about `SECTION_S`; each start of the
command is a new session, and audio after the last section of an interrupted session is lost.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from wakeword.audio.io import EXTENSIONS, AudioError, stream_blocks, write_flac
from wakeword.audio.listing import Listing, list_audio
from wakeword.audio.locators import Entry
from wakeword.config import SAMPLE_RATE_HZ
from wakeword.errors import ConfigError, DataError
from wakeword.evaluation.audit.results import AuditReport, BadRecording, Recording, Trigger, summarise
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.detector import Detector
from wakeword.runtime.events import Detection
from wakeword.runtime.manifest import MODEL_NAME
from wakeword.system.files import write_json
from wakeword.system.locks import lock_folder

REPORT_NAME, PLAN_NAME = "audit.json", "plan.json"
JOURNAL, CLIPS, SAID = "journal", "clips", "said"
"""Folders of an audit. A person moves the clips that contain the word from `clips` to `said`."""
BLOCK_S = 1.0
SECTION_S = 60.0

Audio = NDArray[np.float32]
Progress = Callable[[int, int, float, int], None]


@dataclass(frozen=True)
class ClipSpan:
    """Seconds of audio that a clip keeps before and after the peak of its trigger."""

    before_s: float = 3.0
    after_s: float = 2.0


DEFAULT_SPAN = ClipSpan()
_LATER = {"threshold", "ready", "operating_points", "probability_map"}
"""What an evaluation writes about a verified word: the plan holds the thresholds that count."""


class ClipRecorder:
    """A detector that also cuts a clip around each trigger of one recording; only the last seconds are in memory.

    `process` and `finish` return the triggers whose clip is complete, with the clip.
    """

    def __init__(self, bundle: Bundle, thresholds: list[float], span: ClipSpan, verify: bool = True) -> None:
        """`verify`: use the bundle's verifier if it has one; `thresholds` are then on its score."""
        self._detector = Detector(bundle, threshold=thresholds, verify=verify)
        self._span = span
        # The detector reports an event `nms_window_s` after its peak, within the current block; a verifier waits too.
        part = bundle.manifest.verifier if verify else None
        later_s = bundle.manifest.detector.nms_window_s + (part.after_s if part else 0.0)
        self._kept_s = span.before_s + later_s + 2 * BLOCK_S
        self._blocks: deque[Audio] = deque()
        self._first = self.samples = 0
        self._waiting: list[Detection] = []

    def process(self, block: Audio) -> list[tuple[Detection, Audio]]:
        """Score a block `(samples,)` of at most `BLOCK_S`."""
        self._blocks.append(block)
        self.samples += len(block)
        self._waiting += self._detector.process(block)
        done = self._cut(lambda event: (event.end_s + self._span.after_s) * SAMPLE_RATE_HZ <= self.samples)
        oldest_s = self.samples / SAMPLE_RATE_HZ - self._kept_s
        oldest_s = min([oldest_s, *(event.end_s - self._span.before_s for event in self._waiting)])
        while self._blocks and self._first + len(self._blocks[0]) <= oldest_s * SAMPLE_RATE_HZ:
            self._first += len(self._blocks.popleft())
        return done

    def finish(self) -> list[tuple[Detection, Audio]]:
        """End the recording: the pending triggers, whose clips may be shorter. The next recording starts at 0."""
        self._waiting += self._detector.flush()
        done = self._cut(lambda event: True)
        self._blocks.clear()
        self._first = self.samples = 0
        return done

    def _cut(self, complete: Callable[[Detection], bool]) -> list[tuple[Detection, Audio]]:
        ready = [event for event in self._waiting if complete(event)]
        if not ready:
            return []
        self._waiting = [event for event in self._waiting if not complete(event)]
        audio = np.concatenate(list(self._blocks))
        found = []
        for event in ready:
            # The peak of an event may lie in the silence after the recording: its clip ends with the recording.
            end_s = min(event.end_s, self.samples / SAMPLE_RATE_HZ)
            low = max(0, round((end_s - self._span.before_s) * SAMPLE_RATE_HZ) - self._first)
            high = round((end_s + self._span.after_s) * SAMPLE_RATE_HZ) - self._first
            found.append((event, audio[low:high].copy()))
        return found


class _Audit:
    """The folder of one audit: its plan, journal and clips."""

    def __init__(self, bundle: Bundle, thresholds: list[float], out: Path, span: ClipSpan, source: str) -> None:
        self.bundle, self.thresholds, self.out, self.span = bundle, thresholds, out, span
        self.labels = bundle.labels
        for name in (JOURNAL, CLIPS, SAID):
            (out / name).mkdir(parents=True, exist_ok=True)
        for folder in (out, out / JOURNAL, out / CLIPS):
            # Partial files of a killed run.
            for path in folder.glob(".*.part"):
                path.unlink()
        self._keep_plan(source)
        journalled = {trigger.clip for entry in self.finished().values() for trigger in entry.triggers}
        for path in (out / CLIPS).glob("*.flac"):
            # Clips of a recording or section that a killed run did not finish.
            if path.name not in journalled:
                path.unlink()

    def _keep_plan(self, source: str) -> None:
        settings = self.bundle.manifest.detector
        plan = {
            "source": source,
            "model_sha256": self.bundle.manifest.files[MODEL_NAME].sha256,
            "detector": settings.model_dump(),
            "thresholds": dict(zip(self.labels, self.thresholds, strict=True)),
            "clip_before_s": self.span.before_s,
            "clip_after_s": self.span.after_s,
        }
        if self.bundle.manifest.verifier is not None:
            plan["verifier"] = self.bundle.manifest.verifier.model_dump(
                mode="json", exclude={"words": {"__all__": _LATER}}
            )
        path = self.out / PLAN_NAME
        if path.is_file():
            try:
                earlier = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise DataError(f"{path} is damaged ({error}): give another --out") from error
            changed = [name for name, value in plan.items() if earlier.get(name) != value]
            if changed:
                raise ConfigError(
                    f"{self.out} holds an audit with another {' and '.join(changed)}: give another --out, or the same"
                    " bundle, recordings and options to go on with it"
                )
        else:
            write_json(path, plan)

    def finished(self) -> dict[str, Recording]:
        """Journal entries by key, in the order of their recordings' names."""
        entries = {}
        for path in (self.out / JOURNAL).glob("*.json"):
            try:
                entries[path.stem] = Recording.model_validate_json(path.read_text(encoding="utf-8"))
            except ValidationError as error:
                raise DataError(f"{path} is damaged: remove it, and its recording is scored again") from error
        return dict(sorted(entries.items(), key=lambda item: (item[1].recording, item[0])))

    def write(self, key: str, entry: Recording) -> None:
        """Write the journal file of a finished recording; its clips must be complete."""
        write_json(self.out / JOURNAL / f"{key}.json", entry.model_dump(mode="json"))

    def forget_clips(self, key: str) -> None:
        """Remove the clips of a recording that is scored again or is bad."""
        for folder in (CLIPS, SAID):
            for path in (self.out / folder).glob(f"*-{key}-*.flac"):
                path.unlink()

    def keep(self, key: str, name: str, found: list[tuple[Detection, Audio]]) -> list[Trigger]:
        """Write the clips of triggers; returns the triggers for the journal."""
        triggers = []
        for event, audio in found:
            plain = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(name).stem)[:40]
            word = re.sub(r"[^A-Za-z0-9_-]+", "_", event.word)
            clip = f"{plain}-{key}-{round(event.end_s * 1000):09d}-{word}.flac"
            write_flac(self.out / CLIPS / clip, audio)
            start_s, end_s = round(event.start_s, 6), round(event.end_s, 6)
            triggers.append(
                Trigger(recording=name, word=event.word, score=event.score, start_s=start_s, end_s=end_s, clip=clip)
            )
        return triggers

    def report(self, confidence: float, unread: Sequence[BadRecording] = (), other_files: int = 0) -> AuditReport:
        """Write `audit.json` from the journal, `unread` files and the number of files without audio.

        Raises DataError when no recording could be used.
        """
        entries = list(self.finished().values())
        if all(entry.state == "bad" for entry in entries):
            bad = [*(BadRecording(recording=entry.recording, reason=entry.reason) for entry in entries), *unread]
            reason = f": {bad[0].recording}: {bad[0].reason}" if bad else ""
            raise DataError(f"none of {len(bad)} recordings could be used{reason}")
        marked = []
        for entry in entries:
            triggers = [t.model_copy(update={"said": (self.out / SAID / t.clip).is_file()}) for t in entry.triggers]
            marked.append(entry.model_copy(update={"triggers": tuple(triggers)}))
        report = summarise(
            self.bundle.manifest.name,
            self.bundle.manifest.files[MODEL_NAME].sha256,
            self.labels,
            self.thresholds,
            marked,
            confidence,
            unread,
            other_files,
        )
        report.save(self.out / REPORT_NAME)
        return report


def audit_folder(
    bundle: Bundle,
    folder: str | Path,
    out_dir: str | Path,
    thresholds: list[float],
    span: ClipSpan = DEFAULT_SPAN,
    confidence: float = 0.95,
    progress: Progress | None = None,
) -> AuditReport:
    """Score every recording below `folder` that is not yet in the journal of `out_dir`, then write `audit.json`.

    A recording is scored again if its size or modification time differs from its journal entry, or if its format could
    not be read (an extra may have been installed). Entries of deleted recordings are kept, so that recorders that
    rotate their files lose no hours. Audio files of formats that cannot be read are reported with the bad recordings.
    `progress` receives (recordings done, recordings, hours scored in this call, triggers of this call).

    Raises:
        DataError: the folder is missing, or holds no recording that can be used.
        ConfigError: `out_dir` holds an audit of something else.
        RunError: another process works on `out_dir`.
    """
    folder, out = Path(folder), Path(out_dir)
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder of recordings; for a stream on standard input give -")
    listing = _recordings(folder, out)
    unread = [BadRecording(recording=_printable(entry.name), reason=why) for entry, why in listing.unread]
    if not listing.audio:
        found = f"; {unread[0].recording}: {unread[0].reason}" if unread else ": give the folder that holds them"
        raise DataError(f"{folder} holds no recordings that can be read ({', '.join(EXTENSIONS)}){found}")
    out.mkdir(parents=True, exist_ok=True)
    with lock_folder(out, ".audit.lock"):
        audit = _Audit(bundle, thresholds, out, span, str(folder.resolve()))
        known = audit.finished()
        recorder = ClipRecorder(bundle, thresholds, span)
        seconds, triggers = 0.0, 0

        def report_progress(done: int, more_s: float) -> None:
            if progress is not None:
                progress(done, len(listing.audio), (seconds + more_s) / 3600, triggers)

        for number, file in enumerate(listing.audio):
            path, name = folder / file.name, _printable(file.name)
            key = hashlib.sha256(os.fsencode(file.name)).hexdigest()[:16]
            size, changed_ns = _stamp(path)
            if key in known and _is_current(known[key], size, changed_ns):
                report_progress(number + 1, 0.0)
                continue
            audit.forget_clips(key)
            entry = Recording(recording=name, state="heard", size=size, changed_ns=changed_ns, seconds=0.0)
            entry = _score(audit, recorder, path, key, entry, partial(report_progress, number))
            audit.write(key, entry)
            seconds, triggers = seconds + entry.seconds, triggers + len(entry.triggers)
            report_progress(number + 1, 0.0)
        return audit.report(confidence, unread, len(listing.others))


def _score(
    audit: _Audit, recorder: ClipRecorder, path: Path, key: str, entry: Recording, progress: Callable[[float], None]
) -> Recording:
    """Score one file from start to end; a file that ends in an error counts no hours and leaves no clips."""
    triggers: list[Trigger] = []
    notes: list[str] = []
    try:
        for block in stream_blocks(path, BLOCK_S, warn=notes.append):
            triggers += audit.keep(key, entry.recording, recorder.process(block))
            progress(recorder.samples / SAMPLE_RATE_HZ)
    except AudioError as error:
        recorder.finish()
        audit.forget_clips(key)
        return entry.model_copy(update={"state": "bad", "reason": f"{error.detail} ({error.reason})"})
    seconds = recorder.samples / SAMPLE_RATE_HZ
    triggers += audit.keep(key, entry.recording, recorder.finish())
    return entry.model_copy(update={"seconds": seconds, "notes": tuple(notes), "triggers": tuple(triggers)})


def audit_stream(
    bundle: Bundle,
    stream: BinaryIO,
    out_dir: str | Path,
    thresholds: list[float],
    span: ClipSpan = DEFAULT_SPAN,
    confidence: float = 0.95,
    progress: Progress | None = None,
) -> AuditReport:
    """Score 16 kHz mono little-endian int16 samples until the stream ends, then write `audit.json`.

    The detector keeps its state across the sections of a session. A trigger is journalled with the section in which its
    clip became complete; its times are those of the session. An odd byte at the end is dropped.

    Raises:
        DataError: the stream is empty and there is no earlier session.
        ConfigError: `out_dir` holds an audit of something else.
        RunError: another process works on `out_dir`.
    """
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    with lock_folder(out, ".audit.lock"):
        audit = _Audit(bundle, thresholds, out, span, "-")
        known = audit.finished()
        session = 1 + max((int(key.split("-")[0]) for key in known), default=0)
        recorder = ClipRecorder(bundle, thresholds, span)
        total, section, start_s, end_s = 0, 1, 0.0, 0.0
        triggers: list[Trigger] = []

        def close() -> None:
            key = f"{session:05d}-{section:06d}"
            name = f"session {session:05d} section {section:06d}"
            own = tuple(trigger.model_copy(update={"recording": name}) for trigger in triggers)
            length_s = end_s - start_s
            entry = Recording(recording=name, state="heard", size=0, changed_ns=0, seconds=length_s, triggers=own)
            audit.write(key, entry)

        for block in _pcm_blocks(stream):
            triggers += audit.keep(f"{session:05d}", "stream", recorder.process(block))
            end_s = recorder.samples / SAMPLE_RATE_HZ
            if progress is not None:
                progress(0, 0, end_s / 3600, total + len(triggers))
            if end_s - start_s >= SECTION_S:
                close()
                total, section, start_s, triggers = total + len(triggers), section + 1, end_s, []
        triggers += audit.keep(f"{session:05d}", "stream", recorder.finish())
        if end_s > start_s or triggers:
            close()
        elif not known and section == 1:
            raise DataError("standard input held no audio: pipe 16 kHz mono 16-bit samples into it")
        return audit.report(confidence)


def _pcm_blocks(stream: BinaryIO) -> Iterator[Audio]:
    size = 2 * round(BLOCK_S * SAMPLE_RATE_HZ)
    while data := stream.read(size):
        values = np.frombuffer(data[: len(data) - len(data) % 2], "<i2")
        if len(values):
            yield values.astype(np.float32) / np.float32(32768.0)


def _recordings(folder: Path, out: Path) -> Listing:
    """Files below `folder`, without those that the audit itself wrote."""
    found, own = list_audio(folder), out.resolve()
    inside = [own / name for name in (CLIPS, SAID, JOURNAL)]
    files = {own / name for name in (REPORT_NAME, PLAN_NAME)}

    def foreign(entry: Entry) -> bool:
        path = Path(entry.uri).resolve()
        return path not in files and not any(written in path.parents for written in inside)

    return Listing(
        [entry for entry in found.audio if foreign(entry)],
        [(entry, why) for entry, why in found.unread if foreign(entry)],
        [entry for entry in found.others if foreign(entry)],
    )


def _printable(name: str) -> str:
    """A file's name as text, with bytes that are not UTF-8 escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _is_current(entry: Recording, size: int, changed_ns: int) -> bool:
    """Whether a recording need not be scored again."""
    unread = entry.state == "bad" and entry.reason.endswith("(codec_not_allowed)")
    return not unread and (entry.size, entry.changed_ns) == (size, changed_ns)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        known = path.stat()
    except OSError:
        # The file was removed after the folder was listed: reading it raises the error.
        return 0, 0
    return known.st_size, known.st_mtime_ns
