"""Whom a path names: known corpora, folders, guesses, and everything that looks like a name and is none."""

from __future__ import annotations

import pytest

from wakeword.data.manifest import SPEAKER_SOURCES
from wakeword.data.sources.speakers import speaker_of

NOBODY = [
    # dates and times
    *("20240131_120000", "2024-01-31 12.00.00", "rec_20240131_1200", "2019-Nov-29-19-41-49", "31 January 2024 (2)"),
    *(
        "PXL_20240131_101010123.MP",
        "AUD-20240131-WA0001",
        "PTT-20240131-WA0003",
        "20240131T120000Z",
        "2024_0131_120000",
    ),
    *("WhatsApp Audio 2024-01-31 at 12.00.00", "audio_2024-01-31_12-00-00", "1706700000", "2024_0131_120000"),
    # counters
    *("0", "001_2", "clip_000001", "s01", "a1", "take3", "REC0001", "200101_001", "sample-000794", "tom", "x (1)"[2:]),
    # random
    *("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e04f8911d39a0c0305e82c3301", "0a7c2a8d_1", "tmp8x7f3k2a"),
    *("sample-3f2504e0-4f89-11d3-9a0c-0305e82c3301", "audio_0001_3f2504e04f8911d39a0c0305e82c3301"),
    # recorders and devices
    *("New Recording 5", "Neue Aufnahme 3", "Nova Gravação 2", "Sprachmemo 12", "Standard recording 3", "ZOOM0001_LR"),
    *("R09_0001", "MOV_0012", "iPhone_3", "TASCAM_0004", "google_001", "piper_001", "mic1_take2", "kitchen_far_02"),
    # corpora without speakers in their names
    *("common_voice_en_18325865", "common_voice_de_1", "arctic_a0001"),
    # sentences
    *("turn_on_the_light_please_01", "what-time-is-it-now-3"),
]


@pytest.mark.parametrize("stem", NOBODY)
def test_what_is_no_name(stem: str) -> None:
    assert speaker_of((), stem, "speech") == ("", "none")


@pytest.mark.parametrize(
    ("stem", "speaker"),
    [
        ("1272-128104-0000", "librispeech:1272"),
        ("1034_121119_000005_000001", "librispeech:1034"),
        ("10148_10119_000000", "mls:10148"),
        ("0a7c2a8d_nohash_0", "speech_commands:0a7c2a8d"),
        ("p225_001", "vctk:p225"),
        ("p225_001_mic1", "vctk:p225"),
        ("DR1_FCJF0_SA1", "timit:FCJF0"),
        ("BAC009S0002W0122", "aishell:S0002"),
        ("SSB00050001", "aishell3:SSB0005"),
        ("SV0001_2_10_N0001", "hi_mia:SV0001"),
        ("1001_DFA_ANG_XX", "crema_d:1001"),
        ("03-01-06-01-02-01-12", "ravdess:12"),
        ("LJ001-0001", "ljspeech:LJ"),
    ],
)
def test_known_corpora_give_their_speaker(stem: str, speaker: str) -> None:
    assert speaker_of((), stem, "speech") == (speaker, "given")


@pytest.mark.parametrize(
    ("stem", "speaker"),
    [
        *((stem, "tom") for stem in ("tom_00", "tom 01", "tom-01", "tom.1", "tom (3)", "tom01", "tom_x_3")),
        ("2024-01-31_anna_3", "anna"),
        ("rec_anna_01", "anna"),
        ("anna_20240131_120000", "anna"),
        ("Anna_Schmidt_03", "Anna"),
        ("jan_3", "jan"),
        ("jean-luc_03", "jean-luc"),
        ("jo\u0308rg_1", "j\u00f6rg"),
        ("\u0141ukasz_2", "\u0141ukasz"),
        ("speaker_01_take_03", "speaker_01"),
        ("spk3_1", "spk3"),
        ("user 5 (2)", "user_5"),
        ("F10_01_01", "F10"),
        ("s01_02", "s01"),
        ("0_george_12", "george"),
        ("s2i-024_7f55dce3-012c-49da-862b-621b2a62d773", "s2i-024"),
        ("pv-034_0", "pv-034"),
        ("tom_mic1_3", "tom"),
        ("mic1_tom_3", "tom"),
        ("en_US-amy-medium_003", "en_US-amy-medium"),
        ("Google_en-US-Wavenet-A_1", "en-US-Wavenet-A"),
        ("af_heart_001", "af_heart"),
        ("hibari_0001", "hibari:heart"),
        ("elevenlabs_rachel_02", "rachel"),
    ],
)
def test_guesses(stem: str, speaker: str) -> None:
    assert speaker_of((), stem, "speech") == (speaker, "guessed")
    assert "guessed" in SPEAKER_SOURCES


@pytest.mark.parametrize(
    ("stem", "label", "speaker"),
    [
        ("hey_nova_01", "hey_nova", ""),
        ("Hey Nova 12", "hey_nova", ""),
        ("hey_nova_1700000000000", "hey_nova", ""),
        ("hey_nova_tom_01", "hey_nova", "tom"),
        ("hey-nova-tom-3", "hey_nova", "tom"),
        ("tom_hey_nova_3", "hey_nova", "tom"),
        ("Hej S\u00f8ren 3", "hej_soren", ""),
        ("K9 1", "k9", ""),
        ("novak_1", "nova", "novak"),
        ("amelia-00801684-3e63-4a0a-aa4a-98f0542b67d3", "amelia", ""),
        ("athena-en-15846ce5-edf8-4710-aa6e-2cab610b7a3e", "athena", ""),
    ],
)
def test_the_label_is_no_name(stem: str, label: str, speaker: str) -> None:
    assert speaker_of((), stem, label) == (speaker, "guessed" if speaker else "none")


@pytest.mark.parametrize(
    ("below", "stem", "found"),
    [
        (("ann",), "1", ("ann", "given")),
        (("Anna Maria",), "20240131", ("Anna Maria", "given")),
        (("001",), "3", ("001", "given")),
        (("wav", "ann"), "3", ("ann", "given")),
        (("session_2", "ann"), "3", ("ann", "given")),
        (("TRAIN", "DR1", "FCJF0"), "SA1", ("FCJF0", "given")),
        (("LibriSpeech", "dev-clean", "84"), "a", ("84", "given")),
        (("LibriSpeech", "dev-clean", "84", "121123"), "84-121123-0000", ("librispeech:84", "given")),
        (("ann",), "3_1_000002", ("ann", "given")),
        (("2024-01-31",), "tom_3", ("tom", "guessed")),
        (("2024-01-31 12.30",), "5", ("", "none")),
        (("en",), "amelia-00801684-3e63-4a0a-aa4a-98f0542b67d3", ("", "none")),
        (("en-us", "clean"), "3", ("", "none")),
        (("common_voice",), "a1", ("", "none")),
    ],
)
def test_folders_that_are_people_and_folders_that_are_not(
    below: tuple[str, ...], stem: str, found: tuple[str, str]
) -> None:
    assert speaker_of(below, stem, "amelia") == found
