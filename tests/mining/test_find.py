"""Mining on the tone detector: known events become candidates, and no path leads a test clip into training."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from tests.evaluation import known
from tests.mining.corpus import home_config, talk, write_home
from tests.pages.hostile import HOSTILE, assert_escaped
from wakeword.audio.io import read_audio, write_flac, write_wav
from wakeword.config.data import SourceConfig
from wakeword.data.mined import decide, read_candidates, read_decisions
from wakeword.data.plan import as_ipc
from wakeword.data.prepare import prepare
from wakeword.data.shards import ShardSet
from wakeword.errors import BundleError, ConfigError, DataError, RunError
from wakeword.evaluation.tracks.codecs import through_codec
from wakeword.mining import find as mining
from wakeword.mining.find import mine
from wakeword.mining.negatives import source_of
from wakeword.mining.review import refresh_page, write_page
from wakeword.mining.stage import MiningStage
from wakeword.runtime.bundle import Bundle, load_bundle
from wakeword.stages.in_process import run_stage
from wakeword.system.locks import lock_folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    return load_bundle(known.tone_bundle(tmp_path_factory.mktemp("bundle") / "tones"))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    return write_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def config(manifest):
    return home_config(manifest, data={"quality": {"guarded": False}})


@pytest.fixture(scope="module")
def prepared(config, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("prepared")
    prepare(config, out, runner="local")
    return out


@pytest.fixture
def mined(bundle, config, prepared, tmp_path):
    """What the recipe's own train split gives."""
    return mine(bundle, config, prepared, tmp_path / "mined", threshold=0.4, runner="local")


def found(folder: Path) -> list[tuple[str, str, float]]:
    rows = read_candidates(folder).to_pylist()
    return sorted((Path(row["origin"]).stem, row["word"], round(2 * row["end_s"]) / 2) for row in rows)


def left_out(folder: Path) -> dict[str, str]:
    rows = pq.read_table(folder / "left_out.parquet").to_pylist()
    return {Path(row["uri"].split(" at ")[0]).stem: row["reason"] for row in rows}


def mine_folder(bundle, config, prepared, root: Path, out: Path, **options):
    return mine(bundle, config, prepared, out, [source_of(str(root))], threshold=0.4, runner="local", **options)


def test_every_event_of_train_is_a_candidate_and_nothing_else_is(mined, tmp_path) -> None:
    # The last tone ends with its recording, and the detector answers after it.
    assert found(mined.folder) == [("a", "alpha", 5.5), ("b", "beta", 3.0), ("b", "beta", 9.0), ("b", "beta", 14.0)]
    assert mined.candidates == mined.decisions["undecided"] == 4
    assert mined.per_word == {"alpha": 1, "beta": 3}
    assert mined.hours == pytest.approx(32 / 3600, rel=0.01)
    for row in read_candidates(mined.folder).to_pylist():
        clip = read_audio(mined.folder / row["clip"])
        start = round(row["clip_start_s"] * known.RATE)
        np.testing.assert_allclose(clip, read_audio(row["origin"])[start : start + len(clip)], atol=1e-4)
        assert row["word_start_s"] < row["word_end_s"] <= row["duration_s"] <= 3.0
        assert row["clip_start_s"] + row["word_end_s"] == pytest.approx(row["end_s"], abs=0.05)
        assert row["speaker"].startswith("s-")
    scores = {
        (Path(r["origin"]).stem, round(r["end_s"])): r["score"] for r in read_candidates(mined.folder).to_pylist()
    }
    assert scores["b", 3] > scores["b", 9] >= 0.4


def test_the_limit_is_half_the_threshold_unless_one_is_given(bundle, config, prepared, tmp_path) -> None:
    mine(bundle, config, prepared, tmp_path / "half", runner="local")
    plan = json.loads((tmp_path / "half" / "plan.json").read_text())
    assert plan["limits"] == {"alpha": 0.25, "beta": 0.25}
    few = mine(bundle, config, prepared, tmp_path / "high", threshold=0.85, most=1, runner="local")
    assert few.candidates == 1
    assert min(read_candidates(few.folder).column("score").to_pylist()) >= 0.85
    with pytest.raises(BundleError, match="between 0 and 1"):
        mine(bundle, config, prepared, tmp_path / "wrong", threshold=7, runner="local")
    with pytest.raises(ConfigError, match="must be at least 1"):
        mine(bundle, config, prepared, tmp_path / "wrong", most=0, runner="local")


def test_clips_that_hold_the_word_are_left_out_with_a_reason(bundle, config, manifest, prepared, tmp_path) -> None:
    source = SourceConfig(type="csv", uri=str(manifest))
    result = mine(bundle, config, prepared, tmp_path / "out", [source], threshold=0.4, runner="local")
    assert found(result.folder) == [("a", "alpha", 5.5), ("b", "beta", 3.0), ("b", "beta", 9.0), ("b", "beta", 14.0)]
    assert result.left_out == {"contains_word": 2, "in_evaluation": 2, "is_word": 12}
    assert left_out(result.folder)["t"] == "in_evaluation"
    nothing = tmp_path / "home" / "alpha"
    nothing.mkdir(parents=True)
    write_wav(nothing / "x.wav", talk(50, 3.0, []))
    with pytest.raises(DataError, match=r"no negatives are left to mine \(left out: contains_word\)"):
        mine_folder(bundle, config, prepared, tmp_path / "home", tmp_path / "home" / "none")


def test_no_copy_of_a_test_clip_comes_in(bundle, config, manifest, prepared, tmp_path) -> None:
    test, val = (manifest.parent / "speech" / name for name in ("t.flac", "v.flac"))
    folder, rng = tmp_path / "found", np.random.default_rng(0)
    folder.mkdir()
    shutil.copyfile(test, folder / "renamed.flac")
    audio = read_audio(test)
    soundfile.write(folder / "encoded.mp3", audio, 16_000, format="MP3")
    write_wav(folder / "telephone.wav", through_codec(audio, "telephone"))
    write_wav(folder / "shifted.wav", 0.5 * np.concatenate([voiced(60, 3.333), audio[701:], voiced(61, 2.0)]))
    # A second of a test clip, in the midst of another recording.
    write_wav(folder / "within.wav", np.concatenate([voiced(62, 4.0), audio[28_000:44_000], voiced(63, 4.0)]))
    noisy = read_audio(val) + 0.002 * rng.standard_normal(64_000).astype(np.float32)
    write_wav(folder / "noisy.wav", noisy)
    write_wav(folder / "own.wav", talk(64, 8.0, [("alpha", 4.0, 0.95)]))
    result = mine_folder(bundle, config, prepared, folder, tmp_path / "out")
    assert found(result.folder) == [("own", "alpha", 4.0)]
    reasons = left_out(result.folder)
    assert reasons.pop("renamed") == "same_samples_as_evaluation"
    assert set(reasons.values()) == {"copy_of_evaluation"}
    assert set(reasons) == {"encoded", "telephone", "shifted", "within", "noisy"}


def voiced(seed: int, seconds: float) -> np.ndarray:
    return talk(seed, seconds, [])


def test_a_voice_of_test_is_not_mined(bundle, config, prepared, tmp_path) -> None:
    folder = tmp_path / "speech" / "s-t"
    folder.mkdir(parents=True)
    write_wav(folder / "x.wav", talk(70, 5.0, [("alpha", 3.0, 0.95)]))
    source = SourceConfig(type="folder", uri=str(tmp_path / "speech"), kind="speech")
    with pytest.raises(DataError, match="speaker_in_evaluation"):
        mine(bundle, config, prepared, tmp_path / "out", [source], runner="local")


def test_copies_of_each_other_are_one_candidate_and_decisions_stay(bundle, config, prepared, tmp_path) -> None:
    # Its own clips are no recordings.
    folder = tmp_path / "found"
    out = folder / "out"
    folder.mkdir()
    audio = talk(80, 8.0, [("alpha", 4.0, 0.9)])
    write_wav(folder / "one.wav", audio)
    write_wav(folder / "two.wav", 0.5 * audio[1000:])
    result = mine_folder(bundle, config, prepared, folder, out)
    assert (result.candidates, result.left_out) == (1, {"copy_of_candidate": 1})
    (name,) = read_candidates(out).column("id").to_pylist()
    decide(out, keep=[name])
    # More hours into the same folder; what a person decided about stays although it is not among the highest.
    write_wav(folder / "three.wav", talk(81, 8.0, [("alpha", 4.0, 0.97)]))
    more = mine_folder(bundle, config, prepared, folder, out, most=1)
    assert name in read_candidates(out).column("id").to_pylist()
    assert more.decisions["keep"] == 1
    assert len(list((out / "clips").glob("*.flac"))) == more.candidates


def test_a_run_that_is_cut_off_goes_on_and_ends_the_same(
    bundle, config, manifest, prepared, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(mining, "PART_S", 1.0)
    whole = mine(bundle, config, prepared, tmp_path / "whole", threshold=0.4, runner="local")
    assert (whole.parts, whole.resumed_parts) == (3, 0)
    broken = tmp_path / "broken"
    (broken / "parts").mkdir(parents=True)
    shutil.copyfile(tmp_path / "whole" / "plan.json", broken / "plan.json")
    for path in sorted((tmp_path / "whole" / "parts").iterdir())[:2]:
        shutil.copyfile(path, broken / "parts" / path.name)
    (broken / "parts" / ".x.parquet.1.part").write_bytes(b"half")
    again = mine(bundle, config, prepared, broken, threshold=0.4, runner="local")
    assert (again.parts, again.resumed_parts) == (3, 2)
    for name in ("candidates.parquet", "decisions.csv", "left_out.parquet", "mine.json"):
        assert (broken / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    clips = [sorted(path.name for path in (folder / "clips").iterdir()) for folder in (broken, whole.folder)]
    assert clips[0] == clips[1]
    with pytest.raises(ConfigError, match="another limits"):
        mine(bundle, config, prepared, broken, threshold=0.5, runner="local")
    with lock_folder(broken, ".mine.lock"), pytest.raises(RunError, match="another process"):
        mine(bundle, config, prepared, broken, threshold=0.4, runner="local")


def test_bad_recordings_are_reported_and_cost_nothing(bundle, config, prepared, tmp_path) -> None:
    folder = tmp_path / "found"
    folder.mkdir()
    write_wav(folder / "good.wav", talk(90, 6.0, [("beta", 3.0, 0.9)]))
    (folder / "bad.wav").write_bytes(b"RIFF no wav")
    (folder / "empty.flac").touch()
    result = mine_folder(bundle, config, prepared, folder, tmp_path / "out")
    assert found(result.folder) == [("good", "beta", 3.0)]
    assert result.left_out == {"empty_file": 1, "undecodable": 1}


def test_without_evaluation_clips_nothing_is_mined(bundle, manifest, tmp_path) -> None:
    config = home_config(manifest, data={"quality": {"guarded": False}})
    with pytest.raises(DataError, match="wakeword prepare"):
        mine(bundle, config, tmp_path / "absent", tmp_path / "out", runner="local")
    rows = known.tone_rows("train")
    with pytest.raises(DataError, match="holds no val or test clips"):
        mine(bundle, config, known.prepared(tmp_path / "train", rows), tmp_path / "out", runner="local")


def test_kept_clips_train_and_nothing_else(mined, config, manifest, tmp_path) -> None:
    rows = read_candidates(mined.folder).to_pylist()
    kept, gone = rows[0]["id"], rows[1]["id"]
    decide(mined.folder, keep=[kept], discard=[gone])
    sources = [*config.data.sources, SourceConfig(type="mined", uri=str(mined.folder))]
    data = config.data.model_copy(update={"sources": tuple(sources)})
    summary = prepare(config.model_copy(update={"data": data}), tmp_path / "again", runner="local")
    assert summary.counts["train"]["hard_negative"] == {"hard_negative": 1}
    assert "hard_negative" not in summary.counts["val"] | summary.counts["test"]
    assert summary.quarantined["not_kept"] == 3
    (clip,) = [r for r in ShardSet.open(tmp_path / "again").table("train").to_pylist() if r["kind"] == "hard_negative"]
    assert (clip["clip_id"], clip["resembles"], clip["split"]) == (f"mined/{kept}", rows[0]["word"], "train")
    assert clip["word_end_s"] == pytest.approx(rows[0]["word_end_s"])
    changed = SourceConfig(type="mined", uri=str(mined.folder), kind="speech")
    bad = config.data.model_copy(update={"sources": (changed,)})
    with pytest.raises(ConfigError, match="remove `kind`"):
        prepare(config.model_copy(update={"data": bad}), tmp_path / "bad", runner="local")


def test_what_becomes_a_test_clip_later_leaves_training(mined, config, manifest, tmp_path) -> None:
    """The same recording, voice or sound in val or test of another recipe keeps the mined clip out."""
    decide(mined.folder, keep_undecided=True)
    text = manifest.read_text().splitlines()
    line = next(line for line in text if line.startswith("speech/b.flac"))
    moved = manifest.parent / "moved.csv"
    faults = set()
    for changed, reason in (
        (line.replace("train", "test"), "speaker_in_two_splits"),
        (line.replace("train", "test").replace("s-b", ""), "mined_from_evaluation"),
        (line.replace("train", "test").replace("s-b", "").replace("b.flac", "other.flac"), "duplicate_across_splits"),
    ):
        write_flac(manifest.parent / "speech" / "other.flac", read_audio(manifest.parent / "speech" / "b.flac"))
        moved.write_text("\n".join(changed if old == line else old for old in text) + "\n")
        sources = (SourceConfig(type="csv", uri=str(moved)), SourceConfig(type="mined", uri=str(mined.folder)))
        # Even where copies are kept.
        quality = config.data.quality.model_copy(update={"duplicates": "keep"})
        data = config.data.model_copy(update={"sources": sources, "quality": quality})
        out = tmp_path / reason
        summary = prepare(config.model_copy(update={"data": data}), out, runner="local")
        assert summary.counts["train"]["hard_negative"] == {"hard_negative": 1}, reason
        assert summary.quarantined[reason] == 3
        faults.add(reason)
    assert len(faults) == 3


def test_the_page_plays_what_is_to_decide(mined) -> None:
    page = (mined.folder / "review.html").read_text()
    ids = read_candidates(mined.folder).column("id").to_pylist()
    assert page.count("<audio controls") == page.count("<img alt") == 4
    assert all(f'data-id="{name}"' in page for name in ids)
    assert "http" not in page.replace("http://www.w3.org", "")
    assert read_decisions(mined.folder) == dict.fromkeys(ids, "")
    assert len(page) < 2_000_000


def test_a_script_in_a_word_or_a_file_name_is_text(mined, tmp_path) -> None:
    folder = tmp_path / "<script>hacked()<"
    shutil.copytree(mined.folder, folder)
    found = read_candidates(folder)
    for name in ("word", "recording", "speaker", "source", "kind", "text"):
        hostile = pa.array([HOSTILE] * len(found), found.schema.field(name).type)
        found = found.set_column(found.schema.get_field_index(name), found.schema.field(name), hostile)
    summary = {"hours": 1.0, "clusters": 4, "left_out": {HOSTILE: 1}}
    write_page(folder, found, {}, summary)
    page = (folder / "review.html").read_text()
    assert_escaped(page)
    assert page.count("&lt;script&gt;hacked()") == 1 + 4 * 6
    assert r"\u003cscript\u003ehacked()\u003c" in page


@pytest.mark.browser
def test_its_buttons_put_the_command_together(mined) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed: this test presses the buttons of the page in one")
    from playwright.sync_api import sync_playwright

    ids = read_candidates(mined.folder).column("id").to_pylist()
    decide(mined.folder, discard=[ids[2]])
    refresh_page(mined.folder)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        view = browser.new_page()
        view.goto((mined.folder / "review.html").as_uri(), timeout=150_000)
        composed = view.locator("#command")
        assert composed.inner_text() == f"wakeword mine review {mined.folder} --discard {ids[2]}"
        for name, choice in (
            (ids[0], "keep"),
            (ids[1], "keep"),
            (ids[1], "keep"),
            (ids[3], "keep"),
            (ids[3], "discard"),
        ):
            view.locator(f'button[data-id="{name}"][value="{choice}"]').click()
        chosen = composed.inner_text().removeprefix(f"wakeword mine review {mined.folder} ")
        assert chosen.startswith(f"--keep {ids[0]} --discard ")
        assert set(chosen.split()[3:]) == {ids[2], ids[3]}
        assert view.evaluate("[...document.querySelectorAll('img')].every((picture) => picture.naturalWidth > 50)")
        browser.close()


def test_the_stage_travels_to_other_processes(bundle, config, tmp_path) -> None:
    stage = pickle.loads(pickle.dumps(MiningStage(bundle, [0.4, 0.4], config.data)))
    write_wav(tmp_path / "x.wav", talk(95, 6.0, [("beta", 3.0, 0.9)]))
    clips = as_ipc(pa.table({"uri": [str(tmp_path / "x.wav")]}))
    plan = pa.table({"file": [str(tmp_path / "part.parquet")], "clips": pa.array([clips], pa.large_binary())})
    (done,) = run_stage(stage, plan)
    assert done.to_pylist() == [{"file": str(tmp_path / "part.parquet"), "clips_done": 1, "duration_s": 6.0}]
    (row,) = pq.read_table(tmp_path / "part.parquet").to_pylist()
    assert [one["word"] for one in row["candidates"]] == ["beta"]


@pytest.mark.ray
def test_ray_data_finds_the_same(mined, bundle, config, prepared, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(mining, "PART_S", 1.0)
    spread = mine(bundle, config, prepared, tmp_path / "ray", threshold=0.4, runner="ray")
    assert spread.parts == 3
    for name in ("candidates.parquet", "decisions.csv", "left_out.parquet"):
        assert (spread.folder / name).read_bytes() == (mined.folder / name).read_bytes()
