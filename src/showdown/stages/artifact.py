"""A saved model: what describes it, and how it is opened as a classifier."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from showdown.core.artifact import CONFIDENCE_FILE, MODEL_FILE, ModelDescription, without_path
from showdown.core.chat import systems_of
from showdown.core.files import read_file, write_json
from showdown.core.method import FittedMethod, Job, Method, NetworkOptions, Placement, TunedMethod
from showdown.core.predictor import Predictor
from showdown.core.record import Confidence, ScoreKind
from showdown.core.spec import Comparison, DataSpec, RunSpec, SharedProtocol
from showdown.measure.environment import versions
from showdown.methods.table import build
from showdown.tasks.table import task_named

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from showdown.models.network import Network


def placement_for(protocol: SharedProtocol) -> Placement:
    """Choose device and number type: a CUDA GPU where there is one, and bfloat16 where it has it, by default."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if protocol.precision != "auto":
        return Placement(device=device, dtype=protocol.precision)
    half = device == "cuda" and torch.cuda.is_bf16_supported()
    return Placement(device=device, dtype="bfloat16" if half else "float32")


def job_of(spec: RunSpec, labels: tuple[str, ...]) -> Job:
    """Return what a run's method is given, on this machine."""
    return Job(
        task=task_named(spec.task),
        labels=labels,
        model=spec.model,
        protocol=spec.protocol,
        placement=placement_for(spec.protocol),
        seed=spec.seed,
    )


def write_description(
    artifact: Path,
    run_folder: Path,
    spec: RunSpec,
    labels: Sequence[str],
    *,
    score_kind: ScoreKind | None,
    limit: int | None,
    prompts: Sequence[str] = (),
) -> None:
    """Write `model.json` beside a saved model.

    Args:
        artifact: the model's folder.
        run_folder: of the run, in its comparison's folder.
        spec: the run.
        labels: in the order of the scores.
        score_kind: what the model's scores are; None for one that writes text.
        limit: tokens after which a text is cut; None where the method did not say.
        prompts: that it was trained on, for a model that writes text. The system message that all of them have stands
            before new prompts too, wherever the data had it.

    """
    data = _data_of(run_folder)
    systems, system = systems_of(prompts) if prompts else (None, None)
    description = ModelDescription(
        task=spec.task,
        title=build(spec.method, spec.settings).title,
        labels=list(labels),
        clean=data.clean,
        text_column=data.text or data.messages or data.prompt,
        system=system or data.system,
        systems=systems,
        max_tokens=None if spec.needs == "text" else limit or spec.protocol.max_tokens,
        score_kind=score_kind,
        spec=without_path(spec),
        versions=versions(),
    )
    write_json(artifact / MODEL_FILE, description.model_dump(mode="json"))


def write_confidence(artifact: Path, confidence: Confidence | None) -> None:
    """Write beside a model what scoring measured of its confidence: the thresholds of `showdown predict --coverage`."""
    if confidence:
        write_json(artifact / CONFIDENCE_FILE, confidence.model_dump(mode="json"))


def _data_of(run_folder: Path) -> DataSpec:
    """Return how the comparison's texts are read; the defaults for a run outside a comparison's folder."""
    try:
        content = read_file(run_folder.parent.parent / "comparison.json")
    except OSError:
        return DataSpec()
    return Comparison.model_validate_json(content).data


def open_predictor(spec: RunSpec, labels: tuple[str, ...], artifact: Path) -> Predictor:
    """Load what a run saved.

    Args:
        spec: the run.
        labels: the comparison's labels, in order.
        artifact: the folder that the run's method wrote.

    """
    method: Method = build(spec.method, spec.settings)
    job = job_of(spec, labels)
    if isinstance(method, FittedMethod):
        return method.load(artifact, job)
    assert isinstance(method, TunedMethod)
    return predictor_of(job, reloaded(method, job, artifact, base_of(method, job)), artifact)


def base_of(method: TunedMethod, job: Job) -> "Callable[[], Network]":
    """Return what loads the pretrained network as a method has it."""
    from showdown.models.network import load_network
    from showdown.models.source import locate

    return lambda: load_network(locate(job.model), job, method.options)


def open_base(spec: RunSpec, labels: tuple[str, ...]) -> Predictor:
    """Load the pretrained network that a run began with, as a predictor."""
    from showdown.models.network import load_network
    from showdown.models.source import locate

    job = job_of(spec, labels)
    return predictor_of(job, load_network(locate(job.model), job, NetworkOptions()).module)


def reloaded(method: TunedMethod, job: Job, artifact: Path, base: "Callable[[], Network]") -> "torch.nn.Module":
    """Load what a method that trains a network saved.

    Args:
        method: which saved it.
        job: what it was given.
        artifact: the folder that it wrote.
        base: returns the pretrained network, as `base_of` loads it.

    """
    from showdown.models.network import Network, load_saved_network

    def load(folder: Path | None) -> Network:
        return base() if folder is None else load_saved_network(folder, job)

    module: torch.nn.Module = method.reload(artifact, load)
    return module


def predictor_of(job: Job, module: "torch.nn.Module", artifact: Path | None = None) -> Predictor:
    """Return a network as what answers texts.

    Args:
        job: what it is for.
        module: the network.
        artifact: the folder that it was saved in; None for the pretrained network itself.

    """
    from showdown.models.source import locate
    from showdown.models.tokens import load_tokenizer

    # A whole network stands for itself, whatever became of its base.
    whole = artifact is not None and (artifact / "config.json").is_file()
    folder = artifact if artifact is not None and whole else locate(job.model)
    return predictor_with(job, module, load_tokenizer(folder, job.model.chat_template))


def predictor_with(job: Job, module: "torch.nn.Module", tokenizer: "PreTrainedTokenizerBase") -> Predictor:
    """Return a network with its tokenizer as what answers texts."""
    from showdown.engine.forward import choose_forward
    from showdown.engine.graphs.capture import answering_forward
    from showdown.models.tokens import token_limit
    from showdown.models.virtual_tokens import virtual_tokens

    module.eval()
    forward = choose_forward(module, pad_token_id=int(tokenizer.pad_token_id), device=job.placement.device)
    limit = token_limit(
        tokenizer, getattr(module, "config", None), job.protocol.max_tokens, virtual_tokens=virtual_tokens(module)
    )
    return job.task.predictor(module, answering_forward(forward), tokenizer, limit, job.protocol)
