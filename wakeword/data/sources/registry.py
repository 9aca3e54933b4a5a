"""What a source of clips gives, and the decorator that makes a source known by its type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.manifest import MANIFEST_SCHEMA, Row


@dataclass
class SourceClips:
    """What a source found: clips (`MANIFEST_SCHEMA`), rows it refused, and a digest of everything it read.

    `origins`: of clips that were cut out of recordings (mined ones), the recording's `uri` by their own.
    `notes`: what the source had to guess, as sentences.
    """

    clips: pa.Table = field(default_factory=MANIFEST_SCHEMA.empty_table)
    quarantine: list[Row] = field(default_factory=list)
    identity: str = ""
    origins: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


Source = Callable[[SourceConfig, Sequence[WordConfig]], SourceClips]
SOURCES: dict[str, Source] = {}


def register(name: str) -> Callable[[Source], Source]:
    """Make a function available as `data.sources[].type`."""

    def add(source: Source) -> Source:
        SOURCES[name] = source
        return source

    return add
