"""`type: noise_folder`: folders of sounds without transcripts, such as MUSAN, ESC-50 and DEMAND.

The kind is the config's, else `music` or `speech` below folders of these names (MUSAN), else `noise`. The label is the
category: from `meta/esc50.csv` where it exists (ESC-50), otherwise the name of the file's folder. Of DEMAND's sixteen
channels of a recording (`ch01.wav` …) only the first is used.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from wakeword.audio.locators import Entry, plain, walk
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.config.labels import fold
from wakeword.data.sources.listing import Gathering, lines_of
from wakeword.data.sources.registry import SourceClips, register

_CHANNEL = re.compile(r"^ch(\d\d)$")
_KINDS = {"music": "music", "speech": "speech"}


@register("noise_folder")
def read_noise_folder(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """List the folder.

    Raises:
        DataError: the folder is absent or holds no audio.
    """
    root = plain(config.uri)
    name = PurePosixPath(root).name
    found = Gathering("noise_folder")
    categories = _categories(walk(root), found)
    for entry in found.audio_below(root):
        found.read(entry)
        path = PurePosixPath(entry.name)
        channel = _CHANNEL.match(path.stem)
        if channel and channel[1] != "01":
            found.refuse(entry.uri, "other_channel", "only channel ch01 of a recording is used")
            continue
        folders = [fold(part) for part in path.parts[:-1]]
        kind: str = config.kind or next((_KINDS[part] for part in folders if part in _KINDS), "noise")
        category = categories.get(path.name) or next((part for part in reversed(folders) if part != "audio"), kind)
        found.add(
            clip_id=entry.name,
            uri=entry.uri,
            kind=kind,
            label=category,
            speaker_source="none",
            source=name,
        )
    return found.result(root, "audio files, in folders named by their category")


def _categories(entries: list[Entry], found: Gathering) -> dict[str, str]:
    for entry in entries:
        if entry.name.endswith("meta/esc50.csv"):
            rows = csv.DictReader(lines_of(found.read_text(entry.uri)))
            return {row["filename"]: row["category"] for row in rows if row.get("filename") and row.get("category")}
    return {}
