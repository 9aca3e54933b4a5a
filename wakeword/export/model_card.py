"""Render the `MODEL_CARD.md` of a bundle from its manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wakeword.export.tflite_operators import missing_in_micro
from wakeword.runtime.bundle import VARIANTS
from wakeword.runtime.manifest import MODEL_NAME, VERIFIER_NAME

_FORMS = {
    "float32": "ONNX, float32",
    "int8": "ONNX, convolutions in int8, the same interface",
    "tflite": "TFLite, float32, the same interface for one stream and one step a call",
    "verifier": "ONNX, the phoneme recogniser of the verifier, weights in float16",
}

_RUN = """\
```python
from wakeword.runtime import detect_file, load_bundle
for detection in detect_file(load_bundle("BUNDLE"), "recording.wav"):
    print(detection)
```

or `wakeword detect BUNDLE recording.wav`, or `wakeword listen BUNDLE` for the microphone.
"""

_USE = """\
The model wakes a device. It processes audio on the device and gives one score every {step_ms:g} ms; an event means
that the phrase was probably spoken. It does not identify the speaker, does not prove that a person spoke (a loudspeaker
can trigger it), and is no basis for decisions about people. Its accuracy depends on how similar a voice is to the
training and test data, which the sections below describe. Evaluate it on your own recordings before you rely on it.
"""


def render_card(manifest: Mapping[str, Any]) -> str:
    """Markdown: intended use, phrases and thresholds, metrics with their intervals, training data, how to run."""
    phrases = ", ".join(f"“{word['phrase']}”" for word in manifest["words"])
    step_ms = 1000.0 * manifest["step_samples"] / manifest["sample_rate_hz"]
    sections = [
        f"# {manifest['name']}: wake-word detector for {phrases}\n",
        "## Intended use\n\n" + _USE.format(step_ms=step_ms),
        "## Words\n\n" + _words(manifest["words"]),
        *(["## Verifier\n\n" + _verifier(manifest["verifier"])] if manifest.get("verifier") else []),
        "## Metrics\n\n" + (_values(manifest["metrics"]) or "Not evaluated: the thresholds are not chosen yet.\n"),
        "## Training data\n\n" + (_values(manifest["training_data"]) or "Not recorded.\n"),
        "## Files\n\n" + _files(manifest),
        "## Input, output, state\n\n" + _interface(manifest, step_ms),
        "## Run\n\n" + _RUN,
    ]
    return "\n".join(sections)


def _verifier(part: Mapping[str, Any]) -> str:
    """What the second stage is, under which licence, and its thresholds."""
    fusion = part["fusion"]
    terms = [f"{weight:+.3g} {name}" for name, weight in fusion["weights"].items()]
    terms += [f"{weight:+.3g} {name} × clarity" for name, weight in fusion["clarity_weights"].items()]
    return (
        f"At each peak of the detector's score, the phoneme recogniser `{part['recogniser']}` hears the audio from"
        f" {part['before_s']:g} s before it to {part['after_s']:g} s after it (`{VERIFIER_NAME}`:"
        f" `audio (windows, samples)` to `log_probs (windows, frames, {part['tokens']})`). An event is decided by the"
        f" fused score, sigmoid({fusion['offset']:+.3g} {' '.join(terms)}); `Detector(…, verify=False)` and"
        " `--no-verifier` use the detector alone. The server does not use the verifier.\n\n"
        f"The recogniser was not trained for this model. Licence: {part['licence']}. Fusion:"
        f" {fusion['made'] or 'how it was made is not recorded'}.\n\n"
        "Thresholds on the fused score:\n\n" + _words(part["words"])
    )


def _words(words: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for word in words:
        phrase = f", “{word['phrase']}”" if "phrase" in word else ""
        lines.append(f"* `{word['label']}`{phrase}: threshold {word['threshold']:.4f} ({_basis(word)})")
        if "trigger_threshold" in word:
            lines[-1] += f"; hears peaks of the detector from {word['trigger_threshold']:.4f}"
        if found := word.get("probability_map"):
            lines[-1] += (
                f"; probability of a detection = sigmoid({found['slope']:.3g} × logit(score) {found['offset']:+.3g}),"
                f" where {100 * found['prior']:.0f} % of the clips hold the word"
            )
    text = "\n".join(lines) + "\n"
    rows = [{"word": word["label"], **point} for word in words for point in word["operating_points"]]
    return text + ("\n" + _table(rows) if rows else "")


def _basis(word: Mapping[str, Any]) -> str:
    """The origin of the threshold, and whether the word met its target."""
    if not word["operating_points"]:
        return "not evaluated: a default"
    points = [point for point in word["operating_points"] if point["threshold"] == word["threshold"]]
    point = points[0] if points else {}
    return f"chosen by evaluation, **{point.get('verdict') or ('ready' if word['ready'] else 'not ready')}**"


def _interface(manifest: Mapping[str, Any], step_ms: float) -> str:
    detector = manifest["detector"]
    return (
        f"`model.onnx`: `audio (streams, samples)` float32 in [-1, 1] at {manifest['sample_rate_hz']} Hz mono, samples"
        f" a multiple of {manifest['step_samples']} ({step_ms:g} ms; send about {manifest['chunk_ms']:g} ms),"
        f" and `state (streams, {manifest['state_size']})`; the outputs are `score (streams, samples /"
        f" {manifest['step_samples']}, {len(manifest['words'])})` and `next_state`. The initial state of a"
        f" stream is the state after {manifest['context_samples']} samples of silence from zeros. Events are peaks of"
        f" the mean score over {detector['smoothing_s']:g} s, with no higher score within"
        f" {detector['nms_window_s']:g} s, at or above the threshold, and {detector['refractory_s']:g} s apart.\n"
    )


def _files(manifest: Mapping[str, Any]) -> str:
    """The model files with their sizes and their differences to `model.onnx`."""
    lines = []
    files = {**VARIANTS, "verifier": VERIFIER_NAME}
    for variant, name in files.items():
        if name not in manifest["files"]:
            continue
        lines.append(f"* `{name}`: {_FORMS[variant]}; {manifest['files'][name]['bytes'] / 1024:.0f} KiB")
        if facts := manifest["variants"].get(variant):
            lines[-1] += (
                f"; {facts['scores']} scores differ by at most {facts['score_difference']:.2g} from `{MODEL_NAME}`,"
                f" {facts['events_changed']} of {facts['events']} events changed"
            )
            if operators := facts["operators"]:
                lacking = missing_in_micro(operators)
                lines[-1] += f". Operators: {', '.join(operators)}; TFLite Micro supports " + (
                    f"all but {', '.join(lacking)}" if lacking else "all of them"
                )
    return "\n".join(lines) + "\n"


def _values(values: Mapping[str, Any], level: int = 0) -> str:
    """Render nested values as a list, and lists of records as tables."""
    lines: list[str] = []
    for key, value in values.items():
        title = "  " * level + f"* {key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            lines.append(f"{title}:\n{_values(value, level + 1)}".rstrip("\n"))
        elif _is_records(value):
            lines.append(f"{title}:\n\n{_table(value)}")
        else:
            lines.append(f"{title}: {_plain(value)}")
    return "\n".join(lines) + "\n" if lines else ""


def _is_records(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    head = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    body = ["| " + " | ".join(_plain(row.get(column, "")) for column in columns) + " |" for row in rows]
    return "\n".join(head + body) + "\n"


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        inner = " to " if len(value) == 2 and all(isinstance(v, int | float) for v in value) else ", "
        return inner.join(_plain(v) for v in value)
    if value is None:
        return "–"
    return str(value).replace("|", "/").replace("\n", " ")
