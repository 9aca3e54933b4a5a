"""State of one replica: its bundle, its streams and draining. Independent of Ray and HTTP."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from wakeword.audio.io import read_audio
from wakeword.config import SAMPLE_RATE_HZ
from wakeword.config.serving import ServingConfig
from wakeword.errors import BundleError, MissingExtraError, WakewordError
from wakeword.runtime.bundle import Bundle, load_bundle
from wakeword.runtime.detector import Detector
from wakeword.runtime.events import Detection
from wakeword.runtime.slots import StreamSlots

from .auth import Token
from .batcher import Close, MicroBatcher, StreamSession
from .query import Choice, QueryError, StreamQuery
from .statistics import Statistics


class Refused(WakewordError):
    """A stream that cannot be opened; `close` is sent to the client."""

    exit_code = 8

    def __init__(self, close: Close) -> None:
        super().__init__(close.reason)
        self.close = close


class DetectionService:
    """The state behind the endpoint of one replica."""

    def __init__(self, config: ServingConfig, token: Token) -> None:
        self.config = config
        self.token = token
        self.statistics = Statistics()
        self.draining = False
        self.update_error = ""
        """Error of the last bundle, where an older one is still served."""
        self._batcher: MicroBatcher | None = None
        self._retired: list[MicroBatcher] = []
        self._bundle_path = ""
        self._upload_turn = asyncio.Lock()
        self._started = time.monotonic()

    @property
    def bundle(self) -> Bundle | None:
        """The bundle of new streams."""
        return self._batcher.bundle if self._batcher else None

    async def use_bundle(self, path: str) -> None:
        """Load and check a bundle for new streams; open streams finish with their bundle.

        Raises:
            BundleError: the first bundle is unusable. After an unusable later one the old one stays in service, and
                `/healthz` reports `update_error`.
        """
        try:
            bundle, slots = await asyncio.to_thread(_load, path, self.config.max_streams)
        except BundleError as error:
            if self._batcher is None:
                raise
            self.update_error = str(error)
            return
        fresh = MicroBatcher(bundle, slots, self.config.tick_ms / 1000, self.config.max_queued_s, self.statistics)
        old, self._batcher = self._batcher, fresh
        self._bundle_path, self.update_error = path, ""
        if old is not None:
            self._retired = [batcher for batcher in self._retired if batcher.sessions]
            self._retired.append(old)
            old.retire()

    async def open_stream(self, query: StreamQuery) -> StreamSession:
        """Reserve a slot.

        Raises:
            Refused: the replica is stopping, full or without bundle, or the bundle lacks a requested word or operating
                point.
        """
        if self.draining:
            raise Refused(Close(1013, "the server is shutting down: connect again later"))
        if self._batcher is None or self._batcher.failure is not None:
            raise Refused(Close(1013, "no model is loaded: connect again later"))
        words, thresholds = _chosen(query.choice, self._batcher.bundle)
        if self.statistics.streams >= self.config.max_streams:
            self.statistics.streams_refused += 1
            raise Refused(
                Close(1013, f"all {self.config.max_streams} streams are taken: connect again later or add replicas")
            )
        # Counted before the first await: two clients must not take the last slot together.
        self.statistics.streams += 1
        try:
            session = await self._batcher.open(words, query.format, thresholds)
        except BaseException as error:
            self.statistics.streams -= 1
            if isinstance(error, MissingExtraError):
                raise Refused(Close(1011, str(error))) from error
            raise
        self.statistics.streams_total += 1
        return session

    def close_stream(self, session: StreamSession) -> None:
        """Give a session's slot back; has no effect a second time."""
        if not session.released:
            self.statistics.streams -= 1
            session.release()

    async def drain(self) -> None:
        """Refuse new streams, wait `drain_s` for the open ones, then close them with code 1001."""
        self.draining = True
        await self._until_idle(self.config.drain_s)
        for batcher in self._batchers():
            for session in list(batcher.sessions):
                session.close(Close(1001, "the server is shutting down: connect again later"))
        await self._until_idle(2)

    async def _until_idle(self, limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while self.statistics.streams and time.monotonic() < deadline:
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """End without waiting for streams."""
        for batcher in self._batchers():
            batcher.stop()

    def _batchers(self) -> list[MicroBatcher]:
        return [*self._retired, *([self._batcher] if self._batcher else [])]

    @property
    def failure(self) -> BaseException | None:
        """The exception that stopped the model's thread, if any."""
        return self._batcher.failure if self._batcher else None

    def health(self) -> tuple[int, dict[str, Any]]:
        """HTTP status and body of `/healthz`: 200 while streams can be opened, 503 otherwise."""
        if self.draining:
            status = "draining"
        elif self._batcher is None:
            status = "no bundle"
        elif self._batcher.failure is not None:
            status = "model failed"
        else:
            status = "ok"
        body: dict[str, Any] = {"status": status}
        if self.update_error:
            body["update_error"] = self.update_error
        return (200 if status == "ok" else 503), body

    def stats(self) -> dict[str, Any]:
        """Body of `/v1/stats`."""
        return {
            **self.statistics.snapshot(),
            "max_streams": self.config.max_streams,
            "bundle": self._bundle_path,
            "uptime_s": round(time.monotonic() - self._started, 1),
        }

    async def detect_upload(self, data: bytes, choice: Choice) -> tuple[float, list[Detection]]:
        """Duration in seconds and events of one uploaded file, from the runtime's detector.

        One file is processed at a time, so that uploads do not take all processors from live streams.

        Raises:
            DataError: the audio is unreadable, or longer than `max_upload_s`.
            Refused: no bundle is loaded, or it lacks a requested word or operating point.
        """
        bundle = self.bundle
        if bundle is None:
            raise Refused(Close(1013, "no model is loaded: try again later"))
        words, thresholds = _chosen(choice, bundle)
        async with self._upload_turn:
            duration_s, found = await asyncio.to_thread(
                _detect_bytes, bundle, data, self.config.max_upload_s, thresholds
            )
        return duration_s, [event for event in found if event.word in words]


def _load(path: str, capacity: int) -> tuple[Bundle, StreamSlots]:
    bundle = load_bundle(Path(path))
    return bundle, StreamSlots(bundle, capacity)


def _chosen(choice: Choice, bundle: Bundle) -> tuple[frozenset[str], list[float]]:
    """Words and thresholds of one client. Raises Refused for those that the bundle lacks."""
    try:
        return choice.words_in(bundle), choice.thresholds_in(bundle)
    except QueryError as error:
        raise Refused(Close(1008, str(error))) from error


def _detect_bytes(bundle: Bundle, data: bytes, max_s: float, thresholds: list[float]) -> tuple[float, list[Detection]]:
    audio = read_audio(data, max_s=max_s)
    detector = Detector(bundle, threshold=thresholds)
    return audio.size / SAMPLE_RATE_HZ, detector.process(audio) + detector.flush()
