"""`type: csv`: a manifest with a header line and one row per clip; each row is validated separately.

Required columns: `path` (relative to the manifest, or absolute) and `kind`. Optional columns: label, speaker,
speaker_source, split, source, licence, duration_s, text, contains, resembles, phoneme_distance, sha256, synthetic,
accent, age, gender, word_start_s, word_end_s. Others are ignored.

Columns are separated by commas, semicolons, tabs or `|`. With semicolons and tabs, numbers may have a decimal comma
(spreadsheets write both). A first line `sep=;` is supported. Paths may have back slashes and either Unicode form of
accented letters.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections.abc import Sequence

from wakeword.audio.locators import join, parent, plain, read_bytes
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.config.labels import fold
from wakeword.data.manifest import KINDS, SPLITS, Row, clip_row, clip_table, quarantine_row
from wakeword.data.sources.listing import about_speaker, lines_of, uri_of
from wakeword.data.sources.registry import SourceClips, register
from wakeword.errors import DataError

NEEDED = ("path", "kind")
DELIMITERS = (",", ";", "\t", "|")
_TIMES = ("word_start_s", "word_end_s")
_NUMBERS = ("duration_s", *_TIMES)
_COPIED = ("speaker", "source", "licence", "text", "contains", "resembles")


@register("csv")
def read_csv(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """Read a CSV manifest; invalid rows go to quarantine.

    Raises:
        DataError: the file is absent, not UTF-8 CSV, or lacks a required column.
    """
    path = plain(config.uri)
    try:
        data = read_bytes(path)
    except OSError as error:
        raise DataError(
            f"manifest {path} cannot be read ({error.strerror or error}): give the path of a CSV file"
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"manifest {path} is not UTF-8 text (byte {error.start}): save it as UTF-8 CSV") from error
    lines = lines_of(text)
    delimiter, header, skipped = _header(lines, path, config)
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    clips, bad, seen = [], [], set()
    try:
        for cells in reader:
            where = f"{path}:{reader.line_num + skipped}"
            if not any(cells):
                continue
            if delimiter in ";\t":
                cells = _with_points(cells, header)
            row, fault = validated(cells, header, config, path)
            if not fault and row["clip_id"] in seen:
                fault = ("duplicate", f"{row['clip_id']} is named by an earlier row")
            if fault:
                bad.append(quarantine_row(where, config.type, "source", *fault))
            else:
                seen.add(row["clip_id"])
                clips.append(row)
    except csv.Error as error:
        raise DataError(
            f"manifest {path}, line {reader.line_num + skipped}: invalid CSV ({error}): fix that line"
        ) from error
    return SourceClips(clip_table(clips), bad, hashlib.sha256(data).hexdigest())


def _header(lines: io.StringIO, path: str, config: SourceConfig) -> tuple[str, list[str], int]:
    """The delimiter, the names of the columns, and the number of lines read.

    Raises:
        DataError: no delimiter gives the required columns, or a column has a former name.
    """
    line, read = lines.readline(), 1
    stated = re.fullmatch(r"sep=(.)\s*", line)
    if stated:
        line, read = lines.readline(), 2
    needed = [name for name in NEEDED if not (name == "kind" and config.kind)]
    tried = {}
    for delimiter in dict.fromkeys((*(stated.groups() if stated else ()), *DELIMITERS)):
        cells = next(csv.reader([line], delimiter=delimiter), [])
        tried[delimiter] = header = [name.strip().lower() for name in cells]
        if all(name in header for name in needed):
            if "distance" in header:
                raise DataError(f"manifest {path}: the column distance is now phoneme_distance: rename it")
            return delimiter, header, read
    header = max(tried.values(), key=len)
    absent = [name for name in needed if name not in header]
    hint = "" if len(header) > 1 else " columns are separated by commas, semicolons, tabs or |;"
    raise DataError(
        f"manifest {path} has no column {' and '.join(absent)}:{hint} its first line must name the columns, this one "
        f"names {', '.join(header) or 'none'}"
    )


def _with_points(cells: list[str], header: list[str]) -> list[str]:
    """The cells of a row with decimal points in numbers."""
    numbers = {place for place, name in enumerate(header) if name in _NUMBERS}
    return [
        re.sub(r"^\s*(\d*),(\d+)\s*$", r"\1.\2", cell) if place in numbers else cell for place, cell in enumerate(cells)
    ]


def validated(
    cells: list[str], header: list[str], config: SourceConfig, path: str
) -> tuple[Row, tuple[str, str] | None]:
    """Convert the cells of a row to a manifest row, or return the reason and detail of its fault."""
    if len(cells) != len(header):
        return {}, ("wrong_row", f"{len(cells)} cells, the header names {len(header)} columns")
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    kind = config.kind or values["kind"]
    label = fold(values.get("label", ""))
    split, digest = values.get("split", ""), values.get("sha256", "").lower()
    faults = {
        "no_path": not values["path"] and "the path is empty",
        "wrong_path": re.match(r"[A-Za-z]:[\\/]|\\\\", values["path"])
        and f"{values['path']} is a Windows path: give it relative to the manifest",
        "wrong_kind": kind not in KINDS and f"kind {kind!r} is none of {', '.join(KINDS)}",
        "no_label": kind == "wakeword" and not label and "a wake word needs a label",
        "wrong_split": split not in ("", *SPLITS) and f"split {split!r} is none of {', '.join(SPLITS)}",
        "wrong_duration": not _duration_fits(values) and f"duration_s {values.get('duration_s')!r} is not a length",
        "wrong_word_times": not _times_fit(values) and "word_start_s and word_end_s are not the times of a word",
        "wrong_distance": not re.fullmatch(r"\d{0,3}", values.get("phoneme_distance", ""))
        and f"phoneme_distance {values['phoneme_distance']!r} is not a number of phonemes",
        "wrong_sha256": digest and not re.fullmatch(r"[0-9a-f]{64}", digest) and f"sha256 {digest!r} is not a SHA-256",
    }
    for reason, detail in faults.items():
        if detail:
            return {}, (reason, str(detail))
    row = clip_row(
        clip_id=values["path"],
        uri=uri_of(join(parent(path), values["path"])),
        kind=kind,
        label=label or kind,
        split=split,
        speaker_source=values.get("speaker_source") or ("given" if values.get("speaker") else "none"),
        duration_s=float(values["duration_s"]) if values.get("duration_s") else None,
        **{name: float(values[name]) for name in _TIMES if values.get(name)},
        synthetic=values.get("synthetic", "").lower() in ("1", "true", "yes"),
        sha256=digest,
        phoneme_distance=int(values["phoneme_distance"]) if values.get("phoneme_distance") else None,
        **{name: values.get(name, "") for name in _COPIED},
        **about_speaker(values),
    )
    return row, None


def _duration_fits(values: Row) -> bool:
    try:
        duration_s = float(values.get("duration_s") or 1.0)
    except ValueError:
        return False
    return math.isfinite(duration_s) and duration_s > 0


def _times_fit(values: Row) -> bool:
    """Whether both times are valid or both absent (then the word is located by its energy)."""
    try:
        times = [float(values[name]) for name in _TIMES if values.get(name)]
    except ValueError:
        return False
    return not times or (len(times) == 2 and 0 <= times[0] < times[1] < math.inf)
