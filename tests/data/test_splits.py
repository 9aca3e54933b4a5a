"""No voice is in two splits, given or assigned; too few voices are a clear error."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from wakeword.config.data import SplitConfig
from wakeword.data.manifest import SPLITS, clip_row, clip_table
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
    with pytest.raises(DataError, match=r"2 speakers \(ann, bob\).*synthesis\.enabled"):
        assign_splits(table({"ann": [""], "bob": [""]}), ["marvin"], SplitConfig())
    result, _, warnings = assign_splits(table({"ann": [""]}), ["marvin"], SplitConfig(val=0, test=0))
    assert result.column("split").to_pylist() == ["train"]
    assert warnings == ["marvin has no clips in val and test"]
    # Another word's single speaker is nobody's problem.
    assign_splits(table({"ann": [""]}), ["sheila"], SplitConfig())


def test_clips_without_a_speaker_are_split_by_file_with_a_warning() -> None:
    clips = clip_table(clip_row(clip_id=str(i), uri=str(i), kind="wakeword", label="marvin") for i in range(40))
    result, _, warnings = assign_splits(clips, ["marvin"], SplitConfig())
    assert set(result.column("split").to_pylist()) == {"train", "val", "test"}
    assert "40 clips of marvin name no speaker" in warnings[0]


def test_noise_is_split_by_clip_even_when_one_person_recorded_it() -> None:
    result, _, _ = assign_splits(table({"ann": [""] * 60}, kind="noise", label="noise"), ["marvin"], SplitConfig())
    assert set(result.column("split").to_pylist()) == {"train", "val", "test"}
    assert split_of("clip ann-0", SplitConfig()) == result.column("split").to_pylist()[0]


def test_hard_negatives_move_no_voice_and_stay_out_of_its_test() -> None:
    words = table({"ann": ["test"], "bob": [""], "cid": ["train"], "dan": [""], "eve": ["val"]})
    mined = table({"ann": ["train"] * 9, "bob": ["train"] * 9, "zoe": ["train"]}, kind="hard_negative", label="x")
    before = homes(assign_splits(words, ["marvin"], SplitConfig())[0])
    clips, left_out, _ = assign_splits(pa.concat_tables([words, mined]), ["marvin"], SplitConfig())
    after = homes(clips)
    assert after.pop("zoe") == {"train"}, "whom only hard negatives know"
    assert after == before
    gone = {row["uri"].split("-")[0] for row in left_out}
    assert gone == {"ann"} | ({"bob"} if before["bob"] != {"train"} else set())


ENGINES = {f"espeak:{split}": split for split in SPLITS}


def spoken(
    people: dict[str, int], label: str = "marvin", engines: bool = True, kind: str = "wakeword", source: str = "guessed"
) -> Any:
    """Recordings of people (without a name: of unknown ones) that have no split, and engines' voices in each split."""
    rows = [
        clip_row(clip_id=f"{label}/{name}_{i}", uri=f"{label}/{name}_{i}", kind=kind, label=label, speaker=name,
                 speaker_source=source if name else "none")
        for name, clips in people.items()
        for i in range(clips)
    ]  # fmt: skip
    for voice, split in ENGINES.items() if engines else ():
        rows += [
            clip_row(clip_id=f"{label}/{voice}/{i}", uri=f"{label}/{voice}/{i}", kind=kind, label=label, speaker=voice,
                     speaker_source="synthetic", split=split, synthetic=True)
            for i in range(20)
        ]  # fmt: skip
    return clip_table(rows)


def people_in(clips: Any, split: str, label: str = "marvin") -> Counter[str]:
    return Counter(
        row["speaker"] or row["clip_id"]
        for row in clips.to_pylist()
        if row["split"] == split and not row["synthetic"] and row["label"] == label
    )


def test_one_own_voice_trains_and_the_report_says_that_nobody_judges_it() -> None:
    for name in ("tom", *(f"p{i}" for i in range(40))):
        clips, left_out, warnings = assign_splits(spoken({name: 40}), ["marvin"], SplitConfig())
        assert not left_out
        assert people_in(clips, "train") == {name: 40}
        assert all(set(clips.filter(pa.compute.equal(clips["split"], split))["synthetic"].to_pylist()) == {True}
                   for split in ("val", "test"))  # fmt: skip
        assert any(
            f"people say marvin in train alone ({name}: 40 clips), in val and test only engines say it" in one
            and "neither those who train nor strangers" in one
            for one in warnings
        )
        assert any(f"the speakers of 40 clips are guessed from file names ({name})" in one for one in warnings)


def split_by_hand(people: dict[str, int], splits: dict[str, str], others: dict[str, int], engines: bool) -> Any:
    """Clips of the word by `people` and of speech by `others`, everybody in the split that `splits` says."""
    table = pa.concat_tables(
        [spoken(people, engines=engines), spoken(others, kind="speech", label="speech", engines=engines)]
    )
    names, given = (table.column(name).to_pylist() for name in ("speaker", "split"))
    made = [split or splits[name] for name, split in zip(names, given, strict=True)]
    return table.set_column(table.schema.get_field_index("split"), "split", pa.array(made))


@pytest.mark.parametrize("engines", [False, True])
def test_train_and_test_without_val_spare_a_share_of_train(engines: bool) -> None:
    """As openWakeWord's folders and many data sets are: thresholds need val, and test stays as it is."""
    people = {f"p{i}": 5 for i in range(24)}
    splits = {name: "test" if number >= 20 else "train" for number, name in enumerate(people)}
    table = split_by_hand(people, splits, people, engines)
    result, left_out, warnings = assign_splits(table, ["marvin"], SplitConfig())
    assert not left_out
    assert set(people_in(result, "test")) == {f"p{i}" for i in range(20, 24)}
    val = people_in(result, "val")
    # 0.15 of 0.85 of 20 people; the same ones say the word and other speech, and all of theirs goes with them.
    assert len(val) == 4
    assert set(val.values()) == {5}
    assert set(people_in(result, "val", "speech")) == set(val)
    assert any("4 speakers of train (40 clips) are val" in one and "data.splits.val to 0" in one for one in warnings)
    again = assign_splits(table.take(pa.array(range(table.num_rows - 1, -1, -1))), ["marvin"], SplitConfig())[0]
    assert people_in(again, "val") == val


def test_what_the_sources_decide_for_val_stays() -> None:
    people = {f"p{i}": 5 for i in range(12)}
    with_val = {name: ("train", "val", "test")[number % 3] for number, name in enumerate(people)}
    table = split_by_hand(people, with_val, people, engines=False)
    result, _, warnings = assign_splits(table, ["marvin"], SplitConfig())
    assert set(people_in(result, "val")) == {name for name, split in with_val.items() if split == "val"}
    assert not any("none to val" in one for one in warnings)
    # Nobody is moved where no val is wanted, or where train would be left with too few.
    halves = {name: ("train", "test")[number % 2] for number, name in enumerate(people)}
    table = split_by_hand(people, halves, people, engines=False)
    assert not people_in(assign_splits(table, ["marvin"], SplitConfig(val=0.0))[0], "val")
    # Sources that give everybody to train mean it: engines' voices serve val and test.
    table = split_by_hand(people, dict.fromkeys(people, "train"), people, engines=True)
    assert set(people_in(assign_splits(table, ["marvin"], SplitConfig())[0], "train")) == set(people)
    few = {name: "train" if name in ("p0", "p1") else "test" for name in people}
    table = split_by_hand(people, few, people, engines=False)
    assert set(people_in(assign_splits(table, ["marvin"], SplitConfig())[0], "train")) == {"p0", "p1"}


def test_where_val_alone_lacks_people_test_still_judges_them() -> None:
    """openWakeWord's layout: recordings for train and for test, none for val, which engines fill."""
    clips = spoken({"anna": 30, "tom": 20})
    given = [split or speaker for split, speaker in zip(*(clips.column(n).to_pylist() for n in ("split", "speaker")),
                                                        strict=True)]  # fmt: skip
    given = [{"anna": "train", "tom": "test"}.get(split, split) for split in given]
    clips = clips.set_column(clips.schema.get_field_index("split"), "split", pa.array(given))
    result, _, warnings = assign_splits(clips, ["marvin"], SplitConfig())
    assert people_in(result, "test") == {"tom": 20}
    (warning,) = [one for one in warnings if one.startswith("people say marvin in")]
    assert warning.startswith("people say marvin in train and test alone (anna, tom: 50 clips): in val,")
    assert warning.endswith("only engines say it")


def test_a_few_clips_put_aside_do_not_send_their_speaker_to_test() -> None:
    clips = spoken({"tom": 50})
    given = [split or ("test" if place < 10 else "") for place, split in enumerate(clips.column("split").to_pylist())]
    clips = clips.set_column(clips.schema.get_field_index("split"), "split", pa.array(given))
    result, left_out, warnings = assign_splits(clips, ["marvin"], SplitConfig())
    assert people_in(result, "train") == {"tom": 40}
    assert Counter(row["reason"] for row in left_out) == {"speaker_in_two_splits": 10}
    assert any("people say marvin in train alone (tom: 40 clips)" in one for one in warnings)
    # A split that a corpus gives to most clips, or to a word that was cut out of plain speech, is kept.
    given = [split or ("test" if place < 30 else "") for place, split in enumerate(clips.column("split").to_pylist())]
    most = clips.set_column(clips.schema.get_field_index("split"), "split", pa.array(given))
    assert people_in(assign_splits(most, ["marvin"], SplitConfig())[0], "test") == {"tom": 50}
    cut = spoken({"ann": 1})
    cut = cut.set_column(
        cut.schema.get_field_index("split"), "split", pa.array(["test", *cut["split"].to_pylist()[1:]])
    )
    whole = pa.concat_tables([cut, spoken({"ann": 9}, "speech", engines=False, kind="speech")])
    assert homes(assign_splits(whole, ["marvin"], SplitConfig())[0])["ann"] == {"test"}


def test_two_own_voices_train_and_of_three_each_split_has_one() -> None:
    for number in range(30):
        two, _, _ = assign_splits(spoken({f"a{number}": 40, f"b{number}": 3}), ["marvin"], SplitConfig())
        assert people_in(two, "train").total() == 43
        three = {f"a{number}": 40, f"b{number}": 5, f"c{number}": 6}
        clips, _, warnings = assign_splits(spoken(three), ["marvin"], SplitConfig())
        assert people_in(clips, "train")[f"a{number}"] == 40, "most of it trains"
        assert all(len(people_in(clips, split)) == 1 for split in SPLITS)
        assert not [one for one in warnings if "engines" in one]
        # Without test two are enough.
        clips, _, _ = assign_splits(spoken({f"a{number}": 40, f"b{number}": 3}), ["marvin"], SplitConfig(test=0))
        assert people_in(clips, "train") == {f"a{number}": 40}
        assert people_in(clips, "val") == {f"b{number}": 3}


def test_engines_without_given_splits_serve_val_and_test() -> None:
    for number in range(30):
        made = [
            clip_row(clip_id=f"{voice}{i}", uri=f"{voice}{i}", kind="wakeword", label="marvin", synthetic=True,
                     speaker=f"tts{number}-{voice}", speaker_source="synthetic")
            for voice in range(4)
            for i in range(5)
        ]  # fmt: skip
        whole = pa.concat_tables([spoken({f"tom{number}": 9}, engines=False), clip_table(made)])
        clips, _, _ = assign_splits(whole, ["marvin"], SplitConfig())
        assert people_in(clips, "train") == {f"tom{number}": 9}
        assert {row["split"] for row in clips.to_pylist() if row["synthetic"]} == set(SPLITS)


@pytest.mark.parametrize("engines", [True, False])
def test_a_guess_that_takes_nearly_all_files_for_one_person_trains(engines: bool) -> None:
    for number in range(30):
        people = {f"kitchen{number}": 95, f"hall{number}": 2, "": 3}
        clips, _, _ = assign_splits(spoken(people, engines=engines), ["marvin"], SplitConfig())
        assert people_in(clips, "train")[f"kitchen{number}"] == 95
        assert people_in(clips, "val")
        assert people_in(clips, "test")
        many = {f"x{number}": 500, **{f"y{number}-{i}": 1 for i in range(100)}}
        clips, _, _ = assign_splits(spoken(many, engines=engines), ["marvin"], SplitConfig())
        assert people_in(clips, "train")[f"x{number}"] == 500


def test_of_few_people_no_more_than_their_share_is_kept_from_training() -> None:
    draw = np.random.default_rng(3)
    for number in range(60):
        count = int(draw.integers(3, 10))
        people = {f"{number}-{i}": int(draw.integers(1, 60)) for i in range(count)}
        clips, _, _ = assign_splits(spoken(people), ["marvin"], SplitConfig())
        held = {split: people_in(clips, split) for split in SPLITS}
        assert len(held["val"]) == len(held["test"]) == 1
        share = held["train"].total() / sum(people.values())
        possible = 1 - sum(sorted(people.values())[:2]) / sum(people.values())
        assert share >= min(0.49, possible) - 1e-9


def test_large_corpora_go_by_the_hash_alone() -> None:
    draw = np.random.default_rng(5)
    people = {f"person{i}": int(draw.integers(1, 9)) for i in range(300)}
    for engines in (True, False):
        clips, _, _ = assign_splits(spoken(people, engines=engines), ["marvin"], SplitConfig())
        for split in SPLITS:
            assert all(split_of(name, SplitConfig()) == split for name in people_in(clips, split))


def test_known_speakers_never_cross_splits_and_the_order_of_rows_changes_nothing() -> None:
    draw = np.random.default_rng(11)
    for number in range(40):
        names = [f"{number}-{i}" for i in range(int(draw.integers(1, 7)))]
        parts = [
            spoken({name: int(draw.integers(1, 20)) for name in draw.permutation(names)[: draw.integers(1, 7)]}, label)
            for label in ("marvin", "sheila", "other")
        ]
        speech = {name: int(draw.integers(1, 20)) for name in names[:2]}
        whole = pa.concat_tables([*parts, spoken(speech, "speech", kind="speech")])
        labels = ["marvin", "sheila"]
        clips, left_out, _ = assign_splits(whole, labels, SplitConfig())
        assert not left_out
        assert all(len(splits) == 1 for splits in homes(clips).values())
        for label in labels:
            assert people_in(clips, "train", label), "somebody of each word trains"
        shuffled, _, _ = assign_splits(whole.take(draw.permutation(whole.num_rows)), labels, SplitConfig())
        assert homes(shuffled) == homes(clips)


def test_a_person_of_two_words_serves_both() -> None:
    for number in range(30):
        ann, bob, cid, dan = (f"{name}{number}" for name in ("ann", "bob", "cid", "dan"))
        first = spoken({ann: 10, bob: 10, cid: 10})
        second = spoken({ann: 10, dan: 10}, "sheila")
        clips, _, _ = assign_splits(pa.concat_tables([first, second]), ["marvin", "sheila"], SplitConfig())
        assert people_in(clips, "train", "sheila").total() == 20
        assert people_in(clips, "train")[ann] == 10
        assert people_in(clips, "val")
        assert people_in(clips, "test")


def test_spellings_of_a_guess_are_one_person_with_the_given_name() -> None:
    others = {"tom": 3, "TOM": 2, "Ann": 1, "ann": 2}
    parts = [spoken({"Tom": 3}, engines=False, source="given"), spoken(others, "speech", engines=False, kind="speech")]
    clips, _, _ = assign_splits(pa.concat_tables([*parts, spoken({})]), ["marvin"], SplitConfig())
    assert people_in(clips, "train", "marvin") == {"Tom": 3}
    assert Counter(row["speaker"] for row in clips.to_pylist() if row["kind"] == "speech") == {"Tom": 5, "Ann": 3}
    assert all(len(splits) == 1 for splits in homes(clips).values())
    # Names that sources give are not touched.
    given = spoken({"Tom": 3, "tom": 3, "x": 1, "y": 1}, source="given", engines=False)
    assert assign_splits(given, ["marvin"], SplitConfig())[0].column("speaker").equals(given.column("speaker"))


def test_negatives_of_one_person_train_and_of_few_every_split_has_some() -> None:
    words = spoken({})
    for number in range(30):
        one = spoken({f"radio{number}": 9}, "speech", engines=False, kind="speech")
        clips, _, _ = assign_splits(pa.concat_tables([words, one]), ["marvin"], SplitConfig())
        assert people_in(clips, "train", "speech").total() == 9, "else nothing would teach silence"
        few = spoken({f"{name}{number}": 9 for name in "abc"}, "speech", engines=False, kind="speech")
        clips, _, _ = assign_splits(pa.concat_tables([words, few]), ["marvin"], SplitConfig())
        assert all(len(people_in(clips, split, "speech")) == 1 for split in SPLITS)


def test_people_kept_from_training_by_given_splits_are_warned_of() -> None:
    clips = spoken({"ann": 5})
    given = [split or "test" for split in clips.column("split").to_pylist()]
    clips = clips.set_column(clips.schema.get_field_index("split"), "split", pa.array(given))
    _, _, warnings = assign_splits(clips, ["marvin"], SplitConfig())
    assert any("no person says marvin in train, only engines do" in one and "in test" in one for one in warnings)


def test_a_single_guessed_speaker_without_engines_is_one_sentence_with_ways_out() -> None:
    with pytest.raises(DataError, match=r"single speaker \(tom, guessed from file names\)") as caught:
        assign_splits(spoken({"tom": 40}, engines=False), ["marvin"], SplitConfig())
    for way in ("synthesis.enabled=true", "at least 3 speakers", "data.splits.val", "folder of its own"):
        assert way in str(caught.value)
    assert "\n" not in str(caught.value)
