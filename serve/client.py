"""A Python client of `/v1/stream`: sends audio, collects detections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from wakeword.config import SAMPLE_RATE_HZ
from wakeword.errors import MissingExtraError, ServingError
from wakeword.runtime.events import Detection


@dataclass
class StreamResult:
    """What the server said about one stream."""

    ready: dict[str, object] = field(default_factory=dict)
    detections: list[Detection] = field(default_factory=list)
    audio_s: float = 0.0


async def stream_audio(
    url: str,
    token: str,
    audio: NDArray[np.int16] | NDArray[np.float32],
    words: Sequence[str] = (),
    chunk_ms: float = 80.0,
    real_time: bool = False,
) -> StreamResult:
    """Stream `audio (samples,)` at 16 kHz and return everything the server detected.

    Args:
        url: such as `ws://127.0.0.1:8000/v1/stream`.
        audio: int16, or float32 in [-1, 1].
        words: labels to hear of; empty means all of the bundle.
        real_time: send each chunk when a microphone would have it, instead of at once.

    Raises:
        ServingError: the server cannot be reached, refuses the token, or closes before the end of the audio.
    """
    try:
        from websockets.asyncio.client import connect
        from websockets.exceptions import ConnectionClosed, InvalidStatus
    except ImportError as error:
        raise MissingExtraError("Streaming to an endpoint", "serve", error) from error
    address = f"{url}?{urlencode({'words': ','.join(words)})}" if words else url
    result = StreamResult()
    try:
        async with connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as connection:
            sending = asyncio.create_task(_send(connection, _as_int16(audio), chunk_ms, real_time))
            try:
                async for text in connection:
                    if _take(json.loads(text), result):
                        break
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            if connection.close_code not in (None, 1000):
                raise ServingError(f"{url} closed the stream ({connection.close_code}): {connection.close_reason}")
    except InvalidStatus as error:
        raise ServingError(f"{url} refused the stream: HTTP {error.response.status_code}; check the token") from error
    except ConnectionClosed as error:
        closed = error.rcvd
        reason = f"({closed.code}): {closed.reason}" if closed else "without a reason"
        raise ServingError(f"{url} closed the stream {reason}") from error
    except OSError as error:
        raise ServingError(f"cannot reach {url}: {error}; is the endpoint running?") from error
    return result


async def _send(connection: object, audio: NDArray[np.int16], chunk_ms: float, real_time: bool) -> None:
    loop = asyncio.get_running_loop()
    size = max(1, round(chunk_ms / 1000 * SAMPLE_RATE_HZ))
    start = loop.time()
    for begin in range(0, audio.size, size):
        chunk = audio[begin : begin + size]
        if real_time:
            # The chunk exists once its last sample was spoken.
            await asyncio.sleep(max(0.0, start + (begin + chunk.size) / SAMPLE_RATE_HZ - loop.time()))
        await connection.send(chunk.astype("<i2").tobytes())  # type: ignore[attr-defined]
    await connection.send(b"")  # type: ignore[attr-defined]


def _take(message: dict[str, object], result: StreamResult) -> bool:
    """Store one server message; True for the last one."""
    kind = message.pop("type")
    if kind == "ready":
        result.ready = message
    elif kind == "detection":
        result.detections.append(Detection(**message))  # type: ignore[arg-type]
    elif kind == "end":
        result.audio_s = float(message["audio_s"])  # type: ignore[arg-type]
        return True
    return False


def _as_int16(audio: NDArray[np.int16] | NDArray[np.float32]) -> NDArray[np.int16]:
    if audio.dtype == np.int16:
        return np.asarray(audio, dtype=np.int16)
    return np.clip(np.rint(audio * 32768.0), -32768, 32767).astype(np.int16)
