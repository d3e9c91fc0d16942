"""The verdict as data: everything that a report says, ready for JSON."""

from typing import Literal

from showdown.core.metric import ACCURACY, CLASSIFICATION, Metric
from showdown.core.notebook import html_list
from showdown.core.own_metric import metric_with
from showdown.core.record import OwnScore
from showdown.core.strict import Strict
from showdown.core.traits import Traits
from showdown.verdict.confounds import Confound
from showdown.verdict.cost import Cost, EnergyUse
from showdown.verdict.generation.measured import Forgetting, WritingCost
from showdown.verdict.pareto import Pareto
from showdown.verdict.recommend import Limits, Recommendation

NOT_COMPARED = "not compared"
"""How `missing_reason` begins for an arm that answered too few of the test rows of the others."""


class Interval(Strict):
    """A figure with its two-sided 95 % interval."""

    value: float
    low: float
    high: float


class Score(Strict):
    """A score, with its two-sided 95 % interval where one is valid: both ends are set, or neither."""

    value: float
    low: float | None
    high: float | None
    why: str | None = None
    """Why there is no interval; None where there is one."""


class ArmVerdict(Strict):
    """One arm. If no run of it completed, scores are None and `missing_reason` is set."""

    name: str
    method: str
    title: str
    traits: Traits
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
    score: Score | None
    """By the metric of the verdict: rows are ranked by it."""
    accuracy: Interval | None
    """Of the method, whatever the seed: with one seed the spread between reruns in it is assumed. None for a task
    without labels; so for the next."""
    f1_macro: Score | None
    scores: dict[str, float]
    """Every metric of all labels, or of written answers, by its key, over all tested rows, the mean over seeds."""
    rerun_spread_points: float | None
    """Standard deviation of accuracy between trainings that differ in their seed alone, beyond what flipping rows
    explain, in points; of written answers that of the metric, in units of 0.01. None with one seed."""
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
    forgetting: Forgetting | None = None
    """None where no network is trained, and for a task without written answers."""
    writing: WritingCost | None = None
    """None for a task without written answers."""
    missing_reason: str | None
    """Why runs are missing, in the words of the first that is; divergences are counted apart."""
    runs: int
    """All runs of the row, whatever became of them."""
    diverged: int = 0
    """Runs whose loss did not stay finite; the scores count the others alone."""
    trained: int = 0
    """Completed runs that say how their training ended."""
    unconverged: int = 0
    """Those of them that were still improving when they stopped."""
    seed_agreement: float | None = None
    """Share of the test rows on which all seeds answer alike, or score alike where answers are written; None with one
    seed."""
    rate_at_end: bool = False
    """The best learning rate of a run lay at an end of the range searched."""
    constant: bool = False
    """It gives one answer to every text."""

    @property
    def general_loss_rise(self) -> float | None:
        """Return by how much the loss on general text rose, in nats a token: 0 for a network that is not trained."""
        if self.forgetting is not None:
            return self.forgetting.general_loss_rise
        return 0.0 if self.writing is not None and self.traits.role != "fine-tuned" else None

    @property
    def cut_short(self) -> bool:
        """Return whether more than half of its runs had not converged: a single one may be a false alarm."""
        return 2 * self.unconverged > self.trained


Standing = Literal["non-inferior", "may be worse", "worse"]
"""One row beside another: at most the margin worse; shown worse; or neither."""


class MarginTest(Strict):
    """Two one-sided tests of a pair against a margin (Schuirmann 1987)."""

    margin: float
    """As a fraction of 1."""
    p_first: float
    """One-sided, of "the first is worse by the margin or more"; adjusted over all rows compared with the second."""
    p_second: float
    first: Standing
    second: Standing

    @property
    def equivalent(self) -> bool:
        """Return whether neither is more than the margin worse than the other."""
        return self.first == self.second == "non-inferior"


class PairVerdict(Strict):
    """Two arms compared on the test rows that both answered; differences are first less second, as fractions.

    `score` is by the metric of the verdict; so are the p-values and all that says which row is better. Of a metric of
    which less is better, it is the second less the first, so that it is above 0 where the first is better.
    """

    first: str
    second: str
    test: Literal["paired over rows and reruns", "corrected resampled t"]
    score: Interval
    accuracy: Interval | None
    """For information where the metric is another; None without predicted labels."""
    f1_macro: Interval | None
    """For information where the metric is another; None for repeated splits."""
    p_value: float
    p_holm: float
    """Adjusted over all pairs of the comparison."""
    mcnemar_p: float | None
    """Exact McNemar test of the first run of each alone, blind to reruns."""
    different: bool
    centre: float
    """Middle of the interval, shrunk a little towards no difference."""
    largest: float | None = 1.0
    """The largest difference that there can be; None where the metric has no bounds."""
    sources: list[tuple[float, float]]
    """Variance of the difference, and its degrees of freedom, from each source of chance: rows, and reruns of both."""
    first_only: float = 0.0
    """Test rows that the first answers rightly and the second wrongly, or where answers are written, on which the first
    scores better: the mean over all pairs of their seeds."""
    second_only: float = 0.0
    within: MarginTest | None = None
    """Filled in for the margin that was asked for."""
    rows: int
    """Test rows that both answered; the least of any repeat."""
    clusters: int
    """Independent ones among them."""
    lead: Interval | None = None
    """The difference where it was shown, shrunk: those that pass a test are too large on average. None where not."""
    clusters_to_decide: tuple[int, int | None] | None
    """Independent test rows, from fewest to most, that would find the difference with power 0.8 over what it may truly
    be; the most is None where no number would in the worse case, all is None where none would in the better one."""
    seeds_to_decide: tuple[int, int | None] | None = None
    """Seeds of each trained arm, likewise."""
    confounds: list[str]
    """Keys of what else differs between the two."""


class CurveStep(Strict):
    """Gain of an arm by the last step of the learning curve, to all training rows."""

    name: str
    gain: Interval
    """What it scores with all training rows less that with the next smaller part, on the same test rows; with the sign
    turned for a metric of which less is better."""
    shown: bool
    """It differs from no gain, adjusted over all arms."""


class Curve(Strict):
    """What a method scored by how many training rows it had."""

    metric: str = ACCURACY.key
    """Accuracy, or of written answers the metric of the verdict."""
    fractions: list[float]
    """Rising, the last is 1."""
    scores: dict[str, list[Interval | None]]
    """By arm, one for each fraction; None where no run of it completed."""
    steps: list[CurveStep]
    """The largest gain first; rows that completed both ends alone."""
    ahead: Interval | None
    """By how much the largest gain exceeds the second; None where there are no two, or splits are repeated."""


class Verdict(Strict):
    """The verdict on a comparison."""

    sentences: list[str]
    """Plain sentences, the most important first."""
    rows: list[ArmVerdict]
    pairs: list[PairVerdict]
    pareto: Pareto
    confounds: list[Confound]
    curve: Curve | None = None
    """None where the comparison has no parts of the training rows."""
    limits: Limits
    left_out: str | None = None
    """What was left out so that all rows are compared on common test rows; None where nothing was."""
    task: str = CLASSIFICATION
    metric: str = ACCURACY.key
    """What rows are ranked, tested and recommended by: a key of `showdown.core.metric`."""
    own_score: OwnScore | None = None
    """What the user's own score is called, and its bounds; None where there is none."""
    margin_points: float
    """How many points worse a method may be and still do as well."""
    recommendation: Recommendation
    assumptions: list[str]
    """What was assumed where nothing was measured."""

    @property
    def ranking_metric(self) -> Metric:
        """Return the metric of `metric`, the user's own score with its title and bounds."""
        return metric_with(self.metric, self.own_score)

    def __repr__(self) -> str:
        """Return the sentences and the recommendation; all of it is in the fields."""
        return "\n".join([self.recommendation.sentence, *(f"- {line}" for line in self.sentences)])

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return html_list(self.recommendation.sentence, self.sentences)
