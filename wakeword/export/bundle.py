"""Export a finished run as a bundle, write operating points into a bundle, and pack a bundle as a zip."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from wakeword.config.runtime import ExportConfig
from wakeword.errors import BundleError
from wakeword.export.manifest import build_manifest, graph_metadata, write_bundle_files
from wakeword.runtime.bundle import Bundle, load_bundle
from wakeword.runtime.manifest import MANIFEST_NAME
from wakeword.system.files import atomic_folder, atomic_path

if TYPE_CHECKING:
    from wakeword.config import Config
    from wakeword.export.verifier import VerifierMade
    from wakeword.models.streaming import StreamingModel

log = logging.getLogger(__name__)


def export_bundle(
    run_dir: str | Path,
    out_dir: str | Path | None = None,
    parity_audio: Sequence[NDArray[Any]] | None = None,
    prepared_dir: str | Path | None = None,
) -> Path:
    """Export the best epoch of `run_dir` to `out_dir` (default `run_dir/bundle`) and return the folder of the bundle.

    `prepared_dir`: the training data, which the model card summarises; parity is checked on clips of its val split.
    `parity_audio`: recordings `(samples,)` float32 at 16 kHz for the parity check instead. With neither, synthetic
    recordings are used.

    With `export.int8` the bundle also contains a quantised model, calibrated on the same recordings; with
    `export.tflite` a TFLite file, which must give the same scores and events. With `export.verifier` it contains the
    recogniser of its second stage.

    Raises RunError if the run has no model, the export fails or the parity check fails; an earlier bundle is kept then.
    Raises DataError if the prepared data cannot be read, MissingExtraError for TFLite without its packages.
    """
    from wakeword.export.onnx import export_onnx
    from wakeword.export.verify import verify_parity
    from wakeword.training.checkpoint import load_trained

    model, config = load_trained(Path(run_dir))
    if config.export.tflite:
        from wakeword.export.tflite import require_tflite

        require_tflite()
    target = Path(run_dir) / "bundle" if out_dir is None else Path(out_dir)
    if prepared_dir is not None and parity_audio is None:
        from wakeword.export.training_data import parity_clips

        parity_audio = parity_clips(prepared_dir)
    training_data = _training_data(model, config, prepared_dir)
    manifest = build_manifest(config, model.step_samples, model.state_size, model.context_samples, training_data)
    made = None
    if config.export.verifier == "phonetic":
        from wakeword.export.verifier import make_verifier

        made = make_verifier(config)
        manifest["verifier"] = dict(made.part)
    graph = export_onnx(model, config.export.opset, graph_metadata(manifest))
    with atomic_folder(target) as folder:
        write_bundle_files(folder, graph, manifest, verifier=made.model if made else b"")
        report = verify_parity(model, load_bundle(folder), config.export.parity_tolerance, parity_audio or None)
        if made is not None:
            _check_verifier(load_bundle(folder), made, config.export.parity_tolerance, parity_audio)
        _add_variants(folder, config.export, manifest, parity_audio)
    log.info(
        "bundle %s: %d bytes, %d scores differ by at most %.2g from the model, %d events are identical",
        target,
        len(graph),
        report.scores,
        report.score_difference,
        report.events,
    )
    return target


def _training_data(model: StreamingModel, config: Config, prepared_dir: str | Path | None) -> dict[str, Any]:
    """What the model card says of data, pretrained weights and teacher."""
    found: dict[str, Any] = {}
    if prepared_dir is not None:
        from wakeword.export.training_data import summarise_training_data

        found = summarise_training_data(prepared_dir)
    if model.network.PRETRAINED:
        found["pretrained_weights"] = model.network.PRETRAINED
    if config.distillation.teacher:
        from wakeword.export.training_data import about_teacher

        found["teacher"] = about_teacher(config.distillation.teacher)
    return found


def _check_verifier(
    bundle: Bundle, made: VerifierMade, tolerance: float, recordings: Sequence[NDArray[Any]] | None
) -> None:
    from wakeword.export.verifier import verify_verifier

    difference = verify_verifier(bundle, made.recogniser, tolerance, recordings)
    log.info("verifier %s: %d bytes, differs by at most %.2g", made.recogniser.name, len(made.model), difference)


def _add_variants(
    folder: Path, config: ExportConfig, manifest: Mapping[str, Any], recordings: Sequence[NDArray[Any]] | None
) -> None:
    """Add the int8 and TFLite models that `config` requests, and compare each with the ONNX graph."""
    from wakeword.export.verify import compare_variant, verify_variant

    plain = load_bundle(folder)
    others: dict[str, bytes] = {}
    if config.int8:
        from wakeword.export.quantize import quantize_int8

        others["int8"] = quantize_int8(plain, recordings or [])
    if config.tflite:
        from wakeword.export.tflite import convert_tflite

        others["tflite"] = convert_tflite(plain)
    if not others:
        return
    write_bundle_files(folder, plain.model, manifest, others, plain.verifier_model)
    facts: dict[str, dict[str, Any]] = {}
    for variant, content in others.items():
        other = load_bundle(folder, variant)
        if variant == "tflite":
            from wakeword.export.tflite_operators import count_operators

            found = verify_variant(plain, other, config.parity_tolerance, recordings or None)
            found = found.model_copy(update={"operators": count_operators(content)})
        else:
            # The difference of the int8 model is reported, not limited; evaluation measures its effect.
            found = compare_variant(plain, other, recordings or None)
        facts[variant] = found.model_dump(mode="json")
        log.info(
            "%s: %d bytes, %d scores differ by at most %.2g from float32, %d of %d events changed",
            variant,
            len(content),
            found.scores,
            found.score_difference,
            found.events_changed,
            found.events,
        )
    write_bundle_files(folder, plain.model, {**manifest, "variants": facts}, others, plain.verifier_model)


def set_operating_points(
    bundle_dir: str | Path,
    points: Mapping[str, Sequence[Mapping[str, Any]]],
    metrics: Mapping[str, Any],
    default_fah: float | None = None,
    detector: Mapping[str, float] | None = None,
    probability_maps: Mapping[str, Mapping[str, float] | None] | None = None,
    verifier_points: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    verifier_maps: Mapping[str, Mapping[str, float] | None] | None = None,
) -> Bundle:
    """Write the results of an evaluation into `wake.json` and `MODEL_CARD.md`; the models are unchanged.

    `points`: for each label, records with `fah_target`, `threshold` and measurements. The record for `default_fah` sets
    the threshold of the word and, by its `ready` (default true), whether the word is ready. With None, the target of
    `metrics["words"][label]["operating_point"]` is used. A word without such a record keeps its threshold.

    `detector`: the detector times of the thresholds; None keeps those of the bundle.

    `probability_maps`: for each label, the values of its `ProbabilityMap`; the map of a label with None or without an
    entry is removed. None instead of a mapping keeps the maps of the bundle.

    `verifier_points` and `verifier_maps`: the same on the fused score of the bundle's verifier; None keeps its own.

    Raises BundleError for a bundle that does not load, an unknown label, invalid values, or results for a verifier that
    the bundle lacks.
    """
    bundle = load_bundle(bundle_dir)
    given = {*points, *(probability_maps or {}), *(verifier_points or {}), *(verifier_maps or {})}
    if unknown := sorted(given - set(bundle.labels)):
        raise BundleError(f"{bundle_dir}: has no word {', '.join(unknown)} (it has {', '.join(bundle.labels)})")
    manifest = bundle.manifest.model_dump(mode="json", exclude={"files", "checksum"})
    targets = {label: _default_target(label, metrics, default_fah) for label in bundle.labels}
    _write_points(manifest["words"], points, targets, probability_maps)
    if verifier_points is not None or verifier_maps is not None:
        if manifest["verifier"] is None:
            raise BundleError(f"{bundle_dir}: holds no verifier; export it again with export.verifier=phonetic")
        _write_points(manifest["verifier"]["words"], verifier_points or {}, targets, verifier_maps)
    manifest["metrics"] = dict(metrics)
    if detector is not None:
        manifest["detector"] = dict(detector)
    others = {name: load_bundle(bundle_dir, name).model for name in bundle.variants if name != bundle.variant}
    with atomic_folder(Path(bundle_dir)) as folder:
        write_bundle_files(folder, bundle.model, manifest, others, bundle.verifier_model)
    return load_bundle(bundle_dir)


def _default_target(label: str, metrics: Mapping[str, Any], default_fah: float | None) -> float | None:
    """The false alarms per hour whose record sets the threshold of a word."""
    if default_fah is not None:
        return default_fah
    target: float | None = metrics.get("words", {}).get(label, {}).get("operating_point", {}).get("fah_target")
    return target


def _write_points(
    words: Sequence[dict[str, Any]],
    points: Mapping[str, Sequence[Mapping[str, Any]]],
    targets: Mapping[str, float | None],
    maps: Mapping[str, Mapping[str, float] | None] | None,
) -> None:
    """Set operating points, default threshold and map of `words`, entries of `wake.json`, in place."""
    for word in words:
        label = word["label"]
        if maps is not None:
            word["probability_map"] = maps.get(label)
        if label not in points:
            continue
        word["operating_points"] = sorted(map(dict, points[label]), key=lambda record: record["fah_target"])
        for record in word["operating_points"]:
            if record["fah_target"] == targets[label]:
                word.update(threshold=record["threshold"], ready=bool(record.get("ready", True)))


def pack(bundle_dir: str | Path, target: str | Path | None = None) -> Path:
    """Pack a bundle as a zip (default: beside the folder), byte-identical for equal bundles. Raises BundleError."""
    bundle = load_bundle(bundle_dir)
    source = Path(bundle_dir)
    path = source.with_name(source.name + ".zip") if target is None else Path(target)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted({MANIFEST_NAME, *bundle.manifest.files}):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, (source / name).read_bytes())
    load_bundle(path)
    return path
