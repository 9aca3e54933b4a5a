"""The one configuration tree."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, cast

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from wakeword.config.augmentation import AugmentationConfig
from wakeword.config.base import Section, UserPath
from wakeword.config.cutting import CuttingConfig
from wakeword.config.data import DataConfig
from wakeword.config.evaluation import EvaluationConfig
from wakeword.config.frontend import FrontendConfig
from wakeword.config.keys import key_fault
from wakeword.config.labels import fold
from wakeword.config.model import ModelConfig
from wakeword.config.runtime import DetectorConfig, ExportConfig
from wakeword.config.serving import ServingConfig
from wakeword.config.synthesis import SynthesisConfig
from wakeword.config.tracking import TrackingConfig
from wakeword.config.training import ComputeConfig, DistillationConfig, TrainingConfig
from wakeword.config.tuning import TuningConfig


class WordConfig(Section):
    """One phrase to detect: one output of the model."""

    label: str
    """Name of the word in manifests, bundles and detections, such as `hey_nova`: a-z, 0-9 and `_`."""
    phrase: str = ""
    """Text that is spoken, such as `hey nova`; empty takes the label with spaces for underscores."""
    say: tuple[str, ...] = ()
    """Respellings that text to speech reads in turn instead of the phrase: `[hey no-vah, hay nova]`. Set it when
    `wakeword new` or the data report displays a wrong reading."""
    phonemes: str = ""
    """Pronunciation in IPA of `synthesis.language`, such as `hˈeɪ nˈoʊvə`, for engines that take phonemes; the others
    use `say`."""

    @field_validator("label")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9_]+", value):
            raise ValueError("a label is made of lower-case letters, digits and underscores, such as hey_nova")
        return value

    @property
    def text(self) -> str:
        """The phrase as it is spoken."""
        # Text to speech misreads decomposed accents, which some file systems and keyboards produce.
        return unicodedata.normalize("NFC", self.phrase) or self.label.replace("_", " ")


class Config(Section):
    """Everything that a run depends on; saved with the run."""

    name: str = Field("wakeword", pattern=r"^[A-Za-z0-9._-]+$")
    """Name of the run: its folder is `runs_dir/name`."""
    runs_dir: UserPath = "runs"
    """Folder of all runs; prepared data and caches lie in it as well."""
    words: tuple[WordConfig, ...] = Field(min_length=1)
    """Words to detect, in the order of the model's outputs."""
    frontend: FrontendConfig = FrontendConfig()
    model: SerializeAsAny[ModelConfig] = ModelConfig()
    data: DataConfig = DataConfig()
    synthesis: SynthesisConfig = SynthesisConfig()
    cutting: CuttingConfig = CuttingConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    training: TrainingConfig = TrainingConfig()
    distillation: DistillationConfig = DistillationConfig()
    detector: DetectorConfig = DetectorConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    export: ExportConfig = ExportConfig()
    tuning: TuningConfig = TuningConfig()
    compute: ComputeConfig = ComputeConfig()
    serving: ServingConfig = ServingConfig()
    tracking: TrackingConfig = TrackingConfig()

    @field_validator("model", mode="before")
    @classmethod
    def _of_its_family(cls, value: Any) -> ModelConfig:
        if isinstance(value, ModelConfig):
            return value.of_family()
        # A fault inside keeps its place: pydantic puts `model` in front.
        return cast(ModelConfig, ModelConfig.kind_of(value).model_validate(value))

    @field_validator("words")
    @classmethod
    def _distinct(cls, value: tuple[WordConfig, ...]) -> tuple[WordConfig, ...]:
        labels = [word.label for word in value]
        if len(set(labels)) < len(labels):
            raise ValueError(f"two words share a label in {labels}")
        phrases = [fold(word.text) for word in value]
        if len(set(phrases)) < len(phrases):
            raise ValueError(f"two words share a phrase in {[word.text for word in value]}: each word needs its own")
        return value

    @model_validator(mode="after")
    def _space_names_keys(self) -> Config:
        for key in self.tuning.space:
            if fault := key_fault(Config, key):
                raise ValueError(f"tuning.space.{key} is no config field: {fault}")
        return self

    @property
    def labels(self) -> list[str]:
        """Labels of the words, in the order of the model's outputs."""
        return [word.label for word in self.words]
