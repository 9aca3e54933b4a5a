"""Own recordings beside engines' from files to shards, and the warnings of splits that lack something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.data.corpus import COLUMNS, burst, config_for, shard_bytes, write_manifest
from wakeword.audio.io import write_wav
from wakeword.config import Config, validate_config
from wakeword.data.prepare import prepare
from wakeword.data.shards import ShardSet
from wakeword.data.summary import PreparedSummary
from wakeword.errors import ConfigError

_COLUMNS = (*COLUMNS, "synthetic", "speaker_source")


def corpus(root: Path, words: dict[str, str], speech: dict[str, str], bad: tuple[str, ...] = ()) -> Path:
    """Two clips of each speaker, in the speaker's split; those of `bad` cannot be decoded, `tts…` is an engine."""
    rows: list[dict[str, Any]] = []
    for kind, speakers in (("wakeword", words), ("speech", speech)):
        for number, (speaker, split) in enumerate(speakers.items()):
            for take in range(2):
                path = f"{kind}/{speaker}_{take}.wav"
                write_wav(root / path, burst(1000 * len(kind) + 10 * number + take, 0.8 if kind == "wakeword" else 2.0))
                if speaker in bad:
                    (root / path).write_bytes(b"no audio at all")
                made = speaker.startswith("tts")
                rows.append({"path": path, "kind": kind, "label": "marvin" if kind == "wakeword" else "speech",
                             "speaker": speaker, "split": split, "synthetic": str(made).lower(),
                             "speaker_source": "synthetic" if made else "given"})  # fmt: skip
    return write_manifest(root / "manifest.csv", rows, _COLUMNS)


WORDS = {"ann": "train", "bob": "train", "cid": "val", "dan": "test"}
SPEECH = {"eve": "train", "fay": "val", "gus": "test"}


def prepared(tmp_path: Path, *args: Any, **config: Any) -> PreparedSummary:
    return prepare(config_for(corpus(tmp_path / "corpus", *args), **config), tmp_path / "out", runner="local")


def test_complete_splits_give_no_warning(tmp_path: Path) -> None:
    assert prepared(tmp_path, WORDS, SPEECH).warnings == []


def test_a_split_that_loses_its_only_speaker_in_decoding_names_them(tmp_path: Path) -> None:
    (warning, other) = prepared(tmp_path, WORDS, SPEECH, ("dan", "bob")).warnings
    assert warning == "train lost bob of 2 people who say marvin: of 2 clips none can be used (2 undecodable)"
    assert other == "test lost dan, its only speaker of marvin: of 2 clips none can be used (2 undecodable)"


def test_a_split_that_loses_all_of_a_word_or_its_people_is_warned_of(tmp_path: Path) -> None:
    words = {**WORDS, "tts:1": "val", "tts:2": "val", "tts:3": "train", "tts:4": "test", "hal": "test"}
    words = {name.replace(":", "-"): split for name, split in words.items()}
    (val, test) = prepared(tmp_path, words, SPEECH, ("cid", "dan", "hal", "tts-4")).warnings
    assert val.startswith("val lost cid, all people who say marvin there, and holds engines alone")
    assert test.startswith("test lost all of marvin, 3 speakers: of 6 clips none can be used (6 undecodable)")


def test_no_usable_clip_of_a_word_is_warned_of_once(tmp_path: Path) -> None:
    assert prepared(tmp_path, WORDS, SPEECH, tuple(WORDS)).warnings == [
        "no usable clip of the wake word marvin is left"
    ]


def test_splits_without_negatives_are_warned_of(tmp_path: Path) -> None:
    (lost,) = prepared(tmp_path / "lost", WORDS, SPEECH, ("fay",)).warnings
    assert lost.startswith("val lost all 2 clips of speech besides the wake words (see quarantine.parquet)")
    assert "add a source of kind speech with 3 speakers or more, or set synthesis.speech_clips" in lost
    (never,) = prepared(tmp_path / "never", WORDS, {"eve": "train", "fay": "val"}).warnings
    assert never.startswith("test holds no speech besides the wake words, so false alarms in speech are not judged")
    # An empty split whose share is 0 gives no warning.
    none = prepared(tmp_path / "none", {"ann": "train"}, {"eve": "train"}, data={"splits": {"val": 0, "test": 0}})
    assert not [one for one in none.warnings if "speech" in one]


def beside_engines(tmp_path: Path, weight: float = 1.0) -> Config:
    """`tom_00` … `tom_39` in a folder, engines' voices in a manifest."""
    for take in range(40):
        write_wav(tmp_path / "own" / "Marvin" / f"tom_{take:02d}.wav", burst(take))
    engines = {f"tts-{split}": split for split in ("train", "val", "test")}
    manifest = corpus(tmp_path / "corpus", engines, SPEECH)
    sources = [{"type": "folder", "uri": str(tmp_path / "own"), "weight": weight}]
    sources.append({"type": "csv", "uri": str(manifest)})
    return validate_config({"words": [{"label": "marvin"}], "data": {"sources": sources, "shard_mb": 0.5}})


def rows_of(out: Path) -> list[dict[str, Any]]:
    shards = ShardSet.open(out)
    return [row for split in shards.splits for row in shards.table(split).drop_columns(["audio"]).to_pylist()]


def test_forty_own_recordings_beside_engines_are_trained_on(tmp_path: Path) -> None:
    summary = prepare(beside_engines(tmp_path), tmp_path / "out", runner="local")
    own = [row for row in rows_of(tmp_path / "out") if row["speaker"] == "tom"]
    assert len(own) == 40
    assert {(row["split"], row["speaker_source"]) for row in own} == {("train", "guessed")}
    assert {row["split"] for row in rows_of(tmp_path / "out") if row["synthetic"]} == {"train", "val", "test"}
    text = " ".join(summary.table().split())
    assert "people say marvin in train alone (tom: 40 clips), in val and test only engines say it" in text
    assert "the speakers of 40 clips are guessed from file names (tom)" in text


def test_a_weight_reaches_the_shards_of_its_source_alone(tmp_path: Path) -> None:
    prepare(beside_engines(tmp_path), tmp_path / "out", runner="local")
    assert {row["weight"] for row in rows_of(tmp_path / "out")} == {1.0}
    before = shard_bytes(tmp_path / "out")
    again = prepare(beside_engines(tmp_path, weight=2.5), tmp_path / "out", runner="local")
    assert not again.up_to_date
    assert {(row["speaker"] == "tom", row["weight"]) for row in rows_of(tmp_path / "out")} == {
        (True, 2.5),
        (False, 1.0),
    }
    changed = {name for name, data in shard_bytes(tmp_path / "out").items() if data != before[name]}
    assert changed
    assert {name.split("-")[0] for name in changed} == {"train"}
    assert again.resumed_shards == again.shards - len(changed), "the others are not decoded again"


def test_a_weight_without_effect_is_refused(tmp_path: Path) -> None:
    write_wav(tmp_path / "rooms" / "a.wav", burst(1))
    config = config_for(tmp_path / "rooms", kind="rir_folder", source={"weight": 2.0})
    with pytest.raises(ConfigError, match="holds room responses alone, which are drawn evenly: leave its weight out"):
        prepare(config, tmp_path / "out", runner="local")
    for weight in (0.0, -1.0, float("inf")):
        with pytest.raises(ConfigError, match="weight"):
            config_for(tmp_path, kind="folder", source={"weight": weight})
