"""What is measured, which values of it are better, and the table of metrics: one entry each in `METRICS`."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from showdown.core import counts
from showdown.core.errors import UserError, suggestion, then
from showdown.core.registry import ObjectTable

if TYPE_CHECKING:
    from showdown.core.counts import Counts

    OfCounts = Callable[[Counts, Counts, Counts], Counts]

Direction = Literal["higher", "lower"]
Item = TypeVar("Item")
AUTO = "auto"
CLASSIFICATION, GENERATION = "classification", "generation"
"""The tasks that metrics are of, as `task` of a comparison has them."""
OWN = "own"
"""Key of the user's own score of written answers, which `protocol.scorer` names."""
_LONG_LABEL = 40


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """Something that is measured, and which of two values of it is better.

    Wherever a best value is looked for, `best` and `is_better` say which one it is: nothing else compares scores.
    """

    key: str
    title: str
    direction: Direction = "higher"
    """Which values are better."""

    @property
    def sign(self) -> int:
        """Return what a value is multiplied by so that more is better: 1 or -1."""
        return 1 if self.direction == "higher" else -1

    def is_better(self, value: float, than: float) -> bool:
        """Return whether a value is better than another one; an equal one is not."""
        return self.sign * value > self.sign * than

    def best(self, items: "Iterable[Item]", value: "Callable[[Item], float | None]") -> "Item | None":
        """Return the item with the best value: of equals the first, None where no item has a value.

        Args:
            items: what is compared, the preferred ones first.
            value: gives an item's value; None where it has none.

        """
        known = [(self.sign * found, item) for item in items if (found := value(item)) is not None]
        return max(known, key=lambda pair: pair[0])[1] if known else None  # of equals `max` keeps the first


@dataclass(frozen=True, kw_only=True)
class Metric(Quantity):
    """How good answers are. A point of it is 0.01. How a difference in it is said stands here, and nowhere else.

    To add a metric is to add one entry to `METRICS`. Methods can then be ranked by it (`protocol.metric`), every record
    holds it (`RunRecord.scores`), and the table shows it where `report/columns.py` names it.
    """

    task: str = CLASSIFICATION
    """The task whose answers it judges."""
    unit: Literal["", "%", "nats"] = ""
    """Shown behind values and in headings: percent, nats of three decimals, or nothing, for three decimals too."""
    lowest: float = 0.0
    """The least value that there can be; minus infinity for one without bounds. So for the next."""
    highest: float = 1.0
    of_counts: "OfCounts | None" = None
    """From the examples of each label, the answers of each label, and the right ones, shapes (..., labels), to the
    metric, shape (...). None for what does not follow from these counts."""
    of_label: bool = False
    """It is about one label, which is named behind its key; the counts are those of this label alone."""
    over_labels: bool = False
    """It is a mean over labels in which a rare one weighs as much as a frequent one."""
    mean_over_rows: bool = False
    """It is the mean of what each test row scores, as accuracy is; every other one has influence values in their
    place."""
    of_token_loss: "Callable[[Counts], Counts] | None" = None
    """From the loss a token of the wanted answers, over all rows, to the metric; None for what does not follow from
    it. Such a metric is no mean over rows, since rows have different numbers of tokens."""
    label: str | None = None
    place: int | None = None
    """Number of the label in the answers that are judged; filled in by `at`."""

    @property
    def is_of_all_labels(self) -> bool:
        """Return whether it follows from the counts of all labels, so that every record can hold it."""
        return self.of_counts is not None and not self.of_label

    @property
    def percent(self) -> bool:
        """Return whether values are shown in percent."""
        return self.unit == "%"

    def at(self, labels: Mapping[str, int]) -> "Metric":
        """Return the same for answers in which labels have these numbers."""
        return self if self.label is None else replace(self, place=labels[self.label])

    @property
    def is_of_writing(self) -> bool:
        """Return whether it judges written answers."""
        return self.task == GENERATION

    @property
    def is_bounded(self) -> bool:
        """Return whether it has a least and a largest value."""
        return math.isfinite(self.highest - self.lowest)

    @property
    def in_points(self) -> bool:
        """Return whether differences are given in points: of shares in percent, and of all metrics of labels."""
        return self.percent or not self.is_of_writing

    def amount(self, difference: float) -> str:
        """Return a difference as a bare number: in points, or in the metric itself."""
        return f"{100 * difference:.1f}" if self.in_points else f"{difference:.3f}"

    def signed(self, difference: float) -> str:
        """Return a difference with its sign; what rounds to zero is +0.0, never -0.0."""
        if self.in_points:
            return f"{round(100 * difference, 1) + 0.0:+.1f}"
        return f"{round(difference, 3) + 0.0:+.3f}"

    def size(self, difference: float) -> str:
        """Return a difference with its unit, where the title stands elsewhere: `1.2 points`, `0.012`, `0.012 nats`."""
        return f"{self.amount(difference)} {'points' if self.in_points else self.unit}".rstrip()

    def gap(self, difference: float) -> str:
        """Return a difference for a sentence: `1.2 points`, `1.2 points of exact match`, `0.012 of JSON field F1`."""
        return f"{self.size(difference)}{f' of {self.title}' if self.is_of_writing else ''}"

    def margin(self, share: float) -> str:
        """Return a margin for a sentence: `1 point`, `0.01`, `0.01 nats`."""
        if not self.in_points:
            return f"{share:g} {self.unit}".rstrip()
        return f"{100 * share:g} point{'' if round(100 * share, 9) == 1 else 's'}"

    @property
    def more(self) -> str:
        """Return the word for how much of it the better of two has: `more`, or `less` where less is better."""
        return "more" if self.direction == "higher" else "less"

    @property
    def best_word(self) -> str:
        """Return what the best of all scored: `highest`, or `lowest` where less is better."""
        return "highest" if self.direction == "higher" else "lowest"

    def scored(self, value: float) -> str:
        """Return a value with the title, for a sentence: `81.3 % exact match`, `0.213 nats of token loss`."""
        return f"{self.shown(value)} {'of ' if self.unit == 'nats' else ''}{self.title}"

    def shown(self, value: float) -> str:
        """Return a value for a sentence or a cell, with its unit."""
        return f"{100 * value:.1f} %" if self.percent else f"{value:.3f} {self.unit}".rstrip()

    def cell(self, value: float) -> str:
        """Return a value for a column, whose heading has the unit."""
        return f"{100 * value:.1f}" if self.percent else f"{value:.3f}"

    def ends(self, low: float, high: float) -> str:
        """Return an interval of values for a sentence."""
        return f"{self.cell(low)} to {self.cell(high)}"

    @property
    def axis(self) -> str:
        """Return what stands along an axis."""
        return f"{self.capital}, {self.unit}" if self.unit else self.capital

    @property
    def capital(self) -> str:
        """Return the title as a sentence begins with it; a name such as chrF stays as it is."""
        first = self.title.partition(" ")[0]
        return self.title[0].upper() + self.title[1:] if first.islower() else self.title

    @property
    def units(self) -> float:
        """Return by what a value is multiplied where it is drawn: 100 for percent."""
        return 100.0 if self.percent else 1.0

    def short_ends(self, low: float, high: float) -> str:
        """Return an interval of values for a cell: a digit fewer."""
        return f"{100 * low:.0f} to {100 * high:.0f}" if self.percent else f"{low:.2f} to {high:.2f}"

    @property
    def heading(self) -> str:
        """Return the heading of a column."""
        return f"{self.capital} {self.unit}".rstrip()


def _metric(name: str, found: object) -> "Metric | str":
    """Return a plugin's metric, or why it is none."""
    if not isinstance(found, Metric):
        return "is no showdown.core.metric.Metric"
    return found if found.key == name else f"has the key `{found.key}`, and not the name of its entry point"


def _of_writing(key: str, title: str, *, unit: Literal["", "%"] = "") -> Metric:
    """Return a score of written answers from 0 to 1. Each row has one, and their mean is that of the model.

    The functions are in `tasks/generation`, under the same keys.
    """
    return Metric(key=key, title=title, task=GENERATION, unit=unit, mean_over_rows=True)


def _itself(loss: "Counts") -> "Counts":
    return loss


def _exponential(loss: "Counts") -> "Counts":
    """Return the perplexity: exp of the loss a token, over all tokens together (Jelinek et al. 1977)."""
    import numpy as np

    return np.exp(loss)


_BUILT_IN: Mapping[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric(key="accuracy", title="accuracy", unit="%", of_counts=counts.accuracy, mean_over_rows=True),
        Metric(key="f1_macro", title="macro F1", of_counts=counts.f1_macro, over_labels=True),
        Metric(key="mcc", title="MCC", lowest=-1.0, of_counts=counts.mcc),
        Metric(
            key="balanced_accuracy",
            title="balanced accuracy",
            unit="%",
            of_counts=counts.balanced_accuracy,
            over_labels=True,
        ),
        Metric(key="f1_weighted", title="weighted F1", of_counts=counts.f1_weighted),
        Metric(key="precision_weighted", title="weighted precision", of_counts=counts.precision_weighted),
        Metric(key="recall_weighted", title="weighted recall", of_counts=counts.recall_weighted),
        Metric(key="f1", title="F1", of_counts=counts.f1_macro, of_label=True),
        Metric(key="average_precision", title="average precision", of_label=True),
        _of_writing("exact_match", "exact match", unit="%"),
        _of_writing("numeric_match", "numeric match", unit="%"),
        _of_writing("json_valid", "valid JSON", unit="%"),
        _of_writing("json_fields", "JSON field F1"),
        _of_writing("rouge_l", "ROUGE-L"),
        _of_writing("chrf", "chrF"),
        _of_writing(OWN, "own score"),
        Metric(
            key="token_loss",
            title="token loss",
            task=GENERATION,
            unit="nats",
            direction="lower",
            highest=math.inf,
            of_token_loss=_itself,
        ),
        Metric(
            key="perplexity",
            title="perplexity",
            task=GENERATION,
            direction="lower",
            lowest=1.0,
            highest=math.inf,
            of_token_loss=_exponential,
        ),
    )
}
METRICS = ObjectTable("metric", "showdown.metrics", _BUILT_IN, _metric)
"""Installed packages add metrics by entry points of the group `showdown.metrics`, each a `Metric` of the same key."""
ACCURACY = METRICS["accuracy"]


def metric_named(key: str) -> Metric:
    """Return the metric of a key such as `mcc` or `f1:spam`.

    Raises:
        ValueError: for an unknown metric, one that lacks its label, one that has none, or a plugin that cannot be used.

    """
    name, _, label = (part.strip() for part in key.partition(":"))
    if name not in METRICS:
        raise ValueError(f"metric `{name}` unknown{then(suggestion(name, [AUTO, *METRICS]), _known())}")
    try:
        metric = METRICS.chosen(name)
    except UserError as error:
        raise ValueError(str(error)) from error
    if metric.of_label and not label:
        raise ValueError(f"`{name}` is of one label: name it, as in `{name}: LABEL`")
    if label and not metric.of_label:
        raise ValueError(f"`{name}` is of all labels: drop `{label}`")
    if not label:
        return metric
    return replace(metric, key=f"{name}:{label}", title=f"{metric.title} of {in_short(label)}", label=label)


def in_short(label: str) -> str:
    """Return a label for a heading or a sentence: one that is very long is cut."""
    return label if len(label) <= _LONG_LABEL else f"{label[: _LONG_LABEL - 3]}..."


def _known() -> str:
    each = [f"{key}: LABEL" if metric.of_label else key for key, metric in METRICS.items()]
    return f"the metrics are {', '.join([AUTO, *each])}"


def metric_key(written: object) -> Any:
    """Return a metric as one word: `f1: spam` of a mapping becomes `f1:spam`.

    Raises:
        ValueError: see `metric_named`.

    """
    if isinstance(written, dict) and len(written) == 1:
        ((name, label),) = written.items()
        if isinstance(label, (str, int)) and not isinstance(label, bool):
            written = f"{name}:{label}"
    if not isinstance(written, str):
        raise ValueError(_known())
    return AUTO if written.strip() == AUTO else metric_named(written).key
