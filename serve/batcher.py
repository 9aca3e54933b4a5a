"""Micro-batcher of a replica: one call of the model scores the chunks of many streams.

Sessions and their queues belong to the event loop. All access to the model's state runs in order on one executor
thread, so that opening, scoring, flushing and closing a slot never overlap.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from wakeword.runtime.bundle import Bundle
from wakeword.runtime.events import Detection
from wakeword.runtime.slots import StreamSlots

from .audio_format import AudioFormat
from .statistics import Statistics

_FEED_S = 0.32
"""Largest audio of one stream per call, so that a client that sends a whole file does not delay live streams."""
_OUTBOX_EVENTS = 256
"""Detections queued for a client that reads slowly; with one more the stream is closed."""


@dataclass(frozen=True)
class Close:
    """End of a stream: WebSocket close code and one sentence, cut at 123 bytes in the close frame."""

    code: int
    reason: str


def detection_fields(event: Detection) -> dict[str, Any]:
    """An event as fields of a message."""
    times = {"start_s": float(event.start_s), "end_s": float(event.end_s)}
    return {"word": event.word, "score": float(event.score), "probability": event.probability, **times}


class StreamSession:
    """One stream's queue of audio and its outgoing messages; belongs to the event loop."""

    def __init__(
        self, batcher: MicroBatcher, slot: int, words: frozenset[str], audio: AudioFormat, thresholds: list[float]
    ) -> None:
        self.words = words
        self.format = audio
        labelled = zip(batcher.bundle.labels, thresholds, strict=True)
        self.thresholds = {word: threshold for word, threshold in labelled if word in words}
        self.outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_OUTBOX_EVENTS)
        self.closing: asyncio.Future[Close] = asyncio.get_running_loop().create_future()
        """Set when the server must end this stream."""
        self.frames_received = 0
        self.bundle = batcher.bundle
        self.slot = slot
        """Index of this stream's state in the model's batch."""
        self.released = False
        self._batcher = batcher
        self._audio = bytearray()
        self._arrivals: deque[tuple[int, float]] = deque()
        self._bytes_taken = 0
        self._room = asyncio.Event()
        self._room.set()
        self._ended = False

    @property
    def queued_s(self) -> float:
        """Seconds of audio received and not yet passed to the model."""
        return len(self._audio) / self.format.bytes_per_s

    async def use_format(self, audio: AudioFormat) -> None:
        """Set the format before the first sample.

        Raises MissingExtraError when their rate needs soxr and it is not installed.
        """
        if audio.sample_rate_hz != self.format.sample_rate_hz:
            await self._batcher.set_rate(self, audio.sample_rate_hz)
        self.format = audio

    async def put(self, chunk: bytes) -> None:
        """Queue whole frames of `format`; waits while the queue is full, so that the client is not read."""
        await self._room.wait()
        self._audio += chunk
        self.frames_received += len(chunk) // self.format.frame_bytes
        self._arrivals.append((self._bytes_taken + len(self._audio), time.perf_counter()))
        if self.queued_s >= self._batcher.max_queued_s:
            self._room.clear()
        self._batcher.wake(self)

    def end(self) -> None:
        """No more audio follows: score the queue, deliver pending events, then the `end` message."""
        self._ended = True
        self._batcher.wake(self)

    def close(self, close: Close) -> None:
        """End this stream from the server's side; the first reason counts."""
        if not self.closing.done():
            self.closing.set_result(close)

    def release(self) -> None:
        """Give the slot back; has no effect a second time."""
        if not self.released:
            self.released = True
            self._batcher.release(self)

    def take(self) -> tuple[NDArray[Any], bool]:
        """The next piece of audio for the model, mono at the client's rate, and whether it is the last one."""
        piece = bytes(self._audio[: int(_FEED_S * self.format.sample_rate_hz) * self.format.frame_bytes])
        del self._audio[: len(piece)]
        self._bytes_taken += len(piece)
        if self.queued_s < self._batcher.max_queued_s:
            self._room.set()
        return self.format.decode(piece), self._ended and not self._audio

    def scored(self, statistics: Statistics, now: float) -> None:
        """Record the latency of the chunks whose last sample is scored."""
        while self._arrivals and self._arrivals[0][0] <= self._bytes_taken:
            statistics.add_latency(now - self._arrivals.popleft()[1])

    def deliver(self, message: dict[str, Any]) -> None:
        """Put a message into the outbox; a client that does not read is closed."""
        try:
            self.outbox.put_nowait(message)
        except asyncio.QueueFull:
            self.close(Close(1008, "the client does not read its detections: read messages while sending audio"))


class MicroBatcher:
    """Scores the streams of one bundle; each bundle has its own batcher, so a stream never changes its model."""

    def __init__(
        self, bundle: Bundle, slots: StreamSlots, tick_s: float, max_queued_s: float, statistics: Statistics
    ) -> None:
        self.bundle = bundle
        self.max_queued_s = max_queued_s
        self.sessions: set[StreamSession] = set()
        self.failure: BaseException | None = None
        self._tick_s = tick_s
        self._statistics = statistics
        self._slots = slots
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._waiting: dict[StreamSession, None] = {}
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._retired = False

    async def open(self, words: frozenset[str], audio: AudioFormat, thresholds: list[float]) -> StreamSession:
        """A session in a free slot with its `thresholds`; the caller must `release` it.

        Raises MissingExtraError when the rate needs soxr and it is not installed.
        """
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(self._stopped)
        # Shielded: a client that leaves while its slot is being opened must not leak the slot.
        opening = asyncio.get_running_loop().run_in_executor(
            self._executor, self._slots.open, audio.sample_rate_hz, thresholds
        )
        try:
            slot = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._close_opened)
            raise
        session = StreamSession(self, slot, words, audio, thresholds)
        self.sessions.add(session)
        return session

    def _close_opened(self, opening: asyncio.Future[int]) -> None:
        if not opening.cancelled() and opening.exception() is None:
            self._executor.submit(self._slots.close, opening.result())

    async def set_rate(self, session: StreamSession, sample_rate_hz: int) -> None:
        """Set the sample rate of a session without audio."""
        await asyncio.get_running_loop().run_in_executor(
            self._executor, self._slots.set_rate, session.slot, sample_rate_hz
        )

    def wake(self, session: StreamSession) -> None:
        """Score this session's audio at the next tick."""
        if not session.released:
            self._waiting[session] = None
            self._work.set()

    def release(self, session: StreamSession) -> None:
        """Close the session's slot after any call that still uses it (one thread, in order)."""
        self._waiting.pop(session, None)
        self.sessions.discard(session)
        self._executor.submit(self._slots.close, session.slot)
        self._stop_if_unused()

    def retire(self) -> None:
        """Accept no new streams; end with the last open one."""
        self._retired = True
        self._stop_if_unused()

    def _stop_if_unused(self) -> None:
        if self._retired and not self.sessions:
            self.stop()

    def stop(self) -> None:
        """End the loop and the model's thread; calls queued for the thread still run."""
        if self._task is not None:
            self._task.cancel()
        self._executor.shutdown(wait=False)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._work.wait()
            await asyncio.sleep(self._tick_s)
            self._work.clear()
            batch = [(session, *session.take()) for session in self._waiting]
            self._waiting.clear()
            if not batch:
                continue
            detections, endings = await loop.run_in_executor(self._executor, self._advance, batch)
            self._distribute(batch, detections, endings)

    def _advance(
        self, batch: list[tuple[StreamSession, NDArray[Any], bool]]
    ) -> tuple[list[tuple[int, Detection]], dict[int, list[Detection]]]:
        """On the model's thread: feed every stream, one step for all, flush those that ended."""
        for session, audio, _ in batch:
            if audio.size:
                self._slots.feed(session.slot, audio)
        detections = list(self._slots.step())
        return detections, self._slots.flush_all([session.slot for session, _, last in batch if last])

    def _distribute(
        self,
        batch: list[tuple[StreamSession, NDArray[Any], bool]],
        detections: list[tuple[int, Detection]],
        endings: dict[int, list[Detection]],
    ) -> None:
        now = time.perf_counter()
        self._statistics.engine_calls += 1
        by_slot = {session.slot: session for session, _, _ in batch if not session.released}
        for slot, detection in detections:
            self._deliver(by_slot.get(slot), detection)
        for session, audio, last in batch:
            self._statistics.audio_s += audio.size / session.format.sample_rate_hz
            session.scored(self._statistics, now)
            if last:
                for detection in endings[session.slot]:
                    self._deliver(by_slot.get(session.slot), detection)
                session.deliver({"type": "end", "audio_s": session.frames_received / session.format.sample_rate_hz})
            elif session.queued_s:
                self.wake(session)

    def _deliver(self, session: StreamSession | None, detection: Detection) -> None:
        if session is None or detection.word not in session.words:
            return
        self._statistics.detections += 1
        session.deliver({"type": "detection", **detection_fields(detection)})

    def _stopped(self, task: asyncio.Task[None]) -> None:
        """Close every stream after a failure of the model's thread."""
        if task.cancelled():
            return
        self.failure = task.exception()
        for session in list(self.sessions):
            session.close(Close(1011, "the model failed on the server: connect again"))
