"""The contract of a task: what an example, a target, an objective and an answer are.

A task says what the training loop, the engine and the stages must not know: how a row of data becomes token ids and
targets, which head the pretrained network gets, what the loss is, how an epoch is judged, and what is measured on the
test examples. Classification is the first task; `showdown.tasks.table` lists them all.

A target is a sequence of ids: for classification one label. A task that writes text has one for each token of the
example, which is the id of the token after it, and `Objective.padding_target` where that counts for nothing, as within
the prompt and at the very end.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from pydantic import Field

from showdown.core.examples import Examples
from showdown.core.predictor import Predictor
from showdown.core.record import Confidence, Elsewhere, MetricScores, ScoreKind, Scores, Writing
from showdown.core.spec import SharedProtocol
from showdown.core.strict import Strict

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

Targets = Sequence[Sequence[int]]
"""For each example its target ids."""


class ForwardPath(Protocol):
    """Computes the logits of whole sequences, and the loss over them, with one network."""

    name: str
    """For people and for the record, such as `padded`."""

    def logits(self, sequences: "Sequence[torch.Tensor]") -> "torch.Tensor":
        """Return float32 logits, differentiable: for a classifier of shape (sequences, labels), for a language model of
        shape (tokens of all sequences, vocabulary).

        Args:
            sequences: token ids of each sequence, special tokens included: 1-D, int64, not empty, on any device.

        """
        ...

    def loss_sum(
        self, sequences: "Sequence[torch.Tensor]", targets: "torch.Tensor", objective: "Objective"
    ) -> "torch.Tensor":
        """Return the training loss summed over the targets that count: a float32 scalar, differentiable.

        Args:
            sequences: as for `logits`.
            targets: target ids of all sequences, one sequence behind the other: 1-D, int64, on any device.
            objective: whose `loss_sum` it is. A language model calls it for some rows of logits at a time, since those
                of a large vocabulary would not fit into memory together.

        """
        logits = self.logits(sequences).float()
        return objective.loss_sum(logits, targets.to(logits.device, non_blocking=True))


@dataclass(frozen=True, kw_only=True)
class EncodedExamples:
    """Token ids and targets of one side of a split."""

    ids: Sequence[Sequence[int]]
    targets: Targets
    virtual_tokens: int = 0
    """Tokens that a method puts to each example when the network reads it."""

    @property
    def lengths(self) -> list[int]:
        """Tokens of each example as the network reads it."""
        return [len(row) + self.virtual_tokens for row in self.ids]


@dataclass(frozen=True, kw_only=True)
class Validation:
    """How good a network is on the validation examples after an epoch."""

    score: float
    """Selection score, higher is better: decides when training ends and which epoch is kept."""
    loss: float
    """Mean loss; must be finite. The lower loss wins among equal scores."""
    values: Mapping[str, float]
    """All that `curve.json` keeps of the epoch by its key, score and loss among them."""


def selection_key(score: float, loss: float) -> tuple[float, float]:
    """Return what epochs and trials are compared by; the greater key is better: higher score, then lower loss."""
    return score, -loss


class Objective(ABC):
    """What training minimises. The loss of a task is written here and nowhere else.

    Eager training, CUDA graphs and validation all call it. A setting of the loss, such as label smoothing, belongs
    into `loss_sum` alone: the validation loss stays the plain one, so that settings can be compared by it.
    """

    padding_target: int = -100
    """Target id of a row of logits that counts for nothing; PyTorch's default `ignore_index`."""

    def __init__(self, protocol: SharedProtocol) -> None:
        self.protocol = protocol

    @abstractmethod
    def loss_sum(self, logits: "torch.Tensor", targets: "torch.Tensor") -> "torch.Tensor":
        """Return the training loss, summed over the rows of a micro-batch: a float32 scalar, differentiable.

        It runs inside CUDA graphs, so no choice may depend on a tensor's values, and nothing may wait for the GPU.

        Args:
            logits: float32, shape (rows, classes); rows are examples, or tokens of a task that writes text.
            targets: int64, shape (rows,), on the same device; `padding_target` adds nothing.

        """

    @abstractmethod
    def mean_loss(self, logits: "torch.Tensor", targets: "torch.Tensor") -> "torch.Tensor":
        """Return the mean validation loss over the rows that count: a scalar. Same arguments as `loss_sum`."""

    def terms(self, targets: Targets) -> int:
        """Return how many loss terms these examples have. The loss of a step is the mean over those of the step."""
        return sum(target != self.padding_target for row in targets for target in row)


class MeasuredScores(Strict):
    """What is measured on the test examples, as the run's record keeps it."""

    scores: Scores | None = None
    """Of predicted labels; None for a task that writes text. So for the next three."""
    validation_f1_macro: float | None = None
    score_kind: ScoreKind | None = None
    confidence: Confidence | None = None
    written_scores: MetricScores = Field(default_factory=dict)
    """Of written answers, by the key of their metric; empty for a classifier. So for the next."""
    validation_scores: MetricScores = Field(default_factory=dict)
    writing: Writing | None = None
    """None for a classifier. So for the next."""
    elsewhere: Elsewhere | None = None
    """None where no network is trained, too."""


@dataclass(frozen=True, kw_only=True)
class CardText:
    """What the card of a saved model says of its task. The Python in it needs no Showdown."""

    heading: str
    """What the model gives, behind the title of its method."""
    about: str
    """How it was trained: a sentence or two."""
    imports: str
    """Lines of Python that import what `use` needs beside `json`, `torch` and what opens the model; may be empty."""
    reads: str
    """Python that reads from `folder` what answers need beside the model."""
    use: str
    """Python that makes `answers` from `texts`, `tokenizer` and `model`."""


class Probe(ABC):
    """What a network says to texts that it was not trained for, to be compared with the one that it began with."""

    @abstractmethod
    def against(self, before: "Probe") -> Elsewhere:
        """Return what changed since the network was as ``before`` says."""


class Answers(ABC):
    """The answers of one model to the test and the validation examples."""

    @abstractmethod
    def predictions_csv(self) -> str:
        """Return the predictions file: one line a test example, without its text. The columns are the task's."""

    def timed(self, batch_rows: int, answers: object) -> None:
        """Take note of answers whose time was measured, so many texts in one call; by default nothing is kept."""
        del batch_rows, answers

    @abstractmethod
    def measure(self) -> MeasuredScores:
        """Compute the scores of the answers."""


class Task(ABC):
    """What is learned from the examples. A task has no state: one object serves any number of runs."""

    name: ClassVar[str]
    """As `task` has it in a comparison."""
    curve_metric: ClassVar[str]
    """Key in `Validation.values` of the metric that learning curves and trials show."""
    score_key: ClassVar[str]
    """Key in `Validation.values` of the selection score: checkpoints and `curve.json` keep it under this name."""
    score_kind: ClassVar[ScoreKind | None]
    """What the scores of a fine-tuned network are; None for a task that writes text."""
    auto_class: ClassVar[str]
    """Name of the class of transformers that loads a network with a head for the task."""
    peft_task_type: ClassVar[str]
    """What PEFT calls the task, such as `SEQ_CLS`."""
    network_title: ClassVar[str]
    """What such a network is called in messages."""
    network_choice: ClassVar[str]
    """Which kinds of networks a user may choose for the task, in messages."""
    pipeline_tag: ClassVar[str]
    """The task in the card of a saved model, as the Hugging Face hub names it."""

    @abstractmethod
    def architectures(self) -> Collection[str]:
        """Return the values of `model_type` in transformers' configurations for which `auto_class` has a network."""

    @abstractmethod
    def configure(self, config: "PretrainedConfig", labels: Sequence[str]) -> None:
        """Write into a network's configuration what the task needs, such as the labels. Changes it in place."""

    @abstractmethod
    def card(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        *,
        labels: Sequence[str],
        protocol: SharedProtocol,
        limit: int,
        scoring: str | None,
    ) -> CardText:
        """Return what the card of a saved model says of the task.

        Args:
            tokenizer: as it is saved beside the model.
            labels: of the comparison, in the order of the scores; empty for a task that writes text.
            protocol: of the run.
            limit: the most tokens that were read.
            scoring: Python of the method that makes `scores` from `model` and `inputs`, indented by four spaces; None
                for the task's own.

        """

    @abstractmethod
    def head_names(self, module: "torch.nn.Module") -> tuple[str, ...]:
        """Name the modules of a network that every method trains from new weights."""

    @abstractmethod
    def encode(
        self, tokenizer: "PreTrainedTokenizerBase", examples: Examples, limit: int, protocol: SharedProtocol
    ) -> EncodedExamples:
        """Turn examples into token ids, at most ``limit`` an example, and targets."""

    @abstractmethod
    def objective(self, protocol: SharedProtocol) -> Objective:
        """Return what training minimises under this protocol."""

    @abstractmethod
    def validate(
        self, module: "torch.nn.Module", forward: ForwardPath, objective: Objective, examples: EncodedExamples
    ) -> Validation:
        """Judge a network on the validation examples, without gradients."""

    @abstractmethod
    def chance_score(self, targets: Targets) -> float:
        """Return the selection score of a network that has learned nothing of the texts."""

    def least_rise(self, score: float) -> float:
        """Return the least rise above a selection score that counts as progress: 1 point."""
        return 0.01

    @abstractmethod
    def still_learning(self, values: Mapping[str, float], protocol: SharedProtocol) -> bool:
        """Return whether the `Validation.values` of the last epoch show that training was cut short."""

    @abstractmethod
    def predictor(
        self,
        module: "torch.nn.Module",
        forward: ForwardPath,
        tokenizer: "PreTrainedTokenizerBase",
        limit: int,
        protocol: SharedProtocol,
    ) -> Predictor:
        """Return a trained network as a predictor of texts, cut after ``limit`` tokens."""

    @abstractmethod
    def answer(
        self,
        predictor: Predictor,
        *,
        test: Examples,
        validation: Examples,
        labels: Sequence[str],
        batch_rows: int,
        protocol: SharedProtocol,
    ) -> Answers:
        """Have a model answer the test and the validation examples once.

        Raises:
            TypeError: for a predictor of another task.

        """

    def probe(self, predictor: Predictor, test: Examples) -> Probe | None:
        """Return what a fine-tuned network says beside the task; None where nothing is measured."""
        return None
