"""Checks of a method that fits itself. Each takes the method's name, a model's family, and the workshop."""

import inspect

from showdown.core.errors import UserError
from showdown.core.examples import Examples
from showdown.core.method import FittedMethod, Job
from showdown.core.predictor import Predictor
from showdown.testing.require import NonConformance, require
from showdown.testing.workshop import Workshop, fitted

_TRAIN_ROWS, _VALIDATION_ROWS = 48, 12
_SUM = 1e-6
_LIMIT = 32
"""Tokens of a text, for classification: fewer than some have."""


def job_of(family: str, workshop: Workshop) -> Job:
    """Return what a method is fitted for."""
    return workshop.material.job(workshop.model(family), max_tokens=min(_LIMIT, workshop.material.limit))


def fit(method: FittedMethod, family: str, workshop: Workshop, *, train: Examples | None = None) -> Predictor:
    """Fit a method on the workshop's rows.

    Args:
        method: the method.
        family: of the model.
        workshop: for rows and model.
        train: other training rows.

    Raises:
        NonConformance: when it takes no validation rows.

    """
    taken = inspect.signature(method.fit).parameters
    require("validation" in taken, "`fit` takes no `validation`: `fit(self, train, job, *, validation)`")
    material = workshop.material
    validation = material.rows(_VALIDATION_ROWS, start=_TRAIN_ROWS)
    rows = material.rows(_TRAIN_ROWS) if train is None else train
    return method.fit(rows, job_of(family, workshop), validation=validation).predictor


def fitted_scores_are_sound(name: str, family: str, workshop: Workshop) -> None:
    """Scores are finite, one for each text and label, and do not depend on the batch; probabilities sum to one."""
    import numpy as np

    material = workshop.material
    predictor = fit(fitted(name), family, workshop)
    scores = material.answered(predictor, batch_rows=1).numbers
    wanted = (len(material.asked), len(material.labels))
    require(scores.shape == wanted, f"scores have the shape {scores.shape}")
    require(bool(np.isfinite(scores).all()), "scores are not all finite")
    together = material.answered(predictor, batch_rows=7).numbers
    require(bool(np.allclose(scores, together, atol=1e-5)), "scores depend on the other texts of a batch")
    if getattr(predictor, "score_kind", None) == "probability":
        sums = scores.sum(axis=1)
        require(
            bool(np.abs(sums - 1).max() < _SUM), "it says that its scores are probabilities, and they do not sum to one"
        )


def fitted_answers_the_same_after_reload(name: str, family: str, workshop: Workshop) -> None:
    """What `load` reads answers as what `save` wrote."""
    import tempfile
    from pathlib import Path

    import numpy as np

    method = fitted(name)
    predictor = fit(method, family, workshop)
    with tempfile.TemporaryDirectory(dir=workshop.folder) as folder:
        method.save(predictor, Path(folder))
        after = workshop.material.answered(fitted(name).load(Path(folder), job_of(family, workshop)))
    before = workshop.material.answered(predictor)
    same = np.array_equal(before.numbers, after.numbers) and before.written == after.written
    require(same, "what was saved answers otherwise than before")


def fitted_needs_training_rows(name: str, family: str, workshop: Workshop) -> None:
    """A method that learns refuses to be fitted on nothing, in one line."""
    method = fitted(name)
    if not method.learns:
        return
    none = workshop.material.rows(0)
    try:
        fit(method, family, workshop, train=none)
    except UserError as error:
        require("\n" not in str(error), "its message for no training rows has more than one line")
        return
    raise NonConformance("it can be fitted on no training rows: raise `UserError`, or say `learns = False`")
