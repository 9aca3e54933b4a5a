"""Write the files of a bundle: `wake.json` with its checksums, the model card and the models."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wakeword.config import SAMPLE_RATE_HZ, Config
from wakeword.export.model_card import render_card
from wakeword.runtime.bundle import SCHEMA_VERSION, VARIANTS, complete_manifest, seal_manifest
from wakeword.runtime.manifest import CARD_NAME, MANIFEST_NAME, MODEL_NAME, VERIFIER_NAME


def build_manifest(
    config: Config, step_samples: int, state_size: int, context_samples: int, training_data: Mapping[str, Any]
) -> dict[str, Any]:
    """`wake.json` of a new export, without `files` and `checksum`: thresholds of 0.5, no word ready."""
    step_ms = 1000.0 * step_samples / SAMPLE_RATE_HZ
    words = [
        {"label": word.label, "phrase": word.text, "threshold": 0.5, "ready": False, "operating_points": []}
        for word in config.words
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "name": config.name,
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "step_samples": step_samples,
        "chunk_ms": max(1, round(config.export.chunk_ms / step_ms)) * step_ms,
        "state_size": state_size,
        "context_samples": context_samples,
        "words": words,
        "detector": config.detector.model_dump(),
        "metrics": {},
        "training_data": dict(training_data),
    }


def graph_metadata(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Metadata of the ONNX file, which the runtime compares with `wake.json`."""
    return {
        "words": ",".join(word["label"] for word in manifest["words"]),
        "sample_rate_hz": str(manifest["sample_rate_hz"]),
        "step_samples": str(manifest["step_samples"]),
        "context_samples": str(manifest["context_samples"]),
    }


def write_bundle_files(
    folder: Path,
    model: bytes,
    manifest: Mapping[str, Any],
    others: Mapping[str, bytes] | None = None,
    verifier: bytes = b"",
) -> None:
    """Write `model.onnx`, `MODEL_CARD.md` and `wake.json` (`manifest` plus `files` and `checksum`) into `folder`.

    `others`: further models by their names in `VARIANTS`. `verifier`: the recogniser of `manifest["verifier"]`, written
    as `verifier.onnx`. To replace a bundle, use `system.files.atomic_folder`.

    Raises BundleError if `manifest` is not valid; nothing is written then.
    """

    def listed(contents: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
        return {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in contents.items()
        }

    # The card is rendered from the complete manifest, and the manifest lists the card.
    further = {VARIANTS[variant]: content for variant, content in (others or {}).items()}
    if verifier:
        further[VERIFIER_NAME] = verifier
    contents = {MODEL_NAME: model, CARD_NAME: b"", **further}
    complete = complete_manifest({**manifest, "files": listed(contents)})
    contents[CARD_NAME] = render_card(complete).encode()
    text = seal_manifest({**complete, "files": listed(contents)})
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST_NAME).write_text(text, encoding="utf-8")
