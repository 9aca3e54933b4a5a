"""`type: folder`: a folder per label, searched recursively.

`layouts` interprets folder names: a configured word's label or phrase makes wake words; known names set the kind
(`positive`, `negative`, `noise` …) or the split (`train`, `test` …), also in the layouts of other projects; any other
name is a label, whose clips become negatives. `kind` in the config applies to the whole folder. `metadata.csv` (or
`.jsonl`) may give text, label and speaker by `file_name`.

`speakers` finds the speaker from the folders below the label and from the file's name; otherwise each file counts as a
separate speaker.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from wakeword.audio.io import EXTENSIONS
from wakeword.audio.listing import list_audio
from wakeword.audio.locators import exists, plain
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.config.labels import word_of
from wakeword.data.manifest import VOICED, Row, clip_row, clip_table, quarantine_row
from wakeword.data.sources.audiofolder import read_metadata
from wakeword.data.sources.layouts import Layout, Place
from wakeword.data.sources.listing import SPEAKER, TEXT, about_speaker, first_of, placed_kind
from wakeword.data.sources.registry import SourceClips, register
from wakeword.data.sources.speakers import UNKNOWN, speaker_of
from wakeword.errors import DataError

_LOG = logging.getLogger(__name__)


@register("folder")
def read_folder(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """List a folder of recordings; files of unsupported formats go to quarantine.

    Raises:
        DataError: the folder is absent or holds no audio file.
    """
    root = plain(config.uri)
    if not exists(root):
        raise DataError(f"folder {root} does not exist: give a folder that holds one folder of recordings per label")
    listing = list_audio(root)
    folders = (PurePosixPath(entry.name).parts[:-1] for entry in listing.audio)
    layout = Layout(PurePosixPath(root).name, folders, config.kind, words)
    metadata, metadata_digest = read_metadata(listing.others)
    rows: list[Row] = []
    bad: list[Row] = []
    digest = hashlib.sha256(metadata_digest.encode())
    for entry, unread in listing.unread:
        digest.update(f"{entry.name}\0{entry.size}\0{entry.stamp}\n".encode())
        bad.append(quarantine_row(entry.uri, "folder", "source", "codec_not_allowed", unread))
    if listing.others:
        _LOG.info("%s: %d files beside the recordings are not audio", root, len(listing.others))
    for entry in listing.audio:
        path = PurePosixPath(entry.name)
        digest.update(f"{entry.name}\0{entry.size}\0{entry.stamp}\n".encode())
        about = metadata.get(entry.name, {})
        place = _described(layout.place(path.parts[:-1]), about, words)
        if place.fault:
            bad.append(quarantine_row(entry.uri, "folder", "source", "no_label", place.fault))
            continue
        kind, label = place.kind, place.label
        speaker, known = speaker_of(place.below, path.stem, label) if kind in VOICED else UNKNOWN
        if kind in VOICED and (named := first_of(about, SPEAKER)):
            speaker, known = named, "given"
        rows.append(
            clip_row(
                clip_id=entry.name,
                uri=entry.uri,
                kind=kind,
                label=label,
                text=first_of(about, TEXT),
                speaker=speaker,
                speaker_source=known,
                split=place.split,
                source=PurePosixPath(root).name,
                **about_speaker(about),
            )
        )
    if not rows:
        found = f" ({len(bad)} files cannot be used: {bad[0]['detail']})" if bad else ""
        raise DataError(f"folder {root} holds no audio file that can be read ({', '.join(EXTENSIONS)}){found}")
    return SourceClips(clip_table(rows), bad, digest.hexdigest(), notes=layout.notes)


def _described(place: Place, about: Mapping[str, Any], words: Sequence[WordConfig]) -> Place:
    """Take label and kind from the clip's metadata where the folders name neither a kind nor a configured word."""
    label, text = first_of(about, ("label",)), first_of(about, TEXT)
    known = place.kind and (place.kind != "wakeword" or word_of(place.label, words))
    if known or not (label or word_of(text, words) or (place.fault and text)):
        return place
    kind, label = placed_kind(None, label, text, words)
    return Place(kind, word_of(label, words) or label, place.below, place.split)
