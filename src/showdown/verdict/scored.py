"""What all arms scored, by the metric of the verdict, whatever the task."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from showdown.core.metric import GENERATION, Metric
from showdown.core.record import Results
from showdown.verdict.classification.answers import label_places, load_outcomes
from showdown.verdict.generation.ranking import metric_of_writing, ranked_by
from showdown.verdict.generation.writings import load_writings
from showdown.verdict.outcomes import ArmOutcomes, on_common_rows
from showdown.verdict.ranking import asked_at, ranking, scores_needed


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What the arms of a comparison scored on the test rows on which they are compared."""

    metric: Metric
    """What they are ranked, tested and recommended by."""
    ranked_by: str | None
    """A sentence that says which and why, where that has to be said."""
    outcomes: Mapping[str, ArmOutcomes]
    """By arm; only those that can be compared."""
    left_out: str | None
    """Sentences on arms and test rows that were left out; None where nothing was."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """By arm that has no such score, why."""


def scored(results: Results, folder: Path, key: str, *, asked: str | None) -> Scored:
    """Read what all arms scored.

    Args:
        results: the comparison, without runs on a part of the training rows.
        folder: its folder, where the predictions files lie.
        key: of the metric, as `requested_metric` returns it.
        asked: what was asked for in place of the comparison's own metric; None for nothing.

    Raises:
        UserError: for predictions that are missing or damaged, or a metric that answers were not scored by.

    """
    if results.task != GENERATION:
        outcomes, left_out = on_common_rows(load_outcomes(results, folder, score_of=scores_needed(key)))
        metric, why = ranking(key, outcomes, label_places(results))
        return Scored(metric=metric, ranked_by=why, outcomes=outcomes, left_out=left_out)
    metric = metric_of_writing(key, results, place=asked_at(asked))
    answered = load_writings(results, folder, metric)
    outcomes, left_out = on_common_rows(answered)
    done = dict.fromkeys(run.name for run in results.runs if run.status == "completed")
    return Scored(
        metric=metric,
        ranked_by=ranked_by(metric, key, results),
        outcomes=outcomes,
        left_out=left_out,
        lacking={name: f"it has no {metric.title}" for name in done if name not in answered},
    )


def outcomes_by(metric: Metric, results: Results, folder: Path) -> dict[str, ArmOutcomes]:
    """Return what all arms scored by a metric, each on all test rows that it answered.

    Args:
        metric: what rows score.
        results: the comparison.
        folder: its folder, where the predictions files lie.

    Raises:
        UserError: for predictions that are missing or damaged.

    """
    if results.task == GENERATION:
        return load_writings(results, folder, metric)
    return load_outcomes(results, folder, score_of=scores_needed(metric.key))
