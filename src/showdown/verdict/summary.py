"""From the records of a comparison to its verdict."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from showdown.core.metric import ACCURACY, Metric
from showdown.core.record import Results, RunRecord
from showdown.core.spec import Comparison
from showdown.verdict.arm_intervals import arm_intervals, no_f1_interval, no_interval
from showdown.verdict.claim import claim
from showdown.verdict.classification.answers import answers_of, label_places, load_outcomes
from showdown.verdict.classification.flips import flips, seed_agreement
from showdown.verdict.classification.influence import scores_of
from showdown.verdict.confounds import Confound, between, confounds, network_of
from showdown.verdict.cost import Price, cost_of, energy_of_runs
from showdown.verdict.leak import accuracy_without, copied_rows
from showdown.verdict.learning import judge_curve
from showdown.verdict.load import load_sentences
from showdown.verdict.margin import most_worse, p_of_lead, with_margin
from showdown.verdict.model import NOT_COMPARED, ArmVerdict, PairVerdict, Verdict
from showdown.verdict.outcomes import ArmOutcomes, Outcomes, on_common_rows
from showdown.verdict.pair_words import turned
from showdown.verdict.pairs import interval_of, judge_pairs, score_of
from showdown.verdict.pareto import pareto
from showdown.verdict.ranking import ranking, requested_metric, scores_needed
from showdown.verdict.recommend import Beside, Candidate, Limits, recommend
from showdown.verdict.spread import PRIOR_WORDS, PRIOR_WORTH, net_rerun_variance
from showdown.verdict.training import rate_at_end, under_trained
from showdown.verdict.unexpected_memory import unexpected_memory
from showdown.verdict.words import Findings, leak_sentence, sentences


def judge(
    results: Results,
    folder: Path,
    *,
    limits: Limits | None = None,
    price: Price | None = None,
    margin_points: float | None = None,
    metric: str | None = None,
) -> Verdict:
    """Judge a comparison; runs on a part of the training rows make its learning curve alone.

    Rows are ranked, compared and recommended on the test rows that all of them answered.

    Args:
        results: its records.
        folder: its folder, where the predictions files lie.
        limits: what a recommended method must keep to; by default nothing.
        price: the user's own price an hour; without it example prices are looked up.
        margin_points: how many points worse a method may be and still do as well; by default what the comparison says.
        metric: what methods are ranked, tested and recommended by, as `protocol.metric` has it; by default that.

    Raises:
        UserError: for predictions that are missing or damaged, or a metric that there is not.

    """
    key = requested_metric(results, metric)
    curve = judge_curve(results, folder)
    limits, results = limits or Limits(), results.full_size
    margin = margin_of(results) if margin_points is None else margin_points
    runs: dict[str, list[RunRecord]] = {}
    for run in results.runs:
        runs.setdefault(run.name, []).append(run)
    answered = load_outcomes(results, folder, score_of=scores_needed(key))
    outcomes, common = on_common_rows(answered)
    by, ranked_by = ranking(key, outcomes, label_places(results))
    completed = {name: [run for run in found if run.status == "completed"] for name, found in runs.items()}
    done = {name: found for name, found in completed.items() if found}
    differing = confounds(done, longest_tokens=_longest_tokens(results))
    rows = [_row(found, outcomes.get(name), price, outcomes, common, by) for name, found in runs.items()]
    pairs = _pairs(outcomes, differing, margin / 100, by)
    front = pareto(measures([row for row in rows if row.score], by))
    without = accuracy_without(outcomes, copied_rows(results.data))
    leak = leak_sentence(results.data, without) if any(run.allow_leakage for run in results.runs) else None
    chosen = recommend(candidates(rows, pairs, by), limits, by)
    known, loaded = [text for text in (leak, common) if text], load_sentences(done)
    return Verdict(
        sentences=sentences(
            rows,
            pairs,
            front,
            differing,
            metric=by,
            findings=Findings(
                ranked_by=ranked_by,
                known=known,
                undertrained=[
                    *under_trained(rows, pairs, {name: network_of(found[0]) for name, found in done.items()})
                ],
                memory=[*unexpected_memory(completed, differing), *loaded],
            ),
        ),
        rows=rows,
        pairs=pairs,
        pareto=front,
        confounds=differing,
        curve=curve,
        limits=limits,
        left_out=common,
        metric=by.key,
        margin_points=margin,
        recommendation=chosen.model_copy(
            update={"warnings": [*([ranked_by] if ranked_by else []), *known, *chosen.warnings, *loaded]}
        ),
        assumptions=_assumptions(outcomes, rows, price),
    )


def margin_of(results: Results) -> float:
    """Return the margin that a comparison asks for, in points; the default where its record has none."""
    return float(results.comparison.get("margin_points", Comparison.model_fields["margin_points"].default))


def _longest_tokens(results: Results) -> int | None:
    """Return the tokens of the longest text, where the audit counted them."""
    lengths = (results.data.get("inspection") or {}).get("lengths")
    return int(lengths["longest_tokens"]) if lengths else None


def measures(rows: Sequence[ArmVerdict], metric: Metric = ACCURACY) -> list[tuple[str, dict[str, float | None]]]:
    """Return the measures of each arm for the Pareto front: the metric, macro F1 and costs.

    Memory is left out where rows measured different kinds of it.
    """
    own = metric.key not in {"accuracy", "f1_macro"}
    one_kind = len({row.memory_kind for row in rows}) < 2
    return [
        (
            row.name,
            {
                "score": metric.sign * row.score.value if row.score and own else None,
                "accuracy": row.accuracy.value if row.accuracy and metric == ACCURACY else None,
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


def candidates(rows: Sequence[ArmVerdict], pairs: Sequence[PairVerdict], metric: Metric = ACCURACY) -> list[Candidate]:
    """Return the arms that have scores, as `recommend` takes them; pairs are tested against a margin."""
    beside: dict[str, dict[str, Beside]] = {row.name: {} for row in rows}
    for pair in pairs:
        for turn in (pair, turned(pair)):
            beside[turn.second][turn.first] = beside_of(turn)
    return [
        Candidate(
            name=row.name,
            score=metric.sign * row.score.value,
            floor=row.constant and metric != ACCURACY,
            accuracy=row.accuracy.value,
            f1_macro=row.f1_macro.value,
            f1_macro_low=row.f1_macro.low if row.f1_macro.low is not None else row.f1_macro.value,
            memory_gb=row.memory_gb,
            cost=row.cost.model if row.cost else None,
            latency_ms=row.latency_ms,
            train_seconds=row.train_seconds,
            runs=row.runs,
            diverged=row.diverged,
            cut_short=row.cut_short,
            beside=beside[row.name],
        )
        for row in rows
        if row.score and row.accuracy and row.f1_macro
    ]


def beside_of(pair: PairVerdict) -> Beside:
    """Return how the second arm of a pair compares with the first."""
    assert pair.within is not None
    return Beside(
        standing=pair.within.second,
        margin=pair.within.margin,
        may_be_worse_by=most_worse(pair),
        p_of_lead=p_of_lead(pair),
        different=pair.different,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _memory_gb(runs: Sequence[RunRecord]) -> float | None:
    peaks = [run.peak_memory_device_gb.run for run in runs if run.peak_memory_device_gb]
    return max(peaks) if peaks else None


def _row(
    runs: Sequence[RunRecord],
    outcome: ArmOutcomes | None,
    price: Price | None,
    among: Mapping[str, ArmOutcomes],
    common: str | None,
    metric: Metric,
) -> ArmVerdict:
    done = [run for run in runs if run.status == "completed"]
    diverged = [run for run in runs if run.status == "diverged"]
    lost = [run for run in runs if run.status != "completed" and (run.status != "diverged" or not done)]
    missing = next((f"{run.status}: {run.error}" for run in lost), None)
    if done and outcome is None:
        missing = f"{NOT_COMPARED}: {(common or '').rstrip('.')}"
    ends = [run.convergence for run in done if run.convergence]
    scores = arm_intervals(outcome, list(among.values()), metric) if outcome else {}
    parts = list(answers_of(outcome).values()) if outcome else []
    return ArmVerdict(
        name=runs[0].name,
        method=runs[0].method,
        title=runs[0].title,
        traits=runs[0].traits,
        seeds=outcome.seeds if outcome else 0,
        partitions=len({run.partition for run in done}),
        repeated=outcome.repeated if outcome else False,
        test_rows=len(parts[0].true) if parts else 0,
        clusters=len(np.unique(parts[0].clusters)) if parts else 0,
        score=score_of(scores["score"], no_interval(outcome, metric)) if outcome else None,
        accuracy=interval_of(scores["accuracy"]) if scores else None,
        f1_macro=score_of(scores["f1_macro"], no_f1_interval(outcome)) if outcome else None,
        scores={
            **(scores_of(outcome) if outcome else {}),
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
        missing_reason=missing,
        runs=len(runs),
        diverged=len(diverged),
        trained=len(ends),
        unconverged=sum(not end.converged for end in ends),
        seed_agreement=seed_agreement(outcome) if outcome else None,
        rate_at_end=rate_at_end(done),
        constant=bool(parts) and all(len(np.unique(part.predicted)) == 1 for part in parts),
    )


def _spread_points(parts: Sequence[Outcomes]) -> float | None:
    if not parts or len(parts[0].values) < 2:
        return None
    return 100 * float(np.sqrt(np.mean([max(0.0, net_rerun_variance(part.values, part.folds)) for part in parts])))


def _pairs(
    outcomes: Mapping[str, ArmOutcomes], differing: Sequence[Confound], margin: float, metric: Metric
) -> list[PairVerdict]:
    both = [(outcomes[first], outcomes[second]) for first, second in itertools.combinations(outcomes, 2)]
    flipped = {(first.name, second.name): flips(first, second) for first, second in both}
    found = []
    for pair in with_margin(judge_pairs(both, metric=metric), margin):
        first_only, second_only = flipped[pair.first, pair.second]
        keys = dict.fromkeys(item.key for item in between(differing, pair.first, pair.second))
        more = {"first_only": first_only, "second_only": second_only, "confounds": list(keys)}
        found.append(pair.model_copy(update=more))
    return found


def _assumptions(outcomes: Mapping[str, ArmOutcomes], rows: Sequence[ArmVerdict], price: Price | None) -> list[str]:
    found = [claim(repeated=any(outcome.repeated for outcome in outcomes.values()))] if outcomes else []
    found += [note for outcome in outcomes.values() for note in outcome.notes]
    drifting = [name for name, item in outcomes.items() if not item.traits.deterministic and not item.repeated]
    single = [name for name in drifting if outcomes[name].seeds == 1]
    if single:
        found.append(
            f"Where a method had one seed, tests and intervals assume a spread between its reruns: {PRIOR_WORDS}."
        )
    if len(drifting) > len(single):
        found.append(
            "The measured spread between reruns is averaged with what the comparison's other methods and an assumed "
            f"one ({PRIOR_WORDS}) make likely, which weighs as much as {PRIOR_WORTH:g} more reruns."
        )
    if price is None and any(row.cost for row in rows):
        found.append("Prices are examples; give your own with --price-per-hour.")
    return found
