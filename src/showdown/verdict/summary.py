"""From the records of a comparison to its verdict."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from showdown.core.record import Results, RunRecord
from showdown.verdict.confounds import Confound, between, confounds
from showdown.verdict.cost import PRICES_OF, Price, cost_of, energy_of_runs
from showdown.verdict.intervals import no_f1_interval, row_intervals
from showdown.verdict.learning import judge_curve
from showdown.verdict.model import PairVerdict, RowVerdict, Verdict
from showdown.verdict.outcomes import Outcomes, RowOutcomes, load_outcomes
from showdown.verdict.pairs import interval_of, judge_pairs, score_of
from showdown.verdict.pareto import pareto
from showdown.verdict.recommend import Candidate, Limits, recommend
from showdown.verdict.spread import PRIOR_WORDS, PRIOR_WORTH, STEADY_METHODS, net_rerun_variance
from showdown.verdict.surprise import memory_surprises
from showdown.verdict.words import leak_said, sentences


def judge(results: Results, folder: Path, *, limits: Limits | None = None, price: Price | None = None) -> Verdict:
    """Judge a comparison; runs on a part of the training rows make its learning curve alone.

    Args:
        results: its records.
        folder: its folder, where the predictions files lie.
        limits: what a recommended method must keep to; by default nothing.
        price: the user's own price an hour; without it example prices are looked up.

    Raises:
        UserError: for predictions that are missing or damaged.

    """
    curve = judge_curve(results, folder)
    limits, results = limits or Limits(), results.full_size
    runs: dict[str, list[RunRecord]] = {}
    for run in results.runs:
        runs.setdefault(run.name, []).append(run)
    outcomes = load_outcomes(results, folder)
    completed = {name: [run for run in found if run.status == "completed"] for name, found in runs.items()}
    done = {name: found for name, found in completed.items() if found}
    differing = confounds(done, longest_tokens=_longest_tokens(results))
    rows = [_row(found, outcomes.get(name), price, among=list(outcomes.values())) for name, found in runs.items()]
    pairs = _with_confounds(_pairs(outcomes), differing)
    front = pareto(measures([row for row in rows if row.accuracy]))
    leak = leak_said(results.data) if any(run.allow_leakage for run in results.runs) else None
    chosen = recommend(candidates(rows, pairs), limits)
    recommendation = chosen.model_copy(update={"warnings": [leak] if leak else []})
    return Verdict(
        sentences=sentences(
            rows,
            pairs,
            front,
            differing,
            leak=leak,
            surprises=memory_surprises(completed, differing),
        ),
        rows=rows,
        pairs=pairs,
        pareto=front,
        confounds=differing,
        curve=curve,
        limits=limits,
        recommendation=recommendation,
        assumptions=_assumptions(outcomes, rows, price),
    )


def _longest_tokens(results: Results) -> int | None:
    """Return the tokens of the longest text, where the audit counted them."""
    lengths = (results.data.get("inspection") or {}).get("lengths")
    return int(lengths["longest_tokens"]) if lengths else None


def measures(rows: Sequence[RowVerdict]) -> list[tuple[str, dict[str, float | None]]]:
    """Return what each row is weighed by; memory is left out where rows measured different kinds of it."""
    one_kind = len({row.memory_kind for row in rows}) < 2
    return [
        (
            row.name,
            {
                "accuracy": row.accuracy.value if row.accuracy else None,
                "f1_macro": row.f1_macro.value if row.f1_macro else None,
                "memory_gb": row.memory_gb if one_kind else None,
                "train_seconds": row.train_seconds,
                "cost": row.cost.model if row.cost else None,
                "model_size_mb": row.model_size_mb,
                "latency_ms": row.latency_ms,
            },
        )
        for row in rows
    ]


def candidates(rows: Sequence[RowVerdict], pairs: Sequence[PairVerdict]) -> list[Candidate]:
    """Return the rows that have scores, as `recommend` wants them."""
    alike: dict[str, list[str]] = {row.name: [] for row in rows}
    for pair in pairs:
        if not pair.different:
            alike[pair.first].append(pair.second)
            alike[pair.second].append(pair.first)
    return [
        Candidate(
            name=row.name,
            accuracy=row.accuracy.value,
            f1_macro=row.f1_macro.value,
            f1_macro_low=row.f1_macro.low if row.f1_macro.low is not None else row.f1_macro.value,
            memory_gb=row.memory_gb,
            cost=row.cost.model if row.cost else None,
            latency_ms=row.latency_ms,
            train_seconds=row.train_seconds,
            not_told_apart=alike[row.name],
        )
        for row in rows
        if row.accuracy and row.f1_macro
    ]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _memory_gb(runs: Sequence[RunRecord]) -> float | None:
    peaks = [run.peak_memory_device_gb.run for run in runs if run.peak_memory_device_gb]
    return max(peaks) if peaks else None


def _row(
    runs: Sequence[RunRecord], outcome: RowOutcomes | None, price: Price | None, *, among: Sequence[RowOutcomes]
) -> RowVerdict:
    done = [run for run in runs if run.status == "completed"]
    missing = next((f"{run.status}: {run.error}" for run in runs if run.status != "completed"), None)
    scores = row_intervals(outcome, among) if outcome else {}
    parts = list(outcome.parts.values()) if outcome else []
    return RowVerdict(
        name=runs[0].name,
        method=runs[0].method,
        title=runs[0].title,
        seeds=outcome.seeds if outcome else 0,
        partitions=len({run.partition for run in done}),
        repeated=outcome.repeated if outcome else False,
        test_rows=len(parts[0].true) if parts else 0,
        clusters=len(np.unique(parts[0].clusters)) if parts else 0,
        accuracy=interval_of(scores["accuracy"]) if scores else None,
        f1_macro=score_of(scores["f1_macro"], no_f1_interval(outcome)) if outcome else None,
        rerun_spread_points=_spread_points(parts),
        memory_gb=_memory_gb(done),
        memory_kind=done[0].memory_kind if done else None,
        train_seconds=_mean([run.train_seconds for run in done]),
        model_size_mb=_mean([run.model_size_mb for run in done]),
        latency_ms=_mean([run.latency_p95_ms for run in done]),
        rows_per_second=_mean([run.rows_per_second for run in done]),
        cost=cost_of(done, price),
        energy=energy_of_runs(done),
        obstacle=missing,
    )


def _spread_points(parts: Sequence[Outcomes]) -> float | None:
    if not parts or len(parts[0].predicted) < 2:
        return None
    return 100 * float(np.sqrt(np.mean([max(0.0, net_rerun_variance(part.correct, part.folds)) for part in parts])))


def _pairs(outcomes: Mapping[str, RowOutcomes]) -> list[PairVerdict]:
    return judge_pairs([(outcomes[first], outcomes[second]) for first, second in itertools.combinations(outcomes, 2)])


def _with_confounds(pairs: Sequence[PairVerdict], differing: Sequence[Confound]) -> list[PairVerdict]:
    found = [dict.fromkeys(item.key for item in between(differing, pair.first, pair.second)) for pair in pairs]
    return [pair.model_copy(update={"confounds": list(keys)}) for pair, keys in zip(pairs, found, strict=True)]


def _assumptions(outcomes: Mapping[str, RowOutcomes], rows: Sequence[RowVerdict], price: Price | None) -> list[str]:
    found = [note for outcome in outcomes.values() for note in outcome.notes]
    drifting = [name for name, item in outcomes.items() if item.method not in STEADY_METHODS and not item.repeated]
    single = [name for name in drifting if outcomes[name].seeds == 1]
    if single:
        found.append(
            f"One seed of {', '.join(single)}: its spread between reruns is unknown. Tests and intervals assume one, "
            f"{PRIOR_WORDS}. More seeds would tell."
        )
    if len(drifting) > len(single):
        found.append(
            "The measured spread between reruns is averaged with what the comparison's other methods and an assumed "
            f"one ({PRIOR_WORDS}) make likely, which weighs as much as {PRIOR_WORTH:g} more reruns."
        )
    if price is None and any(row.cost for row in rows):
        found.append(f"Prices are examples (the newest of {PRICES_OF}); your own price an hour goes first.")
    return found
