"""The training stage of a run: from processed rows to a saved artifact."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from showdown.core.errors import Unavailable
from showdown.core.events import EventWriter
from showdown.core.examples import Examples
from showdown.core.files import write_folder, write_json
from showdown.core.manifest import write_sizes
from showdown.core.method import FittedMethod, Method, TunedMethod
from showdown.core.record import GB, Convergence, MemorySplit, Phase, ScoreKind
from showdown.core.spec import RunSpec
from showdown.data.prepare import load_side
from showdown.data.subset import nested_subset
from showdown.measure.environment import environment
from showdown.measure.memory import memory_of
from showdown.methods.table import build, is_tuned
from showdown.stages.artifact import write_description
from showdown.stages.base_cache import NOTE, BaseCache
from showdown.stages.context import StageContext, open_context
from showdown.stages.kept_journal import STEPS_FILE, KeptJournal
from showdown.stages.results import TrainStage, TuneStage
from showdown.stages.setup import AdaptedNetwork, prepare_training

if TYPE_CHECKING:
    from torch import nn

    from showdown.models.network import Network
    from showdown.training.checkpoint import Checkpoints
    from showdown.training.run import Progress

MB = 1e6
_TWO_CHECKPOINTS = 2
_FEWEST_BYTES = 2
"""Of a number that was learned, as it is saved."""
_PEAKS = ("peak_allocated_gb", "peak_reserved_gb", "peak_device_gb")
_CLEARLY_MORE = 1.25
"""Times the gradients; what a step holds beside them for a moment is less than a quarter of them."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What either kind of method yields."""

    save: Callable[[Path], None]
    trainable_parameters: int
    total_parameters: int
    chosen: dict[str, Any]
    notes: tuple[str, ...]
    score_kind: ScoreKind | None
    limit: int | None = None
    """Tokens after which a text is cut; None for a method that fits itself."""
    memory_split: MemorySplit | None = None
    convergence: Convergence | None = None
    give_back: "Callable[[], Network | None]" = lambda: None
    """Returns the pretrained network as it was loaded, or None."""


def train_run(spec: RunSpec, folder: Path, processed: Path, events: EventWriter, kept: BaseCache | None = None) -> None:
    """Fit the run's method on the training rows and save the artifact; `train.json` is committed last.

    Args:
        spec: the run.
        folder: the run's folder.
        processed: folder of the processed rows.
        events: told what happens.
        kept: where the pretrained network is found and left, in a process that several runs share.

    """
    context = open_context(spec, folder, processed, events, fresh=kept is None or not kept.stages)
    method = build(spec.method, spec.settings)
    unsupported_reason = method.unsupported_reason()
    if unsupported_reason:
        raise Unavailable(unsupported_reason)
    train, validation = training_rows(spec, processed), load_side(processed, "validation")
    outcome = (
        _fit(context, method, train, validation)
        if isinstance(method, FittedMethod)
        else _finetune(context, method, train, validation, kept)
    )
    peaks = _of_all_devices(context.clock.phases())
    if outcome is None:
        return
    with context.phase("saving"):
        at_least_bytes = _FEWEST_BYTES * outcome.trainable_parameters
        write_folder(
            folder / "artifact", lambda partial: _save(context, outcome, train, partial), at_least_bytes=at_least_bytes
        )
    write_json(folder / "train.json", _stage(context, method, outcome, len(train), peaks).model_dump())
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    (folder / STEPS_FILE).unlink(missing_ok=True)
    if kept and kept.leave(outcome.give_back()):
        events.say("training did not leave the pretrained network as it was; it is loaded again")


def _of_all_devices(phases: Sequence[Phase]) -> dict[str, Phase]:
    """Return the phases by name, with the largest peak of any process that trained; all of them call it."""
    from showdown.engine.parallel.group import current

    told = current().told([phase.model_dump() for phase in phases])
    found: dict[str, Phase] = {}
    for phase in (Phase.model_validate(one) for every in told for one in every):
        kept = found.setdefault(phase.name, phase)
        peaks = {name: max(getattr(kept, name), getattr(phase, name)) for name in _PEAKS}
        found[phase.name] = kept.model_copy(update=peaks)
    return found


def _stage(
    context: StageContext, method: Method, outcome: Outcome, train_rows: int, peaks: Mapping[str, Phase]
) -> TrainStage:
    """Return what the stage hands on, once the artifact is written.

    Args:
        context: the run's.
        method: its method.
        outcome: what was trained.
        train_rows: how many rows it was trained on.
        peaks: the phases before the artifact was written, with the peaks of all devices.

    """
    device = context.job.placement.device
    return TrainStage(
        title=method.title,
        phases=[
            phase.model_copy(update={name: getattr(peaks.get(phase.name, phase), name) for name in _PEAKS})
            for phase in context.clock.phases()
        ],
        trained=method.learns,
        train_rows=train_rows,
        trainable_parameters=outcome.trainable_parameters,
        total_parameters=outcome.total_parameters,
        model_size_mb=round(_size_bytes(context.folder / "artifact") / MB, 3),
        chosen={
            "device": device,
            "precision": context.job.placement.dtype,
            "deterministic": device == "cpu" or context.spec.protocol.deterministic,
            **outcome.chosen,
        },
        notes=[*outcome.notes, *context.events.messages],
        memory_kind=memory_of(device).kind,
        memory_split=outcome.memory_split,
        convergence=outcome.convergence,
        environment=environment(device),
    )


def training_rows(spec: RunSpec, processed: Path) -> Examples:
    """Return the rows that a run is trained on: all training rows, or its point of the learning curve."""
    return nested_subset(load_side(processed, "train"), spec.train_fraction, spec.protocol.split.seed)


def _save(context: StageContext, outcome: Outcome, train: Examples, partial: Path) -> None:
    outcome.save(partial)
    write_sizes(partial)
    # Behind the manifest, so that the description has no part in the model's size; JSON shows a cut by itself.
    labels, kind = context.job.labels, outcome.score_kind
    write_description(
        partial,
        context.folder,
        context.spec,
        labels,
        score_kind=kind,
        limit=outcome.limit,
        prompts=() if labels else train.texts,
    )


def _size_bytes(folder: Path) -> int:
    """Return the size of what a method saved, without tokenizer, label names and card, which all have alike."""
    from showdown.models.companions import is_companion

    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not is_companion(path))


def _fit(context: StageContext, method: FittedMethod, train: Examples, validation: Examples) -> Outcome:
    method.journal = KeptJournal(context)
    with context.phase("training" if method.learns else "loading"):
        fitted = method.fit(train, context.job, validation=validation)
    return Outcome(
        save=lambda folder: method.save(fitted.predictor, folder),
        trainable_parameters=fitted.trainable_parameters,
        total_parameters=fitted.total_parameters,
        chosen={},
        notes=fitted.notes,
        score_kind=getattr(fitted.predictor, "score_kind", None),
    )


def _finetune(
    context: StageContext, method: Method, train: Examples, validation: Examples, kept: BaseCache | None
) -> Outcome | None:
    """Fine-tune a network; None in a process that does not lead the group that trained it."""
    from showdown.models.built_in import quantised_before
    from showdown.models.companions import save_for_others
    from showdown.models.network import trainable_parameters, unpacked_parameters
    from showdown.training.loop import convergence, selected_epoch
    from showdown.training.loop import train as run_loop

    assert isinstance(method, TunedMethod)
    tuned = tuned_rate(context)
    setup = prepare_training(context, method, train, validation)
    if context.job.placement.device != "cpu" or context.job.protocol.memory != "speed" or context.spec.memory:
        context.events.say(setup.memory.sentence(context.job.protocol.memory))
    found = kept is not None and kept.holds
    adapted = setup.adapt(kept)
    module, protocol = adapted.module, context.job.protocol
    training = adapted.training(
        protocol=protocol,
        learning_rate=setup.learning_rate if tuned is None else tuned,
        validate=adapted.validate,
        checkpoints=_checkpoints(context, module, adapted),
    )
    progress, rounded = run_loop(training), quantised_before(context.job.model)
    split = _memory_split(context, adapted, together=_together(setup.memory.recompute, progress))
    with context.phase("saving"):
        adapted.spread.gather()
    if not adapted.spread.group.leads:
        return None
    write_json(context.folder / "curve.json", {"training": progress.curve, "validation": progress.validation})
    return Outcome(
        save=lambda folder: save_for_others(
            method, module, folder, job=context.job, base=setup.base, limit=setup.limit
        ),
        trainable_parameters=trainable_parameters(module),
        total_parameters=unpacked_parameters(module),
        chosen={
            "forward": adapted.forward.name + (", small packs from CUDA graphs" if progress.from_graphs else ""),
            "max_tokens": setup.limit,
            "micro_batch_rows": progress.micro_batch_rows,
            "micro_batch_tokens": progress.micro_batch_tokens,
            "recompute": setup.memory.recompute,
            "step_in_backward": adapted.step.in_backward,
            "weight_rounding": adapted.step.rounding if context.job.placement.dtype == "bfloat16" else None,
            "epoch": selected_epoch(protocol, progress),
            "learning_rate": training.learning_rate,
            **({"devices": setup.memory.devices_words} if adapted.spread.group.size > 1 else {}),
            **({"base_quantised_before": rounded} if rounded else {}),
            **({"network": "kept from the run before"} if found else {}),
        },
        notes=(NOTE,) if found else (),
        score_kind=context.job.task.score_kind,
        limit=setup.limit,
        memory_split=split,
        convergence=convergence(training, progress),
        give_back=lambda: setup.give_back(adapted),
    )


def _together(recompute: bool, progress: "Progress") -> bool:
    """Whether gradients lay there while activations did."""
    return recompute or progress.most_micro_batches > 1 or progress.from_graphs


def _memory_split(context: StageContext, adapted: "AdaptedNetwork", *, together: bool) -> MemorySplit:
    """Take the training phase's peak apart.

    Args:
        context: the run's, with its clock.
        adapted: what was trained.
        together: whether gradients lie there while activations do. Otherwise, in steps of one micro-batch that
            recompute nothing, gradients come as activations go, and whichever is more made the peak.

    """
    from showdown.engine.optim.table import state_bytes
    from showdown.engine.parallel.divided import local

    weights = sum(local(value).numel() * value.itemsize for value in adapted.module.parameters()) / GB
    stepped, learning = list(adapted.spread.parameters.values()), adapted.spread.learning
    gradients = 0.0 if adapted.step.in_backward else sum(value.numel() * value.itemsize for value in learning) / GB
    optimiser = (
        0.0
        if adapted.step.moments_on_host
        else state_bytes(stepped, adapted.step.rounding, optimizer=adapted.step.name) / GB
    )
    libraries = adapted.setup.libraries_gb
    peak = next(phase.peak_allocated_gb for phase in context.clock.phases() if phase.name == "training")
    rest = max(0.0, peak - weights - optimiser - libraries)
    if not together and rest > _CLEARLY_MORE * gradients:
        gradients = 0.0
    return MemorySplit(
        weights_gb=round(weights, 4),
        gradients_gb=round(gradients, 4),
        optimiser_gb=round(optimiser, 4),
        libraries_gb=round(libraries, 4),
        activations_gb=round(max(0.0, rest - gradients), 4),
    )


def tuned_rate(context: StageContext) -> float | None:
    """Return the learning rate that the tuning stage found; None where the protocol tunes none."""
    if not is_tuned(context.spec):
        return None
    return TuneStage.model_validate_json((context.folder / "tune.json").read_bytes()).learning_rate


def _checkpoints(context: StageContext, module: "nn.Module", adapted: "AdaptedNetwork") -> "Checkpoints | None":
    """Return where checkpoints go, or None, with a message, where two of them do not fit on the disk."""
    from showdown.engine.optim.table import state_bytes
    from showdown.training.checkpoint import Checkpoints

    # A checkpoint holds the weights that learn and the optimizer's state; the best epoch's weights lie beside it.
    learning = [value for value in module.parameters() if value.requires_grad]
    weights = sum(value.numel() * value.element_size() for value in learning)
    state = state_bytes(learning, adapted.step.rounding, optimizer=adapted.step.name)
    needed = _TWO_CHECKPOINTS * (2 * weights + state)
    free = adapted.spread.group.agreed(shutil.disk_usage(context.folder).free)
    if needed > free:
        context.events.say(
            f"no checkpoints: two need {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; "
            "an interrupted run starts from its beginning"
        )
        return None
    return Checkpoints(context.folder / "checkpoints", context.events.say, adapted.spread.group)
