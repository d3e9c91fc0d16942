"""What is measured, which values of it are better, and the table of metrics: one entry each in `METRICS`."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from showdown.core.errors import UserError, suggestion, then
from showdown.core.registry import ObjectTable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Counts = npt.NDArray[np.float64]
    OfCounts = Callable[[Counts, Counts, Counts], Counts]

Direction = Literal["higher", "lower"]
Item = TypeVar("Item")
AUTO = "auto"
_FEW = 10
"""Labels that a message names."""
_LONG_LABEL = 40
UNBALANCED = 0.8
"""From this share of one label on `auto` takes another metric than accuracy. Where one label has four fifths of the
rows, a method that always answers it is right on four of five: accuracy then hardly tells it from a good one."""


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
    """How good answers are. A point of it is 0.01.

    To add a metric is to add one entry to `METRICS`. Methods can then be ranked by it (`protocol.metric`), every record
    holds it (`RunRecord.scores`), and the table shows it where `report/table.py` names it in `SCORE_COLUMNS`.
    """

    unit: Literal["", "%"] = ""
    """Shown behind values and in headings: percent, or nothing for three decimals."""
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

    def shown(self, value: float) -> str:
        """Return a value for a sentence or a cell, with its unit."""
        return f"{100 * value:.1f} %" if self.percent else f"{value:.3f}"

    def cell(self, value: float) -> str:
        """Return a value for a column, whose heading has the unit."""
        return f"{100 * value:.1f}" if self.percent else f"{value:.3f}"

    def ends(self, low: float, high: float) -> str:
        """Return an interval of values for a sentence."""
        return f"{self.cell(low)} to {self.cell(high)}"

    @property
    def axis(self) -> str:
        """Return what stands along an axis."""
        return f"{self.capital}, %" if self.percent else self.capital

    @property
    def capital(self) -> str:
        """Return the title as a sentence begins with it."""
        return self.title[0].upper() + self.title[1:]

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
        return f"{self.capital} %" if self.percent else self.capital


def _accuracy(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    return right.sum(-1) / true.sum(-1)  # type: ignore[no-any-return]


def _over(part: "Counts", whole: "Counts") -> "Counts":
    """Return part / whole, 0 where the whole is 0."""
    return part / (whole + (whole == 0))  # type: ignore[no-any-return]


def _weighted(scores: "Counts", true: "Counts") -> "Counts":
    """Return the mean of the labels' scores, each weighted by its examples."""
    return _over((scores * true).sum(-1), true.sum(-1))


def _f1_macro(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    """Return the mean of 2 TP / (true + predicted) over the labels that occur in either; scikit-learn's macro F1."""
    size = true + predicted
    return _over(_over(2 * right, size).sum(-1), (size > 0).sum(-1))


def _f1_weighted(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    return _weighted(_over(2 * right, true + predicted), true)


def _precision_weighted(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    return _weighted(_over(right, predicted), true)


def _recall_weighted(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    return _weighted(_over(right, true), true)


def _balanced_accuracy(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    """Return the mean of the labels' recalls (Brodersen et al. 2010), over those that have test rows."""
    return _over(_over(right, true).sum(-1), (true > 0).sum(-1))


def _mcc(true: "Counts", predicted: "Counts", right: "Counts") -> "Counts":
    """Return Matthews' correlation coefficient for any number of labels (Gorodkin 2004); 0 for a constant answer."""
    rows = true.sum(-1)
    together = right.sum(-1) * rows - (true * predicted).sum(-1)
    apart = (rows**2 - (true**2).sum(-1)) * (rows**2 - (predicted**2).sum(-1))
    return together / (apart + (apart == 0)) ** 0.5  # type: ignore[no-any-return]


def _metric(name: str, found: object) -> "Metric | str":
    """Return a plugin's metric, or why it is none."""
    if not isinstance(found, Metric):
        return "is no showdown.core.metric.Metric"
    return found if found.key == name else f"has the key `{found.key}`, and not the name of its entry point"


_BUILT_IN: Mapping[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric(key="accuracy", title="accuracy", unit="%", of_counts=_accuracy, mean_over_rows=True),
        Metric(key="f1_macro", title="macro F1", of_counts=_f1_macro, over_labels=True),
        Metric(key="mcc", title="MCC", lowest=-1.0, of_counts=_mcc),
        Metric(
            key="balanced_accuracy",
            title="balanced accuracy",
            unit="%",
            of_counts=_balanced_accuracy,
            over_labels=True,
        ),
        Metric(key="f1_weighted", title="weighted F1", of_counts=_f1_weighted),
        Metric(key="precision_weighted", title="weighted precision", of_counts=_precision_weighted),
        Metric(key="recall_weighted", title="weighted recall", of_counts=_recall_weighted),
        Metric(key="f1", title="F1", of_counts=_f1_macro, of_label=True),
        Metric(key="average_precision", title="average precision", of_label=True),
    )
}
METRICS = ObjectTable("metric", "showdown.metrics", _BUILT_IN, _metric)
"""Installed packages add metrics by entry points of the group `showdown.metrics`, each a `Metric` of the same key."""
ACCURACY = METRICS["accuracy"]
FOR_UNBALANCED = METRICS["f1_macro"]
"""What `auto` takes where labels are unbalanced. A constant answer cannot win by it, and false alarms cost as much as
rows that were missed: balanced accuracy hardly counts them where the other label is frequent. With 3 % of a label, a
method that finds 80 % of it and takes 20 % of the other rows for it has a balanced accuracy of 80 %, and one that finds
55 % without a false alarm 77.5 %; their macro F1 is 0.54 and 0.85."""


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
