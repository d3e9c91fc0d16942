"""Which metric `auto` stands for, and metrics that a comparison cannot have."""

from collections.abc import Collection

from showdown.core.errors import UserError, suggestion, then
from showdown.core.metric import AUTO, METRICS, OWN, Metric, metric_named

_FEW = 10
"""Labels that a message names."""
UNBALANCED = 0.8
"""From this share of one label on `auto` takes another metric than accuracy. Where one label has four fifths of the
rows, a method that always answers it is right on four of five: accuracy then hardly tells it from a good one."""
FOR_UNBALANCED = METRICS["f1_macro"]
"""What `auto` takes where labels are unbalanced. A constant answer cannot win by it, and false alarms cost as much as
rows that were missed: balanced accuracy hardly counts them where the other label is frequent. With 3 % of a label, a
method that finds 80 % of it and takes 20 % of the other rows for it has a balanced accuracy of 80 %, and one that finds
55 % without a false alarm 77.5 %; their macro F1 is 0.54 and 0.85."""
SHORT_ANSWER_WORDS = 10
"""Up to so many words, at the median, wanted answers are short: either right or not. A longer one can be said in many
ways, of which exact match takes one."""


def automatic_for_writing(scored: Collection[str], median_words: float | None) -> Metric:
    """Return what `auto` is for written answers: the score that says most on such data.

    The fields of records where the wanted answers are JSON objects, else the numbers where they are numbers; exact
    match where they are short, else ROUGE-L, or chrF where they are in a script for which ROUGE has no words.

    Args:
        scored: keys of the scores that the answers have; the scorers decide which make sense on the data.
        median_words: of the wanted answers; None where it is not known.

    """
    short = median_words is not None and median_words <= SHORT_ANSWER_WORDS
    order = ("json_fields", "numeric_match", *(("exact_match",) if short else ()), "rouge_l", "chrf")
    return METRICS[next((key for key in order if key in scored), "exact_match")]


def refuse_other_task(key: str, task: str) -> None:
    """Refuse a metric of another task.

    Args:
        key: as `protocol.metric` has it.
        task: of the comparison.

    Raises:
        ValueError: naming the metrics of the task.

    """
    metric = None if key == AUTO else metric_named(key)
    own = [name for name, one in METRICS.items() if one.task == task]
    if metric is not None and own and metric.task != task:
        name = key.partition(":")[0]
        raise ValueError(f"`{name}` is a metric of {metric.task}; those of {task} are {', '.join(own)}")


def refuse_own_without_scorer(key: str, scorer: str | None) -> None:
    """Refuse the user's own score where the comparison names none.

    Raises:
        ValueError: naming the key to set.

    """
    if key == OWN and scorer is None:
        raise ValueError(f"`{OWN}` is your own score of answers: name its function in `protocol.scorer`")


def refuse_metric_without_scores(key: str, scored: Collection[str], *, place: str = "`protocol.metric`") -> None:
    """Refuse a metric of written answers that these data do not have, such as fields of JSON where no answer is JSON.

    Args:
        key: as `protocol.metric` has it.
        scored: keys of the scores that make sense on the data.
        place: where the metric was asked for, for the message.

    Raises:
        UserError: naming those that they have.

    """
    known = [*scored, *(one for one, metric in METRICS.items() if metric.of_token_loss and one not in scored)]
    if key != AUTO and key not in known:
        raise UserError(f"{place}: `{key}` does not apply to these data; the scores that do are {', '.join(known)}")


def refuse_unknown_label(key: str, labels: Collection[str]) -> None:
    """Refuse a metric of a label that the data does not have.

    Args:
        key: as `protocol.metric` has it.
        labels: those of the data.

    Raises:
        UserError: naming the nearest label.

    """
    label = None if key == AUTO else metric_named(key).label
    if label is not None and label not in labels:
        some = f"the labels are {', '.join(list(labels)[:_FEW])}{', ...' if len(labels) > _FEW else ''}"
        raise UserError(f"`protocol.metric`: no label `{label}` in the data{then(suggestion(label, labels), some)}")
