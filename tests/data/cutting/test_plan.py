"""What is cut of what was aligned: one speaker and one split a clip, counts within limits, the same every time."""

from __future__ import annotations

from collections import Counter
from typing import Any

from wakeword.config import Config, WordConfig, validate_config
from wakeword.data.cutting.occurrences import count_texts, to_mine, wanted_texts
from wakeword.data.cutting.plan import CutPlan, Nearness, plan_cuts
from wakeword.data.manifest import Row, clip_row


def config(*phrases: str, **cutting: Any) -> Config:
    words = [{"label": phrase.replace(" ", "_")} for phrase in phrases]
    return validate_config({"words": words, "cutting": cutting})


def corpus(
    *texts: tuple[str, str, str], gap_s: float = 0.1, level_db: float = -20.0
) -> tuple[dict[str, Row], list[Row]]:
    """Clips (speaker, split, text) and their times: every word lasts 0.4 s."""
    clips, aligned = {}, []
    for number, (speaker, split, text) in enumerate(texts):
        key = f"k{number}"
        columns = {"kind": "speech", "speaker": speaker, "split": split, "text": text, "licence": "CC0"}
        clips[key] = clip_row(clip_id=key, uri=f"/{key}.wav", source="corpus", **columns)
        times = {"level_db": level_db, "before_db": -60.0, "after_db": -60.0, "confidence": None}
        words = [
            {"place": i, "text": word, "start_s": i * (0.4 + gap_s), "end_s": i * (0.4 + gap_s) + 0.4, **times}
            for i, word in enumerate(text.split())
        ]
        gaps = [gap_s] * (len(words) - 1)
        aligned.append({"key": key, "sha256": f"sha-{key}", "words": words, "gaps_s": gaps})
    return clips, aligned


def near(word: WordConfig, text: str) -> Nearness:
    return Nearness(3, text == "hey")


def plan(settings: Config, speech: tuple[dict[str, Row], list[Row]]) -> CutPlan:
    return plan_cuts(settings, *speech, nearness=near)


def ways(made: CutPlan) -> Counter[str]:
    return Counter(clip["way"] for clip in made.clips.values())


def test_which_texts_are_wanted() -> None:
    found = wanted_texts(config("ok hey nova", "nova", "computer").words)
    assert [(one.label, one.text, one.way, one.near_miss) for one in found] == [
        ("ok_hey_nova", "ok hey nova", "phrase", False),
        ("ok_hey_nova", "ok", "word", True),
        ("ok_hey_nova", "hey", "word", True),
        ("ok_hey_nova", "nova", "word", False),
        ("ok_hey_nova", "ok hey", "part", True),
        ("ok_hey_nova", "hey nova", "part", False),
        ("nova", "nova", "phrase", False),
        ("computer", "computer", "phrase", False),
    ]


def test_counts_are_clips_and_speakers_of_transcripts() -> None:
    clips, _ = corpus(
        ("a", "train", "Hey, hey nova!"), ("a", "train", "hey you"), ("", "val", "nova"), ("", "val", "nova")
    )
    rows = list(clips.values())
    settings = config("hey nova")
    assert to_mine([{**rows[0], "synthetic": True}, {**rows[0], "kind": "noise"}], settings.words) == []
    assert (
        to_mine([{**rows[0], "kind": "wakeword", "label": "hey_nova"}, {**rows[0], "text": "you"}], settings.words)
        == []
    )
    assert to_mine([{**rows[0], "kind": "wakeword", "label": "other"}], settings.words) != []
    assert count_texts(rows, settings.words) == [
        ("hey_nova", "hey nova", "phrase", "1 (1)", "0 (0)", "0 (0)"),
        ("hey_nova", "hey", "word", "2 (1)", "0 (0)", "0 (0)"),
        ("hey_nova", "nova", "word", "1 (1)", "2 (2)", "0 (0)"),
    ]


def test_whole_phrases_joined_ones_and_parts() -> None:
    speech = corpus(
        ("a", "train", "hey nova"), ("a", "train", "nova and hey"), ("b", "train", "hey"), ("b", "val", "nova")
    )
    made = plan(config("hey nova", hold_out_parts=False), speech)
    assert ways(made) == {"whole": 1, "joined": 3, "part": 6}
    joined = [clip for clip in made.clips.values() if clip["way"] == "joined"]
    # b says both words, but in two splits; and what stands side by side is no joined phrase.
    assert {(clip["speaker"], clip["split"]) for clip in joined} == {("a", "train")}
    assert {(clip["kind"], clip["label"], clip["resembles"], clip["phoneme_distance"]) for clip in joined} == {
        ("wakeword", "hey_nova", "", None)
    }
    parts = [clip for clip in made.clips.values() if clip["way"] == "part"]
    assert {(clip["kind"], clip["label"], clip["resembles"], clip["phoneme_distance"]) for clip in parts} == {
        ("confusable", "near_miss", "hey_nova", 3)
    }
    backwards = plan(config("hey nova", hold_out_parts=False), (speech[0], speech[1][::-1]))
    assert backwards.table().equals(made.table())
    assert backwards.clips == made.clips


def test_joined_phrases_per_speaker() -> None:
    speech = corpus(*[("a", "train", "nova and hey")] * 3, *[("b", "train", "hey you nova")] * 3)
    for most in (0, 1, 4):
        made = plan(config("hey nova", joined_per_speaker=most), speech)
        speakers = Counter(clip["speaker"] for clip in made.clips.values() if clip["way"] == "joined")
        assert speakers == ({"a": most, "b": most} if most else {})


def test_parts_are_spread_over_the_speakers() -> None:
    speech = corpus(*[("a", "train", "hey")] * 5, ("b", "train", "hey"), ("c", "train", "hey"))
    for most, speakers in ((0, 0), (3, 3), (20, 3)):
        made = plan(config("hey nova", parts_per_text=most), speech)
        assert len(made.clips) == min(most, 7)
        assert len({clip["speaker"] for clip in made.clips.values()}) == speakers


def test_half_of_the_parts_never_train() -> None:
    speech = corpus(("a", "train", "hey and nova"), ("b", "test", "nova and hey"))
    for held, expected in ((True, {("hey", "train"), ("nova", "test")}), (False, None)):
        made = plan(config("hey nova", hold_out_parts=held, joined_per_speaker=0), speech)
        found = {(clip["text"], clip["split"]) for clip in made.clips.values()}
        assert found == (expected or {(text, split) for text in ("hey", "nova") for split in ("train", "test")})


def test_a_part_that_sounds_like_a_word_is_none() -> None:
    speech = corpus(("a", "train", "hey"))
    made = plan_cuts(config("hey nova"), *speech, nearness=lambda word, text: Nearness(0, True, is_word=True))
    assert made.clips == {}


def test_pauses_are_those_that_speakers_make() -> None:
    """Drawn from the speaker's own, or everybody's where there are few; within the range of `gap_s`."""
    many = [("a", "train", "hey " + "and " * 12 + "nova")] * 2
    slow = corpus(*many, gap_s=0.25)
    quick = corpus(*[("b", "train", text) for _, _, text in many], gap_s=0.05)
    clips = slow[0] | {f"q{key}": row for key, row in quick[0].items()}
    aligned = slow[1] + [{**row, "key": f"q{row['key']}", "sha256": f"q{row['sha256']}"} for row in quick[1]]
    made = plan(config("hey nova"), (clips, aligned))
    assert {(made.clips[row["name"]]["speaker"], *row["gaps_s"]) for row in made.rows if row["gaps_s"]} == {
        ("a", 0.25),
        ("b", 0.05),
    }
    narrow = plan(config("hey nova", gap_s=(0.1, 0.3)), (clips, aligned))
    assert {gap for row in narrow.rows for gap in row["gaps_s"]} == {0.25}
    alone = plan(config("hey nova", gap_s=(0.1, 0.2)), corpus(("c", "train", "nova hey"), ("c", "train", "nova hey")))
    drawn = {gap for row in alone.rows for gap in row["gaps_s"]}
    assert drawn
    assert all(0.1 <= gap <= 0.2 for gap in drawn)


def test_words_of_unlike_levels_are_not_joined_and_loud_borders_are_refused() -> None:
    loud, faint = corpus(("a", "train", "hey")), corpus(("a", "train", "and nova"), level_db=-40.0)
    clips = loud[0] | {"f": faint[0]["k0"]}
    aligned = loud[1] + [{**faint[1][0], "key": "f", "sha256": "f"}]
    assert "joined" not in ways(plan(config("hey nova"), (clips, aligned)))
    aligned[1]["words"][1]["before_db"] = -39.0
    made = plan(config("hey nova", hold_out_parts=False), (clips, aligned))
    assert [(row["stage"], row["reason"], row["uri"]) for row in made.refused] == [
        ("cut word", "loud_border", "/k0.wav@0.50")
    ]
