"""`type: librispeech`: LibriSpeech and LibriTTS-like trees (Panayotov et al. 2015).

Files are `[SUBSET/]SPEAKER/CHAPTER/SPEAKER-CHAPTER-N.flac`, with `SPEAKER-CHAPTER.trans.txt` beside them. The split
follows the subset's name (`dev-clean` is val), from the folder or else from `SPEAKERS.TXT`, which also gives the sex of
each speaker.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from wakeword.audio.locators import exists, join, parent, plain, walk
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.sources.listing import Gathering, about_speaker, lines_of, split_of_name
from wakeword.data.sources.registry import SourceClips, register

LICENCE = "CC BY 4.0"


@register("librispeech")
def read_librispeech(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """Read every transcript below the folder.

    Raises:
        DataError: the folder is absent or holds no transcripts.
    """
    root = plain(config.uri)
    found = Gathering("librispeech")
    entries = walk(root)
    by_name = {entry.name: entry for entry in entries}
    subsets, sexes = _speakers(root, found)
    kind = config.kind or "speech"
    transcribed: set[str] = set()
    for entry in entries:
        if not entry.name.endswith(".trans.txt"):
            continue
        folder = PurePosixPath(entry.name).parent
        for number, line in enumerate(lines_of(found.read_text(entry.uri)), 1):
            name, _, text = line.strip().partition(" ")
            if not name:
                continue
            clip = by_name.get(f"{folder / name}.flac") or by_name.get(f"{folder / name}.wav")
            where = f"{entry.uri}:{number}"
            if not text:
                found.refuse(where, "no_text", f"{name} has no transcript")
            elif clip is None:
                found.refuse(where, "missing_file", f"there is no {name}.flac beside the transcript")
            else:
                speaker = name.split("-")[0]
                transcribed.add(clip.name)
                found.read(clip)
                found.add(
                    clip_id=clip.name,
                    uri=clip.uri,
                    kind=kind,
                    label=kind,
                    text=text,
                    speaker=f"librispeech:{speaker}",
                    speaker_source="given",
                    split=split_of_name(str(folder)) or split_of_name(subsets.get(speaker, "")),
                    source="librispeech",
                    licence=LICENCE,
                    **about_speaker({"sex": sexes.get(speaker)}),
                )
    for entry in entries:
        if entry.name.endswith(".flac") and entry.name not in transcribed:
            found.refuse(entry.uri, "no_text", "no transcript names this recording")
    return found.result(root, "SPEAKER/CHAPTER/*.flac and *.trans.txt")


def _speakers(root: str, found: Gathering) -> tuple[dict[str, str], dict[str, str]]:
    """Subset and sex of speakers from SPEAKERS.TXT (`ID | SEX | SUBSET | MINUTES | NAME`), in the folder or one
    above."""
    for folder in (root, parent(root)):
        path = join(folder, "SPEAKERS.TXT")
        if exists(path):
            lines = [line.split("|") for line in lines_of(found.read_text(path)) if not line.startswith(";")]
            rows = [[cell.strip() for cell in cells] for cells in lines if len(cells) >= 5]
            return {cells[0]: cells[2] for cells in rows}, {cells[0]: cells[1] for cells in rows}
    return {}, {}
