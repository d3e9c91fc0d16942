"""The learning rate over the steps."""

import math


def warmup_steps(total_steps: int, warmup_fraction: float, asked_steps: int | None = None) -> int:
    """Return how many steps warm up: as many as asked for, or a fraction, rounded up as transformers' Trainer does."""
    return math.ceil(total_steps * warmup_fraction) if asked_steps is None else asked_steps


def rate_factor(step: int, total_steps: int, warmup: int) -> float:
    """Return what the peak rate is multiplied by at a 0-based step: linear from 0 to 1, then linear to 0.

    Source: transformers' `get_linear_schedule_with_warmup`, whose first warm-up step has rate 0.
    """
    if step < warmup:
        return step / max(1, warmup)
    return max(0.0, (total_steps - step) / max(1, total_steps - warmup))
