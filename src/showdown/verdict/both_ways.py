"""A count of test rows by which two arms are compared both ways."""

from collections.abc import Callable, Mapping

import numpy as np

from showdown.verdict.outcomes import Part, shared


def both_ways(
    ours: Mapping[int, Part], theirs: Mapping[int, Part], count: Callable[[Part, Part], tuple[float, float]]
) -> tuple[float, float]:
    """Count test rows of two arms, for the first one and for the second: means over repeats.

    Args:
        ours: parts of the first arm.
        theirs: parts of the second.
        count: of two parts on the same test rows, both counts.

    Returns:
        Zero twice where the two share no test row.

    """
    both = [shared(ours[key], theirs[key]) for key in ours if key in theirs]
    counted = [count(first, second) for first, second in both if len(first.row_ids)]
    if not counted:
        return 0.0, 0.0
    of_first, of_second = np.mean(counted, axis=0)
    return float(of_first), float(of_second)
