"""The user's own score of written answers as a metric."""

import math
from dataclasses import replace

from showdown.core.metric import METRICS, OWN, Metric, metric_named
from showdown.core.record import OwnScore


def own_metric(found: OwnScore | None) -> Metric:
    """Return the user's own score as a metric, with the title and the bounds that records give it.

    Args:
        found: as a record has it; None where nothing is known, so that nothing bounds it.

    """
    lowest, highest = (found.lowest, found.highest) if found else (None, None)
    return replace(
        METRICS[OWN],
        title=found.title if found else METRICS[OWN].title,
        lowest=-math.inf if lowest is None else lowest,
        highest=math.inf if highest is None else highest,
    )


def metric_with(key: str, own: OwnScore | None) -> Metric:
    """Return the metric of a key, the user's own score with its title and bounds.

    Raises:
        ValueError: see `showdown.core.metric.metric_named`.

    """
    return own_metric(own) if key == OWN else metric_named(key)
