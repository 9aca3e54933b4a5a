"""`type: mined`: candidates of `wakeword mine` that a person kept, as hard negatives for training.

Discarded and undecided candidates are refused. The text of a clip is that of its whole recording, so that clips of
recordings that contain a configured word are left out like others (`contains_word`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from wakeword.audio.locators import join, plain, read_bytes
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.hard_negatives import KIND
from wakeword.data.manifest import clip_row, clip_table, quarantine_row
from wakeword.data.mined import CANDIDATES, DECISIONS, read_candidates, read_decisions
from wakeword.data.sources.registry import SourceClips, register
from wakeword.errors import ConfigError, DataError

_COPIED = ("text", "speaker", "speaker_source", "source", "licence", "synthetic", "sha256", "duration_s")
_TIMES = ("word_start_s", "word_end_s")
_ABOUT = ("accent", "age", "gender")


@register("mined")
def read_mined(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """The kept candidates of a mining folder, in the split train.

    Raises:
        DataError: the folder is not a mining folder, its decisions cannot be read, or nothing was kept.
        ConfigError: the config gives the source another kind.
    """
    if config.kind not in (None, KIND):
        raise ConfigError(f"data.sources: {config.uri} is mined, its clips are of kind {KIND}: remove `kind`")
    root = plain(config.uri)
    candidates = read_candidates(root).to_pylist()
    decisions = read_decisions(root, {row["id"] for row in candidates})
    rows, refused, origins = [], [], {}
    for row in candidates:
        decision, uri = decisions.get(row["id"], ""), join(root, row["clip"])
        if decision != "keep":
            detail = "it was discarded" if decision else "it is undecided"
            refused.append(quarantine_row(uri, row["source"], "source", "not_kept", detail))
            continue
        origins[uri] = row["origin"]
        rows.append(
            clip_row(
                clip_id=f"mined/{row['id']}",
                uri=uri,
                kind=KIND,
                label=KIND,
                resembles=row["word"],
                split="train",
                **{name: row[name] for name in (*_COPIED, *_TIMES)},
                **{name: row[name] or None for name in _ABOUT},
            )
        )
    if not rows:
        raise DataError(
            f"none of the {len(candidates)} candidates of {root} was kept: listen to review.html there and decide with "
            f"`wakeword mine review {root}`, or remove the source"
        )
    read = [read_bytes(join(root, name)) for name in (CANDIDATES, DECISIONS)]
    identity = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in read)).hexdigest()
    return SourceClips(clip_table(rows), refused, identity, origins)
