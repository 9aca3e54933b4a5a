"""Languages: which tags match, who speaks what, phonemes and sentences of each, and English as it always was."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.data.synthesis.spoken import config, rows_of
from wakeword.audio.io import resample
from wakeword.config import load_config, validate_config
from wakeword.data.prepare import prepare
from wakeword.data.shards import ShardSet
from wakeword.data.synthesis import espeak, load_engine
from wakeword.data.synthesis.languages import (
    alphabet_of,
    base_of,
    canonical,
    foreign_letters,
    guessed_language,
    matches,
    scripts_of,
)
from wakeword.errors import ConfigError, MissingExtraError

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis.checks import check_sound
from wakeword.data.synthesis.confusables import confusables
from wakeword.data.synthesis.espeak import Espeak, ipa_to_mnemonics, phonemes, readings
from wakeword.data.synthesis.espeak_data import ENGLISH_ACCENTS, accents_of, reader_of, spoken_languages
from wakeword.data.synthesis.plan import plan_identity, plan_utterances
from wakeword.data.synthesis.pronunciation import contains, split_ipa, word_sounds
from wakeword.data.synthesis.roster import cast_voices, left_out
from wakeword.data.synthesis.sentences import says, sentences
from wakeword.data.synthesis.stage import trimmed


@pytest.mark.parametrize(
    ("tag", "wanted", "expected"),
    [
        ("en-us", "en", True),
        ("en-us", "en-GB", False),
        ("en-gb-x-rp", "en_GB", True),
        ("de", "de-AT", True),
        ("de-de", "de-AT", False),
        ("de-de", "de", True),
        ("cmn", "zh", True),
        ("cmn", "zh-CN", True),
        ("zh_CN", "zh", True),
        ("yue", "zh", False),
        ("yue", "zh-yue", True),
        ("cmn-latn-pinyin", "zh", False),
        ("cmn-latn-pinyin", "cmn-latn-pinyin", True),
        ("cmn", "cmn-latn-pinyin", False),
        ("sr", "sr-Latn", True),
        ("nb", "no", True),
        ("no_NO", "nb", True),
        ("fr", "fro", False),
    ],
)
def test_which_voices_serve_a_language(tag: str, wanted: str, expected: bool) -> None:
    assert matches(tag, wanted) is expected


def test_tags_scripts_and_guesses() -> None:
    assert canonical("zh_Hans_CN") == "cmn-hans-cn"
    assert base_of("pt-BR") == "pt"
    assert scripts_of("ru") == ("CYRILLIC", "LATIN")
    assert scripts_of("de") == ("LATIN",)
    assert foreign_letters("naïve Łódź, 5 & ª!", ("LATIN",)) == {}
    assert foreign_letters("hey Нова", ("LATIN",)) == {"CYRILLIC": "Нова"}
    guesses = {"안녕": "ko", "こんにちは 日本": "ja", "γεια": "el", "שלום": "he", "สวัสดี": "th", "გამარჯობა": "ka"}
    assert {text: guessed_language(text) for text in guesses} == guesses
    assert [guessed_language(text) for text in ("привет", "小爱", "مرحبا", "hey nova", "안녕 привет")] == [""] * 5
    assert alphabet_of("en", "é") == "abcdefghijklmnopqrstuvwxyz"
    assert "é" in alphabet_of("fr", "é")
    assert "ж" in alphabet_of("ru")


def test_accents_are_those_of_the_language() -> None:
    assert accents_of("en") == ENGLISH_ACCENTS
    assert accents_of("en-gb") == ("en", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
    assert accents_of("fr") == ("fr", "fr-be", "fr-ch")
    assert accents_of("fr-CA") == ()
    assert accents_of("zh") == ("cmn",)
    assert reader_of("en") == "en-us"
    assert reader_of("pt-BR") == "pt-br"
    assert len(spoken_languages()) > 100
    assert not {"xex", "fo"} & set(spoken_languages()), "what has no dictionary is not offered"


def test_every_language_of_espeak_reads_a_number_or_a_letter_of_its_script() -> None:
    silent = [code for code in spoken_languages() if not any(phonemes(["5 11", alphabet_of(code)[:12]], code))]
    assert silent == []


def test_scripts_of_languages_are_those_that_espeak_reads() -> None:
    greetings = {
        "my": "မင်္ဂလာပါ", "shn": "မႂ်ႇသုင်", "am": "ሰላም", "ti": "ሰላም", "si": "ආයුබෝවන්", "or": "ନମସ୍କାର", "pa": "ਸਤਿ ਸ੍ਰੀ",
        "as": "নমস্কাৰ", "bn": "নমস্কার", "bpy": "নমস্কার", "ug": "سالام", "sd": "سلام", "ur": "سلام", "fa": "سلام",
        "kk": "сәлем", "ky": "салам", "tt": "сәлам", "ba": "сәләм", "cv": "салам", "nog": "салам", "mk": "здраво",
        "sr": "здраво živa", "bs": "здраво živa", "ka": "გამარჯობა", "hy": "բարեւ", "hyw": "բարեւ", "grc": "χαῖρε",
        "kok": "नमस्कार", "ne": "नमस्ते", "mr": "नमस्कार", "te": "నమస్తే", "kn": "ನಮಸ್ಕಾರ", "ml": "നമസ്കാരം", "gu": "નમસ્તે",
        "be": "прывітанне", "bg": "здравей", "uk": "привіт", "uz": "salom", "az": "salam", "vi": "chào", "yue": "你好",
    }  # fmt: skip
    for language, text in greetings.items():
        assert foreign_letters(text, scripts_of(language)) == {}
        (ipa,) = readings([text], language)
        assert ipa, language
        assert "(" not in ipa, f"{language}: {ipa}"


def test_english_is_planned_as_it_was_before_there_were_languages() -> None:
    made = config("hey nova", "en", clips_per_word=200, speech_clips=200, near_miss_test_clips=0)
    columns = ("key", "engine", "voice", "text", "rate", "pitch", "seed", "respelling", "phonemes", "carrier")
    rows = [[row[name] for name in columns] for row in plan_utterances(made).to_pylist()]
    assert hashlib.sha256(json.dumps(rows).encode()).hexdigest() == (
        "2cd67c88e845712213901ef62bf84e644f4aec7b790f262e36839c1fabb26035"
    )
    assert plan_identity(made.synthesis).count(";") == 1, "names the plan and the engine, no language"


def test_voices_follow_the_language() -> None:
    accents = {}
    for language, phrase in (("en", "hey nova"), ("en-gb", "hey nova"), ("de", "hey nova"), ("zh", "小爱同学")):
        rows = rows_of(config(phrase, language), "wakeword")
        accents[language] = {row["accent"] for row in rows}
        assert {row["voice"].partition("+")[0] for row in rows} == accents[language]
    assert accents["en"] >= {"en-us", "en-gb-x-rp"}
    assert accents["en-gb"] <= set(accents_of("en-gb"))
    assert (accents["de"], accents["zh"]) == ({"de"}, {"cmn"})


def test_engines_of_other_languages_are_left_out_with_a_message() -> None:
    engines = {"espeak": 0.5, "piper": 0.3, "kokoro": 0.2}
    made = config(engines=engines, hold_out=["hibari"])
    try:
        messages = left_out(made.synthesis)
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert {row["engine"] for row in plan_utterances(made).to_pylist()} == {"espeak"}
    assert [note.split()[2] for note in messages] == ["piper", "kokoro", "hibari"]
    assert messages[0].endswith("piper speaks en-us, and synthesis.language is de")
    with pytest.raises(ConfigError, match=r"'de': none of the engines speaks it \(piper speaks en-us; kokoro"):
        plan_utterances(config(engines={"piper": 1.0, "kokoro": 1.0}))
    with pytest.raises(ConfigError, match="espeak speaks fr, fr-be, fr-ch"):
        plan_utterances(config("bonjour", "fr-CA"))


def test_piper_speaks_the_language_of_its_voice_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        joe = load_engine("piper")
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert joe.languages() == ("en-us",)
    (tmp_path / "anna.onnx").symlink_to(joe._path)  # type: ignore[attr-defined]
    about = {**joe._config, "language": {"code": "de_DE"}, "espeak": {"voice": "de"}}  # type: ignore[attr-defined]
    (tmp_path / "anna.onnx.json").write_text(json.dumps(about))
    spec = f"piper:{tmp_path}/anna.onnx"
    anna = load_engine(spec)
    assert anna.languages() == ("de-de",)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_engine("piper:~/anna.onnx").languages() == ("de-de",)
    assert anna.voices("en") == []
    assert anna.reading("Schätzchen", "de") == "ʃˈɛtsçən"
    assert {row["engine"] for row in rows_of(config(engines={"espeak": 1.0, spec: 1.0}), "speech")} == {"espeak", spec}
    del about["language"]
    (tmp_path / "anna.onnx.json").write_text(json.dumps(about))
    assert load_engine(spec).languages() == ("de",), "else what espeak reads for it"


def test_pico_speaks_five_languages_without_clipping() -> None:
    try:
        engine = load_engine("pico")
    except MissingExtraError as error:
        pytest.skip(str(error))
    found = {language: [voice.name for voice in engine.voices(language)] for language in ("en", "de", "es", "fr", "it")}
    assert found == {
        "en": ["en-US", "en-GB"], "de": ["de-DE"], "es": ["es-ES"], "fr": ["fr-FR"], "it": ["it-IT"]
    }  # fmt: skip
    assert engine.voices("ru") == []
    assert engine.speaks_phonemes("en")
    assert not engine.speaks_phonemes("de")
    for language in ("de", "es", "fr", "it"):
        for text in sentences(language)[:4]:
            audio, rate_hz = engine.speak(text, found[language][0], 1.0, 0.0, 1)
            sound = resample(audio, rate_hz)
            check_sound(sound)
            assert 0.6 < len(trimmed(sound)) / 16_000 < 5


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("hallo Schätzchen fünf Jahre", "de"),
        ("bonjour mon garçon vin blanc", "fr"),
        ("hola señor guitarra", "es"),
        ("buongiorno gnocchi", "it"),
        ("cześć żółw", "pl"),
        ("안녕하세요", "ko"),
        ("こんにちは", "ja"),
        ("नमस्ते", "hi"),
        ("hyvää päivää", "fi"),
        ("günaydın", "tr"),
        ("你好小爱", "zh"),
        ("xin chào", "vi"),
    ],
)
def test_espeak_speaks_the_ipa_of_each_language(text: str, language: str) -> None:
    engine = Espeak()
    voice = engine.voices(language)[0].name
    (ipa,) = phonemes([text], language)
    by_text, _ = engine.speak(text, voice, 1.0, 0.0, 1)
    by_ipa, _ = engine.speak("x", voice, 1.0, 0.0, 1, ipa)
    assert len(by_ipa) == pytest.approx(len(by_text), rel=0.25)
    with espeak._library() as library:
        library.set_voice(reader_of(language))
        # Speaking sets the mode in which double brackets hold phonemes.
        library.lib.espeak_Synth(b" ", 2, 0, 1, 0, espeak._UTF8 | espeak._PHONEMES, None, None)
        library.lib.espeak_Synchronize()
        back = espeak._phonemes_of(library, f"[[{ipa_to_mnemonics(ipa, language)}]]", espeak._IPA)
    assert split_ipa(back, language) == split_ipa(ipa, language)


def test_symbols_of_another_language_are_refused() -> None:
    words = [{"label": "word", "phrase": "Schätzchen", "phonemes": "ʃˈɛtsçən"}]
    made = config().model_dump(mode="json")
    german = validate_config({**made, "words": words})
    assert {row["phonemes"] for row in rows_of(german, "wakeword")} == {"ʃˈɛtsçən"}
    english = validate_config({**made, "words": words, "synthesis": {**made["synthesis"], "language": "en"}})
    with pytest.raises(ConfigError, match=r"words\.phonemes: 'ç' in 'ʃˈɛtsçən' is no sound of English"):
        plan_utterances(english)
    with pytest.raises(ConfigError, match="'ʘ' in 'ʘa' is no sound of the language de"):
        ipa_to_mnemonics("ʘa", "de")
    # Tones have names of their own, which tell two apart that look alike.
    assert ipa_to_mnemonics("ni214χˈɑu214", "zh") == "n|i|214|X|'Au|214"


@pytest.mark.parametrize(
    ("phrase", "language"),
    [("hallo Schätzchen", "de"), ("привет алиса", "ru"), ("안녕하세요", "ko"), ("小爱同学", "zh")],
)
def test_near_misses_are_of_the_language_and_never_the_phrase(phrase: str, language: str) -> None:
    (word,) = config(phrase, language).words
    found = confusables(word, [word], "espeak", 0, language, sentences(language))
    (target,) = word_sounds(word, "espeak", language)
    assert len(found) > 20
    for one in found:
        assert not foreign_letters(one.text, scripts_of(language))
        assert not contains(split_ipa(one.ipa, language), target)
        assert not says(one.text, phrase)
    assert {one.near for one in found} == {1, 2, 3}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"language": "german"}, "'german' is no language tag"),
        ({"carrier_share": 0.5}, "carriers are the English ones"),
        ({"pronunciations": "cmu"}, "a dictionary of English"),
        ({"commands": {"a": {"argv": ["a"], "languages": ["klingon!"]}}}, "'klingon!' is no language tag"),
    ],
)
def test_what_cannot_be_meant_in_another_language(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        config(**options)


def test_norwegian_is_a_language_though_yaml_reads_its_tag_as_false(tmp_path: Path) -> None:
    path = tmp_path / "no.yaml"
    path.write_text(
        "words: [{label: hei}]\nsynthesis: {language: no, commands: {a: {argv: [a], languages: [no, sv]}}}\n"
    )
    read = load_config(path, ["name=hei"]).synthesis
    assert (read.language, read.commands["a"].languages) == ("no", ("no", "sv"))
    assert load_config(path, ["synthesis.language=no"]).synthesis.language == "no"
    assert {row["accent"] for row in rows_of(config("hei på deg", "no"), "wakeword")} == {"nb"}


def test_carriers_of_the_language_are_spoken() -> None:
    made = config(carrier_share=1.0, carriers=["{phrase}, mach das Licht an", "bitte, {phrase}, spiel Musik"])
    assert {row["carrier"] for row in rows_of(made, "wakeword")} == set(made.synthesis.carriers)


SPEAK = """
import math, struct, sys, wave
with wave.open(sys.argv[2], "wb") as sound:
    sound.setnchannels(1), sound.setsampwidth(2), sound.setframerate(16000)
    count = int(16000 * 0.3 * len(sys.argv[1]))
    sound.writeframes(struct.pack(f"<{count}h", *(int(9000 * math.sin(i / 9)) for i in range(count))))
"""


def test_a_program_speaks_what_its_config_names_or_anything(tmp_path: Path) -> None:
    (tmp_path / "speak.py").write_text(SPEAK)
    argv = [sys.executable, str(tmp_path / "speak.py"), "{text}", "{out}", "{voice}"]

    def planned(language: str, phrase: str, languages: list[str]) -> set[str]:
        commands = {"mine": {"argv": argv, "languages": languages, "voices": ["a", "b", "c"]}}
        made = config(phrase, language, engines={"espeak": 1.0, "command:mine": 1.0}, commands=commands)
        return {row["engine"] for row in rows_of(made, "wakeword")}

    assert planned("de", "hallo", []) == {"espeak", "command:mine"}
    assert planned("de", "hallo", ["de-DE", "fr"]) == {"espeak", "command:mine"}
    assert planned("de", "hallo", ["fr"]) == {"espeak"}
    # Nobody knows what a program reads that names no language; espeak is left out for the word.
    assert planned("en", "小爱同学", []) == {"command:mine"}
    with pytest.raises(ConfigError, match="can be read by no voice of train"):
        planned("en", "小爱同学", ["en"])


def test_a_german_phrase_is_prepared_by_german_voices(tmp_path: Path) -> None:
    made = config(clips_per_word=7, speech_clips=7, near_miss_test_clips=2)
    summary = prepare(made, tmp_path, runner="local")
    assert summary.warnings == []
    shards = ShardSet.open(tmp_path)
    rows = [row for split in shards.splits for row in shards.table(split).to_pylist()]
    assert {row["accent"] for row in rows} == {"de"}
    assert Counter(row["kind"] for row in rows)["wakeword"] == 7
    german = {word for sentence in sentences("de") for word in sentence.replace(",", "").split()}
    for row in rows:
        assert 0.3 < row["duration_s"] < 9
        assert row["kind"] != "speech" or set(row["text"].replace(",", "").split()) <= german
    voices = cast_voices(made.synthesis, made.data.splits)["train"].voices["espeak"]
    assert {voice.accent for voice in voices} == {"de"}
