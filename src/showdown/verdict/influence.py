"""A metric of an arm as the mean of one float a test row, whatever the metric is."""

from showdown.core.metric import Metric
from showdown.verdict.classification.answers import Answers
from showdown.verdict.classification.influence import influence_of
from showdown.verdict.generation.writings import Writings, token_loss_values
from showdown.verdict.outcomes import Outcomes, RowValues


def row_values(metric: Metric, part: Outcomes) -> RowValues:
    """Compute a metric and what each test row is worth to it.

    Args:
        metric: with its place among the labels where it is of one, see `Metric.at`.
        part: what the arm scored by this metric; a metric of labels needs its answers, one of token losses them.

    Raises:
        TypeError: for a metric that is no mean over rows, of an arm without predicted labels, or token losses.

    """
    if metric.mean_over_rows:
        return RowValues(
            by_seed=part.values.mean(axis=1),
            values=part.values,
            lowest=metric.lowest,
            highest=metric.highest,
            is_mean=True,
        )
    if metric.of_token_loss is not None:
        if not isinstance(part, Writings):
            raise TypeError(f"{metric.key} is of token losses, and there are none")
        return token_loss_values(metric, part)
    if not isinstance(part, Answers):
        raise TypeError(f"{metric.key} is no mean over rows, and there are no predicted labels")
    return influence_of(metric, part)
