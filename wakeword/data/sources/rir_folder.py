"""`type: rir_folder`: a folder, searched recursively, of room impulse responses; every audio file is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from wakeword.audio.locators import plain
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.sources.listing import Gathering
from wakeword.data.sources.registry import SourceClips, register
from wakeword.errors import ConfigError


@register("rir_folder")
def read_rir_folder(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """List the folder.

    Raises:
        ConfigError: the config gives the source another kind.
        DataError: the folder is absent or holds no audio.
    """
    if config.kind not in (None, "rir"):
        raise ConfigError(f"data.sources: a rir_folder holds room responses, not {config.kind}: remove kind")
    root = plain(config.uri)
    found = Gathering("rir_folder")
    for entry in found.audio_below(root):
        found.read(entry)
        common = {"clip_id": entry.name, "uri": entry.uri, "source": PurePosixPath(root).name}
        found.add(**common, kind="rir", label="rir", speaker_source="none")
    return found.result(root, "audio files of impulse responses")
