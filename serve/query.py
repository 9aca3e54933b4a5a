"""Query parameters of `/v1/stream` and `/v1/detect`; unknown, repeated and impossible ones are refused."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from wakeword.errors import DataError, WakewordError
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.resampling import MAX_RATE_HZ, MIN_RATE_HZ, checked_rate

from .audio_format import ENCODINGS, MAX_CHANNELS, AudioFormat

DETECT_PARAMETERS = ("words", "threshold", "fah_target")
FORMAT_PARAMETERS = ("sample_rate", "encoding", "channels")
STREAM_PARAMETERS = (*DETECT_PARAMETERS, *FORMAT_PARAMETERS)
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_QUOTED = 24
"""Characters of a client's text that a message repeats."""


class QueryError(WakewordError):
    """An impossible query."""

    exit_code = 8


@dataclass(frozen=True)
class Choice:
    """Words and thresholds requested by one client."""

    words: tuple[str, ...] = ()
    """Empty: all of the bundle."""
    threshold: float | None = None
    fah_target: float | None = None

    def words_in(self, bundle: Bundle) -> frozenset[str]:
        """The words to deliver. Raises QueryError for one that the bundle lacks."""
        unknown = sorted(set(self.words) - set(bundle.labels))
        if unknown:
            raise QueryError(f"no word {_quoted(unknown[0])} in this bundle: it has {', '.join(bundle.labels)}")
        return frozenset(self.words or bundle.labels)

    def thresholds_in(self, bundle: Bundle) -> list[float]:
        """One threshold per word of the bundle. Raises QueryError for an operating point that the bundle lacks."""
        known = bundle.fah_targets
        if self.fah_target is not None and self.fah_target not in known:
            there = ", ".join(f"{target:g}" for target in known) or "none: evaluate it first"
            raise QueryError(f"no operating point for fah_target={self.fah_target:g}: there are {there}")
        return bundle.thresholds_for(self.fah_target, self.threshold)


@dataclass(frozen=True)
class StreamQuery:
    """The query of `/v1/stream`."""

    choice: Choice = field(default_factory=Choice)
    format: AudioFormat = field(default_factory=AudioFormat)
    declared: frozenset[str] = field(default_factory=frozenset)
    """Those of `FORMAT_PARAMETERS` that the client gave: a WAV header must agree with them."""


def stream_query(items: Iterable[tuple[str, str]]) -> StreamQuery:
    """The query of `/v1/stream` from its (name, value) pairs. Raises QueryError."""
    given = _once(items, STREAM_PARAMETERS)
    audio = AudioFormat(
        _rate(given["sample_rate"]) if "sample_rate" in given else AudioFormat.sample_rate_hz,
        _encoding(given["encoding"]) if "encoding" in given else AudioFormat.encoding,
        _channels(given["channels"]) if "channels" in given else AudioFormat.channels,
    )
    return StreamQuery(_choice(given), audio, frozenset(given) & frozenset(FORMAT_PARAMETERS))


def detect_query(items: Iterable[tuple[str, str]]) -> Choice:
    """The query of `/v1/detect` from its (name, value) pairs. Raises QueryError."""
    return _choice(_once(items, DETECT_PARAMETERS))


def _once(items: Iterable[tuple[str, str]], allowed: tuple[str, ...]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in items:
        if name not in allowed:
            close = difflib.get_close_matches(name.lower(), allowed, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise QueryError(f"unknown query parameter {_quoted(name)}: {hint}Allowed: {', '.join(allowed)}")
        if name in given:
            raise QueryError(f"the query parameter {name} is given twice: send it once")
        given[name] = value
    return given


def _choice(given: dict[str, str]) -> Choice:
    words = tuple(word for word in given.get("words", "").split(",") if word)
    threshold = _number("threshold", given["threshold"]) if "threshold" in given else None
    fah_target = _number("fah_target", given["fah_target"]) if "fah_target" in given else None
    if threshold is not None and fah_target is not None:
        raise QueryError("threshold and fah_target both choose the thresholds: send one of them")
    if threshold is not None and threshold > 1:
        raise QueryError(f"threshold={_quoted(given['threshold'])} is not a number from 0 to 1")
    return Choice(words, threshold, fah_target)


def _number(name: str, text: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        kind = "a number from 0 to 1" if name == "threshold" else "a number of false alarms per hour"
        raise QueryError(f"{name}={_quoted(text)} is not {kind}")
    return value


def _rate(text: str) -> int:
    try:
        return checked_rate(int(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else text)
    except DataError:
        raise QueryError(
            f"sample_rate={_quoted(text)} is not a whole number of Hz from {MIN_RATE_HZ} to {MAX_RATE_HZ}"
        ) from None


def _encoding(text: str) -> str:
    if text not in ENCODINGS:
        raise QueryError(f"encoding={_quoted(text)} is not known: send {' or '.join(ENCODINGS)}")
    return text


def _channels(text: str) -> int:
    if not re.fullmatch(r"[1-9]", text) or int(text) > MAX_CHANNELS:
        raise QueryError(f"channels={_quoted(text)} is not possible: send 1, or 2 to have them averaged")
    return int(text)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _QUOTED else text[:_QUOTED] + "…")
