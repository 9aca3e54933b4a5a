"""Which labels are too near to a configured word to be taken for another word, and how one gets past the error."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from tests.data.corpus import burst, config_for, write_manifest
from wakeword.audio.io import write_wav
from wakeword.config import WordConfig
from wakeword.config.labels import fold
from wakeword.data.alike import alike
from wakeword.data.prepare import gather_clips
from wakeword.errors import ConfigError, DataError

WAKE_WORDS = """
alexa,computer,jarvis,hey jarvis,hey mycroft,okay nabu,hey siri,ok google,hey google,hey rhasspy,hey nova,athena
hey chatterbox,porcupine,bumblebee,picovoice,terminator,blueberry,grapefruit,grasshopper,americano,snowboy,smart mirror
view glass,hey firefox,hey cortana,bixby,hi bixby,hey ziggy,ziggy,echo,amazon,hey livekit,hey sauna,hal,hey snips
hey edison,hey friday,hello world,peach,christopher,hey freya,hey buddy,hey aragorn,hey phoebe,samantha,mariano
hey schätzchen,hallo luna,hey luna,luna,nova,nora,mycroft,travis,alexis,hey casita,hey peppa pig,okay casa,hey barney
hey max,hey zelda,choo choo homie,hey tater,hey marvin,zira,lisa
"""
SPEECH_COMMANDS = """
backward bed bird cat dog down eight five follow forward four go happy house learn left marvin nine no off on one right
seven sheila six stop three tree two up visual wow yes zero
"""


def word(phrase: str) -> WordConfig:
    label = fold(phrase)
    return WordConfig(label=label if label.isascii() else "word", phrase=phrase)


@pytest.mark.parametrize(
    ("phrase", "labels"),
    [
        (
            "hey nova",
            "heynova,hey_nova_2,hey_nova2,hey_nova_samples,hey_nova_v2,my_hey_nova,hey nova recordings 3,hey_no_va,"
            "nova_hey,hey_novva,heyy_nova,hey_nvoa,hey_noav,hey_novas,heynova2,hey_nove,hey_nova_positive_train",
        ),
        ("Hey Schätzchen", "hey schaetzchen,hey schetzchen,heyschätzchen,hey_schäzchen,hey_shatzchen"),
        ("computer", "komputer,compuetr,computers,computer_2"),
        ("alexa", "alexxa,aleksa,alxea,alexa1"),
        ("okay nabu", "ok_nabu,okay_naboo,nabu okay"),
        ("zone 1", "zone1"),
    ],
)
def test_labels_that_may_be_the_word(phrase: str, labels: str) -> None:
    for label in labels.split(","):
        assert alike(label, [word(phrase)]) == fold(phrase), label


@pytest.mark.parametrize(
    ("phrase", "labels"),
    [
        ("hey nova", "hey_nova,hey,nova,hello_nova,hey_computer,nova_scotia,hey_jens,hi_nova,hey_nova_jens"),
        ("Hey Schätzchen", "hey_schatz,schatzchen,hey_schatzi"),
        ("jarvis", "travis,harvey,jar"),
        ("alexa", "alexis,elexa,alex,lexus"),
        ("three", "tree,free"),
        ("zone 1", "zone_2"),
        ("你好小智", "你好小知,你好"),
    ],
)
def test_other_words_are_other_words(phrase: str, labels: str) -> None:
    for label in labels.split(","):
        assert alike(label, [word(phrase)]) == "", label


def test_real_wake_words_and_corpora_are_not_mistaken_for_each_other() -> None:
    names = [*WAKE_WORDS.strip().replace("\n", ",").split(","), *SPEECH_COMMANDS.split()]
    assert len(names) == 102
    mistaken = [(one, other) for one, other in permutations(names, 2) if alike(other, [word(one)])]
    assert mistaken == []


def corpus(root: Path, *files: str) -> Path:
    for number, name in enumerate(files):
        write_wav(root / name, burst(number))
    return root


@pytest.mark.parametrize("enabled", [False, True])
def test_a_folder_like_the_word_is_an_error_that_names_both(tmp_path: Path, enabled: bool) -> None:
    root = corpus(tmp_path / "own", "hey_nova/1.wav", "Hey Novva/1.wav", "Hey Novva/2.wav")
    words = [{"label": "hey_nova", "phrase": "hey nova"}]
    with pytest.raises(DataError) as caught:
        gather_clips(config_for(root, kind="folder", words=words, synthesis={"enabled": enabled}))
    message = str(caught.value)
    assert "hey_novva is like the wake word hey_nova (2 clips of data.sources[0], such as " in message
    assert "Hey Novva/1.wav" in message
    assert "data.negative_labels" in message
    assert "\n" not in message


def test_a_label_listed_as_negative_is_no_word(tmp_path: Path) -> None:
    root = corpus(tmp_path / "own", "hey_nova/1.wav", "hey_novva/1.wav")
    listed = config_for(root, kind="folder", label="hey_nova", data={"negative_labels": ["Hey Novva"]})
    assert sorted(gather_clips(listed).tables[0].column("label").to_pylist()) == ["hey_nova", "hey_novva"]
    wrong = config_for(root, kind="folder", label="hey_nova", data={"negative_labels": ["Hey Nova"]})
    with pytest.raises(ConfigError, match=r"data\.negative_labels: 'Hey Nova' is the configured word hey_nova"):
        gather_clips(wrong)
    (root / "negative").mkdir()
    (root / "hey_novva").rename(root / "negative" / "hey_novva")
    clips = gather_clips(config_for(root, kind="folder", label="hey_nova")).tables[0]
    assert sorted(clips.column("kind").to_pylist()) == ["speech", "wakeword"]


@pytest.mark.parametrize(("kind", "refused"), [("wakeword", True), ("speech", False), ("confusable", False)])
def test_a_csv_says_by_kind_whether_it_is_another_word(tmp_path: Path, kind: str, refused: bool) -> None:
    rows = [{"path": "a.wav", "kind": kind, "label": "Hey Novva"}, {"path": "b.wav", "kind": "speech"}]
    config = config_for(write_manifest(tmp_path / "m.csv", rows), label="hey_nova")
    if refused:
        with pytest.raises(DataError, match="hey_novva is like the wake word hey_nova"):
            gather_clips(config)
    else:
        assert gather_clips(config).tables[0].num_rows == 2


def test_speech_commands_with_a_misspelled_word(tmp_path: Path) -> None:
    root = corpus(tmp_path / "sc", "sheila/0a_nohash_0.wav", "tree/0a_nohash_0.wav")
    with pytest.raises(DataError, match="sheila is like the wake word shiela"):
        gather_clips(config_for(root, kind="speech_commands", label="shiela"))
    clips = gather_clips(config_for(root, kind="speech_commands", label="three")).tables[0]
    assert set(clips.column("kind").to_pylist()) == {"speech"}, "two words of the corpus, one letter apart"
