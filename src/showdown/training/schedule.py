"""The learning rate over the steps."""

import math

WARMUP_EPOCHS = 5
"""Where the end of a training is not known beforehand, `warmup_fraction` is a share of so many epochs."""


def warmup_steps(total_steps: int, warmup_fraction: float, steps: int | None = None) -> int:
    """Return how many steps warm up: ``steps``, or a fraction of all, rounded up as transformers' Trainer does."""
    return math.ceil(total_steps * warmup_fraction) if steps is None else steps


def rate_factor(step: int, *, warmup: int, decay_from: int | None, end: int) -> float:
    """Return what the peak rate is multiplied by at a 0-based step: linear from 0 to 1, constant, then linear to 0.

    With `decay_from` at the end of the warm-up it is transformers' `get_linear_schedule_with_warmup`, whose first
    warm-up step has rate 0. A constant stretch that ends in a short decay does as well as a decay from the start
    (arXiv 2405.18392), and its end need not be known beforehand.

    Args:
        step: 0-based optimiser step.
        warmup: steps that warm up.
        decay_from: first step of the decay; None where it has not begun.
        end: steps after which the rate is 0.

    """
    if step < warmup:
        return step / max(1, warmup)
    if decay_from is None or step < decay_from:
        return 1.0
    start = max(decay_from, warmup)
    return max(0.0, (end - step) / max(1, end - start))
