"""From a recipe to an evaluated bundle: prepare, teacher targets, train, export, evaluate.

Every stage is recorded in `run_dir/run.json` with a key: the hash of the config sections and inputs that its output
depends on. A stage whose key and output are unchanged is skipped; after a stage that runs, all later ones run too.
Runs and sweeps with the same data sections share the prepared data of `runs_dir/prepared-<hash>`.

If the config changes, checkpoints of other settings and everything made from them move to
`run_dir/superseded/<number>`, and training starts again. A higher number of epochs alone continues training.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wakeword.config import Config, config_hash, save_config
from wakeword.errors import ConfigError, DataError, RunError, WakewordError
from wakeword.stages.progress import Progress
from wakeword.stages.ray_session import cluster_address, kept_ray
from wakeword.system.locks import lock_folder
from wakeword.system.log import log_context
from wakeword.system.resources import ResourceSampler
from wakeword.system.run_record import RunRecord, now_text

if TYPE_CHECKING:
    from wakeword.data.summary import PreparedSummary
    from wakeword.evaluation.results import EvaluationReport
    from wakeword.training.loop import TrainResult
    from wakeword.training.targets import TeacherTargets

log = logging.getLogger(__name__)

STAGES = ("prepare", "targets", "train", "export", "evaluate")
_SUPERSEDED = (
    *("checkpoints", "metrics.jsonl", "tensorboard", "bundle", "evaluation", "score-cache", "resources.jsonl"),
    *("config.yaml", "run.json"),
)
"""Files and folders of a run that depend on its weights, besides the targets."""


@dataclass(frozen=True)
class StageOutcome:
    """The outcome of one stage; its state is `done`, `up to date` or `off`."""

    name: str
    state: str
    seconds: float = 0.0
    peak_gib: float = 0.0


@dataclass
class PipelineResult:
    """Folders, results and cost of a pipeline."""

    run_dir: Path
    prepared_dir: Path
    stages: list[StageOutcome] = field(default_factory=list)
    peak_gib: float = 0.0
    """Peak memory of the whole process tree in GiB, sampled."""
    prepared: PreparedSummary | None = None
    targets: TeacherTargets | None = None
    """A teacher's targets, where `distillation.teacher` is set."""
    trained: TrainResult | None = None
    report: EvaluationReport | None = None

    @property
    def bundle_dir(self) -> Path:
        """The exported bundle."""
        return self.run_dir / "bundle"

    @property
    def evaluation_dir(self) -> Path:
        """Folder of `report.json`, `report.html` and `scores.parquet`."""
        return self.run_dir / "evaluation"


def run_folder(config: Config) -> Path:
    """`runs_dir/name`, absolute, because workers have other working folders.

    Raises:
        ConfigError: `runs_dir` is relative in a submitted job, whose working folder is temporary.
    """
    runs_dir = Path(config.runs_dir).expanduser()
    if not runs_dir.is_absolute() and "working_dir_files" in Path.cwd().parts:
        raise ConfigError(
            f"runs_dir = {config.runs_dir!r} is relative, but a submitted job runs in a temporary copy of the folder: "
            "give an absolute path on storage that all nodes share, such as runs_dir=/mnt/shared/runs"
        )
    return runs_dir.absolute() / config.name


def prepared_folder(config: Config) -> Path:
    """`runs_dir/prepared-<hash>`: one folder for all runs and sweeps with the same words, data and synthesis."""
    digest = config_hash(config.data, config.synthesis, *config.words)
    return run_folder(config).parent / f"prepared-{digest}"


def run_pipeline(
    config: Config,
    stages: Sequence[str] | None = None,
    runner: Literal["ray", "local"] = "ray",
) -> PipelineResult:
    """Run the stages whose output is missing or out of date.

    Args:
        config: the recipe; saved as `run_dir/config.yaml`.
        stages: some of `STAGES`, None for all; earlier stages must be complete.
        runner: `local` prepares in this process, without Ray (for training, set `compute.workers=0`).

    Raises:
        ConfigError: an unknown stage, or a `runs_dir` that a submitted job cannot use.
        RunError: an earlier stage is missing, or another process uses this run.
        WakewordError: an error of a stage.
    """
    wanted = tuple(STAGES if stages is None else stages)
    unknown = [stage for stage in wanted if stage not in STAGES]
    if unknown or not wanted:
        raise ConfigError(f"stages {list(wanted)}: choose from {', '.join(STAGES)}")
    run_dir = run_folder(config)
    run_dir.mkdir(parents=True, exist_ok=True)
    with (
        log_context(config.name),
        lock_folder(run_dir, ".pipeline.lock"),
        ResourceSampler(run_dir / "resources.jsonl", config.tracking.resource_interval_s) as sampler,
    ):
        result = _Pipeline(config, wanted, runner, sampler, run_dir).run()
    result.peak_gib = sampler.peak_gib
    return result


class _Pipeline:
    """One call of `run_pipeline`."""

    def __init__(
        self,
        config: Config,
        wanted: tuple[str, ...],
        runner: Literal["ray", "local"],
        sampler: ResourceSampler,
        run_dir: Path,
    ) -> None:
        self.config, self.wanted, self.runner = config, wanted, runner
        self.sampler = sampler
        self.result = PipelineResult(run_dir, prepared_folder(config))
        self.targets_dir = run_dir / "targets"
        self.record = RunRecord(run_dir / "run.json", config.name)
        self.data_hash = ""
        self.keys: dict[str, str] = {}

    def run(self) -> PipelineResult:
        if "train" in self.wanted:
            from wakeword.models.families import build_model

            # A model that cannot be built ends the run before hours of preparation.
            build_model(self.config.model, self.config.frontend.n_mels, len(self.config.words))
        if "export" in self.wanted and self.config.export.verifier == "phonetic":
            from wakeword.phonetics.recogniser import open_recogniser

            # Neither does one whose verifier is not installed train for hours.
            open_recogniser()
        # One Ray for all stages that use it; it starts with the first of them.
        with kept_ray():
            self._prepare()
            self.keys = self._keys()
            self.targets_dir = self._targets_folder()
            self._require_earlier()
            self._supersede()
            if self.wanted != ("prepare",):
                save_config(self.config, self.result.run_dir / "config.yaml")
            self._targets()
            self._train()
        # Without Ray, whose memory would count for these stages too.
        self._export()
        self._evaluate()
        return self.result

    def _keys(self) -> dict[str, str]:
        from wakeword.training.loop import identity

        config = self.config
        keys = {"prepare": self.data_hash}
        inputs = identity(config, self.data_hash)
        if config.distillation.teacher and self.wanted != ("prepare",):
            from wakeword.teachers.types import teacher_fingerprint

            inputs["teacher"] = teacher_fingerprint(config)
        weights = json.dumps(inputs, sort_keys=True)
        keys["targets"] = _digest(weights)
        keys["train"] = _digest(weights, config_hash(config.training))
        keys["export"] = _digest(keys["train"], config.name, config_hash(config.export, config.detector))
        keys["evaluate"] = _digest(keys["export"], config_hash(config.evaluation))
        return keys

    def _targets_folder(self) -> Path:
        """Scores of the words belong to the run; features of the clips lie beside them, for all runs on them."""
        if self.config.distillation.teacher and self.wanted != ("prepare",):
            from wakeword.teachers.types import teacher_fingerprint, teacher_kind
            from wakeword.training.targets import feature_identity

            if teacher_kind(self.config) == "features":
                fingerprint = teacher_fingerprint(self.config)
                return self.result.prepared_dir / f"targets-{feature_identity(self.data_hash, fingerprint)}"
        return self.result.run_dir / f"targets-{self.keys['targets']}"

    def _require_earlier(self) -> None:
        first = min(STAGES.index(stage) for stage in self.wanted)
        for stage in STAGES[1:first]:
            if stage == "targets" and not self.config.distillation.teacher:
                continue
            if not self._complete(stage):
                raise RunError(
                    f"{stage} is not complete for this config in {self.result.run_dir}: "
                    f"run `wakeword {'distill' if stage == 'targets' else stage}` (or `wakeword pipeline`) first"
                )

    def _complete(self, stage: str) -> bool:
        outputs = {
            "train": "checkpoints/epoch-*/state.json",
            "export": "bundle/wake.json",
            "evaluate": "evaluation/report.json",
        }
        if stage == "targets":
            found = (self.targets_dir / "index.json").is_file()
        else:
            found = any(self.result.run_dir.glob(outputs[stage]))
        return self.record.key(stage) == self.keys[stage] and found

    def _supersede(self) -> None:
        """Move weights of other settings away, because training refuses to continue them."""
        if "train" not in self.wanted:
            return
        from wakeword.training.checkpoint import newest_checkpoint
        from wakeword.training.loop import identity

        run_dir = self.result.run_dir
        found, expected = newest_checkpoint(run_dir), identity(self.config, self.data_hash)
        if found is None or found[1].identity == expected:
            return
        changed = [name for name, value in expected.items() if found[1].identity.get(name) != value]
        number = 1 + len(list((run_dir / "superseded").glob("*")))
        folder = run_dir / "superseded" / f"{number:03d}"
        folder.mkdir(parents=True)
        targets = [path.name for path in run_dir.glob("targets-*") if path != self.targets_dir]
        for name in (*_SUPERSEDED, *targets):
            if (run_dir / name).exists():
                (run_dir / name).rename(folder / name)
        self.record.forget(STAGES[1:])
        log.warning("%s changed since this run was trained: its results moved to %s", ", ".join(changed), folder)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Time and record one stage; later stages become out of date."""
        log.info("%s: start", name)
        self.sampler.begin(name)
        self.record.forget(STAGES[STAGES.index(name) :])
        self.record.put(name, state="running", started=now_text())
        started_s = time.monotonic()
        try:
            with Progress(name):
                yield
        except BaseException as error:
            reason = str(error) if isinstance(error, WakewordError) else repr(error)
            self.record.put(name, state="failed", started=now_text(), reason=reason)
            raise
        seconds, peak = round(time.monotonic() - started_s, 2), round(self.sampler.stage_peak_gib, 3)
        self.record.put(
            name, state="complete", key=self.keys[name], finished=now_text(), seconds=seconds, peak_memory_gib=peak
        )
        self.result.stages.append(StageOutcome(name, "done", seconds, peak))
        log.info("%s: done in %.1f s, peak memory %.2f GiB", name, seconds, peak)

    def _skip(self, name: str) -> bool:
        if name not in self.wanted:
            return True
        if self._complete(name):
            log.info("%s: up to date", name)
            self.result.stages.append(StageOutcome(name, "up to date"))
            return True
        return False

    def _prepare(self) -> None:
        from wakeword.data.shards import ShardSet

        folder = self.result.prepared_dir
        if "prepare" in self.wanted:
            from wakeword.data.prepare import prepare

            folder.mkdir(parents=True, exist_ok=True)
            self.sampler.begin("prepare")
            started_s = time.monotonic()
            # Wait for another run that prepares the same data.
            with lock_folder(folder, ".prepare.lock", math.inf), Progress("prepare"):
                summary = prepare(self.config, folder, self.runner)
            self.result.prepared = summary
            seconds, peak = round(time.monotonic() - started_s, 2), round(self.sampler.stage_peak_gib, 3)
            state = "up to date" if summary.up_to_date else "done"
            self.result.stages.append(StageOutcome("prepare", state, seconds, peak))
            if not summary.up_to_date or self.record.key("prepare") != summary.config_hash:
                facts = {"folder": folder.name, "finished": now_text(), "seconds": seconds, "peak_memory_gib": peak}
                self.record.put("prepare", state="complete", key=summary.config_hash, **facts)
        try:
            self.data_hash = ShardSet.open(folder).config_hash
        except DataError as error:
            raise RunError(f"the data of this config are not prepared ({error})") from error

    def _targets(self) -> None:
        if not self.config.distillation.teacher:
            if "targets" in self.wanted:
                self.result.stages.append(StageOutcome("targets", "off"))
            return
        if self.wanted == ("prepare",):
            return
        from wakeword.teachers.targets import make_targets
        from wakeword.teachers.types import teacher_fingerprint
        from wakeword.training.targets import TeacherTargets

        if self._skip("targets"):
            self.result.targets = TeacherTargets(self.targets_dir, teacher_fingerprint(self.config))
            return
        with self._stage("targets"):
            self.result.targets = make_targets(self.config, self.result.prepared_dir, self.targets_dir, self.runner)

    def _train(self) -> None:
        if self._skip("train"):
            return
        from wakeword.training.distributed import train_with_ray

        result = self.result
        with self._stage("train"):
            result.trained = train_with_ray(self.config, result.prepared_dir, result.run_dir, result.targets)

    def _export(self) -> None:
        if self._skip("export"):
            return
        from wakeword.export.bundle import export_bundle

        with self._stage("export"):
            export_bundle(self.result.run_dir, self.result.bundle_dir, prepared_dir=self.result.prepared_dir)

    def _evaluate(self) -> None:
        from wakeword.evaluation.evaluate import evaluate
        from wakeword.evaluation.results import EvaluationReport
        from wakeword.export.bundle import set_operating_points

        result = self.result
        if self._skip("evaluate"):
            if "evaluate" in self.wanted:
                result.report = EvaluationReport.load(result.evaluation_dir / "report.json")
            return
        with self._stage("evaluate"):
            report = evaluate(
                result.bundle_dir,
                result.prepared_dir,
                self.config,
                result.evaluation_dir,
                run_dir=result.run_dir,
                command=f"wakeword pipeline {result.run_dir / 'config.yaml'}",
                # Starting a local Ray takes longer than scoring in this process.
                runner="ray" if cluster_address(self.config) else "local",
                cache_dir=result.run_dir / "score-cache",
            )
            set_operating_points(
                result.bundle_dir,
                report.operating_points,
                report.metrics,
                detector=report.detector,
                probability_maps=report.probability_maps,
                verifier_points=report.verifier_points,
                verifier_maps=report.verifier_maps,
            )
            result.report = report


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
