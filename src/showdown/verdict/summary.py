"""From the records of a comparison to its verdict."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from showdown.core.metric import ACCURACY, Metric
from showdown.core.record import Results, RunRecord
from showdown.core.spec import Comparison
from showdown.verdict.arm_verdict import arm_verdict
from showdown.verdict.claim import claim
from showdown.verdict.classification.flips import flips
from showdown.verdict.confounds import Confound, between, confounds, network_of
from showdown.verdict.cost import Price
from showdown.verdict.generation.higher import rows_scored_higher
from showdown.verdict.generation.writings import other_tokens
from showdown.verdict.leak import copied_rows, scores_without
from showdown.verdict.learning import judge_curve
from showdown.verdict.listing import listed
from showdown.verdict.load import load_sentences
from showdown.verdict.margin import most_worse, p_of_lead, with_margin
from showdown.verdict.model import ArmVerdict, PairVerdict, Score, Verdict
from showdown.verdict.outcomes import ArmOutcomes
from showdown.verdict.pair_words import turned
from showdown.verdict.pairs import judge_pairs
from showdown.verdict.pareto import pareto
from showdown.verdict.ranking import requested_metric
from showdown.verdict.recommend import Beside, Candidate, Limits, recommend
from showdown.verdict.scored import Scored, scored
from showdown.verdict.spread import PRIOR_WORTH, prior_words
from showdown.verdict.training import under_trained
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
    key, every = requested_metric(results, metric), results
    limits, results = limits or Limits(), results.full_size
    margin = margin_of(results) if margin_points is None else margin_points
    runs: dict[str, list[RunRecord]] = {}
    for run in results.runs:
        runs.setdefault(run.name, []).append(run)
    found = scored(results, folder, key, asked=metric)
    by, outcomes = found.metric, found.outcomes
    completed = {name: [run for run in of_arm if run.status == "completed"] for name, of_arm in runs.items()}
    done = {name: of_arm for name, of_arm in completed.items() if of_arm}
    differing = confounds(done, longest_tokens=_longest_tokens(results))
    rows = [
        arm_verdict(
            of_arm,
            outcomes.get(name),
            price=price,
            among=outcomes,
            left_out=found.lacking.get(name, found.left_out),
            metric=by,
        )
        for name, of_arm in runs.items()
    ]
    pairs = _pairs(outcomes, differing, margin / 100, by)
    front = pareto(measures([row for row in rows if row.score], by))
    chosen = recommend(candidates(rows, pairs, by), limits, by)
    known, loaded = _known(results, found), load_sentences(done)
    return Verdict(
        sentences=sentences(
            rows,
            pairs,
            front,
            differing,
            metric=by,
            findings=Findings(
                ranked_by=found.ranked_by,
                known=known,
                undertrained=[
                    *under_trained(rows, pairs, {name: network_of(of_arm[0]) for name, of_arm in done.items()}, by)
                ],
                memory=[*unexpected_memory(completed, differing), *loaded],
                quantised_before=_quantised_before(done),
            ),
        ),
        rows=rows,
        pairs=pairs,
        pareto=front,
        confounds=differing,
        curve=judge_curve(every, folder, by if by.is_of_writing else ACCURACY),
        limits=limits,
        left_out=found.left_out,
        task=results.task,
        metric=by.key,
        own_score=results.own_score,
        margin_points=margin,
        recommendation=chosen.model_copy(
            update={"warnings": [*filter(None, [found.ranked_by]), *known, *chosen.warnings, *loaded]}
        ),
        assumptions=_assumptions(outcomes, rows, price, by),
    )


def _known(results: Results, found: Scored) -> list[str]:
    """Return sentences on what must be known of the scores: a leak, what was left out, tokens that are not the same."""
    metric, lines = found.metric, []
    if any(run.allow_leakage for run in results.runs):
        by = metric if metric.is_of_writing else ACCURACY
        lines.append(leak_sentence(results.data, scores_without(found.outcomes, copied_rows(results.data), by), by))
    lines += [found.left_out] if found.left_out else []
    other = other_tokens(list(found.outcomes.values())) if metric.of_token_loss else None
    if other:
        lines.append(
            f"{listed(other)} count different tokens in the same answers: their {metric.title} is not of the same "
            "thing, and says little of which is better."
        )
    return lines


def _quantised_before(done: Mapping[str, Sequence[RunRecord]]) -> dict[str, str]:
    """Return by arm in which form the weights of its network were quantised before, where its runs say so."""
    found = {name: runs[0].chosen.get("base_quantised_before") for name, runs in done.items()}
    return {name: str(form) for name, form in found.items() if form}


def margin_of(results: Results) -> float:
    """Return the margin that a comparison asks for, in points; the default where its record has none."""
    return float(results.comparison.get("margin_points", Comparison.model_fields["margin_points"].default))


def _longest_tokens(results: Results) -> int | None:
    """Return the tokens of the longest text, where the audit counted them."""
    lengths = (results.data.get("inspection") or {}).get("lengths")
    return int(lengths["longest_tokens"]) if lengths else None


def measures(rows: Sequence[ArmVerdict], metric: Metric = ACCURACY) -> list[tuple[str, dict[str, float | None]]]:
    """Return the measures of each arm for the Pareto front: the metric, macro F1 and costs.

    Memory is left out where rows measured different kinds of it, and the rise of the loss on general text where no row
    measured one.
    """
    own = metric.key not in {"accuracy", "f1_macro"}
    forgotten = any(row.forgetting for row in rows)
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
                "first_token_ms": row.writing.first_token_p95_ms if row.writing else None,
                "tokens_per_second": row.writing.tokens_per_second if row.writing else None,
                "general_loss_rise": row.general_loss_rise if forgotten else None,
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
            floor=_is_floor(row, metric),
            accuracy=row.accuracy.value if row.accuracy else None,
            f1_macro=row.f1_macro.value if row.f1_macro else None,
            f1_macro_low=_low(row.f1_macro) if row.f1_macro else None,
            memory_gb=row.memory_gb,
            cost=row.cost.model if row.cost else None,
            latency_ms=row.latency_ms,
            train_seconds=row.train_seconds,
            general_loss_rise=row.general_loss_rise,
            runs=row.runs,
            diverged=row.diverged,
            cut_short=row.cut_short,
            beside=beside[row.name],
        )
        for row in rows
        if row.score
    ]


def _is_floor(row: ArmVerdict, metric: Metric) -> bool:
    """Return whether an arm can stand in for no other one: a constant answer, and a floor that copies from prompts."""
    return (row.constant and metric != ACCURACY) or (metric.is_of_writing and row.traits.role == "floor")


def _low(score: Score) -> float:
    return score.value if score.low is None else score.low


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


def _pairs(
    outcomes: Mapping[str, ArmOutcomes], differing: Sequence[Confound], margin: float, metric: Metric
) -> list[PairVerdict]:
    both = [(outcomes[first], outcomes[second]) for first, second in itertools.combinations(outcomes, 2)]
    count = rows_scored_higher if metric.is_of_writing else flips
    flipped = {(first.name, second.name): count(first, second) for first, second in both}
    found = []
    for pair in with_margin(judge_pairs(both, metric=metric), margin):
        first_only, second_only = flipped[pair.first, pair.second]
        keys = dict.fromkeys(item.key for item in between(differing, pair.first, pair.second))
        more = {"first_only": first_only, "second_only": second_only, "confounds": list(keys)}
        found.append(pair.model_copy(update=more))
    return found


def _assumptions(
    outcomes: Mapping[str, ArmOutcomes], rows: Sequence[ArmVerdict], price: Price | None, metric: Metric
) -> list[str]:
    found = [claim(repeated=any(outcome.repeated for outcome in outcomes.values()))] if outcomes else []
    found += [note for outcome in outcomes.values() for note in outcome.notes]
    drifting = [name for name, item in outcomes.items() if not item.traits.deterministic and not item.repeated]
    single = [name for name in drifting if outcomes[name].seeds == 1]
    prior = prior_words(metric)
    if single:
        found.append(f"Where a method had one seed, tests and intervals assume a spread between its reruns: {prior}.")
    if len(drifting) > len(single):
        found.append(
            "The measured spread between reruns is averaged with what the comparison's other methods and an assumed "
            f"one ({prior}) make likely, which weighs as much as {PRIOR_WORTH:g} more reruns."
        )
    if price is None and any(row.cost for row in rows):
        found.append("Prices are examples; give your own with --price-per-hour.")
    return found
