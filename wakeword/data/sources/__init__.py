"""Where clips come from: one file per kind of source, found by its name in `data.sources[].type`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.hard_negatives import train_only
from wakeword.data.manifest import MANIFEST_SCHEMA, Row, set_column
from wakeword.data.words import with_named_words
from wakeword.errors import ConfigError


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
_SOURCES: dict[str, Source] = {}


def register(name: str) -> Callable[[Source], Source]:
    """Make a function available as `data.sources[].type`."""

    def add(source: Source) -> Source:
        _SOURCES[name] = source
        return source

    return add


def source_types() -> list[str]:
    """Names that `data.sources[].type` may have."""
    # They register themselves.
    from wakeword.data.sources import (  # noqa: F401
        common_voice,
        csv_manifest,
        folder,
        librispeech,
        mined,
        noise_folder,
        parquet,
        rir_folder,
        speech_commands,
        webdataset,
    )

    return sorted(_SOURCES)


def read_source(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """Read one source.

    Raises:
        ConfigError: no such type, or a weight of room responses.
        DataError: the source is absent, or nothing in it can be read.
    """
    known = source_types()
    if config.type not in known:
        raise ConfigError(f"data.sources: no source type {config.type!r}; there are: {', '.join(known)}")
    found = _SOURCES[config.type](config, words)
    found.clips = with_named_words(found.clips, words)
    found.clips, refused = train_only(found.clips)
    found.quarantine += refused
    if config.licence:
        licences = [licence or config.licence for licence in found.clips.column("licence").to_pylist()]
        found.clips = set_column(found.clips, "licence", licences)
    if config.weight != 1:
        if set(found.clips.column("kind").to_pylist()) == {"rir"}:
            raise ConfigError(
                f"data.sources: {config.uri} holds room responses alone, which are drawn evenly: leave its weight out"
            )
        found.clips = set_column(found.clips, "weight", [config.weight] * found.clips.num_rows)
    return found
