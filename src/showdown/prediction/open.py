"""Opening a saved model: one that gives labels, or one that writes."""

from collections.abc import Sequence
from pathlib import Path

from showdown.core.bounds import RequestedData
from showdown.core.errors import Unavailable, UserError
from showdown.core.manifest import damage
from showdown.core.predictor import Classifier, Writer
from showdown.core.record import Confidence
from showdown.core.spec import RunSpec
from showdown.prediction.failure import reason_of
from showdown.prediction.model import Model
from showdown.prediction.writer import WriterModel
from showdown.stages.artifact import open_predictor


def open_model(
    spec: RunSpec,
    labels: Sequence[str],
    folder: Path,
    *,
    data: RequestedData,
    confidence: Confidence | None,
    fix: str,
    hint: str | None = None,
) -> Model | WriterModel:
    """Open a saved model.

    Args:
        spec: the run that saved it.
        labels: in the order of the scores; none for one that writes.
        folder: of the model.
        data: how the texts of its comparison were read and cleaned.
        confidence: what scoring measured of it.
        fix: what to do when the folder is damaged.
        hint: what must be known before it is asked, for one that writes.

    Raises:
        UserError: when the model is damaged, or cannot run on this machine.

    """
    fault = damage(folder)
    if fault:
        raise UserError(f"the saved model of `{spec.name}`: {fault} is cut short or missing; {fix}")
    try:
        predictor = open_predictor(spec, tuple(labels), folder)
    except UserError:
        raise
    except Unavailable as error:
        raise UserError(f"`{spec.name}` cannot answer here: {error}") from error
    except Exception as error:
        raise UserError(
            f"the saved model of `{spec.name}` in {folder} cannot be read ({reason_of(error)}); {fix}"
        ) from error
    if isinstance(predictor, Writer):
        return WriterModel(name=spec.name, data=data, writer=predictor, fix=fix, hint=hint)
    if not isinstance(predictor, Classifier):
        raise UserError(f"`{spec.name}` neither gives labels nor writes answers")
    return Model(name=spec.name, labels=tuple(labels), data=data, classifier=predictor, confidence=confidence, fix=fix)
