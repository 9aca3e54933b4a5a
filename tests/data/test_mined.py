"""Decisions on mined candidates: by id, by cluster, by hand; and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.corpus import burst
from wakeword.audio.io import flac_bytes
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.hard_negatives import train_only
from wakeword.data.manifest import clip_row, clip_table
from wakeword.data.mined import CANDIDATE_SCHEMA, decide, read_candidates, read_decisions, write_decisions
from wakeword.data.sources.types import read_source
from wakeword.errors import ConfigError, DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five candidates in two clusters."""
    rows = []
    for number, cluster in enumerate((1, 1, 1, 2, 2)):
        data = flac_bytes(burst(number, 2.0))
        (tmp_path / "clips").mkdir(exist_ok=True)
        (tmp_path / "clips" / f"c{number}.flac").write_bytes(data)
        texts = {name: "" for name in CANDIDATE_SCHEMA.names if CANDIDATE_SCHEMA.field(name).type == pa.string()}
        numbers = {"score": 0.9 - number / 10, "start_s": 1.0, "end_s": 1.5, "clip_start_s": 0.5, "duration_s": 2.0}
        about = {"speaker": "anna", "source": "corpus", "licence": "CC0", "text": "good day", "word": "marvin"}
        rows.append(
            {
                **texts,
                **numbers,
                **about,
                "id": f"c{number}",
                "clip": f"clips/c{number}.flac",
                "sha256": hashlib.sha256(data).hexdigest(),
                "origin": f"/long/{number}.wav",
                "word_start_s": 0.5,
                "word_end_s": 1.0,
                "synthetic": False,
                "cluster": cluster,
                "rank": 1 + number % 3,
            }
        )
    table = pa.Table.from_pylist(rows, schema=CANDIDATE_SCHEMA)
    pq.write_table(table, tmp_path / "candidates.parquet")
    write_decisions(tmp_path, table, {})
    return tmp_path


def test_by_id_by_cluster_and_the_rest(folder: Path) -> None:
    assert decide(folder) == {"keep": 0, "discard": 0, "undecided": 5}
    assert decide(folder, keep=["c0"], discard=["c3"]) == {"keep": 1, "discard": 1, "undecided": 3}
    # What is decided stays when its cluster is.
    assert decide(folder, discard_clusters=[1], keep_clusters=[2]) == {"keep": 2, "discard": 3, "undecided": 0}
    assert read_decisions(folder)["c0"] == "keep"
    assert decide(folder, keep=["c3"])["keep"] == 3
    assert (folder / "decisions.csv").read_text().splitlines()[1].startswith("c0,keep,1,1,marvin,0.9000,")


def test_undecided_ones_are_kept_only_on_request(folder: Path) -> None:
    source = SourceConfig(type="mined", uri=str(folder))
    with pytest.raises(DataError, match="none of the 5 candidates"):
        read_source(source, [])
    decide(folder, discard=["c1"])
    assert decide(folder, keep_undecided=True) == {"keep": 4, "discard": 1, "undecided": 0}
    found = read_source(source, [])
    assert found.clips.num_rows == 4
    assert [row["detail"] for row in found.quarantine] == ["it was discarded"]


def test_an_edited_table_counts(folder: Path) -> None:
    path = folder / "decisions.csv"
    path.write_text("\ufeffid,decision\nc2, Keep \n", encoding="utf-8")
    (clip,) = read_source(SourceConfig(type="mined", uri=str(folder)), [WordConfig(label="marvin")]).clips.to_pylist()
    assert (clip["clip_id"], clip["kind"], clip["split"], clip["speaker"]) == (
        "mined/c2",
        "hard_negative",
        "train",
        "anna",
    )
    assert (clip["resembles"], clip["label"], clip["text"]) == ("marvin", "hard_negative", "good day")
    assert Path(clip["uri"]).is_file()
    first = read_source(SourceConfig(type="mined", uri=str(folder)), []).identity
    decide(folder, keep=["c1"])
    assert read_source(SourceConfig(type="mined", uri=str(folder)), []).identity != first
    for text, message in (
        ("id,decision\nc2,maybe\n", "line 2: decision 'maybe' is none of keep, discard and empty"),
        ("id,decision\nc9,keep\n", "line 2: there is no candidate 'c9'"),
        ("name,choice\n", "no columns id and decision"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_source(SourceConfig(type="mined", uri=str(folder)), [])


def test_faults_are_one_sentence(folder: Path, tmp_path_factory) -> None:
    with pytest.raises(ConfigError, match="has no candidate c8, c9"):
        decide(folder, keep=["c9", "c0"], discard=["c8"])
    with pytest.raises(ConfigError, match="has no cluster 7"):
        decide(folder, keep_clusters=[7])
    with pytest.raises(ConfigError, match="c0 cannot be kept and discarded"):
        decide(folder, keep=["c0"], discard=["c0"])
    with pytest.raises(ConfigError, match="2 cannot be kept and discarded"):
        decide(folder, keep_clusters=[2], discard_clusters=[2])
    with pytest.raises(DataError, match="holds no mined candidates"):
        read_candidates(tmp_path_factory.mktemp("bare"))
    pq.write_table(pa.table({"id": ["x"]}), folder / "candidates.parquet")
    with pytest.raises(DataError, match="has other columns"):
        read_candidates(folder)
    (folder / "candidates.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match="cannot be read"):
        read_candidates(folder)


def test_hard_negatives_of_any_source_are_for_training_alone() -> None:
    rows = [
        clip_row(clip_id=name, uri=name, kind=kind, label=kind, split=split)
        for name, kind, split in (
            ("a", "hard_negative", ""),
            ("b", "hard_negative", "test"),
            ("c", "speech", "test"),
            ("d", "hard_negative", "train"),
        )
    ]
    clips, refused = train_only(clip_table(rows))
    assert dict(zip(clips.column("clip_id").to_pylist(), clips.column("split").to_pylist(), strict=True)) == {
        "a": "train",
        "c": "test",
        "d": "train",
    }
    assert [(row["uri"], row["reason"]) for row in refused] == [("b", "wrong_split")]
