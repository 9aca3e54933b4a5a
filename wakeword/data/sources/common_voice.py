"""`type: common_voice`: a Common Voice release (Ardila et al. 2020, arXiv:1912.06670).

The folder of a language, or one of its tables: `clips/` beside `train.tsv`, `dev.tsv` and `test.tsv` with the columns
path, client_id and sentence, and optionally accents (accent in old releases), age and gender.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from wakeword.audio.locators import exists, join, parent, plain
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.sources.listing import Gathering, about_speaker, split_of_name, tab_rows
from wakeword.data.sources.registry import SourceClips, register
from wakeword.errors import DataError

LICENCE = "CC0-1.0"
_TABLES = ("train.tsv", "dev.tsv", "test.tsv")


@register("common_voice")
def read_common_voice(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """Read the tables; missing clips are found when they are decoded.

    Raises:
        DataError: no table, or a table without a required column.
    """
    root = plain(config.uri)
    tables = [root] if root.endswith(".tsv") else [join(root, name) for name in _TABLES]
    tables = [table for table in tables if exists(table)]
    if not tables:
        raise DataError(f"{root} holds none of {', '.join(_TABLES)}: give the folder of one language of Common Voice")
    found = Gathering("common_voice")
    kind = config.kind or "speech"
    for table in tables:
        split = split_of_name(PurePosixPath(table).name)
        clips = join(parent(table), "clips")
        text = found.read_text(table)
        absent = {"path", "client_id", "sentence"} - set(text.split("\n", 1)[0].strip("\r").split("\t"))
        if absent:
            raise DataError(f"{table} has no column {' and '.join(sorted(absent))}: it is not a table of Common Voice")
        for line, row in tab_rows(text):
            where = f"{table}:{line}"
            if row is None:
                found.refuse(where, "wrong_row", "the row and the header differ in their number of cells")
            elif not row["path"] or "/" in row["path"]:
                found.refuse(where, "no_path", f"path {row['path']!r} is not a file name in clips/")
            elif not row["client_id"]:
                found.refuse(where, "no_speaker", "client_id is empty: its voice could be in two splits")
            else:
                found.add(
                    clip_id=row["path"],
                    uri=join(clips, row["path"]),
                    kind=kind,
                    label=kind,
                    text=row["sentence"],
                    speaker=f"common_voice:{row['client_id']}",
                    speaker_source="given",
                    split=split,
                    source="common_voice",
                    licence=LICENCE,
                    **about_speaker(row),
                )
    return found.result(root, "clips/ and train.tsv, dev.tsv, test.tsv")
