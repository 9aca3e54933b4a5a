"""Folder layouts of other projects, and of people: kind, label, speaker and split of every file."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wakeword.config import WordConfig
from wakeword.config.labels import fold
from wakeword.data.sources.layouts import Layout, Place
from wakeword.errors import DataError

HEY_NOVA = (("hey nova", "hey_nova"),)
PRECISE = {
    "wake-word/1.wav": "hey_nova",
    "wake-word/anna/1.wav": "hey_nova anna",
    "not-wake-word/1.wav": "-speech",
    "not-wake-word/generated/1.wav": "-speech",
    "test/wake-word/1.wav": "hey_nova @test",
    "test/not-wake-word/1.wav": "-speech @test",
    "random/1.wav": "-speech",
}
OPEN_WAKE_WORD = {
    "hey_nova/positive_train/1.wav": "hey_nova @train",
    "hey_nova/positive_test/1.wav": "hey_nova @test",
    "hey_nova/negative_train/1.wav": "-speech @train",
    "hey_nova/negative_test/1.wav": "-speech @test",
    "fma/1.wav": "-music",
    "audioset_16k/1.wav": "-noise",
    "mit_rirs/1.wav": "-rir",
}
LIVEKIT = {
    "positive_train/1.wav": "hey_nova @train",
    "positive_test/1.wav": "hey_nova @test",
    "negative_train/1.wav": "-speech @train",
    "negative_test/1.wav": "-speech @test",
    "background_train/1.wav": "-noise @train",
}
MICRO = {
    "generated_samples/1.wav": "hey_nova",
    "personal_samples/1.wav": "hey_nova",
    "negative_samples/1.wav": "-speech",
    "positive/speaker_001/1.wav": "hey_nova speaker_001",
    "negative/speech/1.wav": "-speech",
    "negative/music/1.wav": "-music",
    "hard_negative/1.wav": "-hard_negative",
    "background/1.wav": "-noise",
    "rirs/1.wav": "-rir",
    "positive/training/1.wav": "hey_nova @train",
    "positive/validation/anna/1.wav": "hey_nova anna @val",
    "positive/testing/1.wav": "hey_nova @test",
}
AUDIOFOLDER = {
    "train/Hey Nova/1.wav": "hey_nova @train",
    "training/hey_nova/1.wav": "hey_nova @train",
    "validation/hey-nova/1.wav": "hey_nova @val",
    "dev/hey_nova/1.wav": "hey_nova @val",
    "val/hey_nova/1.wav": "hey_nova @val",
    "test/hey_nova/1.wav": "hey_nova @test",
    "eval/hey_nova/1.wav": "hey_nova @test",
    "train/stop/1.wav": "stop @train",
    "test/other/1.wav": "-speech @test",
    "train/1.wav": "!it is in train",
    "data/train/hey_nova/1.wav": "hey_nova @train",
}
SPEAKERS_FIRST = {
    "anna/hey_nova/1.wav": "hey_nova anna",
    "anna/stop/1.wav": "stop anna",
    "tom/hey_nova/1.wav": "hey_nova tom",
    "tom/noise/1.wav": "-noise tom",
}
BESIDE_A_WORD = {
    "not_hey_nova/1.wav": "-speech",
    "hey_nova_negatives/1.wav": "-speech",
    "hey_nova_positive/1.wav": "hey_nova",
    "hey_nova_test/1.wav": "hey_nova @test",
    "hey_nova/val/1.wav": "hey_nova val",
    "hey_nova/wavs/1.wav": "hey_nova",
    "hey_nova/not-wake-word/1.wav": "-speech",
    "hey_nova_2/1.wav": "hey_nova_2",
    "negative/hey_nova/1.wav": "-speech",
    "clips/1.wav": "!it is in clips",
    "🎤/1.wav": "!it is in 🎤",
    "1.wav": "!it is in the source's root",
}
SPEECH_AND_NOISE = {
    "speech/hey_nova/anna/1.wav": "hey_nova anna",
    "speech/stop/1.wav": "stop",
    "noise/hey_nova/1.wav": "hey_nova",
    "noise/rain/1.wav": "-noise rain",
    "train/random/hey_nova/1.wav": "hey_nova @train",
    "negative/stop/1.wav": "-speech stop",
    "negative/hey_nova/1.wav": "-speech",
}
PROJECT = {
    "wakeword/positive/1.wav": "hey_nova",
    "wakeword/negative/1.wav": "-speech",
    "wakeword/noise/1.wav": "-noise",
}


def described(place: Place) -> str:
    """`label speaker @split` of a word's clips, `-kind` of others, `!fault`."""
    if place.fault:
        return f"!{place.fault}"
    what = place.label if place.kind == "wakeword" else f"-{place.kind}"
    assert place.label, place
    return " ".join([what, *place.below, *([f"@{place.split}"] if place.split else [])])


def layout(root: str, files: list[str], kind: str | None = None, phrases: tuple[str, ...] = ("hey nova",)) -> Layout:
    words = [WordConfig(label=fold(phrase), phrase=phrase) for phrase in phrases]
    return Layout(root, [PurePosixPath(name).parts[:-1] for name in files], kind, words)


def places(found: Layout, files: list[str]) -> dict[str, str]:
    return {name: described(found.place(PurePosixPath(name).parts[:-1])) for name in files}


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("hey-nova-data", PRECISE),
        ("my_models", OPEN_WAKE_WORD),
        ("hey_nova", LIVEKIT),
        ("dataset", MICRO),
        ("corpus", AUDIOFOLDER),
        ("recordings", SPEAKERS_FIRST),
        ("recordings", BESIDE_A_WORD),
        ("home", PROJECT),
        ("home", SPEECH_AND_NOISE),
    ],
)
def test_layouts(root: str, expected: dict[str, str]) -> None:
    found = places(layout(root, list(expected)), list(expected))
    for name, want in expected.items():
        assert found[name] == want or (want.startswith("!") and found[name].startswith(want)), name


@pytest.mark.parametrize(
    ("root", "files", "expected"),
    [
        ("hey_nova", ["1.wav"], ["hey_nova"]),
        ("Hey Nova", ["1.wav", "noise/1.wav"], ["hey_nova", "-noise"]),
        ("personal_samples", ["1.wav"], ["hey_nova"]),
        ("positive_train", ["1.wav", "anna/1.wav"], ["hey_nova @train", "hey_nova anna @train"]),
        ("not-wake-word", ["1.wav", "alexis/1.wav"], ["-speech", "-speech alexis"]),
        ("noise", ["1.wav"], ["-noise"]),
        ("my_custom_model", ["some_model/positive_train/1.wav"], ["hey_nova @train"]),
        ("wakeword", ["stop/1.wav"], ["stop"]),
        ("hey_nova", ["hey_nova/1.wav", "stop/1.wav"], ["hey_nova", "stop"]),
        ("data", ["session1/hey_nova/1.wav", "session1/noise/2.wav"], ["hey_nova", "-noise"]),
        ("data", ["hey_nova/noise/1.wav", "stop/noise/1.wav"], ["hey_nova noise", "stop noise"]),
    ],
)
def test_the_sources_own_folder_counts_where_those_in_it_do_not_tell(
    root: str, files: list[str], expected: list[str]
) -> None:
    assert list(places(layout(root, files), files).values()) == expected


def test_a_note_names_speakers_in_a_folder_named_like_the_word() -> None:
    found = layout("Hey Nova", ["anna/1.wav", "tom/2.wav"])
    assert places(found, ["anna/1.wav"]) == {"anna/1.wav": "hey_nova anna"}
    assert found.notes == [
        "Hey Nova is named after the wake word hey_nova: its folders anna, tom are used as speakers of it; if they "
        "contain other words, move them into a folder `negative`"
    ]


def test_beside_a_folder_of_a_word_others_are_of_other_words() -> None:
    files = ["positive/alexa/1.wav", "positive/athena/1.wav"]
    assert list(places(layout("x", files, phrases=("alexa",)), files).values()) == ["alexa", "athena"]
    inner = ["alexa/1.wav", "athena/1.wav"]
    assert list(places(layout("positive", inner, "wakeword", ("alexa",)), inner).values()) == ["alexa", "athena"]


def test_with_several_words_a_positive_must_say_which() -> None:
    files = ["positive/1.wav", "positive/alexa/1.wav", "alexa/positive_test/1.wav"]
    found = places(layout("x", files, phrases=("alexa", "hey nova")), files)
    assert found["positive/1.wav"].startswith("!its folders do not show whether it is alexa or hey_nova")
    assert found["positive/alexa/1.wav"] == "alexa"
    assert found["alexa/positive_test/1.wav"] == "alexa @test"


def test_the_sources_kind_comes_before_its_folders() -> None:
    files = ["1.wav", "train/1.wav", "anna/2.wav"]
    for kind, expected in (
        ("wakeword", ["hey_nova", "hey_nova @train", "hey_nova anna"]),
        ("speech", ["-speech", "-speech @train", "-speech anna"]),
    ):
        assert list(places(layout("recordings", files, kind), files).values()) == expected
    with pytest.raises(DataError, match="kind is wakeword for all of recordings, but its folder not-wake-word"):
        places(layout("recordings", ["not-wake-word/1.wav"], "wakeword"), ["not-wake-word/1.wav"])


def test_a_name_in_another_script_or_form_is_matched_by_the_phrase() -> None:
    files = ["Привет Алиса/1.wav", "你好/1.wav", "Hey Scha\u0308tzchen/Jose\u0301/1.wav"]
    words = [
        WordConfig(label="alice", phrase="привет, Алиса"),
        WordConfig(label="nihao", phrase="你好"),
        WordConfig(label="hey_schatzchen", phrase="Hey Sch\u00e4tzchen"),
    ]
    found = Layout("x", [PurePosixPath(name).parts[:-1] for name in files], None, words)
    assert [described(found.place(PurePosixPath(name).parts[:-1])) for name in files] == [
        "alice",
        "nihao",
        "hey_schatzchen Jos\u00e9",
    ]


def test_a_word_that_is_named_like_a_layouts_folder_is_the_word() -> None:
    files = ["test/1.wav", "music/1.wav"]
    assert list(places(layout("x", files, phrases=("test", "music")), files).values()) == ["test", "music"]


NAMED = {"hey_nova", "Hey Nova", "hey_nova_test"}
PARTS = st.sampled_from(
    [
        *("hey_nova", "Hey Nova", "positive", "wake-word", "positive_train", "negative", "not-wake-word"),
        *("hard_negative", "noise", "music", "rirs", "speech", "train", "val", "test", "clips", "anna", "stop"),
        *("hey_nova_test", "🎤"),
    ]
)


@example([("hey_nova",), ("val",)], "positive")
@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(PARTS, max_size=4).map(tuple), min_size=1, max_size=6), PARTS)
def test_whatever_the_tree_a_negative_never_becomes_a_positive(trees: list[tuple[str, ...]], root: str) -> None:
    found = Layout(root, trees, None, [WordConfig(label="hey_nova")])
    for tree in trees:
        place = found.place(tree)
        assert bool(place.fault) != bool(place.kind and place.label)
        assert place.label not in {"train", "val", "test", "clips", "positive", "negative", "not_wake_word"}
        assert place.split in {"", "train", "val", "test"}
        if {"negative", "not-wake-word", "hard_negative"} & set(tree):
            assert place.kind != "wakeword"
        elif set(tree) & NAMED and not set(tree) & {"noise", "music", "rirs", "speech"}:
            assert (place.kind, place.label) == ("wakeword", "hey_nova")
        if place.kind == "wakeword" and place.label == "hey_nova":
            assert (NAMED | {"positive", "wake-word", "positive_train"}) & {root, *tree}
