"""Scores of every arm's written answers on every test row, read from the predictions files."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from showdown.core.metric import METRICS, Metric
from showdown.core.record import Results, RunRecord
from showdown.core.written import read_written
from showdown.verdict.arms import arms_of
from showdown.verdict.outcomes import ArmOutcomes, Floats, Ints, Outcomes, RowValues, parts_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Writings(Outcomes):
    """Written answers of one arm on one set of test rows. A row scores what one metric says of its answer.

    Of a metric of token losses it scores a linearised loss a token: what it adds to the loss a token over all rows,
    so that the mean over rows is that loss. Rows with more tokens weigh more in it.
    """

    OF_SEEDS: ClassVar[tuple[str, ...]] = ("scores", "answers", "losses", "tokens")
    values: Floats = field(init=False)
    metric: Metric
    keys: tuple[str, ...]
    """Of the metrics that `scores` has, in its order."""
    scores: Floats
    """Shape (metrics, seeds, test rows)."""
    answers: Ints
    """Shape (seeds, test rows): a number for each answer; equal numbers stand for equal texts."""
    losses: Floats | None = None
    """Shape (seeds, test rows): summed loss of the wanted answer in nats; None for a method without probabilities."""
    tokens: Floats | None = None
    """Shape (seeds, test rows): tokens that the loss is summed over."""

    def __post_init__(self) -> None:
        """Score the rows."""
        linearised = self.metric.of_token_loss is not None
        object.__setattr__(self, "values", self._linearised() if linearised else self._scores_of(self.metric.key))
        object.__setattr__(self, "lowest", -math.inf if linearised else self.metric.lowest)
        object.__setattr__(self, "highest", math.inf if linearised else self.metric.highest)

    def _scores_of(self, key: str) -> Floats:
        found: Floats = self.scores[self.keys.index(key)]
        return found

    def loss_sums(self) -> tuple[Floats, Floats]:
        """Return losses and tokens: shapes (seeds, test rows).

        Raises:
            TypeError: for a method without probabilities.

        """
        if self.losses is None or self.tokens is None:
            raise TypeError("there are no losses of the wanted answers")
        return self.losses, self.tokens

    def _linearised(self) -> Floats:
        losses, tokens = self.loss_sums()
        loss = losses.sum(axis=1, keepdims=True) / tokens.sum(axis=1, keepdims=True)
        return np.asarray(loss + (losses - loss * tokens) / tokens.mean(axis=1, keepdims=True))

    @property
    def row_scores(self) -> Floats:
        """Shape (seeds, test rows): what single rows are compared by: the metric, or their summed losses."""
        return self.values if self.metric.of_token_loss is None else self.loss_sums()[0]

    @property
    def same_on_all_seeds(self) -> float:
        """Share of the test rows on which all seeds score alike; of a metric of losses, on which all answer alike."""
        compared = self.values if self.metric.of_token_loss is None else self.answers
        return float((compared == compared[0]).all(axis=0).mean())

    @property
    def is_constant(self) -> bool:
        """Return whether every prompt got the same answer."""
        return len(np.unique(self.answers)) == 1

    def by(self, metric: Metric) -> Self:
        """Return the same scored by another metric."""
        return replace(self, metric=metric)

    def scored_by(self, metric: Metric) -> bool:
        """Return whether there is what a metric needs."""
        return self.losses is not None if metric.of_token_loss else metric.key in self.keys


def writings_of(row: ArmOutcomes) -> dict[int, Writings]:
    """Return the parts of an arm that wrote answers.

    Raises:
        TypeError: for an arm of another task.

    """
    return parts_of(row, Writings, "written answers")


def load_writings(results: Results, folder: Path, metric: Metric) -> dict[str, ArmOutcomes]:
    """Read what all completed runs wrote, by arm.

    Args:
        results: the comparison.
        folder: its folder; predictions files are named relative to it.
        metric: what rows score. Arms without what it needs are left out, such as one without probabilities for a
            metric of losses.

    Raises:
        UserError: for a predictions file that is missing or damaged.

    """
    keys = scored_keys(results)
    having = [run for run in results.runs if run.status != "completed" or metric.key in run.scores]
    return arms_of(results.model_copy(update={"runs": having}), lambda run: _read(folder, run, keys, metric))


def scored_keys(results: Results) -> tuple[str, ...]:
    """Return the keys of the scores that every row of every completed run has, in the order of the metrics."""
    done = [run for run in results.runs if run.status == "completed"]
    return tuple(
        key
        for key, metric in METRICS.items()
        if metric.mean_over_rows and metric.is_of_writing and done and all(key in run.scores for run in done)
    )


def token_loss_values(metric: Metric, part: Writings) -> RowValues:
    """Compute a metric of token losses and what each test row is worth to it.

    The loss a token itself is the mean of linearised values. What is another function of it, such as perplexity, has
    the jackknife's pseudo-values (Tukey 1958), without its correction for bias.

    Args:
        metric: of token losses.
        part: what the arm wrote.

    Raises:
        TypeError: for a method without probabilities.

    """
    assert metric.of_token_loss is not None
    losses, tokens = part.loss_sums()
    totals = losses.sum(axis=1, keepdims=True), tokens.sum(axis=1, keepdims=True)
    full = metric.of_token_loss(totals[0] / totals[1])
    if metric.key == "token_loss":
        linear = part if part.metric.of_token_loss else part.by(metric)
        return RowValues(by_seed=full[:, 0], values=linear.values, is_mean=True, lowest=-math.inf, highest=math.inf)
    rest = np.maximum(totals[1] - tokens, 1.0)  # of a single row nothing is left
    left_out = metric.of_token_loss((totals[0] - losses) / rest)
    values = full + (losses.shape[1] - 1) * (left_out.mean(axis=1, keepdims=True) - left_out)
    return RowValues(by_seed=full[:, 0], values=values, lowest=-math.inf, highest=math.inf)


def mean_scores(row: ArmOutcomes) -> dict[str, float]:
    """Return every score of an arm's answers by its key: the mean over seeds, and over repeats of the splits."""
    found: dict[str, list[float]] = {}
    for part in writings_of(row).values():
        for place, key in enumerate(part.keys):
            found.setdefault(key, []).append(float(part.scores[place].mean()))
        if part.losses is not None:
            for key in ("token_loss", "perplexity"):
                found.setdefault(key, []).append(token_loss_values(METRICS[key], part).value)
    return {key: float(np.mean(values)) for key, values in found.items()}


def other_tokens(rows: Sequence[ArmOutcomes]) -> tuple[str, str] | None:
    """Return the names of two arms that counted different tokens in the same wanted answers; None where all agree.

    Losses a token of different tokenizers, or chat templates, are not of the same thing.
    """
    counted: dict[tuple[int, int], tuple[str, float]] = {}
    for row in rows:
        for key, part in writings_of(row).items():
            for place, number in zip(part.row_ids.tolist(), part.loss_sums()[1][0].tolist(), strict=True):
                name, other = counted.setdefault((key, place), (row.name, number))
                if other != number:
                    return name, row.name
    return None


def _read(folder: Path, run: RunRecord, keys: tuple[str, ...], metric: Metric) -> Writings:
    found = read_written(folder, run)
    return Writings(
        row_ids=np.asarray(found.row_ids, dtype=np.int64),
        clusters=np.asarray(found.clusters, dtype=np.int64),
        metric=metric,
        keys=keys,
        scores=np.array([[found.scores[key]] for key in keys], dtype=np.float64).reshape(
            len(keys), 1, len(found.row_ids)
        ),
        answers=np.array([[_number(text) for text in found.answers]], dtype=np.int64),
        losses=None if found.losses is None else np.array([found.losses], dtype=np.float64),
        tokens=None if found.loss_tokens is None else np.array([found.loss_tokens], dtype=np.float64),
    )


def _number(text: str) -> int:
    """Return a number of a text that no other text is likely to have: 63 bits of its SHA-256."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") >> 1
