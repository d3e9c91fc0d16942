"""Everything that the verdict says of one arm."""

from collections.abc import Mapping, Sequence

import numpy as np

from showdown.core.metric import Metric
from showdown.core.record import RunRecord
from showdown.verdict.arm_intervals import arm_intervals, no_f1_interval, no_interval
from showdown.verdict.classification.answers import Answers
from showdown.verdict.classification.flips import seed_agreement
from showdown.verdict.classification.influence import scores_of
from showdown.verdict.cost import Price, cost_of, energy_of_runs
from showdown.verdict.generation.measured import forgetting_of, writing_of
from showdown.verdict.generation.writings import Writings, mean_scores
from showdown.verdict.model import NOT_COMPARED, ArmVerdict
from showdown.verdict.outcomes import ArmOutcomes, Outcomes
from showdown.verdict.pairs import interval_of, score_of
from showdown.verdict.spread import net_rerun_variance
from showdown.verdict.training import rate_at_end


def arm_verdict(
    runs: Sequence[RunRecord],
    outcome: ArmOutcomes | None,
    *,
    price: Price | None,
    among: Mapping[str, ArmOutcomes],
    left_out: str | None,
    metric: Metric,
) -> ArmVerdict:
    """Judge one arm by itself.

    Args:
        runs: all of its runs.
        outcome: what it scored; None where it is not compared with the others.
        price: the user's own price an hour; None for example prices.
        among: all arms: how far their reruns spread tells what to expect of this one.
        left_out: sentences on what was left out, for an arm that is not compared.
        metric: that of the verdict.

    """
    done = [run for run in runs if run.status == "completed"]
    diverged = [run for run in runs if run.status == "diverged"]
    lost = [run for run in runs if run.status != "completed" and (run.status != "diverged" or not done)]
    missing = next((f"{run.status}: {run.error}" for run in lost), None)
    if done and outcome is None:
        missing = f"{NOT_COMPARED}: {(left_out or '').rstrip('.')}"
    ends = [run.convergence for run in done if run.convergence]
    scores = arm_intervals(outcome, list(among.values()), metric) if outcome else {}
    parts = list(outcome.parts.values()) if outcome else []
    return ArmVerdict(
        name=runs[0].name,
        method=runs[0].method,
        title=runs[0].title,
        traits=runs[0].traits,
        seeds=outcome.seeds if outcome else 0,
        partitions=len({run.partition for run in done}),
        repeated=outcome.repeated if outcome else False,
        test_rows=len(parts[0].row_ids) if parts else 0,
        clusters=len(np.unique(parts[0].clusters)) if parts else 0,
        score=score_of(scores["score"], no_interval(outcome, metric)) if outcome else None,
        accuracy=interval_of(scores["accuracy"]) if "accuracy" in scores else None,
        f1_macro=score_of(scores["f1_macro"], no_f1_interval(outcome)) if outcome and "f1_macro" in scores else None,
        scores={
            **(_all_scores(outcome) if outcome else {}),
            **{key: scores[key].value for key in ("accuracy", "f1_macro") if key in scores},
        },
        rerun_spread_points=_spread_points(parts),
        memory_gb=_memory_gb(done),
        memory_kind=done[0].memory_kind if done else None,
        train_seconds=_mean([run.train_seconds for run in done]),
        model_size_mb=_mean([run.model_size_mb for run in done]),
        latency_ms=_mean([run.latency_p95_ms for run in done]),
        rows_per_second=_mean([run.rows_per_second for run in done]),
        cost=cost_of(done, price),
        energy=energy_of_runs(done),
        forgetting=forgetting_of(done),
        writing=writing_of(done),
        missing_reason=missing,
        runs=len(runs),
        diverged=len(diverged),
        trained=len(ends),
        unconverged=sum(not end.converged for end in ends),
        seed_agreement=_agreement(outcome) if outcome else None,
        rate_at_end=rate_at_end(done),
        constant=bool(parts) and all(_is_constant(part) for part in parts),
    )


def _all_scores(outcome: ArmOutcomes) -> dict[str, float]:
    """Return every score of an arm by its key."""
    writes = any(isinstance(part, Writings) for part in outcome.parts.values())
    return mean_scores(outcome) if writes else scores_of(outcome)


def _agreement(outcome: ArmOutcomes) -> float | None:
    """Return the share of test rows on which all seeds of an arm agree, the mean over repeats; None with one seed."""
    writings = [part for part in outcome.parts.values() if isinstance(part, Writings)]
    if not writings:
        return seed_agreement(outcome)
    return float(np.mean([part.same_on_all_seeds for part in writings])) if outcome.seeds > 1 else None


def _is_constant(part: Outcomes) -> bool:
    """Return whether an arm gives one answer to every row."""
    if isinstance(part, Writings):
        return part.is_constant
    return isinstance(part, Answers) and len(np.unique(part.predicted)) == 1


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _memory_gb(runs: Sequence[RunRecord]) -> float | None:
    peaks = [run.peak_memory_device_gb.run for run in runs if run.peak_memory_device_gb]
    return max(peaks) if peaks else None


def _spread_points(parts: Sequence[Outcomes]) -> float | None:
    if not parts or len(parts[0].values) < 2:
        return None
    return 100 * float(np.sqrt(np.mean([max(0.0, net_rerun_variance(part.values, part.folds)) for part in parts])))
