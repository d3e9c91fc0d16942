"""The training stage of a run: from processed rows to a saved artefact."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from showdown.core.errors import Unavailable
from showdown.core.files import write_folder, write_json
from showdown.core.method import FittedMethod, Job, LabelledTexts, Method, TunedMethod
from showdown.core.record import GB, MemorySplit, Phase
from showdown.core.spec import RunSpec, SharedProtocol
from showdown.data.prepare import load_labels, load_side
from showdown.data.subset import nested_subset
from showdown.measure.environment import environment
from showdown.measure.memory import memory_of
from showdown.measure.phases import PhaseClock
from showdown.measure.system import process_age_seconds
from showdown.methods.table import build, is_tuned
from showdown.runner.artifact import job_of
from showdown.runner.memory import MemorySettings, memory_settings, most_weights_learn, rounding_of
from showdown.runner.stages import TrainStage, TuneStage
from showdown.runner.worker import Teller

MB = 1e6
_VALIDATION_BATCH_ROWS = 16
_TWO_CHECKPOINTS = 2


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What every part of a stage needs."""

    spec: RunSpec
    folder: Path
    job: Job
    clock: PhaseClock
    teller: Teller

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge what happens inside to a phase, and tell of it."""
        self.teller.phase(name)
        with self.clock.phase(name):
            yield


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What either kind of method yields."""

    save: Callable[[Path], None]
    trainable_parameters: int
    total_parameters: int
    chosen: dict[str, Any]
    notes: tuple[str, ...]
    memory_split: MemorySplit | None = None


def open_scene(spec: RunSpec, folder: Path, processed: Path, teller: Teller) -> Scene:
    """Set the stage: seeds, number types, the clock; the process's start and imports are its first phase."""
    import torch

    job = job_of(spec, load_labels(processed))
    torch.manual_seed(spec.seed)
    if spec.protocol.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    memory = memory_of(job.placement.device)
    started_seconds = process_age_seconds(psutil.Process())
    peak = memory.peak()
    clock = PhaseClock(memory, teller.entered)
    clock.add(
        [
            Phase(
                name="start",
                seconds=round(started_seconds, 4),
                peak_allocated_gb=peak.allocated_gb,
                peak_reserved_gb=peak.reserved_gb,
                peak_device_gb=peak.device_gb,
            )
        ]
    )
    return Scene(spec=spec, folder=folder, job=job, clock=clock, teller=teller)


def train_run(spec: RunSpec, folder: Path, processed: Path, teller: Teller) -> None:
    """Fit the run's method on the training rows and save the artefact; `train.json` is committed last."""
    scene = open_scene(spec, folder, processed, teller)
    method = build(spec.method, spec.settings)
    obstacle = method.obstacle()
    if obstacle:
        raise Unavailable(obstacle)
    train, validation = training_rows(spec, processed), load_side(processed, "validation")
    outcome = (
        _fit(scene, method, train) if isinstance(method, FittedMethod) else _finetune(scene, method, train, validation)
    )
    with scene.phase("saving"):
        write_folder(folder / "artifact", lambda partial: _save(outcome, partial))
    stage = TrainStage(
        title=method.title,
        phases=scene.clock.phases(),
        trained=method.learns,
        train_rows=len(train),
        trainable_parameters=outcome.trainable_parameters,
        total_parameters=outcome.total_parameters,
        model_size_mb=round(_size_bytes(folder / "artifact") / MB, 3),
        chosen={
            "device": scene.job.placement.device,
            "precision": scene.job.placement.dtype,
            "deterministic": scene.job.placement.device == "cpu" or spec.protocol.deterministic,
            **outcome.chosen,
        },
        notes=[*outcome.notes, *teller.said],
        memory_kind=memory_of(scene.job.placement.device).kind,
        memory_split=outcome.memory_split,
        environment=environment(scene.job.placement.device),
    )
    write_json(folder / "train.json", stage.model_dump())
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)


def training_rows(spec: RunSpec, processed: Path) -> LabelledTexts:
    """Return the rows that a run is trained on: all training rows, or its point of the learning curve."""
    return nested_subset(load_side(processed, "train"), spec.train_fraction, spec.protocol.split.seed)


def _save(outcome: Outcome, partial: Path) -> None:
    from showdown.training.checkpoint import write_sizes

    outcome.save(partial)
    write_sizes(partial)


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _fit(scene: Scene, method: FittedMethod, train: LabelledTexts) -> Outcome:
    with scene.phase("training" if method.learns else "loading"):
        fitted = method.fit(train, scene.job)
    return Outcome(
        save=lambda folder: method.save(fitted.classifier, folder),
        trainable_parameters=fitted.trainable_parameters,
        total_parameters=fitted.total_parameters,
        chosen={},
        notes=fitted.notes,
    )


def _finetune(scene: Scene, method: Method, train: LabelledTexts, validation: LabelledTexts) -> Outcome:
    from showdown.models.network import trainable_parameters, unpacked_parameters
    from showdown.training.loop import train as run_loop

    assert isinstance(method, TunedMethod)
    tuned = tuned_rate(scene)
    ground = open_ground(scene, method, train, validation)
    if scene.job.placement.device != "cpu" or scene.job.protocol.memory != "speed":
        scene.teller.say(ground.memory.said(scene.job.protocol.memory))
    learner = ground.learner()
    module, protocol = learner.module, scene.job.protocol
    progress = run_loop(
        learner.training(
            protocol=protocol,
            learning_rate=method.learning_rate if tuned is None else tuned,
            validate=learner.validate,
            checkpoints=_checkpoints(scene, module),
        )
    )
    write_json(scene.folder / "curve.json", {"training": progress.curve, "validation": progress.validation})
    return Outcome(
        save=lambda folder: method.save(module, folder),
        trainable_parameters=trainable_parameters(module),
        total_parameters=unpacked_parameters(module),
        chosen={
            "forward": learner.forward.name,
            "max_tokens": ground.limit,
            "micro_batch_rows": progress.micro_batch_rows,
            "micro_batch_tokens": progress.micro_batch_tokens,
            "recompute": ground.memory.recompute,
            "step_in_backward": learner.step.in_backward,
            "weight_rounding": learner.step.rounding if scene.job.placement.dtype == "bfloat16" else None,
            "epoch": _selected_epoch(protocol, progress.best_epoch),
            **({} if tuned is None else {"learning_rate": tuned}),
        },
        notes=(),
        memory_split=_memory_split(scene, learner),
    )


def _memory_split(scene: Scene, learner: "Learner") -> MemorySplit:
    """Take the training phase's peak apart."""
    from showdown.engine.stepping import state_bytes

    weights = sum(value.numel() * value.itemsize for value in learner.module.parameters()) / GB
    learning = [value for value in learner.module.parameters() if value.requires_grad]
    gradients = 0.0 if learner.step.in_backward else sum(value.numel() * value.itemsize for value in learning) / GB
    optimiser = 0.0 if learner.step.moments_on_host else state_bytes(learning, learner.step.rounding) / GB
    libraries = learner.ground.libraries_gb
    peak = next(phase.peak_allocated_gb for phase in scene.clock.phases() if phase.name == "training")
    return MemorySplit(
        weights_gb=round(weights, 4),
        gradients_gb=round(gradients, 4),
        optimiser_gb=round(optimiser, 4),
        libraries_gb=round(libraries, 4),
        activations_gb=round(max(0.0, peak - weights - gradients - optimiser - libraries), 4),
    )


def tuned_rate(scene: Scene) -> float | None:
    """Return the learning rate that the tuning stage found; None where the protocol tunes none."""
    if not is_tuned(scene.spec):
        return None
    return TuneStage.model_validate_json((scene.folder / "tune.json").read_bytes()).learning_rate


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A network that a method has adapted, ready to be trained."""

    module: Any
    forward: Any
    step: Any
    """How steps are taken: a `showdown.engine.stepping.StepSettings`."""
    ground: "Ground"
    network: Any
    """The names of its parts, for when the method's own are taken away again."""

    def training(
        self, *, protocol: SharedProtocol, learning_rate: float, validate: Callable[[], Any], checkpoints: Any
    ) -> Any:
        """Return the training of this network for the loop."""
        from showdown.training.loop import TrainingRun

        scene = self.ground.scene
        return TrainingRun(
            module=self.module,
            forward=self.forward,
            train=self.ground.train,
            validate=validate,
            protocol=protocol,
            micro_batch_rows=self.ground.memory.micro_batch_rows,
            micro_batch_tokens=self.ground.memory.micro_batch_tokens,
            step=self.step,
            learning_rate=learning_rate,
            seed=scene.spec.seed,
            device=scene.job.placement.device,
            clock=scene.clock,
            checkpoints=checkpoints,
            watcher=scene.teller,
        )

    def validate(self) -> Any:
        """Judge the network on the validation rows."""
        return _validate(self.module, self.forward, self.ground.held_out)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What all trainings of a stage have in common: the rows, encoded, and how much memory they may take."""

    scene: Scene
    method: TunedMethod
    base: Path
    pad_token_id: int
    train: Any
    held_out: Any
    limit: int
    """Tokens after which a text is cut."""
    memory: MemorySettings
    libraries_gb: float
    """What the process held before any network; 0 on a GPU, where it holds nothing."""

    def learner(self, network: Any = None) -> Learner:
        """Return a network adapted afresh: the same for the same seed.

        Args:
            network: the pretrained network, where an earlier training gave it back; it is loaded otherwise.

        """
        import torch

        from showdown.engine.forward import choose_forward
        from showdown.models.network import load_network

        job = self.scene.job
        with self.scene.phase("loading"):
            torch.manual_seed(job.seed)
            network = network or load_network(self.base, job, self.method.options)
            torch.manual_seed(job.seed)
            module = self.method.adapt(network)
            forward = choose_forward(
                module,
                pad_token_id=self.pad_token_id,
                device=job.placement.device,
                recompute=self.memory.recompute,
            )
        return Learner(module=module, forward=forward, step=self._step(module), ground=self, network=network)

    def give_back(self, learner: Learner) -> Any:
        """Return the pretrained network as it was loaded, or None where training changed it."""
        stripped = self.method.strip(learner.module)
        return None if stripped is None else replace(learner.network, module=stripped)

    def _step(self, module: Any) -> Any:
        from showdown.engine.stepping import StepSettings

        protocol, whole = self.scene.job.protocol, most_weights_learn(module)
        return StepSettings(
            weight_decay=protocol.weight_decay,
            rounding=rounding_of(protocol, whole),
            in_backward=self.memory.step_in_backward,
            moments_on_host=whole and protocol.moments_on_host,
        )


def open_ground(scene: Scene, method: TunedMethod, train: LabelledTexts, validation: LabelledTexts) -> Ground:
    """Encode the rows and work out the memory settings."""
    from showdown.models.network import configuration
    from showdown.models.source import locate
    from showdown.models.tokens import encode, load_tokenizer, token_limit
    from showdown.training.loop import EncodedRows

    job = scene.job
    with scene.phase("loading"):
        base = locate(job.model)
        tokenizer = load_tokenizer(base)
        limit = token_limit(tokenizer, configuration(base, job), job.protocol.max_tokens)
        rows = EncodedRows(ids=encode(tokenizer, train.texts, limit), targets=train.targets)
        return Ground(
            scene=scene,
            method=method,
            base=base,
            pad_token_id=int(tokenizer.pad_token_id),
            train=rows,
            held_out=EncodedRows(ids=encode(tokenizer, validation.texts, limit), targets=validation.targets),
            limit=limit,
            memory=memory_settings(scene.spec.name, job, scene.folder.parent.parent, rows.lengths),
            libraries_gb=psutil.Process().memory_info().rss / GB if job.placement.device == "cpu" else 0.0,
        )


def _selected_epoch(protocol: SharedProtocol, best: int | None) -> int | None:
    return protocol.epochs if protocol.select_epoch == "last" else best


def _validate(module: Any, forward: Any, rows: Any) -> Any:
    import torch

    from showdown.evaluation.metrics import METRICS
    from showdown.evaluation.network import logits_of
    from showdown.training.loop import Validation

    logits = logits_of(module, forward, rows.ids, _VALIDATION_BATCH_ROWS)
    targets = torch.tensor(rows.targets)
    loss = torch.nn.functional.cross_entropy(logits, targets)
    return Validation(
        f1_macro=METRICS["f1_macro"](targets.numpy(), logits.argmax(dim=1).numpy()),
        loss=float(loss),
    )


def _checkpoints(scene: Scene, module: Any) -> Any:
    """Return where checkpoints go, or None where two of them do not fit on the disk, which is said."""
    from showdown.training.checkpoint import Checkpoints

    # A checkpoint holds the weights that learn and two moments of each; the best epoch's weights lie beside it.
    learning = sum(value.numel() * value.element_size() for value in module.parameters() if value.requires_grad)
    needed = _TWO_CHECKPOINTS * 4 * learning
    free = shutil.disk_usage(scene.folder).free
    if needed > free:
        scene.teller.say(
            f"no checkpoints: two need {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; "
            "an interrupted run starts from its beginning"
        )
        return None
    return Checkpoints(scene.folder / "checkpoints", scene.teller.say)
