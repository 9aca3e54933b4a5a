"""`wakeword try`: a phrase in real recordings, without training, and bad input."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from wakeword.cli.main import main

pytest.importorskip("hama", reason="the phoneme recogniser is the wheel hama")
pytest.importorskip("espeakng_loader", reason="pronunciations come from espeak")

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    """Two clips of "computer" and four of other speech, with a manifest of the latter."""
    manifest = RECORDINGS / "manifest.csv"
    if not manifest.is_file():
        pytest.skip("the real recordings are not beside the repository")
    with manifest.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    root = tmp_path_factory.mktemp("recordings")
    said = [row for row in rows if row["label"] == "computer" and row["split"] == "train"][:2]
    other = [row for row in rows if "Common Voice" in row["source"] and row["text"]][:4]
    for number, row in enumerate(said):
        shutil.copy(RECORDINGS / row["path"], root / f"said-{number}.flac")
    (root / "other").mkdir()
    with (root / "other.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["path", "kind", "text"])
        writer.writeheader()
        for number, row in enumerate(other):
            shutil.copy(RECORDINGS / row["path"], root / "other" / f"{number}.flac")
            writer.writerow({"path": f"other/{number}.flac", "kind": "speech", "text": row["text"]})
    return root


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAKEWORD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def test_a_phrase_is_found_in_recordings_and_told_by_ear_and_by_text(recordings, capsys) -> None:
    said = [str(recordings / f"said-{number}.flac") for number in range(2)]
    (recordings / "no_audio.wav").write_text("this is a text")
    command = ["try", "computer", *said, str(recordings / "other"), str(recordings / "no_audio.wav")]
    negatives = ["--negatives", str(recordings / "other.csv")]
    assert main([*command, *negatives]) == 3
    printed, error = capsys.readouterr()
    assert "no_audio.wav" in error
    assert "in 6 files" in printed
    events = [line for line in printed.splitlines() if line.startswith(str(recordings))]
    assert {Path(line.split()[0]).name for line in events} >= {"said-0.flac", "said-1.flac"}
    assert not [line for line in events if "/other/" in line]
    assert "4 recordings" not in printed
    assert "expected in an hour, without training" in printed
    assert "'computer' is " in printed
    assert "wakeword new computer" in printed
    # A bar of 0 asks for the exact sounds; the second call reads what was heard from the cache.
    assert main(["try", "computer", *said, "--bar", "-0.001", *negatives]) == 0
    exact = [line for line in capsys.readouterr().out.splitlines() if line.startswith(str(recordings))]
    assert len(exact) < len(events) or not exact


@pytest.mark.parametrize(
    ("phrase", "options", "told"),
    [
        ("oh", (), "risky (it has 1 phoneme)"),
        ("route 66", (), "'66' is read as"),
        ("the north wind and the sun were disputing which was stronger", (), "take a shorter phrase"),
        ("guten Morgen", ("--language", "de"), "espeak reads the phrase in de"),
        ("привет", ("--language", "ru"), "the dictionary of sound-alikes is English"),
        ("xyzzy", ("--phonemes", "zˈɪzi"), "z ɪ z i"),
        ("hej då", ("--language", "sv"), "no built-in sentences in sv"),
    ],
)
def test_phrases_of_any_kind(phrase: str, options: tuple[str, ...], told: str, capsys) -> None:
    assert main(["try", phrase, *options, "--text-only"]) == 0
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "arguments", "told"),
    [
        (2, ["", "--text-only"], "the phrase '' has no letters"),
        (2, ["12 34"], "has no letters"),
        (2, ["привет", "--language", "en"], "no pronunciation of 'привет' is known in the language en"),
        (2, ["hey nova", "--bar", "3"], "a score of at most 0"),
        (3, ["hey nova", "--negatives", "absent folder"], "absent folder"),
    ],
)
def test_faults_are_one_sentence(code: int, arguments: list[str], told: str, capsys) -> None:
    assert main(["try", *arguments]) == code
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error
