"""The WebSocket protocol of `/v1/stream`: audio in, detections out, a reason in every close."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse

from wakeword.errors import MissingExtraError

from .auth import SUBPROTOCOL, origin_allowed, presented_token
from .batcher import Close, StreamSession
from .intake import BadAudio, Intake
from .query import QueryError, StreamQuery, stream_query
from .service import DetectionService, Refused

_CLOSE_WAIT_S = 5.0
"""Limit of the closing handshake, for clients that do not read."""
_DONE = Close(1000, "end of audio")
_NO_TOKEN = Close(4401, "wrong or missing token: send Authorization: Bearer TOKEN")
_DENIAL_STATUS = {4401: 401, 4403: 403, 1008: 400}
_CLOSE_REASON_BYTES = 123
_WRONG_ORIGIN = Close(4403, "this page's origin is not allowed: add it to serving.allowed_origins")


async def serve_stream(socket: WebSocket, service: DetectionService) -> None:
    """Run one client's stream from handshake to close, and give its slot back."""
    offered = list(socket.scope.get("subprotocols", []))
    if not origin_allowed(socket.headers, service.config.allowed_origins):
        await _deny(socket, _WRONG_ORIGIN)
        return
    if not service.token.matches(presented_token(socket.headers.get("authorization"), offered)):
        await _deny(socket, _NO_TOKEN)
        return
    try:
        query = stream_query(socket.query_params.multi_items())
    except QueryError as error:
        await _deny(socket, Close(1008, str(error)))
        return
    await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
    try:
        session = await service.open_stream(query)
    except Refused as refusal:
        await _close(socket, refusal.close)
        return
    try:
        close = await _converse(socket, session, service, query)
    finally:
        service.close_stream(session)
    if close is not None:
        await _close(socket, close)


async def _deny(socket: WebSocket, close: Close) -> None:
    """Refuse the handshake with an HTTP status where the server can, else accept and close at once."""
    if "websocket.http.response" in socket.scope.get("extensions", {}):
        status = _DENIAL_STATUS[close.code]
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        await socket.send_denial_response(JSONResponse({"error": close.reason}, status, headers))
        return
    await socket.accept()
    await _close(socket, close)


async def _converse(
    socket: WebSocket, session: StreamSession, service: DetectionService, query: StreamQuery
) -> Close | None:
    """Exchange messages until one side ends; None when the client has disconnected."""
    loop = asyncio.get_running_loop()
    session.deliver(_ready(session))
    receiving = loop.create_task(_receive(socket, session, service, Intake(query)))
    sending = loop.create_task(_send(socket, session))
    tasks: set[asyncio.Future[Any]] = {receiving, sending}
    try:
        while True:
            await asyncio.wait({*tasks, session.closing}, return_when=asyncio.FIRST_COMPLETED)
            if session.closing.done():
                return session.closing.result()
            if sending.done():
                return sending.result()
            close, ended = receiving.result()
            if not ended:
                return close
            # The audio is complete; pending messages are still sent.
            tasks = {sending}
    finally:
        for task in (receiving, sending):
            task.cancel()
        await asyncio.gather(receiving, sending, return_exceptions=True)


async def _receive(
    socket: WebSocket, session: StreamSession, service: DetectionService, intake: Intake
) -> tuple[Close | None, bool]:
    """Queue the client's audio; returns `(close, False)` to end the stream, `(None, True)` for complete audio."""
    config = service.config
    deadline = time.monotonic() + config.max_session_s
    while True:
        remaining = deadline - time.monotonic()
        try:
            async with asyncio.timeout(min(config.idle_timeout_s, max(remaining, 0.0))):
                message = await socket.receive()
        except TimeoutError:
            if remaining <= config.idle_timeout_s:
                return Close(1008, f"the session reached its limit of {config.max_session_s:g} s: connect again"), False
            return Close(1008, f"no audio for {config.idle_timeout_s:g} s: send chunks in real time"), False
        if message["type"] == "websocket.disconnect":
            return None, False
        chunk = message.get("bytes")
        if chunk is None:
            return Close(1003, f"text is not audio: send binary messages of {intake.format}"), False
        try:
            await _take_in(chunk, session, intake, config.max_message_bytes)
        except BadAudio as fault:
            return Close(fault.code, str(fault)), False
        except MissingExtraError as fault:
            return Close(1011, str(fault)), False
        if not chunk:
            session.end()
            return None, True


async def _take_in(chunk: bytes, session: StreamSession, intake: Intake, limit: int) -> None:
    """Queue the audio of one message. Raises BadAudio for other content, MissingExtraError without soxr."""
    if len(chunk) > limit and not intake.foreign(chunk):
        raise BadAudio(1009, f"a message of {len(chunk)} bytes is too large: send at most {limit} bytes")
    known = intake.from_header
    samples = intake.push(chunk) if chunk else intake.finish()
    if intake.from_header and not known:
        await session.use_format(intake.format)
        session.deliver({"type": "format", **intake.format.facts()})
    if samples:
        await session.put(samples)


def _ready(session: StreamSession) -> dict[str, Any]:
    manifest = session.bundle.manifest
    return {
        "type": "ready",
        **session.format.facts(),
        "chunk_ms": manifest.chunk_ms,
        "words": sorted(session.words),
        "thresholds": session.thresholds,
        "bundle": manifest.name,
    }


async def _send(socket: WebSocket, session: StreamSession) -> Close | None:
    """Send the messages of the outbox until `end`."""
    try:
        while True:
            message = await session.outbox.get()
            await socket.send_json(message)
            if message["type"] == "end":
                return _DONE
    except (WebSocketDisconnect, RuntimeError):
        # Starlette raises RuntimeError for a send after the client has closed.
        return None


async def _close(socket: WebSocket, close: Close) -> None:
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(_CLOSE_WAIT_S):
            await socket.close(close.code, _clipped(close.reason))


def _clipped(reason: str) -> str:
    """A close frame has room for 123 bytes of reason."""
    text = reason.encode()
    return reason if len(text) <= _CLOSE_REASON_BYTES else text[:_CLOSE_REASON_BYTES].decode(errors="ignore")
