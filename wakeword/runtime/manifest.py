"""The contents of `wake.json`: what a bundle holds, checked before anything runs."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from wakeword.runtime.events import EventTiming
from wakeword.runtime.fusion import FusionMap, score_logit
from wakeword.runtime.phoneme_path import Pronunciation

SAMPLE_RATE_HZ = 16_000
MANIFEST_NAME = "wake.json"
MODEL_NAME = "model.onnx"
VERIFIER_NAME = "verifier.onnx"
CARD_NAME = "MODEL_CARD.md"
MAX_FILE_BYTES = 1 << 28
TRIGGER_THRESHOLD = 0.075858
"""Log odds of -2.5: peaks below it are rarely words."""
BEFORE_S, AFTER_S = 1.8, 0.3
PATH_END_S = 0.7
"""Of 349 recorded words, 98 % end 0.03 to 0.34 s before the peak of `speech_embedding` detectors; 0.5 gives the same
figures, the rest is room for families that peak later."""
"""Audio around a peak that a verifier hears."""
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class OperatingPoint(Part):
    """A threshold and its target; evaluation adds further fields with its measurements."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    fah_target: float = Field(gt=0)
    """False alarms per hour that the threshold was chosen for."""
    threshold: float = Field(ge=0, le=1.01)
    """On the smoothed score; a value just above 1 disables the word."""


class ProbabilityMap(Part):
    """Map from a smoothed peak score to a probability: `sigmoid(slope * logit(score) + offset)`, fitted on val.

    It is the probability that a clip with this highest score contains the word, where a share `prior` of the clips
    does. For another share q, add `logit(q) - logit(prior)` to `offset`. It is a common scale for different models:
    scores of teachers or cascade stages can be averaged as log odds on it.
    """

    slope: float = Field(gt=0)
    """Inverse of the temperature; below 1, the scores of the model are too extreme."""
    offset: float
    prior: float = Field(gt=0, lt=1)

    def probability(self, score: ArrayLike) -> Any:
        """Probabilities of scores in [0, 1], of the same shape; a float for a float."""
        # Saturated scores are moved by half a rounding level from 0 or 1.
        found = 0.5 + 0.5 * np.tanh(0.5 * (self.slope * score_logit(score) + self.offset))
        return found if np.ndim(score) else float(found)


class BundleWord(Part):
    """One output of the model."""

    label: str = Field(min_length=1)
    phrase: str
    threshold: float = Field(0.5, ge=0, le=1.01)
    ready: bool = False
    """True if evaluation chose the threshold and the word met its targets."""
    operating_points: tuple[OperatingPoint, ...] = ()
    probability_map: ProbabilityMap | None = None
    """None before evaluation, and if val is too small to fit the map."""


class StoredPronunciation(Part):
    """A pronunciation of a phrase; `tokens[i]` are the recogniser's tokens for phoneme `i`, `costs[i]` their costs."""

    tokens: tuple[tuple[int, ...], ...] = Field(min_length=1, max_length=64)
    costs: tuple[tuple[float, ...], ...]

    @model_validator(mode="after")
    def _paired(self) -> StoredPronunciation:
        lengths = [len(one) for one in self.tokens]
        if [len(one) for one in self.costs] != lengths or 0 in lengths:
            raise ValueError("every phoneme needs at least one token, and every token a cost")
        return self

    def pronunciation(self) -> Pronunciation:
        """The form that `PhraseScorer` takes."""
        return Pronunciation(self.tokens, self.costs)


class VerifierWord(Part):
    """How a word is verified, with the thresholds on its fused score."""

    label: str = Field(min_length=1)
    pronunciations: tuple[StoredPronunciation, ...] = Field(min_length=1, max_length=1024)
    trigger_threshold: float = Field(TRIGGER_THRESHOLD, ge=0, le=1)
    """Peaks of the smoothed detector score at or above it are verified; the others are dropped."""
    threshold: float = Field(0.5, ge=0, le=1.01)
    """On the fused score."""
    ready: bool = False
    """True if evaluation chose the threshold and the verified word met its targets."""
    operating_points: tuple[OperatingPoint, ...] = ()
    probability_map: ProbabilityMap | None = None
    """From the fused score; None before evaluation."""


class VerifierPart(Part):
    """The second stage of a bundle: a phoneme recogniser that hears the audio around each peak of the detector."""

    kind: Literal["phonetic"]
    recogniser: str = Field(min_length=1)
    fingerprint: str = Field(min_length=1)
    """Identity of the recogniser's weights."""
    licence: str
    """Its licence and what is known of its training data."""
    rate_hz: float = Field(gt=0, le=1000)
    """Frames of log-probabilities per second."""
    tokens: int = Field(ge=2, le=1 << 16)
    """Number of outputs per frame."""
    blank: int = Field(ge=0)
    """The output that stands for no phoneme."""
    boundary: int | None = Field(None, ge=0)
    """The output between words, which counts as blank."""
    before_s: float = Field(BEFORE_S, gt=0, le=10)
    """Seconds of audio before the end of a peak's score that the recogniser hears."""
    after_s: float = Field(AFTER_S, ge=0, le=5)
    """Seconds of audio after it; events are that much later."""
    path_end_s: float = Field(PATH_END_S, gt=0, le=10)
    """The phrase must end at most so many seconds before the peak, so that earlier speech is not taken for it."""
    fusion: FusionMap
    words: tuple[VerifierWord, ...] = Field(min_length=1)

    @property
    def first_end(self) -> int:
        """The first frame of a window at which the phrase may end."""
        return max(0, round((self.before_s - self.path_end_s) * self.rate_hz))

    @model_validator(mode="after")
    def _inside(self) -> VerifierPart:
        for name, token in (("blank", self.blank), ("boundary", self.boundary)):
            if token is not None and token >= self.tokens:
                raise ValueError(f"{name} is {token}, the recogniser has {self.tokens} tokens")
        for word in self.words:
            used = {token for one in word.pronunciations for phoneme in one.tokens for token in phoneme}
            if outside := sorted(token for token in used if not 0 <= token < self.tokens):
                raise ValueError(f"{word.label} uses the token {outside[0]}, the recogniser has {self.tokens} tokens")
            if used & {self.blank, self.boundary}:
                raise ValueError(f"{word.label} uses blank or boundary as a phoneme")
        return self


class DetectorSettings(Part):
    """The `detector` section of the configuration."""

    @model_validator(mode="before")
    @classmethod
    def _old_name(cls, values: Any) -> Any:
        """Accept bundles of version 0.1, which name the window `peak_hold_s`."""
        if isinstance(values, dict) and "peak_hold_s" in values:
            values = dict(values)
            values.setdefault("nms_window_s", values.pop("peak_hold_s"))
        return values

    smoothing_s: float = Field(ge=0)
    nms_window_s: float = Field(ge=0)
    refractory_s: float = Field(ge=0)

    def timing(self, step_s: float) -> EventTiming:
        """The times in scores of `step_s` seconds."""
        return EventTiming.from_seconds(step_s, self.smoothing_s, self.nms_window_s, self.refractory_s)


class FileEntry(Part):
    """Checksum and size of a file of the bundle."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=MAX_FILE_BYTES)


class VariantFacts(Part):
    """Differences between another model file and `model.onnx` on streamed audio, measured by the export."""

    score_difference: float = Field(ge=0)
    """Largest absolute difference of a score."""
    scores: int = Field(ge=0)
    """Number of compared scores of all words."""
    events: int = Field(ge=0)
    """Number of events of `model.onnx`."""
    events_changed: int = Field(ge=0)
    """Number of events that only one of the two reports, or at another time."""
    operators: dict[str, int] = {}
    """Number of each operator in a TFLite file."""


class BundleManifest(Part):
    """The contents of `wake.json`."""

    schema_version: int
    name: str
    sample_rate_hz: int
    step_samples: int = Field(ge=1, le=SAMPLE_RATE_HZ)
    chunk_ms: float = Field(gt=0)
    state_size: int = Field(ge=1, le=1 << 24)
    context_samples: int = Field(ge=0, le=60 * SAMPLE_RATE_HZ)
    words: tuple[BundleWord, ...] = Field(min_length=1)
    detector: DetectorSettings
    metrics: dict[str, Any] = {}
    training_data: dict[str, Any] = {}
    variants: dict[str, VariantFacts] = {}
    """Measurements for each model file other than float32."""
    verifier: VerifierPart | None = None
    """The second stage; its recogniser is `verifier.onnx`."""
    files: dict[str, FileEntry]
    checksum: str = Field(pattern="^[0-9a-f]{64}$")
    """SHA-256 of this file with the 64 digits of the checksum replaced by zeros."""

    @field_validator("words")
    @classmethod
    def _distinct(cls, words: tuple[BundleWord, ...]) -> tuple[BundleWord, ...]:
        if len({word.label for word in words}) < len(words):
            raise ValueError("two words share a label")
        return words

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, FileEntry]) -> dict[str, FileEntry]:
        for name in files:
            if not PLAIN_NAME.fullmatch(name) or name == MANIFEST_NAME:
                raise ValueError(f"{name!r} is not the plain name of a file in the bundle")
        if missing := {MODEL_NAME, CARD_NAME} - set(files):
            raise ValueError(f"{', '.join(sorted(missing))} is not listed")
        return files

    @model_validator(mode="after")
    def _verified(self) -> BundleManifest:
        if (self.verifier is not None) != (VERIFIER_NAME in self.files):
            raise ValueError(f"{VERIFIER_NAME} and the part `verifier` need each other")
        if self.verifier is not None:
            own, verified = [word.label for word in self.words], [word.label for word in self.verifier.words]
            if own != verified:
                raise ValueError(f"the verifier is for {', '.join(verified)}, the model for {', '.join(own)}")
        return self
