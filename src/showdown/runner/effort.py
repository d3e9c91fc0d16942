"""About how long each stage of a run takes beside the others: what goes first where there are several slots.

All runs of a comparison have one model and the same rows, so that passes over the training rows are a measure of time.
A step of training is counted as three passes, one forward and two backward (Kaplan et al., arXiv 2001.08361).
"""

from collections.abc import Callable

from showdown.core.events import StageName
from showdown.core.spec import RunSpec, SharedProtocol, TuningSpec
from showdown.methods.table import is_tuned
from showdown.runner.auto_settings import USUAL_EPOCHS

StageSeconds = Callable[[RunSpec, StageName], float]
"""Forecasts a stage. Only ratios between stages count."""
_TRAINING_PASSES = 3.0
_TEXT_PASSES = 0.01
"""Of a method that reads words and no network."""


def effort_of(spec: RunSpec, stage: StageName) -> float:
    """Return the effort of a stage, in passes of the network over all training rows of a partition.

    Args:
        spec: the run.
        stage: of it.

    """
    if spec.needs == "text":
        return _TEXT_PASSES
    if stage == "score" or spec.needs == "network":
        return 1.0
    passes = _TRAINING_PASSES * spec.train_fraction
    if stage == "tune":
        return passes * _tuning_epochs(spec.protocol) if is_tuned(spec) else 0.0
    return passes * min(USUAL_EPOCHS, spec.protocol.epochs)


def _tuning_epochs(protocol: SharedProtocol) -> float:
    tuning = protocol.tuning
    assert isinstance(tuning, TuningSpec)
    return float(tuning.trials * min(USUAL_EPOCHS, tuning.epochs or protocol.epochs))
