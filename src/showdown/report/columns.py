"""The columns of the comparison's table, by task: declared here and nowhere else.

The metric of the verdict and its interval come first in every table. To add a column is to add one line here: the key
of a metric in `scores`, or a `Column` in `columns` for anything else that a record holds.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from showdown.core.metric import CLASSIFICATION, GENERATION, METRICS, OWN, Direction, Metric
from showdown.core.own_metric import metric_with
from showdown.core.record import OwnScore, RunRecord

_LARGE = 1000.0
"""From here on a decimal is not shown."""
INTERVAL = "95 % interval"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a measured quantity: the mean over an arm's completed runs."""

    heading: str
    direction: Direction
    """Which values are better: the best one is bold."""
    value: Callable[[RunRecord], float | None]
    show: Callable[[float], str]


@dataclass(frozen=True, kw_only=True)
class TaskColumns:
    """The columns of one task."""

    scores: Callable[[Collection[str]], tuple[str, ...]]
    """From the keys of the scores that the arms have to those of the metrics that have a column of their own beside
    the metric of the verdict."""
    columns: tuple[Column, ...]
    left_out_first: tuple[str, ...]
    """Headings that a narrow terminal does without, the first ones first. Scores without a place here go before the
    interval, the last one first."""
    kept_longest: tuple[str, ...]
    """Headings that it keeps longer than the interval, the last ones longest."""
    reading: tuple[str, ...]
    """How to read the columns of costs."""
    by_label: bool
    """There are scores of each label, and rows on which labels differ."""

    def score_metrics(self, known: Collection[str], own: OwnScore | None, beside: Metric) -> list[Metric]:
        """Return the metrics that have a column beside that of the verdict.

        Args:
            known: keys of the scores that the arms have.
            own: what the user's own score is called.
            beside: the metric of the verdict.

        """
        return [metric_with(key, own) for key in self.scores(known) if key != beside.key]

    def leaving_order(self, scores: Collection[str]) -> list[str]:
        """Return the headings that a narrow terminal does without, the first ones first.

        Args:
            scores: headings of the columns of scores.

        """
        placed = (*self.left_out_first, *self.kept_longest)
        others = [heading for heading in reversed([*scores]) if heading not in placed]
        return [*self.left_out_first, *others, INTERVAL, *self.kept_longest]


def counted(number: int) -> str:
    """Return a count with three significant digits and K, M or B."""
    for size, unit in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "K")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def _training_peak(record: RunRecord) -> float | None:
    peak = record.peak_memory_allocated_gb
    return peak.training if peak else None


def amount(value: float) -> str:
    """Return a positive number with one decimal, and a large one without."""
    return f"{value:.1f}" if value < _LARGE else f"{value:.0f}"


def _signed(value: float) -> str:
    """Return a rise with its sign; what rounds to zero is +0.00, never -0.00."""
    return f"{round(value, 2) + 0.0:+.2f}"


def _first_token_ms(run: RunRecord) -> float | None:
    return run.writing.first_token_p50_ms if run.writing else None


def _tokens_per_second(run: RunRecord) -> float | None:
    return run.writing.tokens_per_second if run.writing else None


def _general_loss_rise(run: RunRecord) -> float | None:
    return run.elsewhere.general_loss_rise if run.elsewhere else None


def _prompt_kl(run: RunRecord) -> float | None:
    return run.elsewhere.prompt_kl if run.elsewhere else None


_COSTS = (
    Column(heading="Train s", direction="lower", value=lambda run: run.train_seconds, show=amount),
    Column(heading="Total s", direction="lower", value=lambda run: run.total_seconds, show=amount),
    Column(heading="Memory GB", direction="lower", value=_training_peak, show=lambda value: f"{value:.2f}"),
    Column(
        heading="Trained params",
        direction="lower",
        value=lambda run: run.trainable_parameters,
        show=lambda value: counted(int(value)),
    ),
    Column(heading="Saved MB", direction="lower", value=lambda run: run.model_size_mb, show=amount),
)
_TIMES = (
    "Train: forward, backward, step and batching. Total: every phase, with loading, validation, saving, reloading and "
    "scoring."
)


def _of_writing(known: Collection[str]) -> tuple[str, ...]:
    """Return the scores that say most of such answers: fields of JSON, numbers, or text."""
    if "json_fields" in known:
        fitting: tuple[str, ...] = ("json_fields", "exact_match", "json_valid")
    elif "numeric_match" in known:
        fitting = ("numeric_match", "exact_match")
    else:
        fitting = ("rouge_l", "chrf")
    return tuple(key for key in (OWN, *fitting, "perplexity") if key in known)


TABLES: Mapping[str, TaskColumns] = {
    CLASSIFICATION: TaskColumns(
        scores=lambda _: ("accuracy", "f1_macro", "mcc"),
        columns=(
            *_COSTS,
            Column(heading="Latency ms", direction="lower", value=lambda run: run.latency_p50_ms, show=amount),
        ),
        left_out_first=("Trained params", "Total s", "Saved MB", "Latency ms", "Memory GB", "Train s"),
        kept_longest=(METRICS["f1_macro"].heading, METRICS["accuracy"].heading),
        reading=(
            f"{_TIMES} Latency: one text, median; the verdict, the limits and the figures use its 95th percentile.",
        ),
        by_label=True,
    ),
    GENERATION: TaskColumns(
        scores=_of_writing,
        columns=(
            Column(heading="General loss nats", direction="lower", value=_general_loss_rise, show=_signed),
            Column(heading="KL from base nats", direction="lower", value=_prompt_kl, show=lambda value: f"{value:.3f}"),
            *_COSTS,
            Column(heading="First token ms", direction="lower", value=_first_token_ms, show=amount),
            Column(heading="Tokens/s", direction="higher", value=_tokens_per_second, show=amount),
        ),
        left_out_first=(
            *("Trained params", "Total s", "Saved MB", "Tokens/s", "First token ms", "KL from base nats", "Memory GB"),
            METRICS["perplexity"].heading,
            "Train s",
        ),
        kept_longest=("General loss nats",),
        reading=(
            f"{_TIMES} Of a method that chooses its prompt, Train is loading the model and the choice. First token: "
            "from the call for one prompt to the first token of its answer, median. Tokens/s: tokens written for the "
            "test prompts. The verdict, the limits and the figures use the latency of a whole answer, 95th percentile.",
            "General loss: by how much the loss on a general text rose with fine-tuning, in nats a token. KL from "
            "base: how far the next-token distribution on the task's prompts moved from that of the network before "
            "training, KL(before || after), in nats a token. Both are what fine-tuning cost elsewhere. Where a method "
            "quantises the network, as QLoRA does, both include what rounding its weights costs.",
            "Perplexity: of the wanted answers, token by token, whatever was written.",
        ),
        by_label=False,
    ),
}


def columns_of(task: str) -> TaskColumns:
    """Return the columns of a task's table."""
    return TABLES[task]
