"""Which clip goes where: shares, balance, placement, and draws that depend on the seed alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.synthetic import babble, clip, make_prepared, tiny_config
from wakeword.batching.material import training_clips
from wakeword.batching.plans import BatchSampler, row_seeds, uniforms, view_seed, word_targets
from wakeword.config import Config
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError

CONTEXT = 16_000


def _sampler(prepared: Path, config: Config, views: int = 0) -> BatchSampler:
    clips = training_clips(ShardSet.open(prepared), "train", torch.device("cpu"))
    return BatchSampler(config, clips, CONTEXT, views)


def test_uniforms_are_uniform_and_a_function_of_the_seed() -> None:
    seeds = row_seeds(3, 7, 5_000)
    draws = uniforms(seeds, 3)
    assert len(np.unique(seeds)) == 5_000
    assert np.array_equal(draws, uniforms(seeds, 3))
    assert np.allclose(np.histogram(draws[:, 1], bins=10, range=(0, 1))[0], 500, atol=120)
    assert abs(np.corrcoef(draws[:, 0], draws[:, 1])[0, 1]) < 0.05
    assert not np.array_equal(draws, uniforms(seeds, 3, stream=1))


def test_a_batch_is_a_function_of_seed_and_step(prepared: Path) -> None:
    one, again = (_sampler(prepared, tiny_config()).batch(5) for _ in range(2))
    other = _sampler(prepared, tiny_config(training={"seed": 1})).batch(5)
    assert all(np.array_equal(getattr(one, name), getattr(again, name)) for name in vars(one))
    assert not np.array_equal(one.clip, other.clip)


@pytest.mark.parametrize("size", [12, 16])
def test_workers_share_out_the_rows_of_one_global_batch(prepared: Path, size: int) -> None:
    sampler = _sampler(prepared, tiny_config(training={"batch_size": size}))
    whole = sampler.batch(2)
    parts = [sampler.batch(2, rank, 2) for rank in range(2)]
    assert len(whole) == size
    assert np.array_equal(whole.clip[0::2], parts[0].clip)
    assert np.array_equal(whole.start[1::2], parts[1].start)


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_positive_share(prepared: Path, share: float) -> None:
    sampler = _sampler(prepared, tiny_config(training={"positive_share": share, "batch_size": 4_000}))
    plan = sampler.batch(0)
    assert plan.target.any(1).mean() == pytest.approx(share, abs=0.03)
    kinds = sampler.kinds[plan.clip[~plan.target.any(1)]]
    assert (kinds == "speech").mean() == pytest.approx(0.62 / 0.95, abs=0.03), "no confusables: the others share"
    assert (kinds == "wakeword").mean() == pytest.approx(0.25 / 0.95, abs=0.03)


def _hard(number: int) -> dict[str, Any]:
    audio = babble(np.random.default_rng(number), 5.0)
    return {**clip("train", "hard_negative", "hard_negative", number, audio), "word_end_s": 2.0}


def test_hard_negatives_have_a_share_of_their_own(prepared: Path, tmp_path: Path) -> None:
    mined = make_prepared(tmp_path, more=[_hard(number) for number in range(3)])
    for share in (0.0, 0.1, 0.4):
        config = tiny_config(training={"hard_negative_share": share, "batch_size": 4_000})
        sampler = _sampler(mined, config)
        plan = sampler.batch(0)
        negative = ~plan.target.any(1)
        hard = sampler.kinds[plan.clip] == "hard_negative"
        assert hard[negative].mean() == pytest.approx(share, abs=0.02)
        others = sampler.kinds[plan.clip[negative & ~hard]]
        assert (others == "speech").mean() == pytest.approx(0.62 / 0.95, abs=0.03), "the others keep their shares"
        # However long they are, their peak is what is placed.
        assert np.array_equal(plan.start[hard] + plan.anchor[hard], np.full(hard.sum(), 32_000))
        # Where there are none, the share changes no batch.
        plain = [_sampler(prepared, c).batch(3) for c in (config, tiny_config(training={"batch_size": 4_000}))]
        assert all(np.array_equal(getattr(plain[0], name), getattr(plain[1], name)) for name in vars(plain[0]))


@pytest.mark.parametrize(("shift", "window"), [(0.0, 2.0), (0.4, 2.0), (0.4, 3.0)])
def test_word_ends_spread_around_the_middle_of_the_scored_part(prepared: Path, shift: float, window: float) -> None:
    config = tiny_config(augmentation={"shift_s": shift}, training={"window_s": window, "batch_size": 2_000})
    sampler = _sampler(prepared, config)
    plan = sampler.batch(0)
    assert sampler.window_samples == CONTEXT + window * 16_000
    ends = plan.word_end_s[plan.target.any(1)] - CONTEXT / 16_000 - window / 2
    assert np.abs(ends).max() == pytest.approx(shift, abs=0.01 + 0.02 * shift)
    words = (sampler.kinds[plan.clip] == "wakeword") & ~plan.target.any(1)
    placed = (0.65 * 16_000 - plan.start[words]) / 16_000 - CONTEXT / 16_000 - window / 2
    assert np.abs(placed).max() == pytest.approx(shift, abs=0.01 + 0.05 * shift), "the same law for other words"


def test_every_class_is_filled_by_the_same_law(prepared: Path) -> None:
    plan = _sampler(prepared, tiny_config(training={"batch_size": 6_000, "positive_share": 0.5})).batch(0)
    positive = plan.target.any(1)
    for values in (plan.fill >= 0, plan.floor_gain, plan.fill_gain):
        assert values[positive].mean() == pytest.approx(values[~positive].mean(), rel=0.1)
    assert (plan.fill < 0).mean() == pytest.approx(0.4, abs=0.03)


def _weighted(folder: Path, weight: float) -> Path:
    """Six words and six stretches of speech more, from a source of this weight."""
    more = []
    for number in range(6):
        audio = babble(np.random.default_rng(number), 2.0)
        for kind, label in (("wakeword", "nova"), ("speech", "speech")):
            more.append(clip("own", kind, label, number, audio, weight=weight, word_start_s=0.1, word_end_s=0.6))
    return make_prepared(folder, more=more)


def test_a_clip_of_weight_three_is_drawn_three_times_as_often(tmp_path: Path) -> None:
    config = tiny_config(training={"batch_size": 20_000, "positive_share": 0.5})
    odds: dict[float, list[float]] = {}
    for weight in (1.0, 3.0, 0.5):
        sampler = _sampler(_weighted(tmp_path / str(weight), weight), config)
        plan = sampler.batch(0)
        own = np.array([name.startswith("own-") for name in sampler.clip_ids])[plan.clip]
        positive, speech = plan.target.any(1), sampler.kinds[plan.clip] == "speech"
        odds[weight] = [own[rows].mean() / (1 - own[rows].mean()) for rows in (positive, speech)]
        assert plan.target.any(1).mean() == pytest.approx(0.5, abs=0.02), "the shares of a batch stay"
        assert speech[~positive].mean() == pytest.approx(0.62 / 0.95, abs=0.02)
        filled = plan.fill >= 0
        assert filled.mean() == pytest.approx(0.6, abs=0.02)
    assert odds[1.0][0] == pytest.approx(6 / 24, rel=0.1)
    for weight in (3.0, 0.5):
        assert [w / one for w, one in zip(odds[weight], odds[1.0], strict=True)] == pytest.approx(
            [weight] * 2, rel=0.12
        )


def test_equal_weights_change_no_draw_and_workers_share_weighted_rows(tmp_path: Path) -> None:
    config = tiny_config(training={"batch_size": 200})
    plans = {}
    for weight in (1.0, 3.0):
        sampler = _sampler(_weighted(tmp_path / str(weight), weight), config)
        plans[weight] = sampler.batch(4)
        parts = [sampler.batch(4, rank, 3) for rank in range(3)]
        assert all(np.array_equal(plans[weight].clip[rank::3], part.clip) for rank, part in enumerate(parts))
        assert np.array_equal(sampler.batch(4).clip, plans[weight].clip)
        if weight == 1.0:
            sampler.weight = np.full(len(sampler.weight), 7.0)
            sampler.positives = sampler._positives()
            assert np.array_equal(sampler.batch(4).clip, plans[weight].clip)
    assert not np.array_equal(plans[1.0].clip, plans[3.0].clip)


def test_long_sources_do_not_displace_short_ones() -> None:
    from wakeword.batching.plans import _balanced, _draw

    seconds = np.array([10.0] * 360 + [1.0] * 36)
    sources = np.array(["read"] * 360 + ["words"] * 36)
    cumulative = _balanced(seconds, sources, np.ones(396))
    drawn = np.array([_draw((np.arange(396), cumulative), u) for u in np.linspace(0, 0.9999, 4_000)])
    assert (drawn >= 360).mean() == pytest.approx(1 / 11, abs=0.01), "by seconds it would be 1 %"


def test_views_depend_on_the_clip_and_not_on_its_place(prepared: Path) -> None:
    sampler = _sampler(prepared, tiny_config(), views=3)
    plan = sampler.batch(0)
    assert set(plan.view.tolist()) <= {0, 1, 2}
    alone = sampler.plan_views(plan.clip[3:4], plan.view[3:4])
    assert alone.seed[0] == plan.seed[3] == view_seed(0, sampler.clip_ids[plan.clip[3]], int(plan.view[3]))
    assert alone.start[0] == plan.start[3]


def test_clips_that_hold_a_word_are_no_negatives() -> None:
    columns = {
        "kind": ["wakeword", "wakeword", "wakeword", "speech", "speech", "noise"],
        "label": ["computer", "hey_computer", "jarvis", "speech", "speech", "noise"],
        "contains": ["", "", "", "computer;glass", "glass", ""],
    }
    targets, safe = word_targets(columns, ["computer"])
    assert targets[:, 0].tolist() == [1, 0, 0, 0, 0, 0]
    assert safe.tolist() == [False, False, True, False, True, True]


def test_absent_material_is_one_clear_error(tmp_path: Path) -> None:
    no_words = make_prepared(tmp_path / "a", words=3, drop="nova")
    with pytest.raises(DataError, match="no clip of nova: add recordings"):
        _sampler(no_words, tiny_config())
    rows = make_prepared(tmp_path / "b", words=3, drop="speech")
    sampler = _sampler(rows, tiny_config())
    assert set(sampler.groups) == {"words", "noise"}
    only = make_prepared(tmp_path / "c", words=3, labels=("nova", "other"), drop="speech")
    with pytest.raises(DataError, match="no speech besides the wake words"):
        _sampler(only, tiny_config(words=[{"label": "nova"}, {"label": "other"}]))
