"""Where clips come from: one file per kind of source, found by its name in `data.sources[].type`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.manifest import MANIFEST_SCHEMA, Row, set_column
from wakeword.errors import ConfigError


@dataclass
class SourceClips:
    """What a source found: clips (`MANIFEST_SCHEMA`), rows it refused, and a digest of everything it read."""

    clips: pa.Table = field(default_factory=MANIFEST_SCHEMA.empty_table)
    quarantine: list[Row] = field(default_factory=list)
    identity: str = ""


Source = Callable[[SourceConfig, Sequence[WordConfig]], SourceClips]
_SOURCES: dict[str, Source] = {}


def register(name: str) -> Callable[[Source], Source]:
    """Make a function available as `data.sources[].type`."""

    def add(source: Source) -> Source:
        _SOURCES[name] = source
        return source

    return add


def read_source(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """Read one source.

    Raises:
        ConfigError: no such type.
        DataError: the source is absent, or nothing in it can be read.
    """
    # They register themselves.
    from wakeword.data.sources import (  # noqa: F401
        common_voice,
        csv_manifest,
        folder,
        librispeech,
        noise_folder,
        parquet,
        rir_folder,
        speech_commands,
        webdataset,
    )

    if config.type not in _SOURCES:
        known = ", ".join(sorted(_SOURCES))
        raise ConfigError(f"data.sources: no source type {config.type!r}; there are: {known}")
    found = _SOURCES[config.type](config, words)
    if config.licence:
        licences = [licence or config.licence for licence in found.clips.column("licence").to_pylist()]
        found.clips = set_column(found.clips, "licence", licences)
    return found
