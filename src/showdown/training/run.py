"""A training: what it needs, and how far it is."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from torch import nn

from showdown.core.spec import SharedProtocol
from showdown.core.task import EncodedExamples, ForwardPath, Targets, Task, Validation
from showdown.engine.optim.settings import OptimizerSettings
from showdown.engine.parallel.spread import Spread
from showdown.measure.phases import PhaseClock
from showdown.training.checkpoint import Checkpoints


class Watcher(Protocol):
    """Receives the progress of a training."""

    def step(self, *, step: int, steps: int, epoch: int, loss: float, seconds: float) -> None:
        """Receive a finished optimizer step; ``seconds`` is the training time so far."""

    def say(self, message: str) -> None:
        """Receive a message that a reader of the result must see."""


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """What one training needs. Everything that differs between methods is in the module and the rate."""

    task: Task
    module: nn.Module
    forward: ForwardPath
    train: EncodedExamples
    validation_targets: Targets
    validate: Callable[[], Validation]
    protocol: SharedProtocol
    micro_batch_rows: int
    """The most rows of a forward pass to begin with; halved where memory does not suffice."""
    micro_batch_tokens: int | None = None
    """The most tokens of a forward pass; None where rows alone count. Halved with the rows."""
    expected_peak_gb: float | None = None
    """Of allocated memory on a GPU, in GB of 1e9 bytes, where it was counted."""
    gradients_stay: bool = False
    """Whether there is room for all gradients from step to step, so that passes may be replayed from CUDA graphs."""
    step: OptimizerSettings
    learning_rate: float
    """Peak rate of the schedule."""
    seed: int
    device: str
    clock: PhaseClock
    checkpoints: Checkpoints | None
    watcher: Watcher
    spread: Spread | None = None
    """The network on the devices that train it together; None for a single one."""


@dataclass(kw_only=True)
class Progress:
    """How far a training is: what a checkpoint keeps beside the tensors, as JSON."""

    epoch: int = 0
    """Whole epochs, validation included."""
    step_in_epoch: int = 0
    step: int = 0
    micro_batch_rows: int
    micro_batch_tokens: int | None = None
    most_micro_batches: int = 0
    """Of a step."""
    from_graphs: bool = False
    """Whether micro-batches were replayed from CUDA graphs."""
    best_weights: str | None = None
    """Folder of the best epoch's weights among the checkpoints."""
    best_epoch: int | None = None
    best_score: float = -math.inf
    """Selection score of the best epoch so far."""
    best_loss: float = math.inf
    """Validation loss of the best epoch so far."""
    decay_from: int | None = None
    """Step from which the rate falls; None while it is not known."""
    end_step: int | None = None
    """Steps of the whole training; None while it is not known."""
    stopped: str = "cap"
    """What ended the constant rate: `patience`, `cap` or `seconds`."""
    curve: dict[str, list[float | None]] = field(
        default_factory=lambda: {"step": [], "loss": [], "learning_rate": [], "gradient_norm": []}
    )
    """One value a step; the gradient's norm is None where the step is taken before all gradients are there."""
    validation: list[dict[str, float]] = field(default_factory=list)
    """One entry an epoch: `epoch`, `step` and the task's `Validation.values`."""
