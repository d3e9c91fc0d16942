"""One objective: a loss that a task changes is changed in eager training, in CUDA graphs and in the loop."""

from dataclasses import replace

import pytest
import torch
from tiny_loop import ROWS, TinyClassifier, TinyForward, run_of
from torch.nn import functional

from showdown.core.spec import SharedProtocol
from showdown.core.task import EncodedExamples, Objective
from showdown.tasks.classification.objective import CrossEntropy
from showdown.tasks.classification.task import Classification
from showdown.training.batches import effective_batches
from showdown.training.loop import train

SMOOTHING = 0.3
PROTOCOL = SharedProtocol()


class Smoothed(CrossEntropy):
    """Training with label smoothing, as a protocol key would add it."""

    def loss_sum(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=SMOOTHING)


class SmoothedClassification(Classification):
    def objective(self, protocol: SharedProtocol) -> Objective:
        return Smoothed(protocol)


def first_loss(task: Classification, **protocol: object) -> float | None:
    module = TinyClassifier()
    module.dropout.p = 0.0
    run = replace(run_of(module, epochs=1, **protocol), task=task)
    return train(run).curve["loss"][0]


def test_the_loop_minimises_the_objective_of_the_task() -> None:
    module = TinyClassifier().eval()
    rows = effective_batches(20, 8, seed=3, epoch=0)[0]
    logits = TinyForward(module).logits([torch.tensor(ROWS.ids[row]) for row in rows]).detach()
    labels = torch.tensor([label for row in rows for label in ROWS.targets[row]])
    expected = {
        Classification: functional.cross_entropy(logits, labels),
        SmoothedClassification: functional.cross_entropy(logits, labels, label_smoothing=SMOOTHING),
    }
    assert float(expected[Classification]) != pytest.approx(float(expected[SmoothedClassification]), rel=1e-3)
    for task, loss in expected.items():
        for micro_batch_rows in (8, 3):
            assert first_loss(task(), micro_batch_rows=micro_batch_rows) == pytest.approx(float(loss), rel=1e-6)


def by_hand(logits: torch.Tensor, labels: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Return the loss of each row as Szegedy et al. write it (arXiv 1512.00567, section 7)."""
    surprise, count = -torch.log_softmax(logits, dim=1), logits.shape[1]
    return (1 - smoothing) * surprise[torch.arange(len(labels)), labels] + smoothing / count * surprise.sum(dim=1)


@pytest.mark.long
def test_the_key_smooths_the_loss_of_training() -> None:
    module = TinyClassifier().eval()
    rows = effective_batches(20, 8, seed=3, epoch=0)[0]
    logits = TinyForward(module).logits([torch.tensor(ROWS.ids[row]) for row in rows]).detach()
    labels = torch.tensor([label for row in rows for label in ROWS.targets[row]])
    for smoothing in (0.0, 0.1, SMOOTHING):
        expected = float(by_hand(logits, labels, smoothing).mean())
        for micro_batch_rows in (8, 3):
            found = first_loss(Classification(), micro_batch_rows=micro_batch_rows, label_smoothing=smoothing)
            assert found == pytest.approx(expected, rel=1e-6)
    assert first_loss(Classification(), label_smoothing=0.0) == first_loss(Classification())


def test_the_key_adds_nothing_for_a_row_without_a_target() -> None:
    """As the rows by which a CUDA graph is filled up."""
    objective = CrossEntropy(SharedProtocol(label_smoothing=SMOOTHING))
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    ignored = CrossEntropy.padding_target
    found = objective.loss_sum(logits, torch.tensor([1, ignored, ignored, 2, 0]))
    torch.testing.assert_close(found, by_hand(logits[[0, 3, 4]], torch.tensor([1, 2, 0]), SMOOTHING).sum())


def test_the_key_leaves_the_validation_loss_plain() -> None:
    module, task = TinyClassifier().eval(), Classification()
    plain, smoothed = (
        task.validate(module, TinyForward(module), task.objective(protocol), ROWS)
        for protocol in (PROTOCOL, SharedProtocol(label_smoothing=SMOOTHING))
    )
    assert smoothed == plain


def test_validation_takes_its_loss_from_the_objective() -> None:
    class Doubled(CrossEntropy):
        def mean_loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return 2 * super().mean_loss(logits, targets)

    module = TinyClassifier().eval()
    plain, doubled, smoothed = (
        Classification().validate(module, TinyForward(module), objective, ROWS)
        for objective in (CrossEntropy(PROTOCOL), Doubled(PROTOCOL), Smoothed(PROTOCOL))
    )
    assert doubled.loss == pytest.approx(2 * plain.loss)
    assert doubled.score == plain.score
    assert smoothed == plain, "the validation loss is the plain one, so that settings can be compared by it"


def test_a_step_is_a_mean_over_the_targets_that_count() -> None:
    """Rows of logits without a target, as a prompt's tokens are, count neither in the sum nor in its divisor."""
    objective, ignored = CrossEntropy(PROTOCOL), CrossEntropy.padding_target
    assert objective.terms([(1,), (ignored,), (ignored, 2, 0)]) == 3
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([1, ignored, ignored, 2, 0])
    expected = functional.cross_entropy(logits[[0, 3, 4]], targets[[0, 3, 4]], reduction="sum")
    torch.testing.assert_close(objective.loss_sum(logits, targets), expected)


def test_targets_of_several_ids_an_example_train_too() -> None:
    """The loop takes as many targets an example as the network has rows of logits for it: here two."""

    class TwoRows(TinyForward):
        def logits(self, sequences: list[torch.Tensor]) -> torch.Tensor:  # type: ignore[override]
            return super().logits(sequences).repeat_interleave(2, dim=0)

    module = TinyClassifier()
    module.dropout.p = 0.0
    run = run_of(module, epochs=1)
    ignored = CrossEntropy.padding_target
    twice = EncodedExamples(ids=ROWS.ids, targets=[(label, ignored) for (label,) in ROWS.targets])
    found = train(replace(run, forward=TwoRows(module), train=twice)).curve["loss"][0]
    assert found == pytest.approx(first_loss(Classification()), rel=1e-6)
