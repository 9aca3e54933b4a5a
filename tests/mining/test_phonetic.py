"""Mining by sound on real speech: a phrase that is said in a recording is found there, in every split of the work."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from tests.data.corpus import config_for, write_manifest
from tests.evaluation import known
from wakeword.audio.io import read_audio, write_flac
from wakeword.config import Config
from wakeword.data.mined import read_candidates
from wakeword.data.prepare import prepare
from wakeword.errors import ConfigError
from wakeword.mining import phonetic
from wakeword.mining.phonetic import mine_by_sound, sought

pytest.importorskip("hama", reason="the phoneme recogniser is the wheel hama")
pytest.importorskip("espeakng_loader", reason="pronunciations come from espeak")

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def speech() -> list[dict[str, str]]:
    """Recordings with transcripts of a few seconds, of different speakers."""
    manifest = RECORDINGS / "manifest.csv"
    if not manifest.is_file():
        pytest.skip("the real recordings are not beside the repository")
    with manifest.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if "Common Voice" in row["source"]]
    found = {row["speaker"]: row for row in rows if len(row["text"].split()) > 5 and 3 < float(row["duration_s"]) < 12}
    return list(found.values())[:6]


@pytest.fixture(scope="module")
def phrase(speech) -> str:
    """Three long words that follow each other in the first recording."""
    words = re.findall(r"[a-z']+", speech[0]["text"].lower())
    threes = [words[at : at + 3] for at in range(len(words) - 2)]
    return " ".join(max(threes, key=lambda three: sum(map(len, three))))


def home(root: Path, speech: list[dict[str, str]], phrase: str, with_text: bool) -> tuple[Config, Path]:
    rows = []
    for split in ("train", "val", "test"):
        # A recipe needs clips of its word; what they sound like does not matter here.
        write_flac(root / f"{split}.flac", known.tone_clip("alpha", np.random.default_rng(len(rows))))
        word = {"path": f"{split}.flac", "kind": "wakeword", "label": "wanted", "speaker": split, "split": split}
        rows.append({**word, "text": ""})
    for number, row in enumerate(speech):
        split = ("train", "train", "train", "train", "val", "test")[number]
        text = row["text"] if with_text else ""
        path = f"{number}.flac"
        (root / path).write_bytes((RECORDINGS / row["path"]).read_bytes())
        one = {"path": path, "kind": "speech", "label": "speech", "speaker": row["speaker"], "split": split}
        rows.append({**one, "text": text})
    manifest = write_manifest(root / "manifest.csv", rows)
    data = {"quality": {"guarded": False}}
    config = config_for(manifest, words=[{"label": "wanted", "phrase": phrase}], data=data)
    out = root / "prepared"
    prepare(config, out, runner="local")
    return config, out


@pytest.fixture(scope="module")
def untold(speech, phrase, tmp_path_factory) -> tuple[Config, Path]:
    """Without transcripts, nothing but the sound tells that the phrase is said."""
    return home(tmp_path_factory.mktemp("untold") / "home", speech, phrase, with_text=False)


def test_what_is_said_is_the_highest_candidate(untold, tmp_path) -> None:
    config, prepared = untold
    mined = mine_by_sound(config, prepared, tmp_path / "mined", runner="local", per_hour=600)
    rows = sorted(read_candidates(tmp_path / "mined").to_pylist(), key=lambda row: -row["score"])
    assert Path(rows[0]["origin"]).name == "0.flac"
    assert rows[0]["score"] > 1.5 * rows[1]["score"]
    assert {Path(row["origin"]).name for row in rows} <= {"0.flac", "1.flac", "2.flac", "3.flac"}
    assert 1 < mined.candidates <= round(600 * mined.hours)
    assert (tmp_path / "mined" / "review.html").is_file()


def test_a_transcript_with_the_phrase_keeps_the_recording_out(speech, phrase, tmp_path) -> None:
    config, prepared = home(tmp_path / "told", speech, phrase, with_text=True)
    source = [phonetic.SourceConfig(type="csv", uri=str(tmp_path / "told" / "manifest.csv"))]
    mined = mine_by_sound(config, prepared, tmp_path / "mined", source, per_hour=600, runner="local")
    assert mined.left_out["contains_word"] == 1
    origins = {Path(row["origin"]).name for row in read_candidates(tmp_path / "mined").to_pylist()}
    assert "0.flac" not in origins
    assert origins


def test_fewer_per_hour_are_the_highest_and_another_number_needs_another_folder(untold, tmp_path) -> None:
    config, prepared = untold
    mined = mine_by_sound(config, prepared, tmp_path / "few", runner="local", per_hour=100)
    assert mined.candidates == max(1, round(100 * mined.hours))
    with pytest.raises(ConfigError, match="another per_hour"):
        mine_by_sound(config, prepared, tmp_path / "few", runner="local", per_hour=50)
    with pytest.raises(ConfigError, match="must be above 0"):
        mine_by_sound(config, prepared, tmp_path / "none", runner="local", per_hour=0)


def test_sections_give_each_stretch_once(speech, phrase, tmp_path, monkeypatch) -> None:
    parts = [read_audio(RECORDINGS / speech[number]["path"]) for number in (1, 2, 0, 3)]
    audio = np.concatenate(parts)
    write_flac(tmp_path / "long.flac", audio)
    config = Config.model_validate(
        {"words": [{"label": "wanted", "phrase": phrase}], "data": {"quality": {"guarded": False}}}
    )
    stage = phonetic.PhoneticStage(sought(config), "hama", "en", 1000.0, config.data)
    stage.setup()
    whole = stage._mined(str(tmp_path / "long.flac"))
    best = max(whole["candidates"], key=lambda one: one["score"])
    said_s = len(np.concatenate(parts[:2])) / 16_000
    assert said_s < best["end_s"] < said_s + len(parts[2]) / 16_000
    for section_s in (3.0, 10.0):
        monkeypatch.setattr(phonetic, "SECTION_S", section_s)
        pieces = stage._mined(str(tmp_path / "long.flac"))
        assert pieces["digest"] == whole["digest"]
        assert pieces["heard_s"] == whole["heard_s"] == pytest.approx(len(audio) / 16_000)
        ends = [one["end_s"] for one in pieces["candidates"]]
        assert len(set(ends)) == len(ends)
        same = max(pieces["candidates"], key=lambda one: one["score"])
        assert same["end_s"] == pytest.approx(best["end_s"], abs=0.1)
        # The clip is whole, wherever the section ends.
        assert same["duration_s"] == pytest.approx(best["duration_s"], abs=0.1)


@pytest.mark.ray
def test_ray_finds_the_same(untold, tmp_path) -> None:
    config, prepared = untold
    for runner in ("local", "ray"):
        mine_by_sound(config, prepared, tmp_path / runner, runner=runner, per_hour=600)
    assert read_candidates(tmp_path / "ray").equals(read_candidates(tmp_path / "local"))


def test_words_without_sounds_are_refused() -> None:
    config = Config.model_validate({"words": [{"label": "x", "phrase": "привет"}]})
    with pytest.raises(ConfigError, match="no pronunciation of 'привет' is known in the language en"):
        sought(config)
