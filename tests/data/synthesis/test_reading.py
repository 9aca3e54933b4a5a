"""Readings are known before synthesis; a word that no voice can read is refused with remedies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wakeword.config import Config, validate_config
from wakeword.data.prepare import prepare
from wakeword.data.synthesis import load_engine
from wakeword.errors import ConfigError, MissingExtraError

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis.espeak import Espeak, phonemes
from wakeword.data.synthesis.plan import plan_utterances
from wakeword.data.synthesis.pronunciation import split_ipa, syllables_of
from wakeword.data.synthesis.reading import check_reading, readings_of

OTHER_SCRIPTS = {
    "小爱同学": ("zh", "Chinese characters"),
    "こんにちは": ("ja", "kana"),
    "カタカナ": ("ja", "kana"),
    "안녕하세요": ("ko", "Hangul"),
    "привет алиса": ("ru", "Cyrillic"),
    "γεια σου κόσμε": ("el", "Greek"),
    "مرحبا يا صديقي": ("ar", "Arabic"),
    "नमस्ते दोस्त": ("hi", "Devanagari"),
    "שלום עולם": ("he", "Hebrew"),
    "สวัสดีครับ": ("th", "Thai"),
    "გამარჯობა": ("ka", "Georgian"),
    "ሰላም ለሁሉም": ("am", "Ethiopic"),
    "வணக்கம்": ("ta", "Tamil"),
}


def config(phrase: str, engines: dict[str, float] | None = None, **options: Any) -> Config:
    word = {"label": "word", "phrase": phrase}
    word |= {name: options.pop(name) for name in ("say", "phonemes") if name in options}
    synthesis = {"enabled": True, "engines": engines or {"espeak": 1.0}, "hold_out": [], **options}
    return validate_config({"words": [word], "synthesis": synthesis})


def all_engines(*others: str) -> dict[str, float]:
    """English engines that are installed; hibari, which reads its word lists for each phrase, where it is named."""
    found = {}
    for name in ("espeak", "piper", "kokoro", "pico", *others):
        try:
            load_engine(name)
            found[name] = 1.0
        except MissingExtraError:
            continue
    return found


@pytest.mark.parametrize("phrase", OTHER_SCRIPTS)
def test_a_script_that_english_voices_spell_is_refused_with_the_languages_that_read_it(phrase: str) -> None:
    language, script = OTHER_SCRIPTS[phrase]
    with pytest.raises(ConfigError) as refused:
        check_reading(config(phrase, all_engines()))
    message = str(refused.value)
    assert phrase in message
    assert script in message
    assert "words.say or words.phonemes" in message
    assert "synthesis.enabled=false" in message
    assert message.count("\n") == 0
    named = message.partition("set synthesis.language (")[2].partition(")")[0].split(", ")
    assert language in named
    made = config(phrase, language=language)
    (reading,) = readings_of(made, made.words[0])
    assert not reading.fault
    assert reading.phonemes >= 4
    assert "(" not in (reading.ipa or ""), "nothing is read by the rules of another language"
    check_reading(made)


def test_nothing_is_prepared_of_a_phrase_that_nobody_reads(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match=r"set synthesis\.language \(zh, yue, ja\)"):
        prepare(config("小爱同学"), out, runner="local")
    assert not out.exists()


@pytest.mark.parametrize(
    ("phrase", "sentence"),
    [
        ("hey 🙂 nova", "🙂 is a picture, whose name some engines read and others skip: leave it out"),
        ("hey nova ❤️", "❤ is a picture"),
        ("ａｌｅｘａ", "fullwidth letters, which engines spell: write 'alexa'"),
        ("hey 𝐧𝐨𝐯𝐚", "mathematical letters, which engines spell: write 'hey nova'"),
        ("hey µ nova", "'µ' is not read in the language en"),
        ("hey новa", "its Cyrillic letters are not read in the language en"),
    ],
)
def test_characters_that_are_no_letters_of_the_language(phrase: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_reading(config(phrase, all_engines()))
    assert sentence in str(refused.value)


@pytest.mark.parametrize("way", [{"say": ["shao eye tong shweh"]}, {"phonemes": "ʃˈaʊ aɪ tˈɑŋ ʃwˈeɪ"}])
def test_the_ways_out_are_ways_out(way: dict[str, Any]) -> None:
    made = config("小爱同学", **way)
    check_reading(made)
    rows = plan_utterances(made).to_pylist()
    given = {(row["respelling"], row["phonemes"]) for row in rows if row["kind"] == "wakeword"}
    assert given == {("".join(way.get("say", [])), way.get("phonemes", ""))}
    assert all(row["sounds"] for row in rows if row["kind"] == "wakeword")


NUMBERS = {
    "hey nova. 5": "hey nova five",
    "hey nova: 7": "hey nova seven",
    "hey nova! 5": "hey nova five",
    "hey nova, 5": "hey nova five",
    "hey nova 5": "hey nova five",
    "5. hey nova": "five hey nova",
    "hey nova. 12": "hey nova twelve",
    "hey nova. a": "hey nova a",
    "hey. nova. I": "hey nova I",
}


@pytest.mark.parametrize("phrase", NUMBERS)
def test_a_last_clause_of_one_character_is_read_by_every_engine(phrase: str) -> None:
    """espeak forgets it where nothing follows: phonemes, and kokoro, which speaks by them, lost the number."""
    made = config(phrase, all_engines(*(["hibari"] if phrase.endswith("5") else [])))
    wanted = split_ipa(phonemes([NUMBERS[phrase]])[0])
    for one in readings_of(made, made.words[0]):
        if one.ipa is not None:
            sounds = split_ipa(one.ipa)
            assert len(sounds) == len(wanted), f"{one.engine}: {one.ipa}"
            assert sounds[-1] == wanted[-1] or one.engine == "hibari"
    row = next(row for row in plan_utterances(made).to_pylist() if row["kind"] == "wakeword")
    assert len(row["sounds"].split()) == len(wanted)


@pytest.mark.parametrize(
    "name", ["espeak", "hibari", "pico", *(pytest.param(name, marks=pytest.mark.slow) for name in ("piper", "kokoro"))]
)
def test_a_number_at_the_end_is_read(name: str) -> None:
    try:
        engine = load_engine(name)
    except MissingExtraError as error:
        pytest.skip(str(error))
    voice = engine.voices()[0].name
    without, with_it = (len(engine.speak(text, voice, 1.0, 0.0, 1)[0]) for text in ("hey nova.", "hey nova. 5"))
    assert with_it > 1.2 * without


@pytest.mark.parametrize(
    ("phrase", "sentences"),
    [
        ("hey nova 5", ["'5' is read as fˈaɪv"]),
        ("AT&T home", ["'AT&T' is read as ˈeɪtiːəntˈiː"]),
        ("hey @ home", ["'@' is read as ˈæt"]),
        ("Dr. Smith please", ["'Dr.' is read as dˈɑːktɚ"]),
        ("NASA please", ["'NASA' is read as nˈæsɐ"]),
        ("U.S.A. radio", ["'U.S.A.' is read as jˌuːˌɛsˈeɪ"]),
        ("pst computer", ["'pst' is read as pˌiːˌɛstˈiː"]),
        ("nova", ["is very short (2 syllables, 4 phonemes: nˈoʊvə)", "false alarms"]),
        ("stop", ["is very short (one syllable, 4 phonemes"]),
        ("a", ["one syllable, one phoneme"]),
        ("strengths", ["one syllable, 7 phonemes"]),
        *((phrase, []) for phrase in ("hey nova", "alexa", "computer", "hey jarvis", "Café au lait", "what's up doc")),
    ],
)
def test_remarks_for_the_user(phrase: str, sentences: list[str]) -> None:
    notes = check_reading(config(phrase, all_engines()))
    assert bool(notes) == bool(sentences)
    for sentence in sentences:
        assert any(sentence in note for note in notes), notes


def test_engines_that_read_a_phrase_differently_are_named() -> None:
    engines = all_engines("hibari")
    if "hibari" not in engines:
        pytest.skip("the text-to-speech extra [tts] is not installed")
    made = config("terminator", engines)
    (same,) = [one for one in readings_of(made, made.words[0]) if one.engine == "hibari"]
    assert same.ipa == "tˈɜːmənˌeɪɾɚ"
    assert check_reading(made) == []
    (note,) = [note for note in check_reading(config("a", engines)) if "differently" in note]
    assert "espeak: ˈeɪ" in note
    assert "hibari: ɐ" in note


def test_accents_written_apart_are_read_as_one_letter() -> None:
    apart = config("Cafe\u0301 ole\u0301")
    assert apart.words[0].text == "Café olé"
    assert readings_of(apart, apart.words[0])[0].ipa == phonemes(["Café olé"])[0]
    spelled = config("xiomi", say=["Cafe\u0301"])
    assert {r["respelling"] for r in plan_utterances(spelled).to_pylist() if r["kind"] == "wakeword"} == {"Café"}


def test_an_engine_that_cannot_read_a_word_is_left_out_for_that_word_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engines = {name: 1.0 for name in all_engines() if name in ("espeak", "piper")}
    if len(engines) < 2:
        pytest.skip("the text-to-speech extra [tts] is not installed")
    made = validate_config(
        {
            "words": [{"label": "nova", "phrase": "hey nova"}, {"label": "cafe", "phrase": "hey café"}],
            "synthesis": {"enabled": True, "engines": engines, "hold_out": [], "near_miss_test_clips": 4},
        }
    )
    piper = type(load_engine("piper"))
    plain_reading = piper.reading
    monkeypatch.setattr(
        piper,
        "reading",
        lambda self, text, language="en": "" if "café" in text else plain_reading(self, text, language),
    )
    (note,) = check_reading(made)
    assert note.startswith("the engine piper does not speak 'hey café' (cafe): it has no sound for 'hey café'")
    rows = plan_utterances(made).to_pylist()
    by_label = {label: {r["engine"] for r in rows if r["label"] == label} for label in ("nova", "cafe", "speech")}
    assert by_label == {"nova": {"espeak", "piper"}, "cafe": {"espeak"}, "speech": {"espeak", "piper"}}
    monkeypatch.setattr(Espeak, "reading", lambda self, text, language="en": "")
    with pytest.raises(ConfigError, match="no voice can say 'hey café' of cafe \\(espeak, piper: it has no sound"):
        check_reading(made)


def test_latin_words_within_another_script_give_a_remark() -> None:
    (note,) = check_reading(config("hello алиса", language="ru"))
    assert "is read by the rules of en" in note


def test_kanji_are_refused_where_espeak_has_kana_alone() -> None:
    with pytest.raises(ConfigError, match="its Chinese characters are not read in the language ja"):
        check_reading(config("日本語", language="ja"))
    check_reading(config("日本語", language="ja", say=["にほんご"]))


@pytest.mark.parametrize(
    ("text", "language", "count", "syllables"),
    [
        ("hey nova", "en", 6, 3),
        ("fire", "en", 3, 2),
        ("button", "en", 4, 2),
        ("hallo Schätzchen", "de", 10, 4),
        ("heute", "de", 4, 2),
        ("bonjour", "fr", 5, 2),
        ("bonbon", "fr", 4, 2),
        ("小爱同学", "zh", 11, 4),
        ("алиса", "ru", 5, 3),
        ("안녕하세요", "ko", 12, 5),
        ("cześć", "pl", 4, 1),
    ],
)
def test_phonemes_and_syllables_are_counted(text: str, language: str, count: int, syllables: int) -> None:
    (ipa,) = phonemes([text], language)
    assert len(split_ipa(ipa, language)) == count
    assert syllables_of(ipa, language) == syllables
