"""All types of sources (`data.sources[].type`) and the function that reads one.

A new type is a module that is imported here.
"""

from __future__ import annotations

from collections.abc import Sequence

from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.hard_negatives import train_only
from wakeword.data.manifest import set_column
from wakeword.data.sources import (  # noqa: F401  (importing registers them)
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
from wakeword.data.sources.registry import SOURCES, SourceClips
from wakeword.data.words import with_named_words
from wakeword.errors import ConfigError


def source_types() -> list[str]:
    """Allowed values of `data.sources[].type`."""
    return sorted(SOURCES)


def read_source(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """Read one source.

    Raises:
        ConfigError: no such type, or a weight for room responses.
        DataError: the source is absent, or nothing in it can be read.
    """
    known = source_types()
    if config.type not in known:
        raise ConfigError(f"data.sources: no source type {config.type!r}; known types: {', '.join(known)}")
    found = SOURCES[config.type](config, words)
    found.clips = with_named_words(found.clips, words)
    found.clips, refused = train_only(found.clips)
    found.quarantine += refused
    if config.licence:
        licences = [licence or config.licence for licence in found.clips.column("licence").to_pylist()]
        found.clips = set_column(found.clips, "licence", licences)
    if config.weight != 1:
        if set(found.clips.column("kind").to_pylist()) == {"rir"}:
            raise ConfigError(
                f"data.sources: {config.uri} holds only room responses, which are drawn evenly: remove its weight"
            )
        found.clips = set_column(found.clips, "weight", [config.weight] * found.clips.num_rows)
    return found
