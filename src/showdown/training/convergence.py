"""When a training has converged: one rule for every method, on the validation examples alone.

It looks at the selection score of each epoch, which the task defines (`Validation.score`; for classification the mean
probability of the right label) and which must be on a scale from 0 to 1.

The rate stays constant while the score rises. Once it has not risen enough (`Task.least_rise`) for as many epochs as
the protocol waits, the rate falls to 0 over `COOLDOWN_SHARE` of the epochs so far, and training ends.
`docs/decisions/0006-convergence.md` says what else was tried, and
`benchmarks/statistics/learning_rates.py` measures the effect.
"""

import math
from collections.abc import Callable, Sequence

from showdown.core.record import Convergence

COOLDOWN_SHARE = 0.3
LEARNED = 0.05
"""A network whose score exceeds chance by less than this has learned nothing yet."""
_STILL_RISING = 2.0
"""A rise over the last third of the epochs by more than so many least rises would have gone on."""
LeastRise = Callable[[float], float]
"""Returns the least rise above a score that counts as progress."""


def waited_enough(scores: Sequence[float], *, patience: int, chance: float, least_rise: LeastRise) -> bool:
    """Return whether the score has risen above chance and has then not risen for as many epochs as the patience.

    Args:
        scores: selection score of each epoch so far.
        patience: epochs to wait.
        chance: score of a network that has learned nothing (`Task.chance_score`).
        least_rise: `Task.least_rise`.

    """
    best, since = chance + LEARNED, None
    for epoch, score in enumerate(scores, start=1):
        if score > best:
            best, since = score + least_rise(score), epoch
    return since is not None and len(scores) - since >= patience


def cooldown_epochs(epochs: int) -> int:
    """Return over how many more epochs the rate falls to 0 after so many at a constant one."""
    return max(1, math.ceil(COOLDOWN_SHARE * epochs))


def judge(
    scores: Sequence[float],
    *,
    stopped: str,
    best_epoch: int,
    chance: float,
    still_learning: bool,
    least_rise: LeastRise,
) -> Convergence:
    """Return whether a finished training had converged.

    Args:
        scores: selection score of each epoch.
        stopped: `patience`, `cap` or `seconds`.
        best_epoch: the epoch, from 1, whose weights are kept.
        chance: score of a network that has learned nothing (`Task.chance_score`).
        still_learning: whether the last epoch shows that the network was still learning (`Task.still_learning`).
        least_rise: `Task.least_rise`.

    """
    best = [max(scores[: epoch + 1]) for epoch in range(len(scores))]
    before = best[len(best) - 1 - max(1, len(best) // 3)] if len(best) > 1 else chance
    learned = best[-1] > chance + LEARNED
    rising = stopped != "patience" and best[-1] - before > _STILL_RISING * least_rise(before)
    return Convergence.model_validate(
        {
            "converged": learned and not still_learning and not rising,
            "stopped": stopped,
            "epochs": len(scores),
            "best_epoch": best_epoch,
        }
    )
