"""No voice is heard in two splits, whoever made them; too few voices are an error that says so."""

from __future__ import annotations

from typing import Any

import pytest

from wakeword.config.data import SplitConfig
from wakeword.data.manifest import clip_row, clip_table
from wakeword.data.splits import assign_splits, split_of
from wakeword.errors import DataError


def table(speakers: dict[str, list[str]], kind: str = "wakeword", label: str = "marvin") -> Any:
    rows = [
        clip_row(clip_id=f"{name}-{i}", uri=f"{name}-{i}", kind=kind, label=label, speaker=name, split=split)
        for name, splits in speakers.items()
        for i, split in enumerate(splits)
    ]
    return clip_table(rows)


def homes(clips: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in clips.to_pylist():
        found.setdefault(row["speaker"], set()).add(row["split"])
    return found


@pytest.mark.field("data.splits.val", "data.splits.test")
def test_shares_decide_how_many_speakers_are_kept_from_training() -> None:
    clips = table({f"s{i}": [""] for i in range(400)})
    for val, test in ((0.15, 0.15), (0.3, 0.0), (0.0, 0.4)):
        result, left_out, _ = assign_splits(clips, ["marvin"], SplitConfig(val=val, test=test))
        counts = [result.column("split").to_pylist().count(split) for split in ("train", "val", "test")]
        assert not left_out
        assert counts[1] == pytest.approx(400 * val, abs=25)
        assert counts[2] == pytest.approx(400 * test, abs=25)


def test_all_clips_of_a_speaker_go_together_and_stay_when_the_corpus_grows() -> None:
    small = table({f"s{i}": [""] * 3 for i in range(30)})
    large = table({f"s{i}": [""] * 3 for i in range(90)})
    first, _, _ = assign_splits(small, ["marvin"], SplitConfig())
    second, _, _ = assign_splits(large, ["marvin"], SplitConfig())
    assert all(len(splits) == 1 for splits in homes(second).values())
    assert all(homes(second)[name] == split for name, split in homes(first).items())


def test_given_splits_are_kept_and_a_speaker_in_two_keeps_the_larger() -> None:
    clips = table({"a": ["train"] * 3 + ["test"], "b": ["val"], "c": ["test"], "d": ["test", ""]})
    result, left_out, _ = assign_splits(clips, ["marvin"], SplitConfig())
    assert homes(result) == {"a": {"train"}, "b": {"val"}, "c": {"test"}, "d": {"test"}}
    assert [(row["uri"], row["reason"]) for row in left_out] == [("a-3", "speaker_in_two_splits")]


@pytest.mark.parametrize("count", [3, 4, 5])
def test_a_word_with_few_speakers_still_has_every_split(count: int) -> None:
    for offset in range(20):
        clips = table({f"{offset}-{i}": [""] * 2 for i in range(count)})
        result, _, warnings = assign_splits(clips, ["marvin"], SplitConfig())
        assert set(result.column("split").to_pylist()) == {"train", "val", "test"}
        assert not warnings


def test_too_few_speakers_are_named() -> None:
    for splits in ([""] * 9, ["train", "val", "test"]):
        with pytest.raises(DataError, match=r"marvin has a single speaker \(ann\)") as caught:
            assign_splits(table({"ann": splits}), ["marvin"], SplitConfig())
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="2 speakers"):
        assign_splits(table({"ann": [""], "bob": [""]}), ["marvin"], SplitConfig())
    result, _, warnings = assign_splits(table({"ann": [""]}), ["marvin"], SplitConfig(val=0, test=0))
    assert result.column("split").to_pylist() == ["train"]
    assert warnings == ["marvin has no clips in val and test"]
    # Another word's single speaker is nobody's problem.
    assign_splits(table({"ann": [""]}), ["sheila"], SplitConfig())


def test_clips_without_a_speaker_are_split_by_file_and_said_so() -> None:
    clips = clip_table(clip_row(clip_id=str(i), uri=str(i), kind="wakeword", label="marvin") for i in range(40))
    result, _, warnings = assign_splits(clips, ["marvin"], SplitConfig())
    assert set(result.column("split").to_pylist()) == {"train", "val", "test"}
    assert "40 clips of marvin name no speaker" in warnings[0]


def test_noise_is_split_by_clip_even_when_one_person_recorded_it() -> None:
    result, _, _ = assign_splits(table({"ann": [""] * 60}, kind="noise", label="noise"), ["marvin"], SplitConfig())
    assert set(result.column("split").to_pylist()) == {"train", "val", "test"}
    assert split_of("clip ann-0", SplitConfig()) == result.column("split").to_pylist()[0]


def test_hard_negatives_move_no_voice_and_stay_out_of_its_test() -> None:
    import pyarrow as pa

    words = table({"ann": ["test"], "bob": [""], "cid": ["train"], "dan": [""], "eve": ["val"]})
    mined = table({"ann": ["train"] * 9, "bob": ["train"] * 9, "zoe": ["train"]}, kind="hard_negative", label="x")
    before = homes(assign_splits(words, ["marvin"], SplitConfig())[0])
    clips, left_out, _ = assign_splits(pa.concat_tables([words, mined]), ["marvin"], SplitConfig())
    after = homes(clips)
    assert after.pop("zoe") == {"train"}, "whom only hard negatives know"
    assert after == before
    gone = {row["uri"].split("-")[0] for row in left_out}
    assert gone == {"ann"} | ({"bob"} if before["bob"] != {"train"} else set())
