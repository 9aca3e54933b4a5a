"""Query parameters: unknown, repeated and impossible ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from serve.audio_format import AudioFormat
from serve.query import Choice, QueryError, detect_query, stream_query
from tests.bundles import write_tone_bundle
from wakeword.runtime.bundle import load_bundle


def test_without_parameters_it_is_todays_stream() -> None:
    query = stream_query([])
    assert query.format == AudioFormat(16_000, "pcm_s16le", 1)
    assert query.choice == Choice((), None, None)
    assert not query.declared


def test_all_parameters() -> None:
    query = stream_query(
        [
            ("words", "a,b"),
            ("sample_rate", "48000"),
            ("encoding", "pcm_f32le"),
            ("channels", "2"),
            ("threshold", "0.25"),
        ]
    )
    assert query.format == AudioFormat(48_000, "pcm_f32le", 2)
    assert query.choice == Choice(("a", "b"), 0.25, None)
    assert query.declared == {"sample_rate", "encoding", "channels"}
    assert stream_query([("fah_target", "0.5")]).choice.fah_target == 0.5
    assert stream_query([("threshold", "1")]).choice.threshold == 1.0
    assert stream_query([("threshold", "0")]).choice.threshold == 0.0
    assert stream_query([("threshold", "2.5e-1")]).choice.threshold == 0.25
    assert detect_query([("words", "a"), ("fah_target", "1")]) == Choice(("a",), None, 1.0)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("sample_rate_hz", "did you mean sample_rate?"),
        ("samplerate", "did you mean sample_rate?"),
        ("Sample_Rate", "did you mean sample_rate?"),
        ("rate", "Allowed: words, threshold, fah_target, sample_rate, encoding, channels"),
        ("word", "did you mean words?"),
        ("treshold", "did you mean threshold?"),
        ("fah", "Allowed: words, threshold, fah_target, sample_rate, encoding, channels"),
        ("token", "Allowed: words"),
        ("", "unknown query parameter ''"),
        ("x" * 5000, "xxx…'"),
    ],
)
def test_unknown_names(name: str, hint: str) -> None:
    with pytest.raises(QueryError) as refused:
        stream_query([("words", "a"), (name, "1")])
    assert hint in str(refused.value)
    assert len(str(refused.value)) < 200
    with pytest.raises(QueryError, match=r"Allowed: words, threshold, fah_target$"):
        detect_query([(name, "1")])
    with pytest.raises(QueryError, match="unknown query parameter 'sample_rate'"):
        detect_query([("sample_rate", "48000")])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sample_rate": "48k"}, "sample_rate='48k' is not a whole number of Hz from 4000 to 384000"),
        ({"sample_rate": ""}, "sample_rate='' is not"),
        ({"sample_rate": "44100.0"}, "is not a whole number"),
        ({"sample_rate": "-16000"}, "is not a whole number"),
        ({"sample_rate": "3999"}, "from 4000"),
        ({"sample_rate": "384001"}, "to 384000"),
        ({"sample_rate": "٤٨٠٠٠"}, "is not a whole number"),
        ({"sample_rate": "9" * 5000}, "is not a whole number"),
        ({"encoding": "float32"}, "encoding='float32' is not known: send pcm_s16le or pcm_f32le"),
        ({"encoding": "pcm_s24le"}, "not known"),
        ({"encoding": "PCM_S16LE"}, "not known"),
        ({"channels": "0"}, "channels='0' is not possible: send 1, or 2"),
        ({"channels": "3"}, "not possible"),
        ({"channels": "mono"}, "not possible"),
        ({"threshold": "1.01"}, "threshold='1.01' is not a number from 0 to 1"),
        ({"threshold": "-0.1"}, "is not a number from 0 to 1"),
        ({"threshold": "0,5"}, "is not a number from 0 to 1"),
        ({"threshold": "nan"}, "is not a number from 0 to 1"),
        ({"threshold": "inf"}, "is not a number from 0 to 1"),
        ({"threshold": "1e999"}, "is not a number from 0 to 1"),
        ({"threshold": ""}, "is not a number from 0 to 1"),
        ({"fah_target": "low"}, "fah_target='low' is not a number of false alarms per hour"),
        ({"threshold": "0.5", "fah_target": "1"}, "send one of them"),
    ],
)
def test_impossible_values(given: dict[str, str], says: str) -> None:
    with pytest.raises(QueryError) as refused:
        stream_query(given.items())
    assert says in str(refused.value)
    assert len(str(refused.value).encode()) <= 123


@pytest.mark.parametrize("name", ["words", "sample_rate", "encoding", "channels", "threshold", "fah_target"])
def test_repeated_names(name: str) -> None:
    with pytest.raises(QueryError, match=f"{name} is given twice"):
        stream_query([(name, "1"), (name, "1")] if name not in ("encoding",) else [(name, "pcm_s16le")] * 2)


def test_what_a_bundle_has(tmp_path: Path) -> None:
    points = [[{"fah_target": t, "threshold": v} for t, v in word] for word in ([(0.5, 0.6), (1, 0.5)], [(0.5, 0.7)])]
    words = [
        {"label": label, "phrase": label, "threshold": 0.4, "ready": True, "operating_points": these}
        for label, these in zip(("alpha", "beta"), points, strict=True)
    ]
    bundle = load_bundle(write_tone_bundle(tmp_path / "bundle", words=words))
    assert bundle.fah_targets == [0.5]
    assert Choice().thresholds_in(bundle) == [0.4, 0.4]
    assert Choice(threshold=0.0).thresholds_in(bundle) == [0.0, 0.0]
    assert Choice(fah_target=0.5).thresholds_in(bundle) == [0.6, 0.7]
    with pytest.raises(QueryError, match=r"no operating point for fah_target=1: there are 0\.5"):
        Choice(fah_target=1.0).thresholds_in(bundle)
    assert Choice().words_in(bundle) == {"alpha", "beta"}
    assert Choice(("beta",)).words_in(bundle) == {"beta"}
    with pytest.raises(QueryError, match="no word 'gamma' in this bundle: it has alpha, beta"):
        Choice(("beta", "gamma")).words_in(bundle)
    bare = load_bundle(write_tone_bundle(tmp_path / "bare"))
    with pytest.raises(QueryError, match="there are none: evaluate it first"):
        Choice(fah_target=1.0).thresholds_in(bare)
