"""The bundle: a folder or zip with `model.onnx`, `wake.json` and `MODEL_CARD.md`, checked before anything runs."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from wakeword.errors import BundleError
from wakeword.runtime.events import SCORE_LEVELS, EventTiming
from wakeword.runtime.onnx_file import has_external_data

SCHEMA_VERSION = 1
SAMPLE_RATE_HZ = 16_000
MANIFEST_NAME = "wake.json"
MODEL_NAME = "model.onnx"
VARIANTS = {"float32": MODEL_NAME, "int8": "model.int8.onnx", "tflite": "model.tflite"}
"""Forms of the model that a bundle may hold; float32 is always there. All have one set of words, thresholds and state
size; the TFLite file takes one stream and one step a call."""
CARD_NAME = "MODEL_CARD.md"
MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 1 << 28
_NO_CHECKSUM = "0" * 64
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class OperatingPoint(_Part):
    """A threshold with what it was chosen for; evaluation adds what it measured there."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    fah_target: float = Field(gt=0)
    """False alarms per hour that the threshold was chosen for."""
    threshold: float = Field(ge=0, le=1.01)
    """On the smoothed score. Just above 1 means: never."""


class ProbabilityMap(_Part):
    """How a smoothed peak score becomes a probability: `sigmoid(slope * logit(score) + offset)`.

    Evaluation fits it on val. The probability is the chance that a clip whose highest score this is holds the word,
    where a share `prior` of the clips does. For another share q, add `logit(q) - logit(prior)` to `offset`. It is the
    common scale of different models: scores of teachers or of cascade stages are averaged as log odds on it.
    """

    slope: float = Field(gt=0)
    """Its inverse is the temperature; below 1, the model's scores are too extreme."""
    offset: float
    prior: float = Field(gt=0, lt=1)

    def probability(self, score: ArrayLike) -> Any:
        """Probabilities of scores in [0, 1], of the same shape; a float for a float."""
        edge = 0.5 / SCORE_LEVELS  # Saturated scores count as half a level of the detector's rounding away from 0 or 1.
        inside = np.clip(np.asarray(score, dtype=np.float64), edge, 1 - edge)
        found = 0.5 + 0.5 * np.tanh(0.5 * (self.slope * np.log(inside / (1 - inside)) + self.offset))
        return found if np.ndim(score) else float(found)


class BundleWord(_Part):
    """One output of the model."""

    label: str = Field(min_length=1)
    phrase: str
    threshold: float = Field(0.5, ge=0, le=1.01)
    ready: bool = False
    """True once evaluation chose the threshold; until then it is a guess."""
    operating_points: tuple[OperatingPoint, ...] = ()
    probability_map: ProbabilityMap | None = None
    """Absent until evaluation fits it, and where val is too small to fit it."""


class DetectorSettings(_Part):
    """Scores to events: the values of the configuration's `detector` section."""

    @model_validator(mode="before")
    @classmethod
    def _old_name(cls, values: Any) -> Any:
        """Bundles of version 0.1 call the window `peak_hold_s`; they stay readable."""
        if isinstance(values, dict) and "peak_hold_s" in values:
            values = dict(values)
            values.setdefault("nms_window_s", values.pop("peak_hold_s"))
        return values

    smoothing_s: float = Field(ge=0)
    nms_window_s: float = Field(ge=0)
    refractory_s: float = Field(ge=0)


class FileEntry(_Part):
    """What a file of the bundle must be."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=MAX_FILE_BYTES)


class VariantFacts(_Part):
    """How far a further form of the model is from `model.onnx`, as the export measured it on streamed audio."""

    score_difference: float = Field(ge=0)
    """Largest absolute difference of a score."""
    scores: int = Field(ge=0)
    """Scores compared, of all words together."""
    events: int = Field(ge=0)
    """Events of `model.onnx`."""
    events_changed: int = Field(ge=0)
    """Events that only one of the two has, or has at another time."""
    operators: dict[str, int] = {}
    """Of a TFLite file: how often it holds each operator."""


class BundleManifest(_Part):
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
    """For each form of the model beside float32, what its export measured."""
    files: dict[str, FileEntry]
    checksum: str = Field(pattern="^[0-9a-f]{64}$")
    """SHA-256 of this very file with the checksum's 64 digits written as zeros."""

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
            if not _PLAIN_NAME.fullmatch(name) or name == MANIFEST_NAME:
                raise ValueError(f"{name!r} is not the plain name of a file inside the bundle")
        if missing := {MODEL_NAME, CARD_NAME} - set(files):
            raise ValueError(f"{', '.join(sorted(missing))} is not listed")
        return files


@dataclass(frozen=True)
class Bundle:
    """A checked bundle: its manifest and the very bytes of the model (in one form) that were checked."""

    path: Path
    manifest: BundleManifest
    model: bytes
    variant: str = "float32"

    @property
    def model_path(self) -> Path:
        """Where the model lies."""
        return self.path / VARIANTS[self.variant]

    @property
    def variants(self) -> list[str]:
        """The forms of the model that the bundle holds."""
        return [name for name, file in VARIANTS.items() if file in self.manifest.files]

    @property
    def labels(self) -> list[str]:
        """Labels of the words in the order of the model's outputs."""
        return [word.label for word in self.manifest.words]

    @property
    def step_s(self) -> float:
        """Seconds of audio per score."""
        return self.manifest.step_samples / self.manifest.sample_rate_hz

    @property
    def tail_steps(self) -> int:
        """Steps of silence that the end of audio needs before its last events are certain.

        The model answers a word after it, up to one receptive field later, when nothing of the word is left in its
        view; smoothing and the peak hold delay the event further. After so many steps of silence every further score
        is that of silence, so that more of it changes nothing.
        """
        settings = self.manifest.detector
        timing = EventTiming.from_seconds(
            self.step_s, settings.smoothing_s, settings.nms_window_s, settings.refractory_s
        )
        return -(-self.manifest.context_samples // self.manifest.step_samples) + timing.window - 1 + timing.hold

    def tail_samples(self, samples: int) -> int:
        """Samples of silence after `samples` of audio: they fill its last step, and then `tail_steps`."""
        return -samples % self.manifest.step_samples + self.tail_steps * self.manifest.step_samples

    @property
    def thresholds(self) -> list[float]:
        """The default threshold of each word."""
        return [word.threshold for word in self.manifest.words]

    @property
    def fah_targets(self) -> list[float]:
        """Targets in false alarms per hour for which every word has an operating point, rising."""
        targets = [{point.fah_target for point in word.operating_points} for word in self.manifest.words]
        return sorted(set.intersection(*targets))

    def thresholds_for(self, fah_target: float | None = None, threshold: float | None = None) -> list[float]:
        """Thresholds of the operating point for `fah_target`, or `threshold` for every word, or the defaults.

        Raises BundleError when a word has no operating point for `fah_target`, naming those there are, and when
        `threshold` lies outside [0, 1].
        """
        if threshold is not None:
            if not 0 <= threshold <= 1:
                raise BundleError(f"a threshold lies between 0 and 1, got {threshold}")
            return [threshold] * len(self.manifest.words)
        if fah_target is None:
            return self.thresholds
        chosen = []
        for word in self.manifest.words:
            points = {point.fah_target: point.threshold for point in word.operating_points}
            if fah_target not in points:
                known = ", ".join(f"{target:g}" for target in sorted(points)) or "none: evaluate it first"
                raise BundleError(
                    f"{self.path}: {word.label} has no operating point for {fah_target:g} false alarms per hour"
                    f" (there are {known})"
                )
            chosen.append(points[fah_target])
        return chosen


def manifest_checksum(text: bytes, stated: str) -> str:
    """SHA-256 of `wake.json`'s bytes with the `stated` checksum in it written as zeros."""
    return hashlib.sha256(text.replace(stated.encode(), _NO_CHECKSUM.encode())).hexdigest()


def complete_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """`manifest` with every default filled in and its `checksum` left out; JSON-ready.

    Raises BundleError when it is not a valid manifest.
    """
    text = json.dumps({**manifest, "checksum": _NO_CHECKSUM}, allow_nan=False)
    parsed = _parse_manifest(text.encode(), Path(MANIFEST_NAME), verify=False)
    complete = parsed.model_dump(mode="json", exclude={"checksum"})
    for word in complete["words"]:
        # Left out rather than null: a runtime from before there were maps can read a bundle without one.
        if word["probability_map"] is None:
            del word["probability_map"]
    return complete


def seal_manifest(manifest: Mapping[str, Any]) -> str:
    """The text of `wake.json` for `manifest`, with its checksum filled in; validated before it is returned.

    Raises BundleError when `manifest` is not a valid manifest.
    """
    values = {**complete_manifest(manifest), "checksum": _NO_CHECKSUM}
    text = json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n"
    return text.replace(_NO_CHECKSUM, manifest_checksum(text.encode(), _NO_CHECKSUM))


def load_bundle(path: str | Path, variant: str = "float32") -> Bundle:
    """Read and check a bundle folder or zip: schema version, sample rate, names, sizes and every SHA-256.

    `variant`: the form of the model to take: float32, int8 or tflite.

    Raises BundleError with one sentence that names the file at fault.
    """
    path = Path(path)
    if variant not in VARIANTS:
        raise BundleError(f"no such precision {variant!r}: choose from {', '.join(VARIANTS)}")
    if path.is_dir():
        read: _FolderReader | _ZipReader = _FolderReader(path)
    elif path.is_file():
        read = _ZipReader(path)
    else:
        raise BundleError(f"{path}: there is no bundle folder or zip; `wakeword export` makes one")
    manifest = _parse_manifest(read(MANIFEST_NAME, MAX_MANIFEST_BYTES), path / MANIFEST_NAME)
    model, model_name = b"", VARIANTS[variant]
    if model_name not in manifest.files:
        raise BundleError(f"{path}: holds no {variant} model; export it again with export.{variant}=true")
    for name, entry in manifest.files.items():
        content = read(name, entry.bytes)
        if len(content) != entry.bytes:
            raise BundleError(f"{path / name}: {len(content)} bytes, {MANIFEST_NAME} says {entry.bytes}; copy it again")
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise BundleError(f"{path / name}: changed since the export (its SHA-256 differs); copy it again")
        if name == model_name:
            model = content
    _check_format(model, path / model_name)
    return Bundle(path, manifest, model, variant)


def _check_format(model: bytes, where: Path) -> None:
    """The bytes are of the kind that the name says, before any library is given them."""
    if where.suffix == ".tflite":
        # LiteRT walks through the whole file before it uses any of it; weights cannot lie outside.
        if model[4:8] != b"TFL3":
            raise BundleError(f"{where}: not a TFLite file; export the bundle again")
        return
    try:
        if has_external_data(model):
            raise BundleError(f"{where}: refers to weights in another file, which a bundle may not")
    except ValueError as error:
        raise BundleError(f"{where}: not an ONNX file ({error})") from error


def _parse_manifest(content: bytes, where: Path, verify: bool = True) -> BundleManifest:
    try:
        values = json.loads(content)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"{where}: not valid JSON ({error}); export the bundle again") from error
    version = values.get("schema_version") if isinstance(values, dict) else None
    if version != SCHEMA_VERSION:
        raise BundleError(f"{where}: schema version {version}, this wakeword reads version {SCHEMA_VERSION}")
    try:
        manifest = BundleManifest.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{where}: {key}: {first['msg']}; export the bundle again") from error
    if manifest.sample_rate_hz != SAMPLE_RATE_HZ:
        raise BundleError(
            f"{where}: made for audio at {manifest.sample_rate_hz} Hz, this runtime works at {SAMPLE_RATE_HZ} Hz"
        )
    if verify and manifest_checksum(content, manifest.checksum) != manifest.checksum:
        raise BundleError(f"{where}: changed since the export (its checksum differs); copy or export it again")
    return manifest


class _FolderReader:
    """Reads plain files that really lie in the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, limit: int) -> bytes:
        path = self.folder / name
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                raise BundleError(f"{path}: not a plain file (links may lead outside the bundle)")
            with path.open("rb") as stream:
                content = stream.read(limit + 1)
        except FileNotFoundError as error:
            raise BundleError(f"{path}: missing from the bundle; copy or export it again") from error
        except OSError as error:
            raise BundleError(f"{path}: cannot be read ({error.strerror})") from error
        if len(content) > limit:
            raise BundleError(f"{path}: larger than the {limit} bytes that are allowed for it")
        return content


class _ZipReader:
    """Reads members of a flat zip into memory; nothing is ever unpacked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, OSError) as error:
            raise BundleError(f"{path}: not a readable zip ({error}); a bundle is a folder or a zip") from error
        for name in names:
            if not _PLAIN_NAME.fullmatch(name):
                raise BundleError(f"{path}: holds {name!r}; a bundle's zip holds plain files without folders")
        if len(set(names)) < len(names):
            raise BundleError(f"{path}: holds the same file twice")

    def __call__(self, name: str, limit: int) -> bytes:
        where = self.path / name
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(name) as stream:
                content = stream.read(limit + 1)
        except KeyError as error:
            raise BundleError(f"{where}: missing from the bundle; copy or export it again") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise BundleError(f"{where}: damaged in the zip ({error}); copy it again") from error
        if len(content) > limit:
            raise BundleError(f"{where}: larger than the {limit} bytes that are allowed for it")
        return content
