"""Opening a saved model as a classifier: for scoring in a run, and for `showdown predict`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from showdown.core.errors import Unavailable, UserError
from showdown.core.manifest import damage
from showdown.core.method import FittedMethod, Job, Method, Placement, TunedMethod
from showdown.core.predictor import Classifier, Predictor
from showdown.core.record import RunRecord
from showdown.core.spec import RunSpec, SharedProtocol
from showdown.methods.table import build
from showdown.tasks.table import task_named

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_BATCH_ROWS = 16


def placement_for(protocol: SharedProtocol) -> Placement:
    """Choose device and number type: a CUDA GPU where there is one, bfloat16 where it has it, unless told otherwise."""
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
    return _open_network(method, job, artifact)


def open_saved(record: RunRecord, folder: Path) -> Classifier:
    """Load the model of a finished run for new texts.

    Args:
        record: the run's.
        folder: the run's.

    Raises:
        UserError: when the model is damaged, or cannot answer on this machine.

    """
    mend = f"remove {folder} and run the comparison again"
    fault = damage(folder / "artifact")
    if fault:
        raise UserError(f"the saved model of `{record.name}`: {fault} is cut short or missing; {mend}")
    try:
        predictor = open_predictor(record.spec, tuple(record.labels), folder / "artifact")
    except UserError:
        raise
    except Unavailable as error:
        raise UserError(f"`{record.name}` cannot answer here: {error}") from error
    except Exception as error:
        why = f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')[:200]}"
        raise UserError(f"the saved model of `{record.name}` in {folder} cannot be read ({why}); {mend}") from error
    if not isinstance(predictor, Classifier):
        raise UserError(f"`{record.name}` is no classifier, and only classifiers can answer texts yet")
    return predictor


def saved_scores(classifier: Classifier, record: RunRecord, texts: Sequence[str]) -> "npt.NDArray[np.float64]":
    """Return a saved model's score of each label for new texts: shape (texts, labels).

    Args:
        classifier: what `open_saved` returned.
        record: of its run.
        texts: cleaned, none empty.

    Raises:
        UserError: when the model cannot answer, or knows other labels than its record says.

    """
    try:
        scores = classifier.scores(texts, batch_rows=_BATCH_ROWS)
    except UserError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')[:200]}"
        raise UserError(
            f"the saved model of `{record.name}` cannot answer ({why}); run the comparison again into a new folder"
        ) from error
    if scores.shape != (len(texts), len(record.labels)):
        raise UserError(
            f"the saved model of `{record.name}` answers with {scores.shape[-1]} labels, its record has "
            f"{len(record.labels)}; run the comparison again into a new folder"
        )
    return scores


def _open_network(method: TunedMethod, job: Job, artifact: Path) -> Predictor:
    from showdown.engine.forward import choose_forward
    from showdown.engine.graphs.capture import answering_forward
    from showdown.models.network import load_network, load_saved_network
    from showdown.models.source import locate
    from showdown.models.tokens import load_tokenizer, token_limit

    def load(folder: Path | None) -> Any:
        if folder is None:
            return load_network(locate(job.model), job, method.options)
        return load_saved_network(folder, job)

    module = method.reload(artifact, load)
    module.eval()
    # A whole network stands for itself, whatever became of its base.
    tokenizer = load_tokenizer(artifact if (artifact / "config.json").is_file() else locate(job.model))
    forward = choose_forward(module, pad_token_id=int(tokenizer.pad_token_id), device=job.placement.device)
    limit = token_limit(tokenizer, getattr(module, "config", None), job.protocol.max_tokens)
    return job.task.predictor(module, answering_forward(forward), tokenizer, limit)
