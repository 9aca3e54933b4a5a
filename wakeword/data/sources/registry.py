"""The result of reading a source, and the decorator that registers a type of source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.manifest import MANIFEST_SCHEMA, Row


@dataclass
class SourceClips:
    """The result of reading a source.

    Attributes:
        clips: table of `MANIFEST_SCHEMA`.
        quarantine: refused rows.
        identity: digest of everything that was read.
        origins: `uri` of a mined clip to the `uri` of the recording that it was cut from.
        notes: sentences about assumptions.
    """

    clips: pa.Table = field(default_factory=MANIFEST_SCHEMA.empty_table)
    quarantine: list[Row] = field(default_factory=list)
    identity: str = ""
    origins: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


Source = Callable[[SourceConfig, Sequence[WordConfig]], SourceClips]
SOURCES: dict[str, Source] = {}


def register(name: str) -> Callable[[Source], Source]:
    """Register a function as `data.sources[].type`."""

    def add(source: Source) -> Source:
        SOURCES[name] = source
        return source

    return add
