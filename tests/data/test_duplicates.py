"""One recording under two names, codecs and levels is in one split alone; other takes stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import soundfile

from tests.data.corpus import config_for, write_corpus
from wakeword.audio.fingerprint import bit_error_rate, fingerprint, near_duplicates
from wakeword.audio.io import read_audio, write_flac, write_wav
from wakeword.data.prepare import prepare
from wakeword.stages.progress import Rate


def voice(seed: int, seconds: float = 2.0) -> np.ndarray:
    """Noise whose spectrum moves as that of speech does."""
    draw = np.random.default_rng(seed)
    pieces = []
    for _ in range(round(seconds / 0.08)):
        white = np.fft.rfft(draw.standard_normal(1280))
        shape = np.interp(np.arange(641), np.linspace(0, 640, 24), draw.uniform(0.02, 1.0, 24) ** 2)
        pieces.append(np.fft.irfft(white * shape) * draw.uniform(0.2, 1))
    audio = np.concatenate(pieces)
    return (0.3 * audio / np.abs(audio).max()).astype(np.float32)


def test_copies_are_found_through_codec_gain_and_trim_and_others_are_not(tmp_path: Path) -> None:
    originals = [voice(seed) for seed in range(40)]
    copies = []
    for number, audio in enumerate(originals[:20]):
        path = tmp_path / f"{number}.mp3"
        soundfile.write(path, 0.4 * audio[900:], 16_000, format="MP3")
        copies.append(read_audio(path))
    found = near_duplicates([fingerprint(audio) for audio in [*originals, *copies]])
    pairs = {(i, j) for i, j, _ in found}
    assert pairs <= {(i, 40 + i) for i in range(20)}, "nothing else is taken for a copy"
    # A codec keeps fewer bits of noise than of a voice (of real clips 82 % are found: docs/explanation/journal.md).
    assert len(pairs) >= 8
    again = near_duplicates([fingerprint(audio) for audio in [*originals, *(0.4 * a[256 * 3 :] for a in originals)]])
    assert {(i, j) for i, j, _ in again} == {(i, 40 + i) for i in range(40)}
    assert fingerprint(np.zeros(100)).shape == (0,)


def test_bit_error_rate_of_known_words() -> None:
    words = np.arange(100, dtype=np.uint32) * np.uint32(2654435761)
    assert bit_error_rate(words, words, 0) == 0.0
    assert bit_error_rate(words, words[7:], 7) == 0.0
    assert bit_error_rate(words, words ^ np.uint32(3), 0) == 2 / 32
    assert bit_error_rate(words, words, 70) == 1.0, "a small overlap says nothing"


def test_a_recording_in_two_splits_is_taken_out_of_train(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "corpus")
    lines = []
    for name, split, seed in (("a", "train", 1), ("b", "test", 2), ("c", "train", 3)):
        write_wav(tmp_path / "corpus" / f"{name}.wav", voice(seed))
        lines.append(f"{name}.wav,speech,speech,v{name},{split},,,,")
    soundfile.write(tmp_path / "corpus" / "a.mp3", 0.5 * voice(1), 16_000, format="MP3")
    write_flac(tmp_path / "corpus" / "b.flac", voice(2))
    lines += ["a.mp3,speech,speech,other,test,,,,", "b.flac,speech,speech,third,val,,,,"]
    with manifest.open("a") as stream:
        stream.write("\n".join(lines) + "\n")
    gone = {}
    for how in ("near", "equal", "keep"):
        out = tmp_path / how
        summary = prepare(config_for(manifest, data={"quality": {"duplicates": how}}), out, runner="local")
        rows = pq.read_table(out / "quarantine.parquet").to_pylist()
        gone[how] = sorted(Path(row["uri"]).name for row in rows if row["reason"] == "duplicate_across_splits")
        assert any("another split" in warning for warning in summary.warnings) == bool(gone[how])
    assert gone == {"near": ["a.wav", "b.flac"], "equal": ["b.flac"], "keep": []}


def test_the_rate_of_work_is_counted() -> None:
    import pyarrow as pa

    rate = Rate()
    rate._started_s = 100.0
    rate.add(pa.table({"rows": [30, 20], "duration_s": [3600.0, 3600.0]}))
    rate.add(pa.table({"clips_done": [50]}))
    assert rate.text(110.0) == "10 clips/s, 0.2 h of audio/s"
