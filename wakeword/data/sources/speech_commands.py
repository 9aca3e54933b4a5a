"""`type: speech_commands`: Google's Speech Commands (Warden 2018, arXiv:1804.03209).

Files are `word/SPEAKER_nohash_N.wav`. `validation_list.txt` and `testing_list.txt` list the clips of val and test; the
long recordings in `_background_noise_` are noise. A configured word's folder makes wake words, other words are speech.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from wakeword.audio.listing import verdict_of
from wakeword.audio.locators import plain, walk
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.config.labels import word_of
from wakeword.data.alike import alike
from wakeword.data.sources.listing import Gathering
from wakeword.data.sources.registry import SourceClips, register

_NAME = re.compile(r"^([0-9a-zA-Z]+)_nohash_(\d+)$")
LICENCE = "CC BY 4.0"
_LISTS = {"validation_list.txt": "val", "testing_list.txt": "test"}


@register("speech_commands")
def read_speech_commands(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """List the folder.

    Raises:
        DataError: the folder is absent or holds no clips.
    """
    root = plain(config.uri)
    found = Gathering("speech_commands")
    entries = walk(root)
    listed: dict[str, str] = {}
    for entry in entries:
        if entry.name in _LISTS:
            listed |= dict.fromkeys(found.read_text(entry.uri).split(), _LISTS[entry.name])
    # Another word is speech, unless it may be a misspelled configured word.
    names = {PurePosixPath(entry.name).parts[0].lower() for entry in entries}
    kinds = {name: "wakeword" if word_of(name, words) or alike(name, words) else "speech" for name in names}
    for entry in entries:
        path = PurePosixPath(entry.name)
        verdict, why = verdict_of(entry)
        if verdict == "unread":
            found.refuse(entry.uri, "codec_not_allowed", why)
        if verdict != "read" or len(path.parts) != 2:
            continue
        found.read(entry)
        word = path.parts[0].lower()
        kind = config.kind or kinds[word]
        common = {"clip_id": entry.name, "uri": entry.uri, "source": "speech_commands", "licence": LICENCE}
        if word == "_background_noise_":
            found.add(**common, kind="noise", label=path.stem, speaker_source="none")
            continue
        named = _NAME.match(path.stem)
        if not named:
            found.refuse(entry.uri, "wrong_name", "the name is not SPEAKER_nohash_NUMBER: its speaker is unknown")
            continue
        split = listed.get(entry.name, "train") if listed else ""
        speaker = f"speech_commands:{named[1]}"
        found.add(**common, kind=kind, label=word, text=word, speaker=speaker, speaker_source="given", split=split)
    for name in sorted(set(listed) - {entry.name for entry in entries}):
        found.refuse(f"{root}/{name}", "missing_file", "a list names it, but the file is absent")
    return found.result(root, "WORD/SPEAKER_nohash_N.wav")
