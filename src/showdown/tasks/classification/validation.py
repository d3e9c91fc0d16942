"""How a classifier is judged on the validation examples after each epoch.

The selection score is the mean probability that the network gives to the right label. It is the expected accuracy of
a classifier that draws its answer from its probabilities. It uses every example at every epoch and changes smoothly,
where accuracy and macro F1 of a few dozen examples jump. Unlike the loss it does not rise because a few wrong answers
grow more certain.
"""

from collections.abc import Mapping

import torch
from torch import nn

from showdown.core.task import EncodedExamples, ForwardPath, Objective, Targets, Validation
from showdown.evaluation.logits import logits_of
from showdown.tasks.classification.metrics import metric_value

SCORE, ACCURACY, MACRO_F1 = "true_label_probability", "accuracy", "f1_macro"
"""Keys of an epoch in `curve.json`."""
_BATCH_ROWS = 16
UNDERCONFIDENCE = 0.1
"""A network whose accuracy exceeds its mean probability of the right label by this much is still learning: its
probabilities have yet to rise to its accuracy. A trained network is as confident as it is accurate, or more so (Guo et
al., arXiv 1706.04599)."""


def validate(module: nn.Module, forward: ForwardPath, objective: Objective, examples: EncodedExamples) -> Validation:
    """Judge a network on the validation examples. It is left in the mode (training or not) that it was in."""
    logits = logits_of(module, forward, examples.ids, _BATCH_ROWS)
    targets = torch.tensor([label for (label,) in examples.targets])
    predicted = logits.argmax(dim=1)
    right = torch.softmax(logits.double(), dim=1)[torch.arange(len(targets)), targets]
    score, loss = float(right.mean()), float(objective.mean_loss(logits, targets))
    values = {
        MACRO_F1: metric_value(MACRO_F1, targets.numpy(), predicted.numpy()),
        "loss": loss,
        ACCURACY: float((predicted == targets).double().mean()),
        SCORE: score,
    }
    return Validation(score=score, loss=loss, values=values)


def chance_score(targets: Targets) -> float:
    """Return the score of a network that knows nothing but how frequent the labels are: the sum of squared shares."""
    labels = [label for (label,) in targets]
    counts = [labels.count(label) for label in set(labels)]
    return sum((count / len(labels)) ** 2 for count in counts)


def still_learning(values: Mapping[str, float], label_smoothing: float) -> bool:
    """Return whether a network is right clearly more often than its probabilities say (`UNDERCONFIDENCE`).

    Label smoothing keeps the probability of the right label below 1 by up to its share, however long training goes on.
    """
    return values[ACCURACY] - values[SCORE] > UNDERCONFIDENCE + label_smoothing
