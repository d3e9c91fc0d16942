"""Checks of a method that fits itself. Each takes the method's name, a model's family, and the workshop."""

from showdown.core.examples import Examples
from showdown.core.method import FittedMethod, Job
from showdown.core.predictor import Classifier
from showdown.testing.require import require
from showdown.testing.tiny import LABELS, job_for, separable_rows
from showdown.testing.workshop import TEXTS, Workshop, fitted

_TRAIN = separable_rows(48)
_SUM = 1e-6


def _job(family: str, workshop: Workshop) -> Job:
    return job_for(workshop.model(family), max_tokens=32)


def _fit(method: FittedMethod, train: Examples, job: Job) -> Classifier:
    predictor = method.fit(train, job, validation=separable_rows(12)).predictor
    require(isinstance(predictor, Classifier), f"it answers with a {type(predictor).__name__}, which is no classifier")
    assert isinstance(predictor, Classifier)
    return predictor


def fitted_scores_are_sound(name: str, family: str, workshop: Workshop) -> None:
    """Scores are finite, one for each text and label, and do not depend on the batch; probabilities sum to one."""
    import numpy as np

    method: FittedMethod = fitted(name)
    classifier = _fit(method, _TRAIN, _job(family, workshop))
    scores = classifier.scores(TEXTS, batch_rows=1)
    require(scores.shape == (len(TEXTS), len(LABELS)), f"scores have the shape {scores.shape}")
    require(bool(np.isfinite(scores).all()), "scores are not all finite")
    together = classifier.scores(TEXTS, batch_rows=7)
    require(bool(np.allclose(scores, together, atol=1e-5)), "scores depend on the other texts of a batch")
    if classifier.score_kind == "probability":
        sums = scores.sum(axis=1)
        require(
            bool(np.abs(sums - 1).max() < _SUM), "it says that its scores are probabilities, and they do not sum to one"
        )


def fitted_answers_the_same_after_reload(name: str, family: str, workshop: Workshop) -> None:
    """What `load` reads answers as what `save` wrote."""
    import tempfile
    from pathlib import Path

    import numpy as np

    job = _job(family, workshop)
    method = fitted(name)
    classifier = _fit(method, _TRAIN, job)
    with tempfile.TemporaryDirectory(dir=workshop.folder) as folder:
        method.save(classifier, Path(folder))
        reloaded = fitted(name).load(Path(folder), job)
        require(isinstance(reloaded, Classifier), "what `load` returns is no classifier")
        assert isinstance(reloaded, Classifier)
        after = reloaded.scores(TEXTS, batch_rows=5)
    before = classifier.scores(TEXTS, batch_rows=5)
    require(bool(np.array_equal(before, after)), "what was saved answers otherwise than before")
