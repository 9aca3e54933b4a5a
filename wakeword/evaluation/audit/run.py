"""A bundle over days of household recordings: every trigger kept as a clip, false alarms per hour with their interval.

Recordings are heard one after the other, each from the detector's settled state, block by block from the disk. When
one is done, its clips are complete and a journal file is written, atomically. Whatever ends the process, the same
command goes on after the last journal file: a recording without one is heard again from its start, and its clips,
named after their place in it, are written over. So no trigger is counted twice and none is lost.

A stream on standard input cannot be heard again. It is journalled in sections of about `SECTION_S`; each start of the
command is a session of its own, and what came after the last section of a broken session is lost.
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
from wakeword.runtime.bundle import MODEL_NAME, Bundle
from wakeword.runtime.detector import Detector
from wakeword.runtime.events import Detection
from wakeword.system.files import write_json
from wakeword.system.locks import lock_folder

REPORT_NAME, PLAN_NAME = "audit.json", "plan.json"
JOURNAL, CLIPS, SAID = "journal", "clips", "said"
"""Folders of an audit. A person moves clips in which somebody said the word from `clips` to `said`."""
BLOCK_S = 1.0
SECTION_S = 60.0

Audio = NDArray[np.float32]
Progress = Callable[[int, int, float, int], None]


@dataclass(frozen=True)
class ClipSpan:
    """How much of a recording a clip keeps around the peak of its trigger."""

    before_s: float = 3.0
    after_s: float = 2.0


DEFAULT_SPAN = ClipSpan()


class Listener:
    """A detector over one recording that keeps the audio around each trigger.

    `hear` and `end` return the triggers whose clip is complete, with the clip: the last seconds of audio are kept, no
    more.
    """

    def __init__(self, bundle: Bundle, thresholds: list[float], span: ClipSpan) -> None:
        self._detector = Detector(bundle, threshold=thresholds)
        self._span = span
        # An event is known `nms_window_s` after its peak, and then within the block in hand.
        self._kept_s = span.before_s + bundle.manifest.detector.nms_window_s + 2 * BLOCK_S
        self._blocks: deque[Audio] = deque()
        self._first = self.samples = 0
        self._waiting: list[Detection] = []

    def hear(self, block: Audio) -> list[tuple[Detection, Audio]]:
        """Take `(samples,)` of at most `BLOCK_S`."""
        self._blocks.append(block)
        self.samples += len(block)
        self._waiting += self._detector.process(block)
        done = self._cut(lambda event: (event.end_s + self._span.after_s) * SAMPLE_RATE_HZ <= self.samples)
        oldest_s = self.samples / SAMPLE_RATE_HZ - self._kept_s
        oldest_s = min([oldest_s, *(event.end_s - self._span.before_s for event in self._waiting)])
        while self._blocks and self._first + len(self._blocks[0]) <= oldest_s * SAMPLE_RATE_HZ:
            self._first += len(self._blocks.popleft())
        return done

    def end(self) -> list[tuple[Detection, Audio]]:
        """The recording ends: what is still waiting, with the audio that there is. The next one starts at 0."""
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
            # An event may become due in the silence behind the recording's end: its clip ends with the recording.
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
            # What a killed run was writing.
            for path in folder.glob(".*.part"):
                path.unlink()
        self._keep_plan(source)
        journalled = {trigger.clip for entry in self.finished().values() for trigger in entry.triggers}
        for path in (out / CLIPS).glob("*.flac"):
            # Of a recording or section that a killed run had begun.
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
                raise DataError(f"{path} is damaged: remove it, its recording is heard again") from error
        return dict(sorted(entries.items(), key=lambda item: (item[1].recording, item[0])))

    def write(self, key: str, entry: Recording) -> None:
        """Record that a recording is done; its clips are complete by now."""
        write_json(self.out / JOURNAL / f"{key}.json", entry.model_dump(mode="json"))

    def forget_clips(self, key: str) -> None:
        """Remove the clips of a recording that is heard anew or turned out to be bad."""
        for folder in (CLIPS, SAID):
            for path in (self.out / folder).glob(f"*-{key}-*.flac"):
                path.unlink()

    def keep(self, key: str, name: str, found: list[tuple[Detection, Audio]]) -> list[Trigger]:
        """Write the clips of triggers; returns the triggers as they are journalled."""
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
        """Everything in the journal, and the files beside it that are not read or no audio; writes `audit.json`.

        Raises DataError when no recording could be used.
        """
        entries = list(self.finished().values())
        heard = [entry for entry in entries if entry.state == "heard"]
        if not heard:
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
    """Hear every recording below `folder` that is not yet in the journal of `out_dir`, then write `audit.json`.

    A recording whose size or time of change differs from its journal entry is heard again, and so is one whose format
    was not read (an extra may have come). Entries whose recording is gone stay: recorders that rotate their files lose
    no hours. Files that look like audio and are not read are reported with the bad recordings. `progress` hears
    (recordings done, recordings, hours heard in this call, triggers of this call).

    Raises:
        DataError: there is no folder, no recording in it, or none that can be used.
        ConfigError: `out_dir` holds an audit of something else.
        RunError: another process works on `out_dir`.
    """
    folder, out = Path(folder), Path(out_dir)
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder of recordings; for a stream on standard input give -")
    listing = _recordings(folder, out)
    unread = [BadRecording(recording=_shown(entry.name), reason=why) for entry, why in listing.unread]
    if not listing.audio:
        found = f"; {unread[0].recording}: {unread[0].reason}" if unread else ": give the folder that holds them"
        raise DataError(f"{folder} holds no recordings that can be read ({', '.join(EXTENSIONS)}){found}")
    out.mkdir(parents=True, exist_ok=True)
    with lock_folder(out, ".audit.lock"):
        audit = _Audit(bundle, thresholds, out, span, str(folder.resolve()))
        known = audit.finished()
        listener = Listener(bundle, thresholds, span)
        seconds, triggers = 0.0, 0

        def hear(done: int, more_s: float) -> None:
            if progress is not None:
                progress(done, len(listing.audio), (seconds + more_s) / 3600, triggers)

        for number, file in enumerate(listing.audio):
            path, name = folder / file.name, _shown(file.name)
            key = hashlib.sha256(os.fsencode(file.name)).hexdigest()[:16]
            size, changed_ns = _stamp(path)
            if key in known and _settled(known[key], size, changed_ns):
                hear(number + 1, 0.0)
                continue
            audit.forget_clips(key)
            entry = Recording(recording=name, state="heard", size=size, changed_ns=changed_ns, seconds=0.0)
            entry = _hear(audit, listener, path, key, entry, partial(hear, number))
            audit.write(key, entry)
            seconds, triggers = seconds + entry.seconds, triggers + len(entry.triggers)
            hear(number + 1, 0.0)
        return audit.report(confidence, unread, len(listing.others))


def _hear(
    audit: _Audit, listener: Listener, path: Path, key: str, entry: Recording, progress: Callable[[float], None]
) -> Recording:
    """One file from its start to its end; one that ends in an error counts nothing and leaves no clip."""
    triggers: list[Trigger] = []
    notes: list[str] = []
    try:
        for block in stream_blocks(path, BLOCK_S, warn=notes.append):
            triggers += audit.keep(key, entry.recording, listener.hear(block))
            progress(listener.samples / SAMPLE_RATE_HZ)
    except AudioError as error:
        listener.end()
        audit.forget_clips(key)
        return entry.model_copy(update={"state": "bad", "reason": f"{error.detail} ({error.reason})"})
    seconds = listener.samples / SAMPLE_RATE_HZ
    triggers += audit.keep(key, entry.recording, listener.end())
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
    """Hear 16 kHz mono little-endian int16 samples until the stream ends, then write `audit.json`.

    The detector runs on through all sections of a session. A trigger is journalled with the section in which its clip
    became complete; its times are those of the session. Half a sample at the end is dropped.

    Raises:
        DataError: the stream is empty and no earlier session was heard.
        ConfigError: `out_dir` holds an audit of something else.
        RunError: another process works on `out_dir`.
    """
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    with lock_folder(out, ".audit.lock"):
        audit = _Audit(bundle, thresholds, out, span, "-")
        known = audit.finished()
        session = 1 + max((int(key.split("-")[0]) for key in known), default=0)
        listener = Listener(bundle, thresholds, span)
        total, section, begun_s, heard_s = 0, 1, 0.0, 0.0
        triggers: list[Trigger] = []

        def close() -> None:
            key = f"{session:05d}-{section:06d}"
            name = f"session {session:05d} section {section:06d}"
            own = tuple(trigger.model_copy(update={"recording": name}) for trigger in triggers)
            entry = Recording(
                recording=name, state="heard", size=0, changed_ns=0, seconds=heard_s - begun_s, triggers=own
            )
            audit.write(key, entry)

        for block in _pcm_blocks(stream):
            triggers += audit.keep(f"{session:05d}", "stream", listener.hear(block))
            heard_s = listener.samples / SAMPLE_RATE_HZ
            if progress is not None:
                progress(0, 0, heard_s / 3600, total + len(triggers))
            if heard_s - begun_s >= SECTION_S:
                close()
                total, section, begun_s, triggers = total + len(triggers), section + 1, heard_s, []
        triggers += audit.keep(f"{session:05d}", "stream", listener.end())
        if heard_s > begun_s or triggers:
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
    """Files below `folder`; those that the audit itself wrote are none."""
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


def _shown(name: str) -> str:
    """A file's name as text: bytes that are no UTF-8 as their numbers."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _settled(entry: Recording, size: int, changed_ns: int) -> bool:
    """Whether a recording need not be heard again."""
    unread = entry.state == "bad" and entry.reason.endswith("(codec_not_allowed)")
    return not unread and (entry.size, entry.changed_ns) == (size, changed_ns)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        known = path.stat()
    except OSError:
        # Gone since the folder was listed: reading it says so.
        return 0, 0
    return known.st_size, known.st_mtime_ns
