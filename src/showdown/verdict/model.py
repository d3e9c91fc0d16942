"""The verdict as data: everything that a report says, ready for JSON."""

from typing import Literal

from showdown.core.notebook import html_list
from showdown.core.spec import Strict
from showdown.verdict.confounds import Confound
from showdown.verdict.cost import Cost, EnergyUse
from showdown.verdict.pareto import Pareto
from showdown.verdict.recommend import Limits, Recommendation


class Interval(Strict):
    """A figure with its two-sided 95 % interval."""

    value: float
    low: float
    high: float


class RowVerdict(Strict):
    """One row of the table. Scores are None, and `obstacle` is set, where no run of it completed."""

    name: str
    method: str
    title: str
    seeds: int
    """Seeds behind the scores."""
    partitions: int
    """Folds or repeats of each seed that completed."""
    repeated: bool = False
    """Splits are repeated: the spread between reruns is within that between repeats, and nothing is assumed."""
    test_rows: int
    """Test rows of one seed; of one repeat where splits are repeated."""
    clusters: int
    """Different texts among them: the independent units."""
    accuracy: Interval | None
    f1_macro: Interval | None
    rerun_spread_points: float | None
    """Standard deviation of accuracy between seeds beyond what flipping rows explain, in points; None with one seed."""
    memory_gb: float | None
    """Largest peak on the device, or of the process on a CPU, over training and scoring (GB of 1e9 bytes)."""
    memory_kind: str | None
    train_seconds: float | None
    """Mean of one training."""
    model_size_mb: float | None
    latency_ms: float | None
    """95th percentile of one text."""
    rows_per_second: float | None
    cost: Cost | None
    energy: EnergyUse | None = None
    """None where the GPU's counter could not be read of every run."""
    obstacle: str | None
    """Why runs are missing, in the words of the first that is."""


class PairVerdict(Strict):
    """Two rows compared on the test rows that both answered; differences are first less second, from -1 to 1."""

    first: str
    second: str
    test: Literal["paired over rows and reruns", "corrected resampled t"]
    accuracy: Interval
    f1_macro: Interval | None
    """Not tested, for information; None for repeated splits."""
    p_value: float
    p_holm: float
    """Adjusted over all pairs of the comparison."""
    mcnemar_p: float | None
    """Exact McNemar test of the first run of each alone, blind to reruns."""
    different: bool
    rows: int
    """Test rows that both answered; the least of any repeat."""
    clusters: int
    """Independent ones among them."""
    clusters_to_decide: int | None
    """Independent test rows that would find a difference as large as this with power 0.8; None where none would."""
    confounds: list[str]
    """Keys of what else differs between the two."""


class CurveStep(Strict):
    """What the last step of the learning curve, the one nearest to more rows, brought a row of the table."""

    name: str
    gain: Interval
    """Accuracy with all training rows less that with the next smaller part, on the same test rows."""
    shown: bool
    """Told apart from no gain, adjusted over all rows of the table."""


class Curve(Strict):
    """Accuracy by how many training rows a method had."""

    fractions: list[float]
    """Rising, the last is 1."""
    accuracy: dict[str, list[Interval | None]]
    """By row of the table, one for each fraction; None where no run of it completed."""
    steps: list[CurveStep]
    """The largest gain first; rows that completed both ends alone."""
    ahead: Interval | None
    """By how much the largest gain exceeds the second; None where there are no two, or splits are repeated."""


class Verdict(Strict):
    """What can be said of a comparison, and no more."""

    sentences: list[str]
    """Plain sentences, the most important first."""
    rows: list[RowVerdict]
    pairs: list[PairVerdict]
    pareto: Pareto
    confounds: list[Confound]
    curve: Curve | None = None
    """None where the comparison has no parts of the training rows."""
    limits: Limits
    recommendation: Recommendation
    assumptions: list[str]
    """What was assumed where nothing was measured."""

    def __repr__(self) -> str:
        """Return the sentences and the recommendation; all of it is in the fields."""
        return "\n".join([self.recommendation.said, *(f"- {line}" for line in self.sentences)])

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return html_list(self.recommendation.said, self.sentences)
