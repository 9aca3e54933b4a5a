"""HTTP and WebSocket routes of one replica: a FastAPI application around a `DetectionService`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import JSONResponse

from wakeword.errors import WakewordError

from .auth import origin_allowed, presented_token
from .batcher import detection_fields
from .query import QueryError, detect_query
from .service import DetectionService, Refused
from .stream import serve_stream


def build_gateway(service: DetectionService) -> FastAPI:
    """All routes of the endpoint, for Ray Serve or a plain ASGI server."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await service.stop()

    app = FastAPI(title="wakeword", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    def authorised(request: Request) -> None:
        if not origin_allowed(request.headers, service.config.allowed_origins):
            raise HTTPException(403, "this page's origin is not allowed: add it to serving.allowed_origins")
        if not service.token.matches(presented_token(request.headers.get("authorization"))):
            raise HTTPException(
                401, "wrong or missing token: send Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
            )

    @app.exception_handler(HTTPException)
    async def _explained(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    @app.get("/healthz")
    async def health() -> JSONResponse:
        status, body = service.health()
        return JSONResponse(body, status)

    @app.get("/v1/stats", dependencies=[Depends(authorised)])
    async def stats() -> dict[str, Any]:
        return service.stats()

    @app.get("/v1/bundle", dependencies=[Depends(authorised)])
    async def bundle() -> dict[str, Any]:
        if service.bundle is None:
            raise HTTPException(503, "no model is loaded: try again later")
        return service.bundle.manifest.model_dump(mode="json")

    @app.post("/v1/detect", dependencies=[Depends(authorised)])
    async def detect(request: Request) -> dict[str, Any]:
        try:
            choice = detect_query(request.query_params.multi_items())
        except QueryError as error:
            raise HTTPException(400, str(error)) from error
        data = await _body(request, int(service.config.max_upload_mb * 2**20), service.config.idle_timeout_s)
        try:
            duration_s, events = await service.detect_upload(data, choice)
        except Refused as refusal:
            # 1008: the request can never be met; others: not now.
            raise HTTPException(400 if refusal.close.code == 1008 else 503, str(refusal)) from refusal
        except WakewordError as error:
            raise HTTPException(422, str(error)) from error
        return {"audio_s": duration_s, "detections": [detection_fields(event) for event in events]}

    @app.websocket("/v1/stream")
    async def stream(socket: WebSocket) -> None:
        await serve_stream(socket, service)

    return app


async def _body(request: Request, limit: int, timeout_s: float) -> bytes:
    """The raw body; refused as soon as it exceeds `limit` bytes or pauses for `timeout_s`."""
    announced = request.headers.get("content-length", "")
    too_large = HTTPException(413, f"the file is larger than {limit} bytes: raise serving.max_upload_mb or send less")
    if announced.isdigit() and int(announced) > limit:
        raise too_large
    data = bytearray()
    pieces = aiter(request.stream())
    try:
        while True:
            async with asyncio.timeout(timeout_s):
                piece = await anext(pieces, None)
            if piece is None:
                break
            data += piece
            if len(data) > limit:
                raise too_large
    except TimeoutError:
        raise HTTPException(408, f"the upload paused for {timeout_s:g} s: send it again") from None
    if not data:
        raise HTTPException(400, "empty request: send the audio file's bytes as the body")
    return bytes(data)
