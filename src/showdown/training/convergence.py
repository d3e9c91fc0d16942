"""When a training has converged: one rule for every method, on validation rows alone.

The score is the mean probability that the network gives to the right label of a validation row. It is the accuracy of
a classifier that draws its answer, so that it uses every row at every epoch and moves smoothly where accuracy and
macro F1 of a few dozen rows jump by rows; unlike the loss it does not rise because a few wrong answers grow sure.

The rate stays constant while the score rises; once it has not risen by `PROGRESS` for as many epochs as the protocol
waits, the rate falls to 0 over `COOLDOWN_SHARE` of the epochs so far, and training ends.
`docs/decisions/0006-convergence.md` says what else was tried, and
`benchmarks/statistics/learning_rates.py` measures what comes of it.
"""

import math
from collections.abc import Sequence

from showdown.core.record import Convergence

PROGRESS = 0.01
"""A rise of the score by less than 1 point is none."""
COOLDOWN_SHARE = 0.3
UNSURE = 0.1
"""A network whose answers are right more often by this than it expects is still learning: its probabilities have yet
to rise to its accuracy. A trained one is as sure as it is right, or surer (Guo et al., arXiv 1706.04599)."""
LEARNED = 0.05
"""A score above that of the labels' frequencies by less than this: it has learned nothing yet."""
_STILL_RISING = 0.02
"""A rise over the last third of the epochs by more than this is one that would have gone on."""


def chance_score(targets: Sequence[int]) -> float:
    """Return the score of a network that knows no more than how frequent the labels are."""
    counts = [targets.count(target) for target in set(targets)]
    return sum((count / len(targets)) ** 2 for count in counts)


def waited_enough(scores: Sequence[float], *, patience: int, chance: float) -> bool:
    """Return whether the score has not risen for as many epochs as are waited, since it rose above chance.

    Args:
        scores: of each epoch so far.
        patience: epochs that are waited.
        chance: what `chance_score` gives.

    """
    best, since = chance + LEARNED, None
    for epoch, score in enumerate(scores, start=1):
        if score > best:
            best, since = score + PROGRESS, epoch
    return since is not None and len(scores) - since >= patience


def cooldown_epochs(epochs: int) -> int:
    """Return over how many more epochs the rate falls to 0 after so many at a constant one."""
    return max(1, math.ceil(COOLDOWN_SHARE * epochs))


def judge(
    scores: Sequence[float], accuracies: Sequence[float], *, stopped: str, best_epoch: int, chance: float
) -> Convergence:
    """Say whether a training that is over had converged.

    Args:
        scores: of each epoch.
        accuracies: on the validation rows, of each epoch.
        stopped: `patience`, `cap` or `seconds`.
        best_epoch: the one that is scored.
        chance: what `chance_score` gives.

    """
    best = [max(scores[: epoch + 1]) for epoch in range(len(scores))]
    before = best[len(best) - 1 - max(1, len(best) // 3)] if len(best) > 1 else chance
    learned = best[-1] > chance + LEARNED
    still_learning = accuracies[-1] - scores[-1] > UNSURE
    rising = stopped != "patience" and best[-1] - before > _STILL_RISING
    return Convergence.model_validate(
        {
            "converged": learned and not still_learning and not rising,
            "stopped": stopped,
            "epochs": len(scores),
            "best_epoch": best_epoch,
        }
    )
