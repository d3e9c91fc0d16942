"""What a run yielded. `docs/results.md` describes the file that holds these records."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from showdown.core.bounds import (
    Amount,
    Chosen,
    Count,
    DataFacts,
    InsidePath,
    RequestedComparison,
    RunId,
    Sha256,
    Share,
    valid_as,
)
from showdown.core.confusion import ConfusionMatrix
from showdown.core.metric import CLASSIFICATION, GENERATION, METRICS
from showdown.core.notebook import html_table, text_table
from showdown.core.spec import RunName, RunSpec, Seed, TuningSpec
from showdown.core.strict import Strict
from showdown.core.traits import Traits

SCHEMA_VERSION: Literal[1] = 1
GB = 1e9
"""Memory is given in GB of 1e9 bytes everywhere."""

TRAINING_PHASE = "training"
TUNING_PHASE = "tuning"
SCORING_PHASES = frozenset({"start of scoring", "reloading", "prediction", "speed", "comparison with the base"})
"""Phases that belong to the measurement of a saved model, and are charged to no method."""

Status = Literal["completed", "diverged", "out-of-memory", "unavailable", "failed", "waiting"]
_WAITING_BEFORE = "cancelled"
"""What `waiting` was called in results of earlier versions."""
ScoreKind = Literal["probability", "decision score", "similarity", "log-likelihood"]


class Phase(Strict):
    """Seconds and peak memory of one named part of a run."""

    name: str
    seconds: Amount
    peak_allocated_gb: Amount
    peak_reserved_gb: Amount
    peak_device_gb: Amount


class PeakMemory(Strict):
    """A peak while training alone, and over the whole run, in GB (1e9 bytes)."""

    training: Amount | None
    """None where the method has no training phase."""
    run: Amount


class Energy(Strict):
    """What the GPU spent by its own counter, in kWh, whoever used it."""

    training: float | None
    """In that phase alone; None where the method has none."""
    run: float
    """All of it."""
    tuning: float | None = None
    """None where nothing was tuned."""
    scoring: float = 0.0
    """From the start of the process that scores the saved model."""


class MemorySplit(Strict):
    """What the training phase's peak of allocated memory was made of, in GB (1e9 bytes).

    Weights, gradients and the optimiser's state are counted from their tensors; activations are the rest. Where a step
    has one micro-batch and recomputes nothing, gradients come as activations go: if the rest is clearly more than the
    gradients, activations made the peak, and no gradients are counted in it. On a CPU the peak is of the resident set,
    and what the process held before it loaded the network goes to the libraries.
    """

    weights_gb: Amount
    gradients_gb: Amount
    """0 where the step is taken inside the backward pass, or where the peak came before them."""
    optimiser_gb: Amount
    libraries_gb: Amount
    activations_gb: Amount


class Convergence(Strict):
    """How a training came to its end: until more of it brought nothing, or before."""

    converged: bool
    """False where the validation loss was still falling at the end: the score says little of the method."""
    stopped: Literal["patience", "cap", "seconds"]
    """What ended it: no improvement for as long as the protocol waits, its most epochs, or its most seconds."""
    epochs: Count
    """Epochs trained."""
    best_epoch: Count
    """The one that was scored."""


class ReliabilityBin(Strict):
    """The test rows whose confidence lies in one part of the range from 0 to 1, the upper end included."""

    low: float
    high: float
    rows: int
    confidence: float
    """Mean."""
    accuracy: float
    variance: float
    """Mean of confidence times (1 - confidence), the variance of one answer of a calibrated model."""


class CoveragePoint(Strict):
    """What comes of giving the surest answers alone and leaving the other texts to a person."""

    coverage: float
    """Share of the validation rows that is answered, at the least: 0 to 1."""
    threshold: float
    """Least confidence of an answer that is given, from the validation rows alone."""
    answered_rows: int
    """Test rows with at least this confidence."""
    accuracy: float | None
    """On these; None where there are none."""


class Confidence(Strict):
    """How sure a model was of its answers, and how far that can be trusted."""

    kind: Literal["probability", "margin"]
    """The probability of the answer; of scores that are no probabilities the best score less the second."""
    rows: int
    """Test rows."""
    validation_rows: int
    expected_calibration_error: float | None
    """0 to 1, too high on few rows; None for a margin, which is no probability. So for the next two."""
    expected_calibration_error_if_calibrated: float | None
    """What chance alone would make of it on as many rows."""
    brier_score: float | None
    """Summed over the labels: 0 to 2."""
    bins: list[ReliabilityBin]
    """Rising; parts without a row are left out. Empty for a margin."""
    points: list[CoveragePoint]
    """By rising coverage."""


BUSY_OTHERS_SHARE = 0.1
"""From here on a run was under load: what uses all processors takes 1 / (1 - 0.1), or 11 %, longer."""


class Load(Strict):
    """What went on beside a run. Shares are of all processors together, 0 to 1; None is what could not be read."""

    training_others_share: float | None
    """Used by other processes while the model was trained; over the whole run where that was too short to tell."""
    speed_others_share: float | None
    """The same while the speed of prediction was measured."""
    average: float | None
    """Mean of the system's 1-minute load average for each processor, the run itself included."""
    gpu_others_share: float | None
    """Mean use of the GPU by other processes over the run, by its driver."""

    @property
    def is_busy(self) -> bool:
        """Return whether other processes used so much that the run's seconds and latencies are in doubt."""
        shares = (self.training_others_share, self.speed_others_share, self.gpu_others_share)
        return any(share is not None and share >= BUSY_OTHERS_SHARE for share in shares)


class PredictionSpeed(Strict):
    """Speed of prediction at one batch size, after warm-up."""

    batch_rows: Count
    rows_per_second: Amount
    latency_p50_ms: Amount
    latency_p95_ms: Amount


MetricScores = dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}\z")], float]
"""Values by the key of their metric."""


class ClassScore(Strict):
    """Scores of one label on the test rows."""

    label: str
    precision: Share
    recall: Share
    f1: Share
    rows: Count


class Scores(Strict):
    """Scores on the test rows, from the artefact that was saved and reloaded."""

    accuracy: Share
    f1_macro: Share
    f1_weighted: Share
    precision_weighted: Share
    recall_weighted: Share
    scores: MetricScores = Field(default_factory=dict)
    """Every other metric of the whole, by its key in `core/metric.py`."""
    per_class: list[ClassScore]
    confusion_matrix: ConfusionMatrix
    """Rows are true labels, columns predicted ones, in the order of `labels`."""


class OwnScore(Strict):
    """The user's own score of written answers, under the key `own`: what it is called, and its bounds."""

    title: Annotated[str, Field(min_length=1)]
    lowest: float | None = 0.0
    """The least value that an answer can score; None for a score without one. So for the next."""
    highest: float | None = 1.0

    @model_validator(mode="after")
    def _lowest_is_below(self) -> Self:
        if self.lowest is not None and self.highest is not None and self.lowest >= self.highest:
            raise ValueError("`lowest` is below `highest`")
        return self


class Writing(Strict):
    """What a model wrote for the test prompts, how fast, and by what it was scored beside the built-in scores."""

    tokens_written: Count
    """For all test prompts together."""
    tokens_per_second: Amount | None = None
    """While they were written; None where nothing was generated. So for the next two."""
    first_token_p50_ms: Amount | None = None
    """From the call for one prompt to the first token of its answer."""
    first_token_p95_ms: Amount | None = None
    max_new_tokens: Count | None = None
    """The most tokens that one answer could have; None where nothing was generated."""
    cut_answers: Count = 0
    """Answers that did not end by themselves before this limit."""
    own_score: OwnScore | None = None
    """None where the comparison has no `protocol.scorer`."""
    corpus_chrf: Share | None = None
    """chrF from the n-gram counts of all test rows together, from 0 to 1; None in older records."""
    corpus_chrf_low: Share | None = None
    """Its 95 % interval; None with fewer than two duplicate groups among the test rows. So for the next."""
    corpus_chrf_high: Share | None = None


class Elsewhere(Strict):
    """What fine-tuning changed beside the task: the network as it was trained against the one it began with."""

    general_loss_before: float
    """Mean loss a token on the general text that comes with Showdown, in nats, of the network before training."""
    general_loss_after: float
    general_tokens: Count
    prompt_kl: float
    """Mean over the tokens of test prompts of the Kullback-Leibler divergence of the next-token distribution after
    training from that before it, KL(before || after), in nats."""
    prompt_tokens: Count

    @property
    def general_loss_rise(self) -> float:
        """Return by how much the loss on general text rose."""
        return self.general_loss_after - self.general_loss_before


class Environment(Strict):
    """Where a run took place."""

    versions: dict[str, str]
    commit: str | None
    """Commit of the project, with `-dirty` where files differ from it; None outside a checkout."""
    platform: str
    cpu: str
    cpu_threads: Count
    memory_gb: Amount
    gpu: str | None
    gpu_memory_gb: Amount | None
    driver: str | None


class RunRecord(Strict):
    """Everything that one run yielded. It has an error exactly when it did not complete."""

    schema_version: Literal[1] = SCHEMA_VERSION
    run_id: RunId
    name: RunName
    method: str
    title: str
    traits: Traits
    """Of its method, when the run was made."""
    seed: Seed
    partition: Count
    status: Annotated[Status, BeforeValidator(lambda status: "waiting" if status == _WAITING_BEFORE else status)]
    """`waiting` is a run that has not begun, or was interrupted and goes on with the next call."""
    error: str | None = None

    accuracy: Share | None = None
    f1_macro: Share | None = None
    f1_weighted: Share | None = None
    precision_weighted: Share | None = None
    recall_weighted: Share | None = None
    scores: MetricScores = Field(default_factory=dict)
    """Metrics that have no field of their own, by key; empty in records of older versions. All those of a task that
    writes text are here."""
    validation_scores: MetricScores = Field(default_factory=dict)
    """The same on the validation rows, for a task that writes text."""
    writing: Writing | None = None
    """None for a task that writes no text. So for the next."""
    elsewhere: Elsewhere | None = None
    """None, too, where no network is trained."""
    validation_f1_macro: Share | None = None
    per_class: list[ClassScore] = Field(default_factory=list)
    confusion_matrix: ConfusionMatrix = Field(default_factory=list)
    labels: list[str] = Field(default_factory=list)
    predictions_file: InsidePath | None = None
    """Per-row predictions with scores, relative to the comparison's folder."""
    predictions_sha256: Sha256 | None = None
    """Of that file's bytes; None for results of before it was kept. So for the number of rows."""
    predictions_rows: Count | None = None
    score_kind: ScoreKind | None = None
    """What the scores in the predictions file are."""
    confidence: Confidence | None = None
    """None where scores are not all finite, and for results of before it was measured."""

    convergence: Convergence | None = None
    """None where no network is trained."""
    train_rows: Count | None = None
    """Rows that were trained on."""
    train_seconds: Amount | None = None
    """Forward, backward, step and batching alone: no validation, no writing."""
    total_seconds: Amount | None = None
    tuning_seconds: Amount | None = None
    """All trials of the search for a learning rate, part of `total_seconds`; None where nothing was tuned."""
    phases: list[Phase] = Field(default_factory=list)
    peak_memory_allocated_gb: PeakMemory | None = None
    peak_memory_reserved_gb: PeakMemory | None = None
    peak_memory_device_gb: PeakMemory | None = None
    memory_kind: Literal["gpu", "process resident set"] | None = None
    memory_split: MemorySplit | None = None
    """None where no network is trained."""

    energy_kwh: Energy | None = None
    """None without a GPU whose counter can be read."""
    load: Load | None = None
    """None where nothing was read."""

    trainable_parameters: Count | None = None
    total_parameters: Count | None = None
    model_size_mb: Amount | None = None
    """On disk, in MB of 1e6 bytes: the saved artefact alone."""
    rows_per_second: Amount | None = None
    """At the best batch."""
    latency_p50_ms: Amount | None = None
    latency_p95_ms: Amount | None = None
    prediction_speeds: list[PredictionSpeed] = Field(default_factory=list)
    """Batch 1 first, then the best batch."""

    curve_file: InsidePath | None = None
    system_file: InsidePath | None = None
    """Samples of the system while the run went (`showdown.core.samples`)."""
    tuning_file: InsidePath | None = None
    """Every trial of the search for a learning rate."""
    notes: list[str] = Field(default_factory=list)
    """What a reader must know of this run: the way zero-shot took, a resumed run, what was cut."""
    chosen: Annotated[dict[str, Any], valid_as(Chosen)] = Field(default_factory=dict)
    """Settings that the engine chose by itself (micro-batch, precision, device, batching path), and the tuned rate."""
    spec: RunSpec
    environment: Environment | None = None
    allow_leakage: bool = False

    def __repr__(self) -> str:
        """Return how the run ended; all of it is in the fields."""
        values = [f"{title} {_number(value, 3)}" for title, value in _shown_scores(self).items()]
        how = self.error or ", ".join(values)
        return f"RunRecord({self.name}, seed {self.seed}, split {self.partition}: {self.status}; {how})"

    __str__ = __repr__

    @model_validator(mode="after")
    def _error_exactly_when_incomplete(self) -> Self:
        if (self.error is None) != (self.status == "completed"):
            raise ValueError("a run has an error exactly when it did not complete")
        if self.status == "completed" and self.accuracy is None and not self.scores:
            raise ValueError("a completed run has scores")
        return self

    @model_validator(mode="after")
    def _tuned_to_a_rate(self) -> Self:
        tuned = self.status == "completed" and self.tuning_seconds is not None
        searched = isinstance(self.spec.protocol.tuning, TuningSpec)
        if tuned and not (searched and self.chosen.get("learning_rate")):
            raise ValueError("a run that was tuned has a protocol of tuning and a learning rate")
        return self

    @model_validator(mode="after")
    def _scores_fit_the_labels(self) -> Self:
        count = len(self.labels)
        if len(set(self.labels)) < count:
            raise ValueError("a label is there twice")
        if self.per_class and [one.label for one in self.per_class] != self.labels:
            raise ValueError("`per_class` has one entry a label, in the order of `labels`")
        matrix = self.confusion_matrix
        if matrix and (len(matrix) != count or any(len(row) != count for row in matrix)):
            raise ValueError("`confusion_matrix` has one row and one column a label")
        return self


def _shown_scores(run: RunRecord) -> dict[str, float | None]:
    """Return the scores of a run for a short display, by title: of written answers all, in the order of the metrics."""
    if run.spec.task == GENERATION:
        return {metric.title: run.scores.get(key) for key, metric in METRICS.items() if key in run.scores}
    return {"accuracy": run.accuracy, "macro F1": run.f1_macro}


class Results(Strict):
    """The file `results.json`: one comparison and all its runs, in the order of the table."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: RunName
    comparison: Annotated[dict[str, Any], valid_as(RequestedComparison)]
    data: Annotated[dict[str, Any], valid_as(DataFacts)]
    """Counts, fingerprint and audit findings of the data."""
    runs: list[RunRecord]

    def __repr__(self) -> str:
        """Return a line a run; all of it is in the fields and in the report."""
        return f"{self.heading}\n{text_table(*self._table)}"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return html_table(self.heading, *self._table)

    @property
    def heading(self) -> str:
        """Whose results these are, and how many of its runs completed."""
        done = sum(run.status == "completed" for run in self.runs)
        return f"Results of {self.name}: {done} of {len(self.runs)} runs completed"

    @property
    def _table(self) -> tuple[list[str], list[list[str]]]:
        """Return headings and a line a run."""
        titles = list(dict.fromkeys(title for run in self.runs for title in _shown_scores(run)))
        lines = [
            [
                f"{run.name}, seed {run.seed}, split {run.partition}, {100 * run.spec.train_fraction:g} % of the rows",
                run.status,
                *(_number(_shown_scores(run).get(title), 3) for title in titles),
                _number(run.train_seconds, 1),
            ]
            for run in self.runs
        ]
        return ["run", "status", *titles, "train s"], lines

    @property
    def task(self) -> str:
        """Return what was learned from the examples."""
        written = self.comparison.get("task", CLASSIFICATION)
        return self.runs[0].spec.task if self.runs else str(written)

    @property
    def own_score(self) -> OwnScore | None:
        """Return what the user's own score is called; None where no run has one."""
        return next((run.writing.own_score for run in self.runs if run.writing and run.writing.own_score), None)

    @property
    def full_size(self) -> Self:
        """The same without the runs on a part of the training rows: what is compared."""
        return self.model_copy(update={"runs": [run for run in self.runs if run.spec.train_fraction == 1.0]})


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
