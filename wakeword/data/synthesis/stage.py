"""The stages of synthesis: utterances, noises and room responses to content-addressed FLAC files and manifest rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from wakeword.audio.io import length_s, level_dbfs, read_audio, resample, write_flac
from wakeword.audio.noises import USUAL_KINDS
from wakeword.config import Config
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.config.synthesis import ENGLISH, CommandConfig
from wakeword.data.manifest import MANIFEST_SCHEMA, Row, clip_row, clip_table, quarantine_row
from wakeword.data.synthesis import load_engine
from wakeword.data.synthesis.carriers import Placed, joined, parts_of, spoken_bounds
from wakeword.data.synthesis.checks import check_length, check_sound
from wakeword.data.synthesis.command import absolute_paths
from wakeword.data.synthesis.engine import Engine, SpeechError, stable_seed
from wakeword.data.synthesis.listing import write_lists
from wakeword.data.synthesis.negatives import negative_scenery
from wakeword.data.synthesis.other_languages import unspoken_languages
from wakeword.data.synthesis.plan import UTTERANCE_SCHEMA, plan_utterances, utterance_digest
from wakeword.data.synthesis.pronunciation import Phonemes
from wakeword.data.synthesis.roster import left_out
from wakeword.data.synthesis.sentences import texts_warning
from wakeword.stages.stage import Stage, StageResources
from wakeword.system.files import write_json

if TYPE_CHECKING:
    from wakeword.data.synthesis.word_check import WordCheck

MARGIN_S = 0.2
"""Silence that is kept before and after the speech."""
SILENCE_DB = -45.0
"""Threshold of silence at the edges, relative to the clip's peak."""
TARGET_DBFS, PEAK = -23.0, 0.95
"""One level for all engines, so that loudness does not identify an engine."""
LONGEST_S = 30.0
_COPIED = ("kind", "label", "text", "speaker", "split", "resembles", "phoneme_distance", "gender", "accent", "carrier")
NOISE_S = 8.0
SCENERY_BATCH = 12
BABBLE_VOICES = 8
RESULT_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("uri", pa.string()),
        ("duration_s", pa.float64()),
        ("word_start_s", pa.float64()),
        ("word_end_s", pa.float64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)

SCENERY_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("first", pa.int64()),
        ("count", pa.int64()),
        ("seed", pa.int64()),
        ("speech", pa.list_(pa.string())),
        ("split", pa.string()),
        ("length_s", pa.float64()),
        ("kinds", pa.list_(pa.string())),
    ]
)
"""Rows of `SceneryStage`. `split`: empty where the splits share the clips out."""


class SpeechStage(Stage):
    """Utterances to FLAC files; existing files are reused.

    Args:
        folder: of the files.
        commands: `synthesis.commands`.
        check: pronunciations of the words whose clips are checked, by label.
        language: of the words.
    """

    name = "synthesis"
    reads = tuple(UTTERANCE_SCHEMA.names)
    writes = tuple(RESULT_SCHEMA.names)
    resources = StageResources(cpus=1.0, batch_size=8, stateful=True)

    def __init__(
        self,
        folder: str | Path,
        commands: Mapping[str, CommandConfig] | None = None,
        check: Mapping[str, Collection[Phonemes]] | None = None,
        language: str = ENGLISH,
    ) -> None:
        self.folder = str(folder)
        self.check_sounds = {label: sorted(sounds) for label, sounds in (check or {}).items()}
        self.language = language
        self.commands = absolute_paths(commands or {})
        self._word_check: WordCheck | None = None
        self._engines: dict[str, Engine] = {}
        self._identities: dict[str, str] = {}

    def __call__(self, table: pa.Table) -> pa.Table:
        """Synthesise the rows that are not cached; `reason` is empty for usable clips."""
        return pa.Table.from_pylist([self._spoken(row) for row in table.to_pylist()], schema=RESULT_SCHEMA)

    def _spoken(self, row: Row) -> Row:
        spec = row["engine"]
        if spec not in self._engines:
            self._engines[spec] = load_engine(spec, self.commands)
            self._identities[spec] = self._engines[spec].identity()
        engine = self._engines[spec]
        digest = utterance_digest(row, self._identities[spec])
        path = Path(self.folder) / spec.partition(":")[0] / digest[:2] / f"{digest}.flac"
        times = _word_times(path) if row["carrier"] else {}
        result = _result(row["key"], path, **(times or {}))
        there = result["duration_s"] is not None and times is not None
        checked = row["kind"] == "wakeword" and row["label"] in self.check_sounds
        if there and not checked:
            return result
        try:
            if there:
                clip = Placed(read_audio(path), result["word_start_s"] or 0.0, result["word_end_s"] or 0.0)
            else:
                clip = _in_sentence(engine, row) if row["carrier"] else Placed(trimmed(_synthesised(engine, row)))
            phrase = clip.phrase
            if not there:
                first, last = spoken_bounds(phrase)
                check_length((last - first) / SAMPLE_RATE_HZ, row["rate"], row["sounds"])
            if checked:
                self._check(phrase, row["label"])
        except SpeechError as error:
            return {**result, "reason": error.reason, "detail": str(error)}
        if there:
            return result
        if row["carrier"]:
            times = {"word_start_s": clip.start_s, "word_end_s": clip.end_s}
            # The audio is written last, so that its times exist whenever it does.
            write_json(path.with_suffix(".json"), times)
        write_flac(path, clip.audio)
        return {**result, **(times or {}), "duration_s": len(clip.audio) / SAMPLE_RATE_HZ}

    def _check(self, phrase: np.ndarray, label: str) -> None:
        if self._word_check is None:
            # Imported here, since torch imports slowly.
            from wakeword.data.synthesis.word_check import WordCheck

            self._word_check = WordCheck(self.check_sounds, self.language)
        self._word_check(phrase, label)


class SceneryStage(Stage):
    """Noises and room responses to FLAC files, several per row."""

    name = "scenery"
    reads = ("kind", "first", "count", "seed", "speech", "split", "length_s", "kinds")
    writes = tuple(RESULT_SCHEMA.names)
    resources = StageResources(cpus=1.0, batch_size=1)

    def __init__(self, folder: str | Path) -> None:
        self.folder = str(folder)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Make the clips of each row; files are named by kind and seed."""
        return pa.Table.from_pylist(
            [result for row in table.to_pylist() for result in self._made(row)], schema=RESULT_SCHEMA
        )

    def _made(self, row: Row) -> Iterator[Row]:
        name = stable_seed(row["seed"], *(Path(uri).name for uri in row["speech"]))
        paths = [Path(self.folder) / row["kind"] / f"{name:010d}-{i}.flac" for i in range(row["count"])]
        if any(length_s(path) is None for path in paths):
            # Imported here, since room simulation and filters import slowly.
            from wakeword.audio.noises import synthesise_noises
            from wakeword.audio.rirs import simulate_rirs

            if row["kind"] == "rir":
                made = simulate_rirs(row["count"], row["seed"])
            else:
                speech = [read_audio(uri) for uri in row["speech"]]
                made = synthesise_noises(row["count"], row["seed"], row["length_s"], speech, row["kinds"])
            for path, audio in zip(paths, made, strict=True):
                write_flac(path, peak_limited(np.asarray(audio, np.float32)))
        for i, path in enumerate(paths):
            yield _result(":".join(filter(None, (row["kind"], row["split"], f"{row['first'] + i}"))), path)


def _synthesised(engine: Engine, row: Row, text: str = "") -> np.ndarray:
    """The phrase of a row, or another text in the same voice: `(samples,)` at 16 kHz."""
    given, phonemes = (text, "") if text else (row["respelling"] or row["text"], row["phonemes"])
    audio, rate_hz = engine.speak(given, row["voice"], row["rate"], row["pitch"], row["seed"], phonemes)
    audio = resample(audio, rate_hz)
    check_sound(audio)
    return audio


def _in_sentence(engine: Engine, row: Row) -> Placed:
    before, phrase, after = parts_of(row["carrier"], row["respelling"] or row["text"])
    spoken = [_synthesised(engine, row, before)] if before else []
    spoken.append(_synthesised(engine, row, "" if row["phonemes"] else phrase))
    spoken += [_synthesised(engine, row, after)] if after else []
    clip = joined(spoken, 1 if before else 0, stable_seed(row["seed"], "pauses"), MARGIN_S)
    return replace(clip, audio=levelled(clip.audio))


def trimmed(audio: np.ndarray) -> np.ndarray:
    """Cut silence beyond the margins and set the level without clipping; `(samples,)` at 16 kHz.

    Raises:
        SpeechError: the audio is silent or too long.
    """
    peak = float(np.abs(audio).max()) if len(audio) else 0.0
    if not np.isfinite(peak) or peak < 1e-3:
        raise SpeechError("the engine gave silence", "silence")
    loud = np.flatnonzero(np.abs(audio) > peak * 10 ** (SILENCE_DB / 20))
    margin = round(MARGIN_S * SAMPLE_RATE_HZ)
    return levelled(audio[max(0, loud[0] - margin) : loud[-1] + margin])


def levelled(audio: np.ndarray) -> np.ndarray:
    """Set speech to `TARGET_DBFS` without clipping.

    Raises:
        SpeechError: the audio is too long.
    """
    if len(audio) > LONGEST_S * SAMPLE_RATE_HZ:
        raise SpeechError(f"the engine spoke for {len(audio) / SAMPLE_RATE_HZ:.0f} s", "wrong_length")
    return peak_limited(audio * np.float32(10 ** ((TARGET_DBFS - level_dbfs(audio)) / 20)))


def peak_limited(audio: np.ndarray) -> np.ndarray:
    """Scale audio down to `PEAK` where it would clip."""
    peak = float(np.abs(audio).max())
    return audio * np.float32(PEAK / peak) if peak > PEAK else audio


def _result(key: str, path: Path, **times: float) -> Row:
    empty = {"word_start_s": None, "word_end_s": None, "reason": "", "detail": ""}
    return {"key": key, "uri": str(path), "duration_s": length_s(path), **empty, **times}


def _word_times(path: Path) -> dict[str, float] | None:
    try:
        times = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return {name: float(times[name]) for name in ("word_start_s", "word_end_s")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass
class Spoken:
    """Result of `synthesise`."""

    clips: pa.Table = field(default_factory=MANIFEST_SCHEMA.empty_table)
    quarantine: list[Row] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def synthesise(config: Config, out_dir: Path, run: Callable[[Stage, pa.Table, str], Iterator[pa.Table]]) -> Spoken:
    """Synthesise the planned utterances, noises and room responses; the result has the form of a source's clips.

    Args:
        config: `synthesis`, `words` and `data.splits` are used.
        out_dir: prepared folder; files go to its `synthetic/` unless `synthesis.cache_dir` is set.
        run: runs a stage (in this process or with Ray Data).

    Raises:
        MissingExtraError: an engine is not installed.
        DataError: too few voices.
    """
    folder = Path(config.synthesis.cache_dir or out_dir / "synthetic").absolute()
    utterances = plan_utterances(config)
    checked, unchecked = _checked_words(config)
    stage = SpeechStage(folder, config.synthesis.commands, checked, config.synthesis.language)
    spoken = _collect(run(stage, utterances, "text to speech"))
    rows, bad = [], []
    for row in utterances.to_pylist():
        result = spoken[row["key"]]
        source = f"synthesis/{row['engine'].partition(':')[0]}"
        if result["reason"]:
            where = f"{row['engine']} {row['voice']}: {row['text']}"
            bad.append(quarantine_row(where, source, "synthesis", result["reason"], result["detail"]))
            continue
        copied = {name: row[name] for name in _COPIED}
        rows.append(_synthetic(result, row["key"], source, speaker_source="synthetic", **copied))
    scenery = _collect(run(SceneryStage(folder), _scenery_plan(config, rows), "noises and rooms"))
    for key, result in sorted(scenery.items()):
        kind, *split = key.split(":")[:-1]
        known = {"split": split[0]} if split else {}
        rows.append(_synthetic(result, f"synthetic-{key}", "synthesis/scenery", kind=kind, label=kind, **known))
    write_lists(out_dir, utterances.to_pylist(), {key: result["reason"] for key, result in spoken.items()})
    warnings = [
        *left_out(config.synthesis),
        *unspoken_languages(config.synthesis, config.data.splits),
        *unchecked,
        texts_warning(config.synthesis),
        *_unspoken(utterances.to_pylist(), spoken),
    ]
    return Spoken(clip_table(rows), bad, [warning for warning in warnings if warning])


def _checked_words(config: Config) -> tuple[dict[str, set[Phonemes]], list[str]]:
    if not config.synthesis.check_words:
        return {}, []
    from wakeword.data.synthesis.word_check import checked_words

    return checked_words(config)


def _word_by_engine(row: Row) -> str:
    return f"{row['engine']} spoke {row['label']}" if row["kind"] == "wakeword" else ""


def _unspoken(utterances: list[Row], spoken: dict[str, Row]) -> list[str]:
    """A sentence for each engine, voice and phrase without a single usable clip."""
    warnings: list[str] = []
    failed: set[str] = set()
    ways: tuple[tuple[str, Callable[[Row], str]], ...] = (
        ("the engine {} spoke none of {} clips", lambda row: row["engine"]),
        ("the voice {} spoke none of {} clips", lambda row: f"{row['voice']} of {row['engine']}"),
        ("{} in none of {} clips", _word_by_engine),
    )
    for way, name_of in ways:
        groups: dict[str, list[Row]] = {}
        for row in utterances:
            # The voices of a failed engine need no separate warning.
            if row["engine"] not in failed and (name := name_of(row)):
                groups.setdefault(name, []).append(row)
        for name, rows in sorted(groups.items()):
            faults = Counter(spoken[row["key"]]["reason"] for row in rows)
            if "" not in faults:
                failed.add(name)
                reason, detail = faults.most_common(1)[0][0], spoken[rows[0]["key"]]["detail"]
                warnings.append(f"{way.format(name, len(rows))} ({reason}: {detail})")
    return warnings


def _synthetic(result: Row, clip_id: str, source: str, **values: Any) -> Row:
    return clip_row(
        clip_id=clip_id,
        uri=result["uri"],
        source=source,
        duration_s=result["duration_s"],
        word_start_s=result["word_start_s"],
        word_end_s=result["word_end_s"],
        synthetic=True,
        licence="synthetic",
        **values,
    )


def _collect(batches: Iterator[pa.Table]) -> dict[str, Row]:
    return {row["key"]: row for batch in batches for row in batch.to_pylist()}


def _scenery_plan(config: Config, spoken: list[Row]) -> pa.Table:
    """Rows for `SceneryStage`; babble is mixed from sentences of training voices, which do not contain a phrase."""
    sentences = [row["uri"] for row in spoken if row["kind"] == "speech" and row["split"] == "train"]
    rows = []
    for kind, total in (("noise", config.synthesis.noises), ("rir", config.synthesis.rooms)):
        for first in range(0, total, SCENERY_BATCH):
            seed = stable_seed(config.synthesis.seed, kind, first)
            count = min(SCENERY_BATCH, total - first)
            order = np.random.default_rng(seed).permutation(len(sentences))
            voices = order[: BABBLE_VOICES if kind == "noise" else 0]
            speech = [sentences[i] for i in voices]
            usual = {"split": "", "length_s": NOISE_S, "kinds": list(USUAL_KINDS)}
            rows.append({"kind": kind, "first": first, "count": count, "seed": seed, "speech": speech, **usual})
    rows += negative_scenery(config.synthesis, spoken)
    return pa.Table.from_pylist(rows, schema=SCENERY_SCHEMA)
