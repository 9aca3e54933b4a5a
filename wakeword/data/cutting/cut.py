"""From a recipe's sources to a folder of cut clips with a manifest: count, align, plan, cut, write."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from rapidfuzz.distance.Levenshtein import distance as edit_distance

from wakeword.config import Config, WordConfig
from wakeword.data.cutting.occurrences import to_mine, wanted_texts
from wakeword.data.cutting.plan import CutPlan, Nearness, plan_cuts
from wakeword.data.cutting.stages import AlignStage, CutStage, clip_path
from wakeword.data.manifest import MANIFEST_SCHEMA, SPLITS, Row, quarantine_row, quarantine_table
from wakeword.data.prepare import distinct_ids, gather_clips
from wakeword.data.splits import assign_splits, draw
from wakeword.data.words import check_phrases, holds
from wakeword.errors import ConfigError, DataError
from wakeword.stages.devices import stage_device
from wakeword.stages.runner import Runner, RunStage, stage_runner
from wakeword.system.files import atomic_path, write_json, write_text
from wakeword.system.locks import lock_folder

MANIFEST_COLUMNS = [
    *("path", "kind", "label", "speaker", "speaker_source", "split", "source", "licence", "duration_s", "text"),
    *("contains", "resembles", "phoneme_distance", "sha256", "synthetic", "accent", "age", "gender", "word_start_s"),
    *("word_end_s", "way", "cut_from"),
]
RECORD = "cut.json"
"""The record of a finished folder; without it, a manifest was not written by this command."""


@dataclass
class Corpus:
    """Speech to cut from: `rows` of the manifest with their splits, refused rows, warnings."""

    rows: list[Row] = field(default_factory=list)
    quarantine: list[Row] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class CutSummary:
    """Result of `cut_words_out`.

    Attributes:
        groups: clips and speakers by text (the label of a whole or joined phrase), way (whole, joined, part) and split.
        refused: places in transcripts and clips that were refused, by reason.
        aligned: recordings aligned in this run, of `recordings`.
        made: clips written in this run, of `clips`.
        holding: recordings whose transcript holds a phrase; `prepare` leaves them out of the speech.
    """

    out_dir: Path
    groups: pd.DataFrame
    refused: dict[str, int]
    recordings: int
    aligned: int
    clips: int
    made: int
    holding: int

    def rows(self) -> list[tuple[str, ...]]:
        """Lines of the table, parts last: text, way, clips and speakers in train, val and test."""
        cells = self.groups.assign(cell=[f"{row.clips} ({row.speakers})" for row in self.groups.itertuples()])
        table = cells.pivot(index=["text", "way"], columns="split", values="cell").reindex(columns=SPLITS)
        rows: list[tuple[str, ...]] = list(table.fillna("0 (0)").reset_index().itertuples(index=False, name=None))
        return sorted(rows, key=lambda row: (row[1] == "part", row))


def find_speech(config: Config) -> Corpus:
    """Read the sources, assign splits as `prepare` does, keep transcribed speech with wanted words.

    Raises:
        ConfigError: no sources, or a phrase without letters.
        DataError: a source is absent, or no transcript holds any word of the phrases.
    """
    check_phrases(config.words)
    if not config.data.sources:
        raise ConfigError("data.sources is empty: name a corpus with transcripts to cut words out of")
    gathered = gather_clips(config)
    clips = distinct_ids(pa.concat_tables([MANIFEST_SCHEMA.empty_table(), *gathered.tables]).combine_chunks())
    # Without labels: a word may get its first speakers by cutting.
    split, left_out, _ = assign_splits(clips, (), config.data.splits)
    transcribed = split.filter(pa.compute.not_equal(split.column("text"), ""))
    rows = to_mine(transcribed.to_pylist(), config.words)
    if not rows:
        words = sorted({word for text in wanted_texts(config.words) for word in text.words})
        found = f"{transcribed.num_rows} of {clips.num_rows} clips have a text"
        raise DataError(
            f"no transcript holds {' or '.join(words)} ({found}): add a source with transcripts, such as Common Voice "
            "or LibriSpeech"
        )
    # Of the clips in another split than their speaker, only those with wanted words are reported.
    mined = {row["uri"] for row in to_mine(clips.to_pylist(), config.words)} if left_out else set()
    return Corpus(rows, [*gathered.quarantine, *(row for row in left_out if row["uri"] in mined)], gathered.warnings)


def cut_words_out(
    config: Config, corpus: Corpus, out_dir: str | Path, runner: Runner = "ray", progress: bool | None = None
) -> CutSummary:
    """Align, cut, and write `manifest.csv` last; a repeated call continues, and the bytes are the same.

    Args:
        config: `words`, `cutting`, `data` and `compute`.
        corpus: of `find_speech`.
        out_dir: output folder; on a cluster one that all nodes share.
        runner, progress: of `stages.runner.stage_runner`; the result is the same with every runner.

    Raises:
        ConfigError: the folder holds a manifest of another origin, or the aligner cannot be loaded.
        MissingExtraError: the aligner's packages are not installed.
        DataError: not one clip could be cut.
    """
    out_dir = Path(out_dir).absolute()
    if (out_dir / "manifest.csv").exists() and not (out_dir / RECORD).exists():
        raise ConfigError(f"--out {out_dir} holds a manifest.csv that is not of this command: choose another folder")
    out_dir.mkdir(parents=True, exist_ok=True)
    clips = {f"{number:08d}": row for number, row in enumerate(corpus.rows)}
    with lock_folder(out_dir, ".cut.lock", math.inf), stage_runner(config, runner, progress) as run:
        # Other aligners than CTC models run on a CPU, whatever the device.
        device = stage_device(config, runner) if config.cutting.aligner.startswith("ctc:") else "cpu"
        aligned = _align(config, clips, out_dir, run, device)
        bad = []
        for row in aligned:
            if row["reason"]:
                clip = clips[row["key"]]
                bad.append(quarantine_row(clip["uri"], clip["source"], "align", row["reason"], row["detail"]))
        plan = plan_cuts(config, clips, [row for row in aligned if not row["reason"]], _nearness_of(config))
        stage = CutStage(config.cutting, config.data.quality, out_dir)
        results = [row for batch in run(stage, plan.table(), "cutting") for row in batch.to_pylist()]
        for result in results:
            if result["reason"]:
                clip = plan.clips[result["name"]]
                bad.append(quarantine_row(clip["cut_from"], clip["source"], "cut", result["reason"], result["detail"]))
        return _written(config, out_dir, corpus, plan, aligned, results, bad)


def _align(config: Config, clips: dict[str, Row], out_dir: Path, run: RunStage, device: str) -> list[Row]:
    columns = ("uri", "source", "text", "sha256")
    rows = [{"key": key, **{name: row[name] for name in columns}} for key, row in clips.items()]
    wanted = {word for text in wanted_texts(config.words) for word in text.words}
    stage = AlignStage(config.cutting, config.data.quality, out_dir, sorted(wanted), device)
    table = pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in stage.reads]))
    return [row for batch in run(stage, table, "alignment") for row in batch.to_pylist()]


def _nearness_of(config: Config) -> Callable[[WordConfig, str], Nearness]:
    """Distances in phonemes where the extra [tts] gives pronunciations, else unknown ones."""

    def unknown(word: WordConfig, text: str) -> Nearness:
        return Nearness(None, draw(f"confusable:{config.synthesis.seed}:{text}") < 0.5)

    try:
        from wakeword.data.synthesis.confusables import serves_training
        from wakeword.data.synthesis.espeak import phonemes
        from wakeword.data.synthesis.pronunciation import contains, sounds_of, split_ipa, word_sounds

        phonemes(["a"])
    except ImportError:
        return unknown
    source, language = config.synthesis.pronunciations, config.synthesis.language
    words = [target for other in config.words for target in word_sounds(other, source, language)]

    def known(word: WordConfig, text: str) -> Nearness:
        (variants,) = sounds_of([text], source, language)
        distance = min(edit_distance(s, target) for s in variants for target in word_sounds(word, source, language))
        is_word = any(contains(sounds, target) for sounds in variants for target in words)
        sounds = split_ipa(phonemes([text], language)[0], language)
        return Nearness(distance, serves_training(sounds, config.synthesis.seed), is_word)

    return known


def _written(
    config: Config,
    out_dir: Path,
    corpus: Corpus,
    plan: CutPlan,
    aligned: Sequence[Row],
    results: Sequence[Row],
    bad: list[Row],
) -> CutSummary:
    good = [result for result in results if not result["reason"]]
    absent = [r["name"] for r in good if not (out_dir / clip_path(r["name"])).is_file()]
    if absent:
        raise DataError(
            f"{len(absent)} clips are not in {out_dir} although they were cut ({clip_path(absent[0])} …): "
            "on a cluster this folder must be shared by all nodes"
        )
    bad = [*corpus.quarantine, *bad, *plan.refused]
    with atomic_path(out_dir / "quarantine.parquet") as temporary:
        pq.write_table(quarantine_table(bad), temporary)
    refused = dict(sorted(Counter(row["reason"] for row in bad).items()))
    if not good:
        reasons = ", ".join(f"{number} {reason}" for reason, number in refused.items())
        raise DataError(f"not one clip could be cut out of {len(corpus.rows)} recordings ({reasons}): see {out_dir}")
    rows = [_manifest_row(config, plan.clips[result["name"]], result) for result in good]
    rows.sort(key=lambda row: (row["kind"] != "wakeword", row["label"], row["path"]))
    manifest = pd.DataFrame(rows, columns=MANIFEST_COLUMNS, dtype=object)
    groups = _groups(manifest)
    record = {
        "counts": groups.to_dict("records"),
        "refused": refused,
        "recordings": len(corpus.rows),
        "words": [word.model_dump(mode="json") for word in config.words],
        "cutting": config.cutting.model_dump(mode="json"),
    }
    # The record is written before the manifest, which is not of this command without one.
    write_json(out_dir / RECORD, record)
    write_text(out_dir / "manifest.csv", manifest.to_csv(index=False, lineterminator="\n"))
    return CutSummary(
        out_dir=out_dir,
        groups=groups,
        refused=refused,
        recordings=len(corpus.rows),
        aligned=sum(row["aligned"] for row in aligned),
        clips=len(rows),
        made=sum(result["made"] for result in good),
        holding=sum(any(holds(row["text"], word.text) for word in config.words) for row in corpus.rows),
    )


def _manifest_row(config: Config, clip: Row, result: Row) -> Row:
    held = [w.label for w in config.words if w.label != clip["label"] and holds(clip["text"], w.text)]
    return {
        **clip,
        "path": clip_path(result["name"]),
        "contains": " ".join(held),
        "synthetic": "false",
        "duration_s": f"{result['duration_s']:.4f}",
        "word_start_s": f"{result['word_start_s']:.4f}",
        "word_end_s": f"{result['word_end_s']:.4f}",
        "sha256": result["sha256"],
    }


def _groups(manifest: pd.DataFrame) -> pd.DataFrame:
    """Clips and speakers by text, way and split; a clip without a speaker counts as one speaker."""
    part = manifest["way"] == "part"
    named = manifest.assign(
        text=manifest["text"].where(part, manifest["label"]),
        voice=manifest["speaker"].where(manifest["speaker"] != "", manifest["path"]),
    )
    groups = named.groupby(["text", "way", "split"]).agg(clips=("path", "size"), speakers=("voice", "nunique"))
    return groups.reset_index()
