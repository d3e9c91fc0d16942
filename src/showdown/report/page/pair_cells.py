"""The table of pairs on the page: its headings, and its cells by what they are."""

from showdown.report.pairs import (
    flip_headings,
    flipped,
    interval_shown,
    marked_names,
    p_shown,
    worse,
    worse_heading,
)
from showdown.verdict.model import Verdict
from showdown.verdict.pair_words import needed


def pair_headings(verdict: Verdict) -> dict[str, str]:
    """Return the headings that depend on the metric."""
    metric = verdict.ranking_metric
    first, second = flip_headings(metric)
    unit = "points" if metric.in_points else metric.unit
    return {
        "difference": ", ".join(filter(None, ("Difference", unit))),
        "only_first": first,
        "only_second": second,
        "worse": worse_heading(verdict),
    }


def pair_cells(verdict: Verdict) -> list[dict[str, str]]:
    """Return the cells of each pair."""
    names, metric = marked_names(verdict), verdict.ranking_metric
    return [
        {
            "first": names[pair.first],
            "second": names[pair.second],
            "points": metric.signed(pair.score.value),
            "interval": interval_shown(pair.score, metric),
            "p": p_shown(pair.p_holm),
            "different": "yes" if pair.different else "not shown",
            "only_first": flipped(pair.first_only),
            "only_second": flipped(pair.second_only),
            "worse": worse(pair),
            "needed": "" if pair.different else needed(pair),
        }
        for pair in verdict.pairs
    ]
