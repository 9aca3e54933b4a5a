"""Authorisation: one bearer token and, for browsers, the page's origin."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from wakeword.errors import ServingError

SUBPROTOCOL = "wakeword.v1"
TOKEN_VARIABLE = "WAKEWORD_TOKEN"
_BEARER_SUBPROTOCOL = "bearer."
_TOKEN_FORM = re.compile(r"[A-Za-z0-9._~-]{8,512}")


@dataclass(frozen=True)
class Token:
    """A secret that is absent from its `repr`."""

    value: str = field(repr=False)
    origin: Literal["file", "environment", "generated"]

    def matches(self, presented: str | None) -> bool:
        """Compare in a time that does not depend on the presented token."""
        if presented is None:
            return False
        ours = hashlib.sha256(self.value.encode()).digest()
        theirs = hashlib.sha256(presented.encode()).digest()
        return hmac.compare_digest(ours, theirs)


def configured_token(token_file: str) -> Token | None:
    """The token of `token_file`, or of WAKEWORD_TOKEN, or None where neither is given.

    Raises:
        ServingError: the file is unreadable, or the token is too short or holds characters a header cannot carry.
    """
    if token_file:
        try:
            text = Path(token_file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ServingError(
                f"serving.token_file = {token_file!r} cannot be read: write the token into it as one line"
            ) from error
        return Token(_checked(text, f"the token in {token_file}"), "file")
    text = os.environ.get(TOKEN_VARIABLE, "").strip()
    if text:
        return Token(_checked(text, f"the token in {TOKEN_VARIABLE}"), "environment")
    return None


def resolve_token(token_file: str) -> Token:
    """The configured token, else a random one, which the caller prints."""
    return configured_token(token_file) or Token(secrets.token_urlsafe(24), "generated")


def _checked(text: str, what: str) -> str:
    if not _TOKEN_FORM.fullmatch(text):
        raise ServingError(
            f"{what} must be 8 to 512 letters, digits or . _ ~ - (a browser sends it as a WebSocket subprotocol)"
        )
    return text


def presented_token(authorization: str | None, subprotocols: Iterable[str] = ()) -> str | None:
    """A client's token from `Authorization: Bearer T` or the subprotocol `bearer.T` (browsers set no headers)."""
    if authorization:
        scheme, _, value = authorization.partition(" ")
        return value.strip() if scheme.lower() == "bearer" else None
    for name in subprotocols:
        if name.startswith(_BEARER_SUBPROTOCOL):
            return name.removeprefix(_BEARER_SUBPROTOCOL)
    return None


def origin_allowed(headers: Mapping[str, str], allowed: Iterable[str]) -> bool:
    """Whether the page that opens this connection is allowed; browsers let any site open WebSockets.

    A request without `Origin` comes from a program. The endpoint's own origin has the host and port of `Host`.
    """
    origin = headers.get("origin")
    if origin is None:
        return True
    if origin.rstrip("/") in {entry.rstrip("/") for entry in allowed}:
        return True
    host = headers.get("host", "")
    return bool(host) and urlsplit(origin).netloc.lower() == host.lower()


def is_loopback(host: str) -> bool:
    """Whether a bind address is reachable from this machine only."""
    return host in {"localhost", "::1"} or host.startswith("127.")
