"""`type: folder`: a folder per label, searched recursively.

Top folders with known names set the kind: `positive` (wake words), `negative`/`speech`, `noise`/`background`, `music`,
`rir`/`rirs`, `hard_negative`/`hard_negatives`. Any other top folder is a label: a configured word's label makes wake
words, another label negatives.
Below `positive` a folder named like a configured label is that word; with a single configured word, files directly in
`positive` are that word. With `kind` set in the config, the whole folder is of that kind.

Speakers: a folder below the label names the speaker (`speaker_source=given`); otherwise the file name up to its first
`_` does (`anna_01.wav`), unless that prefix is a number, the label itself or a general term such as `rec`; otherwise
the speaker is unknown (`speaker_source=none`) and each file counts as a speaker of its own.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from wakeword.audio.io import EXTENSIONS
from wakeword.audio.listing import list_audio
from wakeword.audio.locators import exists, plain
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.manifest import VOICED, Row, clip_row, clip_table, quarantine_row
from wakeword.data.sources import SourceClips, register
from wakeword.errors import DataError

_LOG = logging.getLogger(__name__)
KIND_FOLDERS = {
    "positive": "wakeword",
    "positives": "wakeword",
    "negative": "speech",
    "negatives": "speech",
    "speech": "speech",
    "confusable": "confusable",
    "hard_negative": "hard_negative",
    "hard_negatives": "hard_negative",
    "noise": "noise",
    "background": "noise",
    "music": "music",
    "rir": "rir",
    "rirs": "rir",
}
GENERAL = frozenset(
    [
        "audio",
        "clip",
        "file",
        "music",
        "noise",
        "rec",
        "record",
        "recording",
        "sample",
        "sound",
        "take",
        "track",
        "utt",
        "utterance",
        "voice",
        "wav",
    ]
)


@register("folder")
def read_folder(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """List a folder of recordings; files of unread formats go to quarantine.

    Raises:
        DataError: no such folder, or no audio file in it.
    """
    root = plain(config.uri)
    if not exists(root):
        raise DataError(f"folder {root} does not exist: name a folder with recordings, one folder per label")
    labels = {word.label for word in words}
    rows: list[Row] = []
    bad: list[Row] = []
    digest = hashlib.sha256()
    listing = list_audio(root)
    for entry, unread in listing.unread:
        digest.update(f"{entry.name}\0{entry.size}\0{entry.stamp}\n".encode())
        bad.append(quarantine_row(entry.uri, "folder", "source", "codec_not_allowed", unread))
    if listing.others:
        _LOG.info("%s: %d files beside the recordings are no audio", root, listing.others)
    for entry in listing.audio:
        path = PurePosixPath(entry.name)
        parts = path.parts
        digest.update(f"{entry.name}\0{entry.size}\0{entry.stamp}\n".encode())
        placed = _placed(parts[:-1], config, labels)
        if placed is None:
            detail = "lies directly in the source's folder: move it into a folder named by its label"
            bad.append(quarantine_row(entry.uri, "folder", "source", "no_label", detail))
            continue
        kind, label, below = placed
        speaker, known = _speaker(below, path.stem, label)
        rows.append(
            clip_row(
                clip_id=entry.name,
                uri=entry.uri,
                kind=kind,
                label=label,
                speaker=speaker if kind in VOICED else "",
                speaker_source=known,
                source=PurePosixPath(root).name,
            )
        )
    if not rows:
        found = f" ({len(bad)} files cannot be used: {bad[0]['detail']})" if bad else ""
        raise DataError(f"folder {root} holds no audio file that can be read ({', '.join(EXTENSIONS)}){found}")
    return SourceClips(clip_table(rows), bad, digest.hexdigest())


def normal_label(name: str) -> str:
    """A folder's name as a label: lower case, underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _placed(
    folders: tuple[str, ...], config: SourceConfig, labels: set[str]
) -> tuple[str, str, tuple[str, ...]] | None:
    """Kind, label and the folders below the label's, or None where nothing says what the file is."""
    names = [normal_label(name) for name in folders]
    only = next(iter(labels)) if len(labels) == 1 else ""
    kind = config.kind or (KIND_FOLDERS.get(names[0]) if names else None)
    below = folders if config.kind else folders[1:]
    if kind == "wakeword":
        rest = [normal_label(name) for name in below]
        if rest and (rest[0] in labels or not only):
            return kind, rest[0], below[1:]
        root_label = normal_label(PurePosixPath(config.uri).name)
        if root_label in labels and config.kind:
            return kind, root_label, below
        return (kind, only, below) if only else None
    if kind:
        return kind, kind, below
    return ("wakeword", names[0], folders[1:]) if names else None


def _speaker(below: tuple[str, ...], stem: str, label: str) -> tuple[str, str]:
    if below:
        return below[0], "given"
    if normal_label(stem).startswith(label):
        return "", "none"
    prefix, separator, _ = stem.partition("_")
    if not separator or prefix.isdigit() or prefix.lower() in GENERAL:
        return "", "none"
    return prefix, "given"
