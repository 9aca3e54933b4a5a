"""Results of an evaluation, as `report.json` stores them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal

from wakeword.evaluation.statistics.records import Rate, Record, StoredRecord, TailCurve
from wakeword.evaluation.statistics.slice_records import SliceReport
from wakeword.runtime.manifest import ProbabilityMap

SCHEMA_VERSION = 5


class FiredShare(Record):
    """Number of clips that fire, with Wilson's interval of their share."""

    clips: int
    fired: int
    wilson: tuple[float, float]

    @property
    def share(self) -> float:
        """Fired clips divided by all clips."""
        return self.fired / self.clips


class NearMissResult(FiredShare):
    """Near misses of one word at one threshold."""

    by_distance: dict[str, FiredShare]
    """By phonemes between phrase and near miss: `1`, `2`, `3`, `4 or more`, `unknown`; empty groups are absent."""
    own_phrase: FiredShare | None
    """Clean words of the speakers who also speak near misses; None without such speakers."""
    shared_speakers: int
    """Number of speakers of both near misses and clean words."""


class NearMissCurve(Record):
    """Clean miss rate and share of near misses that fire, at rising thresholds."""

    threshold: tuple[float, ...]
    frr: tuple[float, ...]
    fired_share: tuple[float, ...]


class ReliabilityBin(Record):
    """Clips with similar probabilities: their mean probability and the share that contains the word."""

    mean: float
    share: float
    clips: int


class CalibrationFigures(Record):
    """Calibration of the probabilities of some clips. Smaller is better for `ece`, `brier` and `log_loss`."""

    clips: int
    positives: int
    ece: float
    """Expected calibration error: mean of `abs(mean - share)` over the bins, weighted by their clips."""
    brier: float
    log_loss: float
    """In nats; probabilities are clipped half a level of the detector's rounding away from 0 and 1."""
    reliability: tuple[ReliabilityBin, ...]


class CalibrationResult(Record):
    """The probability map fitted on val, or None, and the calibration on test of raw scores and of the map."""

    probability_map: ProbabilityMap | None
    reason: str
    """The data that the map was fitted on, or why there is no map."""
    test_before: CalibrationFigures | None
    test_after: CalibrationFigures | None


class ConditionResult(Record):
    """One condition at one threshold."""

    condition: str
    words: int
    missed: int
    speakers: int
    frr: float
    wilson: tuple[float, float]
    bootstrap: tuple[float, float] | None
    """Over speakers; None with one speaker, and if no word or every word is missed."""
    by_speaker: tuple[float, float] | None
    """`intervals.speaker_wilson`: the interval to use, because misses of one speaker are correlated. None with one
    speaker."""
    latency_p50_s: float | None
    latency_p95_s: float | None
    duplicates: int
    """Second events for one word; they count as false alarms."""
    false_alarms: int
    """Events of this condition's tracks outside the words, plus duplicates."""


class SplitResult(Record):
    """One split at one threshold. `alarms` covers all negative audio, `by_kind` each kind of it."""

    alarms: Rate
    by_kind: dict[str, Rate]
    conditions: tuple[ConditionResult, ...]
    near_misses: NearMissResult | None
    """Phrases that sound like the word, outside FRR and FAH. None if the split has none."""

    def condition(self, name: str) -> ConditionResult | None:
        """The result of a condition; None if the split has no such words."""
        return next((result for result in self.conditions if result.condition == name), None)


class Oracle(Record):
    """The best threshold for the test audio itself; its FRR shows the cost of choosing the threshold on val."""

    threshold: float
    frr: dict[str, float]


class TargetResult(Record):
    """One operating point: the threshold chosen on val and its results on test."""

    fah_target: float
    threshold: float
    reached: bool
    reason: str
    """How the threshold was chosen on val."""
    state: Literal["proven", "promising", "not ready"]
    """Whether test keeps `fah_target` and `operating_frr`, and whether its hours prove it: `metrics.readiness`."""
    verdict: str
    """The state and its reason, as a sentence."""
    hours_needed: float
    """Hours without a false alarm that prove the target (one-sided)."""
    val: SplitResult | None
    test: SplitResult | None
    oracle: Oracle | None

    @property
    def ready(self) -> bool:
        """True when the target is proven."""
        return self.state == "proven"


class ClipLevel(Record):
    """Separation of clean clips of the word from other speech by their highest score, on test."""

    positives: int
    negatives: int
    eer: float
    roc_auc: float
    pauc: float
    """Partial area for FPR <= 0.1, standardised: 0.5 is chance."""


class Det(Record):
    """Corners of a DET curve: FRR falls as FAH rises."""

    fah: tuple[float, ...]
    frr: tuple[float, ...]


class Example(Record):
    """A section of a test track to listen to: `kind` is `miss`, `false alarm` or `nearest` (no event)."""

    kind: str
    condition: str
    """The condition of a miss; otherwise the kind of audio."""
    track: str
    clip_id: str
    speaker: str
    source: str
    start_s: float
    end_s: float
    """The section, in seconds of the track."""
    word_s: tuple[float, float] | None
    """Start and end of the word; None for a false alarm."""
    score: float
    """Highest smoothed score in the word's window, or at the false peak."""


class AlarmTimes(Record):
    """Times of the false alarms at the operating point, in hours of negative audio, tracks one after the other."""

    at_h: tuple[float, ...]
    kinds: tuple[str, ...]
    total_h: float


class StageResult(Record):
    """One of the detector alone, the verifier alone and the fusion of both, at its own operating point."""

    name: Literal["detector", "verifier", "fusion"]
    operating: TargetResult
    near_miss_curve: NearMissCurve | None
    """On test, clean words."""


class CascadeResult(Record):
    """Detector and verifier of a bundle that holds both, each alone and fused.

    The verifier alone scores the detector's triggers by the path of the phrase, without the detector's score.
    """

    recogniser: str
    """Name of the phoneme recogniser."""
    before_s: float
    after_s: float
    """The audio around a peak that the verifier hears."""
    added_latency_s: float
    """Time for which an event waits longer than that of the detector alone, which waits for higher scores anyway."""
    trigger_threshold: float
    """Peaks of the detector's smoothed score from here on are verified."""
    stages: tuple[StageResult, ...]
    """Detector, verifier, fusion."""
    detector_targets: tuple[TargetResult, ...]
    """The operating points of the detector alone."""
    detector_map: ProbabilityMap | None
    """The probability map of the detector alone."""
    speech_minutes: float
    triggers_per_minute: float | None
    """On the speech of val and test; None without speech."""
    cpu_ms: float | None
    """Mean CPU time of the verifier per trigger of any word; None without a trigger."""


class WordResult(Record):
    """All results of one word, of what is shipped: the fusion if the bundle holds a verifier, else the detector."""

    label: str
    phrase: str
    operating_fah: float
    frr_area: float | None
    """Mean clean FRR over false-alarm targets of 0 to 1 per hour, on test."""
    clip_level: ClipLevel | None
    targets: tuple[TargetResult, ...]
    synthetic_only: tuple[str, ...]
    """Which of `words` and `negatives` of test are synthetic without exception."""
    tail: TailCurve | None
    """On val; None without negatives."""
    det: dict[str, Det]
    near_miss_curve: NearMissCurve | None
    """On test, clean words; None without near misses or words."""
    calibration: CalibrationResult
    slices: SliceReport
    """On test at the operating point."""
    alarm_times: AlarmTimes
    """On test."""
    examples: tuple[Example, ...]
    """The worst misses and false alarms of test at the operating point."""
    histogram: dict[str, tuple[int, ...]]
    """Counts of clip scores in 40 equal bins of [0, 1]: clips of the word per condition, and `other speech`."""
    cascade: CascadeResult | None
    """None if the bundle holds no verifier."""

    @property
    def operating(self) -> TargetResult:
        """The result at the operating point."""
        return next(target for target in self.targets if target.fah_target == self.operating_fah)

    @property
    def ready(self) -> bool:
        """True when test proves the limits of the operating point."""
        return self.operating.ready

    @property
    def state(self) -> str:
        """`proven`, `promising` or `not ready`, at the operating point."""
        return self.operating.state

    @property
    def reason(self) -> str:
        """The verdict on the operating point, as a sentence."""
        return self.operating.verdict


class EvaluationReport(StoredRecord):
    """An evaluation. `provenance` holds the hashes of the evaluated model and data."""

    command: ClassVar[str] = "wakeword evaluate"
    schema_version: int = SCHEMA_VERSION
    confidence: float
    words: tuple[WordResult, ...]
    notes: tuple[str, ...]
    audio_hours: float
    """Hours of scored audio, all conditions of val and test."""
    licences: tuple[tuple[str, str, str, int], ...]
    """Source, licence, split and number of clips in the tracks."""
    detector: dict[str, float]
    """The detector's times, for which all figures hold."""
    detector_reason: str = ""
    """How the times were chosen; empty if only the bundle's times were used."""
    provenance: dict[str, str]
    evaluation_config: dict[str, Any]

    @property
    def ready(self) -> bool:
        """True when every word is ready."""
        return all(word.ready for word in self.words)

    @property
    def operating_points(self) -> dict[str, list[dict[str, Any]]]:
        """For `export.bundle.set_operating_points`: per label one record for each target, rising, of the detector."""
        return {
            word.label: [_point(target) for target in (word.cascade.detector_targets if word.cascade else word.targets)]
            for word in self.words
        }

    @property
    def probability_maps(self) -> dict[str, dict[str, float] | None]:
        """For `export.bundle.set_operating_points`: per label the map of the detector's score, or None."""
        return _maps(self.words, lambda w: w.cascade.detector_map if w.cascade else w.calibration.probability_map)

    @property
    def verifier_points(self) -> dict[str, list[dict[str, Any]]] | None:
        """As `operating_points`, on the fused score; None if the bundle holds no verifier."""
        if not all(word.cascade for word in self.words):
            return None
        return {word.label: [_point(target) for target in word.targets] for word in self.words}

    @property
    def verifier_maps(self) -> dict[str, dict[str, float] | None] | None:
        """As `probability_maps`, on the fused score; None if the bundle holds no verifier."""
        if not all(word.cascade for word in self.words):
            return None
        return _maps(self.words, lambda word: word.calibration.probability_map)

    @property
    def metrics(self) -> dict[str, Any]:
        """JSON-ready figures at the operating point, for the bundle and its model card."""
        figures: dict[str, Any] = {"confidence": self.confidence, "words": {}, **self.provenance}
        for word in self.words:
            clip = word.clip_level
            figures["words"][word.label] = {
                "ready": word.ready,
                "state": word.state,
                "synthetic_only": list(word.synthetic_only),
                "reason": word.reason,
                "eer": clip.eer if clip else None,
                "pauc": clip.pauc if clip else None,
                "operating_point": _point(word.operating),
                "calibration": _calibration(word.calibration),
                "worse_slices": [part.sentence for part in word.slices.worse],
            }
            if word.cascade is not None:
                figures["words"][word.label]["stages"] = {
                    stage.name: _point(stage.operating) for stage in word.cascade.stages
                }
        return figures


def _maps(
    words: Iterable[WordResult], choose: Callable[[WordResult], ProbabilityMap | None]
) -> dict[str, dict[str, float] | None]:
    maps = {word.label: choose(word) for word in words}
    return {label: found.model_dump() if found else None for label, found in maps.items()}


def _point(target: TargetResult) -> dict[str, Any]:
    point: dict[str, Any] = {
        "fah_target": target.fah_target,
        "threshold": target.threshold,
        "reached_on_val": target.reached,
        "ready": target.ready,
        "state": target.state,
        "verdict": target.verdict,
    }
    if target.test is not None:
        alarms, near, conditions = target.test.alarms, target.test.near_misses, target.test.conditions
        point |= {
            "test_false_alarms": alarms.false_alarms,
            "test_hours": alarms.hours,
            "test_fah": alarms.fah,
            "test_fah_interval": None if alarms.low is None else [alarms.low, alarms.high],
            "test_frr": {c.condition: c.frr for c in conditions},
            "test_frr_interval": {c.condition: list(c.wilson) for c in conditions},
            "test_frr_interval_by_speaker": {c.condition: c.by_speaker and list(c.by_speaker) for c in conditions},
            "test_near_misses_fired": {name: part.share for name, part in near.by_distance.items()} if near else {},
            "test_words": {c.condition: c.words for c in conditions},
        }
    return point


def _calibration(found: CalibrationResult) -> dict[str, float] | None:
    """Calibration error on test without and with the probability map; None without a map or test clips."""
    if found.test_before is None or found.test_after is None:
        return None
    return {"test_ece_before": found.test_before.ece, "test_ece_after": found.test_after.ece}
