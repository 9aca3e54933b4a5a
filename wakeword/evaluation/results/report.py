"""What an evaluation found, as it is stored in `report.json` and printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from wakeword.errors import DataError
from wakeword.evaluation.results.details import CalibrationResult, NearMissCurve, NearMissResult, SliceReport
from wakeword.evaluation.results.part import Part
from wakeword.evaluation.statistics.rates import Rate
from wakeword.system.files import write_json

SCHEMA_VERSION = 4


class ConditionResult(Part):
    """One condition at one threshold."""

    condition: str
    words: int
    missed: int
    speakers: int
    frr: float
    wilson: tuple[float, float]
    bootstrap: tuple[float, float] | None
    """Over speakers; None where it says nothing (one speaker, or nothing or everything missed)."""
    by_speaker: tuple[float, float] | None
    """Wilson's interval at the effective number of words (`intervals.speaker_wilson`): the one to trust, because one
    person's misses come together. None with one speaker."""
    latency_p50_s: float | None
    latency_p95_s: float | None
    duplicates: int
    """Second events for one word; they count as false alarms."""
    false_alarms: int
    """Events of this condition's tracks that hit no word, duplicates included."""


class SplitResult(Part):
    """One split at one threshold. `alarms` is over all negative audio, `by_kind` parts it."""

    alarms: Rate
    by_kind: dict[str, Rate]
    conditions: tuple[ConditionResult, ...]
    near_misses: NearMissResult | None
    """Phrases that only resemble the word; outside FRR and FAH. None where the split holds none."""

    def condition(self, name: str) -> ConditionResult | None:
        """The result of a condition, or None where the split has no such words."""
        return next((result for result in self.conditions if result.condition == name), None)


class Oracle(Part):
    """The best threshold for the test audio, known only by looking at it: how much the choice on val costs."""

    threshold: float
    frr: dict[str, float]


class TargetResult(Part):
    """One operating point: the threshold that val chose, and what test says of it."""

    fah_target: float
    threshold: float
    reached: bool
    reason: str
    """How val led to the threshold."""
    ready: bool
    verdict: str
    """Whether test keeps `fah_target` and `operating_frr`, in words."""
    hours_needed: float
    """Hours without a false alarm that it takes to show the target (one-sided)."""
    val: SplitResult | None
    test: SplitResult | None
    oracle: Oracle | None


class ClipLevel(Part):
    """How well the highest score parts clips of the word (clean) from other speech, on test."""

    positives: int
    negatives: int
    eer: float
    roc_auc: float
    pauc: float
    """Partial area for FPR <= 0.1, standardised: 0.5 is chance."""


class Det(Part):
    """Corners of a DET curve: FRR falls as FAH rises."""

    fah: tuple[float, ...]
    frr: tuple[float, ...]


class Example(Part):
    """A stretch of a test track worth hearing: `kind` is `miss`, `false alarm` or `nearest` (none fired)."""

    kind: str
    condition: str
    """Of a miss; of the others the kind of audio."""
    track: str
    clip_id: str
    speaker: str
    source: str
    start_s: float
    end_s: float
    """The stretch, in seconds of the track."""
    word_s: tuple[float, float] | None
    """Where the word lies; None for a false alarm."""
    score: float
    """Highest smoothed score: in the word's window, or of the false peak."""


class AlarmTimes(Part):
    """When false alarms came, in hours of listening from the first negative track on, at the operating point."""

    at_h: tuple[float, ...]
    kinds: tuple[str, ...]
    total_h: float


class WordResult(Part):
    """Everything about one word."""

    label: str
    phrase: str
    operating_fah: float
    frr_area: float | None
    """Mean clean FRR over false-alarm targets of 0 to 1 per hour, on test."""
    clip_level: ClipLevel | None
    targets: tuple[TargetResult, ...]
    det: dict[str, Det]
    near_miss_curve: NearMissCurve | None
    """On test, clean words; None without near misses or words."""
    calibration: CalibrationResult
    """The map from scores to probabilities; the detector's events do not depend on it."""
    slices: SliceReport
    """On test at the operating point."""
    alarm_times: AlarmTimes
    """On test."""
    examples: tuple[Example, ...]
    """The worst of test at the operating point."""
    histogram: dict[str, tuple[int, ...]]
    """Counts of clip scores in 40 equal bins of [0, 1]: clips of the word per condition, and `other speech`."""

    @property
    def operating(self) -> TargetResult:
        """The result at the operating point."""
        return next(target for target in self.targets if target.fah_target == self.operating_fah)

    @property
    def ready(self) -> bool:
        """True when test keeps what the operating point asks."""
        return self.operating.ready

    @property
    def reason(self) -> str:
        """The verdict on the operating point, in words."""
        return self.operating.verdict


class EvaluationReport(Part):
    """An evaluation. `provenance` names what was evaluated, by hash."""

    schema_version: int = SCHEMA_VERSION
    confidence: float
    words: tuple[WordResult, ...]
    notes: tuple[str, ...]
    audio_hours: float
    """Hours of audio that were scored, all conditions of val and test."""
    licences: tuple[tuple[str, str, str, int], ...]
    """Source, licence, split and number of clips in the tracks."""
    detector: dict[str, float]
    """The detector's times that every figure holds for."""
    detector_reason: str = ""
    """How they were chosen; empty where the bundle's own were not put to the test."""
    provenance: dict[str, str]
    evaluation_config: dict[str, Any]

    @property
    def ready(self) -> bool:
        """True when every word meets its operating point on test."""
        return all(word.ready for word in self.words)

    @property
    def operating_points(self) -> dict[str, list[dict[str, Any]]]:
        """For `export.bundle.set_operating_points`: per label a record for each target, rising."""
        return {word.label: [_point(target) for target in word.targets] for word in self.words}

    @property
    def probability_maps(self) -> dict[str, dict[str, float] | None]:
        """For `export.bundle.set_operating_points`: per label the map from score to probability; None without one."""
        maps = {word.label: word.calibration.probability_map for word in self.words}
        return {label: found.model_dump() if found else None for label, found in maps.items()}

    @property
    def metrics(self) -> dict[str, Any]:
        """For the bundle and its model card: the figures at the operating point, JSON-ready."""
        figures: dict[str, Any] = {"confidence": self.confidence, "words": {}, **self.provenance}
        for word in self.words:
            clip = word.clip_level
            figures["words"][word.label] = {
                "ready": word.ready,
                "reason": word.reason,
                "eer": clip.eer if clip else None,
                "pauc": clip.pauc if clip else None,
                "operating_point": _point(word.operating),
                "calibration": _calibration(word.calibration),
                "worse_slices": [part.sentence for part in word.slices.worse],
            }
        return figures

    def save(self, path: Path) -> None:
        """Write as JSON, atomically."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: str | Path) -> EvaluationReport:
        """Read `report.json`. Raises DataError when it is absent or no report of this version."""
        try:
            return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}): run `wakeword evaluate` first") from error
        except ValidationError as error:
            raise DataError(f"{path} is no evaluation report of this version: run `wakeword evaluate` again") from error


def _point(target: TargetResult) -> dict[str, Any]:
    point: dict[str, Any] = {
        "fah_target": target.fah_target,
        "threshold": target.threshold,
        "reached_on_val": target.reached,
        "ready": target.ready,
        "verdict": target.verdict,
    }
    if target.test is not None:
        alarms = target.test.alarms
        point |= {
            "test_false_alarms": alarms.false_alarms,
            "test_hours": alarms.hours,
            "test_fah": alarms.fah,
            "test_fah_interval": None if alarms.low is None else [alarms.low, alarms.high],
            "test_frr": {result.condition: result.frr for result in target.test.conditions},
            "test_frr_interval": {result.condition: list(result.wilson) for result in target.test.conditions},
            "test_frr_interval_by_speaker": {
                result.condition: None if result.by_speaker is None else list(result.by_speaker)
                for result in target.test.conditions
            },
            "test_near_misses_fired": _near_misses(target.test.near_misses),
            "test_words": {result.condition: result.words for result in target.test.conditions},
        }
    return point


def _near_misses(near: NearMissResult | None) -> dict[str, float]:
    """Share that fires, by distance."""
    return {name: part.share for name, part in near.by_distance.items()} if near else {}


def _calibration(found: CalibrationResult) -> dict[str, float] | None:
    """Calibration error on test without and with the bundle's probability map; None where there is no map or test."""
    if found.test_before is None or found.test_after is None:
        return None
    return {"test_ece_before": found.test_before.ece, "test_ece_after": found.test_after.ece}
