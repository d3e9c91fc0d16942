"""The pairs that a report shows: all where they are few, else those of the best and the recommended arm."""

from dataclasses import dataclass

from showdown.verdict.model import PairVerdict, Verdict

MOST_PAIRS = 60
"""Of 11 rows there are 55 pairs."""


@dataclass(frozen=True, kw_only=True)
class ShownPairs:
    """The pairs that are shown, and how they were chosen."""

    pairs: list[PairVerdict]
    left_out: str
    """Says what is not shown; empty where all is."""


def shown_pairs(verdict: Verdict) -> ShownPairs:
    """Return all pairs or, of more than `MOST_PAIRS`, those of the best and of the recommended arm."""
    every = list(verdict.pairs)
    if len(every) <= MOST_PAIRS:
        return ShownPairs(pairs=every, left_out="")
    metric = verdict.ranking_metric
    scores = {row.name: metric.sign * row.score.value for row in verdict.rows if row.score}
    leader = max(scores, key=lambda name: scores[name])
    lines = [f"{leader}, which has the {metric.best_word} {metric.title}"]
    chosen = verdict.recommendation.chosen
    if chosen and chosen != leader:
        lines.append(f"{chosen}, which is recommended")
    kept = [pair for pair in every if {pair.first, pair.second} & {leader, chosen}]
    return ShownPairs(
        pairs=kept,
        left_out=f"Shown are {len(kept)} of {len(every):,} pairs: those of {' and of '.join(lines)}. All are in "
        "`showdown.judge(OUT).pairs` in Python.",
    )
