"""A Python client of `/v1/stream`: sends audio, collects detections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import MissingExtraError, ServingError
from wakeword.runtime.events import Detection

from .audio_format import ENCODINGS, AudioFormat


@dataclass
class StreamResult:
    """The server's messages about one stream."""

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
    *,
    sample_rate_hz: int = AudioFormat.sample_rate_hz,
    encoding: str = AudioFormat.encoding,
    threshold: float | None = None,
    fah_target: float | None = None,
) -> StreamResult:
    """Stream `audio (samples,)` and return all detections of the server.

    Args:
        url: such as `ws://127.0.0.1:8000/v1/stream`.
        audio: int16, or float32 in [-1, 1].
        words: labels to detect; empty means all.
        real_time: send each chunk at the time a microphone would, instead of at once.
        sample_rate_hz: of `audio`; the server resamples to 16 kHz.
        encoding: of the transmitted samples, pcm_s16le or pcm_f32le.
        threshold: for all words of this stream, from 0 to 1; None takes the bundle's.
        fah_target: false alarms per hour; takes the thresholds of the bundle's operating point with this rate.

    Raises:
        ServingError: the server cannot be reached, refuses token or arguments, or closes before the audio's end.
    """
    if encoding not in ENCODINGS:
        raise ServingError(f"encoding={encoding!r} is not known: choose {' or '.join(ENCODINGS)}")
    audio_format = AudioFormat(sample_rate_hz, encoding)
    try:
        from websockets.asyncio.client import connect
        from websockets.exceptions import ConnectionClosed, InvalidStatus
    except ImportError as error:
        raise MissingExtraError("Streaming to an endpoint", "serve", error) from error
    address = url + _query(words, audio_format, threshold, fah_target)
    result = StreamResult()
    try:
        async with connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as connection:
            sending = asyncio.create_task(_send(connection, audio, audio_format, chunk_ms, real_time))
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
        reason = _denial(error.response.body) or "check the token"
        raise ServingError(f"{url} refused the stream: HTTP {error.response.status_code}; {reason}") from error
    except ConnectionClosed as error:
        closed = error.rcvd
        reason = f"({closed.code}): {closed.reason}" if closed else "without a reason"
        raise ServingError(f"{url} closed the stream {reason}") from error
    except OSError as error:
        raise ServingError(f"cannot reach {url}: {error}; is the endpoint running?") from error
    return result


def _query(words: Sequence[str], audio_format: AudioFormat, threshold: float | None, fah_target: float | None) -> str:
    """The parameters that differ from the server's defaults, with their question mark."""
    query: dict[str, object] = {"words": ",".join(words), "threshold": threshold, "fah_target": fah_target}
    if audio_format.sample_rate_hz != AudioFormat.sample_rate_hz:
        query["sample_rate"] = audio_format.sample_rate_hz
    if audio_format.encoding != AudioFormat.encoding:
        query["encoding"] = audio_format.encoding
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return f"?{urlencode(given)}" if given else ""


def _denial(body: bytes | bytearray | None) -> str:
    """The reason in a refused handshake; empty where a proxy has answered."""
    try:
        answer = json.loads(body or b"")
    except ValueError:
        return ""
    return str(answer.get("error", "")) if isinstance(answer, dict) else ""


async def _send(
    connection: object,
    audio: NDArray[np.int16] | NDArray[np.float32],
    audio_format: AudioFormat,
    chunk_ms: float,
    real_time: bool,
) -> None:
    loop = asyncio.get_running_loop()
    rate_hz = audio_format.sample_rate_hz
    size = max(1, round(chunk_ms / 1000 * rate_hz))
    start = loop.time()
    for begin in range(0, audio.size, size):
        chunk = audio[begin : begin + size]
        if real_time:
            # A microphone has the chunk after its last sample.
            await asyncio.sleep(max(0.0, start + (begin + chunk.size) / rate_hz - loop.time()))
        await connection.send(audio_format.encode(chunk).tobytes())  # type: ignore[attr-defined]
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
