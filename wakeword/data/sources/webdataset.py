"""`type: webdataset`: tar files (or a folder of them) with `key.wav|flac|mp3|ogg` beside `key.json` or `key.txt`.

The text is the `.txt` or the JSON's text (transcript, sentence). The JSON may also give speaker, kind, label (as
`key.cls` may), split, source, licence, accent, age and gender. Without a split there, it is taken from the tar's name.
Clips are decoded in place, inside the tar.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from wakeword.audio.decoding.formats import judge
from wakeword.audio.locators import Entry, open_uri, plain, tar_members, walk
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.sources.listing import Gathering, first_of, is_audio
from wakeword.data.sources.registry import SourceClips, register

_MAX_TEXT_BYTES = 1 << 20


@register("webdataset")
def read_webdataset(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """Read each tar's index and its small text members.

    Raises:
        DataError: there is no tar, or a file is not an uncompressed tar.
    """
    root = plain(config.uri)
    found = Gathering("webdataset")
    for entry in walk(root):
        if not entry.name.endswith(".tar"):
            continue
        found.read(entry)
        samples: dict[str, dict[str, str]] = {}
        members = tar_members(entry.uri)
        for name in members:
            path = PurePosixPath(name)
            # In this format a key ends at the first dot of the file's name.
            key, _, extension = path.name.partition(".")
            samples.setdefault(str(path.parent / key), {})[extension.lower()] = name
        with open_uri(entry.uri) as stream:
            for key, files in samples.items():
                _add_sample(found, entry, key, files, _Reader(stream, members), config, words)
    return found.result(root, "*.tar with KEY.wav and KEY.json or KEY.txt")


class _Reader:
    """Small members of an open tar."""

    def __init__(self, stream: Any, members: dict[str, tuple[int, int]]) -> None:
        self.stream = stream
        self.members = members

    def text(self, name: str) -> str:
        offset, size = self.members[name]
        if size > _MAX_TEXT_BYTES:
            raise ValueError(f"{size} bytes are too large for a description of a clip")
        self.stream.seek(offset)
        return str(self.stream.read(size).decode("utf-8-sig"))


def _add_sample(
    found: Gathering,
    entry: Entry,
    key: str,
    files: dict[str, str],
    reader: _Reader,
    config: SourceConfig,
    words: Sequence[WordConfig],
) -> None:
    audio = next((name for extension, name in sorted(files.items()) if is_audio(f"x.{extension}")), "")
    unread = [detail for extension in sorted(files) if (detail := judge(f"in.{extension}")[1])]
    if not audio and unread:
        found.refuse(f"{entry.uri}#{key}", "codec_not_allowed", unread[0])
        return
    if not audio:
        found.refuse(f"{entry.uri}#{key}", "no_audio", f"only {', '.join(sorted(files))}: no audio of this key")
        return
    uri = f"{entry.uri}#{audio}"
    try:
        values = json.loads(reader.text(files["json"])) if "json" in files else {}
        if not isinstance(values, dict):
            raise ValueError("not an object")
        if "cls" in files and not first_of(values, ("label",)):
            values["label"] = reader.text(files["cls"]).strip()
        if "txt" in files:
            values["text"] = reader.text(files["txt"]).strip()
    except ValueError as error:
        found.refuse(uri, "bad_description", f"its json or txt cannot be read: {error}")
        return
    found.add_described(entry, audio, values, config, words)
