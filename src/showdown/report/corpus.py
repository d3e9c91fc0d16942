"""Scores of all answers together: in a line beneath the table, since no row is ranked by them."""

from collections.abc import Sequence
from statistics import fmean

from showdown.core.record import Results, Writing


def corpus_scores(results: Results, beside: Sequence[str]) -> list[str]:
    """State corpus chrF of every arm, for comparison with published figures.

    Args:
        results: the comparison, with its whole training sets alone.
        beside: keys of the scores that the table shows; the line stands only where chrF is one of them.

    """
    found: dict[str, list[Writing]] = {}
    for run in results.runs:
        if run.status == "completed" and run.writing and run.writing.corpus_chrf is not None:
            found.setdefault(run.name, []).append(run.writing)
    if not found or "chrf" not in beside:
        return []
    several = any(len(runs) > 1 for runs in found.values())
    mean = "; of a row with several runs their mean, without an interval" if several else ""
    each = ", ".join(f"{name} {_said(runs)}" for name, runs in found.items())
    return [
        f"Corpus chrF, from the n-gram counts of all test rows together, as papers report it (sacrebleu's figure over "
        f"100), with the 95 % interval of a bootstrap over duplicate groups{mean}: {each}."
    ]


def _said(runs: Sequence[Writing]) -> str:
    value = f"{fmean(run.corpus_chrf or 0.0 for run in runs):.3f}"
    low, high = runs[0].corpus_chrf_low, runs[0].corpus_chrf_high
    return value if len(runs) > 1 or low is None or high is None else f"{value} ({low:.3f} to {high:.3f})"
