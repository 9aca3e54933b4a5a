"""Load and check a bundle: a folder or zip with `model.onnx`, `wake.json` and `MODEL_CARD.md`."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from wakeword.errors import BundleError
from wakeword.runtime.events import EventTiming
from wakeword.runtime.manifest import (
    MANIFEST_NAME,
    MODEL_NAME,
    PLAIN_NAME,
    SAMPLE_RATE_HZ,
    VERIFIER_NAME,
    BundleManifest,
    BundleWord,
    VerifierWord,
)
from wakeword.runtime.onnx_file import has_external_data

SCHEMA_VERSION = 1
VARIANTS = {"float32": MODEL_NAME, "int8": "model.int8.onnx", "tflite": "model.tflite"}
"""Model files of a bundle; only float32 is required. They share words, thresholds and state size. The TFLite file takes
one stream and one step per call."""
SENSITIVITIES = ("low", "normal", "high")
"""Operating point for the fewest false alarms, the default threshold, and the one for the most."""
MAX_MANIFEST_BYTES = 1 << 20
_NO_CHECKSUM = "0" * 64


@dataclass(frozen=True)
class Bundle:
    """A checked bundle: its manifest and the checked bytes of one model file."""

    path: Path
    manifest: BundleManifest
    model: bytes
    variant: str = "float32"
    verifier_model: bytes = b""
    """The recogniser of the verifier; empty without one."""

    @property
    def model_path(self) -> Path:
        """Path of the model file."""
        return self.path / VARIANTS[self.variant]

    @property
    def variants(self) -> list[str]:
        """Names of the model files in the bundle."""
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
    def timing(self) -> EventTiming:
        """The detector times in scores."""
        return self.manifest.detector.timing(self.step_s)

    @property
    def tail_steps(self) -> int:
        """Steps of silence after the end of the audio that make its last events certain.

        They cover one receptive field, the smoothing window and the NMS window.
        """
        context = -(-self.manifest.context_samples // self.manifest.step_samples)
        return context + self.timing.window - 1 + self.timing.hold

    def tail_samples(self, samples: int) -> int:
        """Samples of silence after `samples` of audio: the rest of its last step and `tail_steps`."""
        return -samples % self.manifest.step_samples + self.tail_steps * self.manifest.step_samples

    @property
    def thresholds(self) -> list[float]:
        """The default threshold of each word."""
        return [word.threshold for word in self.manifest.words]

    @property
    def fah_targets(self) -> list[float]:
        """Sorted targets in false alarms per hour for which every word has an operating point of the detector."""
        return self.fah_targets_for()

    def decided_words(self, verified: bool = False) -> Sequence[BundleWord | VerifierWord]:
        """The words with the verifier's thresholds if `verified` and the bundle has one, else with the detector's."""
        part = self.manifest.verifier
        return part.words if verified and part is not None else self.manifest.words

    def fah_targets_for(self, verified: bool = False) -> list[float]:
        """Sorted targets in false alarms per hour for which every word has an operating point."""
        targets = [{point.fah_target for point in word.operating_points} for word in self.decided_words(verified)]
        return sorted(set.intersection(*targets))

    def thresholds_for(
        self, fah_target: float | None = None, threshold: float | None = None, verified: bool = False
    ) -> list[float]:
        """Thresholds of the words: `threshold` for all, or those for `fah_target`, or the defaults.

        `verified`: on the fused score of the verifier, if the bundle has one, instead of the detector's.

        Raises BundleError for a `threshold` outside [0, 1] and for a `fah_target` without an operating point.
        """
        words = self.decided_words(verified)
        if threshold is not None:
            if not 0 <= threshold <= 1:
                raise BundleError(f"a threshold lies between 0 and 1, got {threshold}")
            return [threshold] * len(words)
        if fah_target is None:
            return [word.threshold for word in words]
        chosen = []
        for word in words:
            points = {point.fah_target: point.threshold for point in word.operating_points}
            if fah_target not in points:
                known = ", ".join(f"{target:g}" for target in sorted(points)) or "none: evaluate it first"
                raise BundleError(
                    f"{self.path}: {word.label} has no operating point for {fah_target:g} false alarms per hour"
                    f" (there are {known})"
                )
            chosen.append(points[fah_target])
        return chosen

    def thresholds_at(self, sensitivity: str, verified: bool = False) -> list[float]:
        """Thresholds of the words at one of `SENSITIVITIES`, from their operating points.

        Targets whose threshold disables a word are passed over. `verified`: as for `thresholds_for`.

        Raises BundleError for another word and for a bundle without operating points.
        """
        if sensitivity not in SENSITIVITIES:
            raise BundleError(f"no such sensitivity {sensitivity!r}: choose from {', '.join(SENSITIVITIES)}")
        if sensitivity == "normal":
            return self.thresholds_for(verified=verified)
        targets = self.fah_targets_for(verified)
        working = [one for one in targets if max(self.thresholds_for(one, verified=verified)) <= 1]
        if not working:
            raise BundleError(f"{self.path}: has no operating points to choose a sensitivity from: evaluate it first")
        return self.thresholds_for(working[0 if sensitivity == "low" else -1], verified=verified)


def manifest_checksum(text: bytes, stated: str) -> str:
    """SHA-256 of the bytes of `wake.json` with the `stated` checksum replaced by zeros."""
    return hashlib.sha256(text.replace(stated.encode(), _NO_CHECKSUM.encode())).hexdigest()


def complete_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """`manifest` with all defaults and without `checksum`, ready for JSON. Raises BundleError if it is not valid."""
    text = json.dumps({**manifest, "checksum": _NO_CHECKSUM}, allow_nan=False)
    parsed = _parse_manifest(text.encode(), Path(MANIFEST_NAME), verify=False)
    complete = parsed.model_dump(mode="json", exclude={"checksum"})
    # Omitted instead of null, for runtimes that are older than the field.
    if complete["verifier"] is None:
        del complete["verifier"]
    for word in complete["words"]:
        if word["probability_map"] is None:
            del word["probability_map"]
    return complete


def seal_manifest(manifest: Mapping[str, Any]) -> str:
    """The text of `wake.json` for `manifest`, with its checksum. Raises BundleError if `manifest` is not valid."""
    values = {**complete_manifest(manifest), "checksum": _NO_CHECKSUM}
    text = json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n"
    return text.replace(_NO_CHECKSUM, manifest_checksum(text.encode(), _NO_CHECKSUM))


def load_bundle(path: str | Path, variant: str = "float32") -> Bundle:
    """Read a bundle folder or zip and check schema version, sample rate, file names, sizes and all SHA-256 sums.

    `variant`: the model file: float32, int8 or tflite.

    Raises BundleError with one sentence that names the damaged file.
    """
    path = Path(path)
    if variant not in VARIANTS:
        raise BundleError(f"no such precision {variant!r}: choose from {', '.join(VARIANTS)}")
    if path.is_file():
        _check_zip(path)
    elif not path.is_dir():
        raise BundleError(f"{path}: there is no bundle folder or zip; make one with `wakeword export`")
    manifest = _parse_manifest(_read(path, MANIFEST_NAME, MAX_MANIFEST_BYTES), path / MANIFEST_NAME)
    model_name = VARIANTS[variant]
    kept = {model_name: b"", VERIFIER_NAME: b""}
    if model_name not in manifest.files:
        raise BundleError(f"{path}: contains no {variant} model; export it again with export.{variant}=true")
    for name, entry in manifest.files.items():
        content = _read(path, name, entry.bytes)
        if len(content) != entry.bytes:
            raise BundleError(f"{path / name}: {len(content)} bytes, not {entry.bytes} as in {MANIFEST_NAME}; copy it")
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise BundleError(f"{path / name}: changed since the export (its SHA-256 differs); copy it again")
        if name in kept:
            kept[name] = content
            _check_format(content, path / name)
    return Bundle(path, manifest, kept[model_name], variant, kept[VERIFIER_NAME])


def _check_format(model: bytes, where: Path) -> None:
    """Check the file format before a library reads the model."""
    if where.suffix == ".tflite":
        # LiteRT verifies the whole file before it uses it; TFLite has no external weights.
        if model[4:8] != b"TFL3":
            raise BundleError(f"{where}: not a TFLite file; export the bundle again")
        return
    try:
        if has_external_data(model):
            raise BundleError(f"{where}: refers to weights in another file, which is not allowed in a bundle")
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


def _check_zip(path: Path) -> None:
    """Check that a zip holds distinct plain files without folders."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise BundleError(f"{path}: not a readable zip ({error}); a bundle is a folder or a zip") from error
    for name in names:
        if not PLAIN_NAME.fullmatch(name):
            raise BundleError(f"{path}: contains {name!r}; a bundle's zip holds plain files without folders")
    if len(set(names)) < len(names):
        raise BundleError(f"{path}: contains the same file twice")


def _read(path: Path, name: str, limit: int) -> bytes:
    """Read a regular file of a bundle folder, or a member of a bundle zip into memory, of at most `limit` bytes."""
    where = path / name
    try:
        if not path.is_dir():
            with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
                content = stream.read(limit + 1)
        elif stat.S_ISREG(where.lstat().st_mode):
            with where.open("rb") as file:
                content = file.read(limit + 1)
        else:
            raise BundleError(f"{where}: not a regular file (links may point outside the bundle)")
    except (FileNotFoundError, KeyError) as error:
        raise BundleError(f"{where}: missing from the bundle; copy or export it again") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise BundleError(f"{where}: cannot be read ({error}); copy it again") from error
    if len(content) > limit:
        raise BundleError(f"{where}: larger than the allowed {limit} bytes")
    return content
