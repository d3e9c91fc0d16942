"""Every pair of arms as plain cells: the difference with its interval, the tests, and what else differs."""

from collections.abc import Mapping

from showdown.core.metric import ACCURACY, METRICS, Metric
from showdown.report.notes import CUT_SHORT, CUT_SHORT_NOTE, some
from showdown.verdict.model import Interval, PairVerdict, Standing, Verdict

_ANSWERS: dict[Standing, str] = {"non-inferior": "no", "may be worse": "may be", "worse": "yes"}


def headings(verdict: Verdict) -> list[str]:
    """Return the headings of the cells."""
    metric, other = verdict.ranking_metric, _other(verdict)
    beside = [f"{_in_units(other)}", "95 % interval", "McNemar p, one run each"] if other else []
    return [
        "First",
        "Second",
        _in_units(metric),
        "95 % interval",
        "p (Holm)",
        "Different",
        *flip_headings(metric),
        worse_heading(verdict),
        *beside,
        "Differ also in",
    ]


def worse_heading(verdict: Verdict) -> str:
    """Return the heading of the tests against the margin."""
    return f"Worse, margin {verdict.ranking_metric.margin(verdict.margin_points / 100)}"


def flip_headings(metric: Metric) -> tuple[str, str]:
    """Return the headings of the test rows that speak for the first and for the second of a pair."""
    if metric.is_of_writing:
        return "First better, rows", "Second better, rows"
    return "Only first right, rows", "Only second right, rows"


def _in_units(metric: Metric) -> str:
    """Return the heading of differences in a metric."""
    return f"{metric.capital}, points" if metric.in_points else metric.heading


def _other(verdict: Verdict) -> Metric | None:
    """Return the metric beside that of the verdict, for information: macro F1, or accuracy beside any other.

    None for a task without labels.
    """
    if verdict.ranking_metric.is_of_writing:
        return None
    return METRICS["f1_macro"] if verdict.metric == ACCURACY.key else ACCURACY


def pair_rows(verdict: Verdict) -> list[list[str]]:
    """Return the cells of each pair, in the order of the table; differences are first less second.

    Of a metric of which less is better, they are second less first.
    """
    names, metric, other = marked_names(verdict), verdict.ranking_metric, _other(verdict)
    found = []
    for pair in verdict.pairs:
        beside = _beside(pair, other) if other else []
        found.append([*_cells(pair, names, metric), *beside, ", ".join(pair.confounds) or "-"])
    return found


def marked_names(verdict: Verdict) -> dict[str, str]:
    """Return the name of each arm in a table of pairs; one that had not converged has a mark."""
    return {row.name: f"{row.name} {CUT_SHORT}" if row.cut_short else row.name for row in verdict.rows}


def flipped(rows: float) -> str:
    """Format how many test rows flip; a mean over seeds has a decimal."""
    return f"{rows:.0f}" if rows == round(rows) else f"{rows:.1f}"


def worse(pair: PairVerdict) -> str:
    """State for each arm of a pair whether it is worse than the other, against the margin."""
    if pair.within is None:
        return "-"
    found = pair.within
    return f"{pair.first}: {_ANSWERS[found.first]}, {pair.second}: {_ANSWERS[found.second]}"


def pair_note(verdict: Verdict) -> str:
    """Explain how the pairs were tested."""
    metric = verdict.ranking_metric
    repeated = any(pair.test == "corrected resampled t" for pair in verdict.pairs)
    accuracy = verdict.metric == ACCURACY.key
    how = "the corrected resampled t-test over repeats"
    if not repeated:
        how = "a paired test over test rows (copies of a text count together) and over reruns; "
        how += (
            "with one seed each, the exact McNemar test must agree, which knows nothing of reruns"
            if accuracy
            else "each row counts with its own score"
            if metric.mean_over_rows or metric.key == "token_loss"
            else "each row counts with its influence on the score, by the jackknife"
        )
    f1 = "" if repeated or not accuracy else " Macro F1 has an interval by the jackknife and is not tested."
    f1 = f1 if accuracy else " Accuracy is not tested."
    f1 = "" if metric.is_of_writing else f1
    pairs = some(len(verdict.pairs), "pair")
    margin = metric.margin(verdict.margin_points / 100)
    short = f" {CUT_SHORT_NOTE}" if any(row.cut_short for row in verdict.rows) else ""
    return (
        f"{metric.capital} is tested: {how}. p is adjusted over {pairs}, intervals are "
        f"those of the pair alone.{f1} {_flips(metric)}, the mean over all pairs of their seeds. "
        f"Worse, no: at most {margin} worse "
        "(one-sided test at 5 %, adjusted over all rows beside the other); yes: a difference was shown; may be: "
        f"neither.{short}"
    )


def _flips(metric: Metric) -> str:
    """Return how differences and the counts of rows are read, the end of a sentence."""
    if metric.is_of_writing:
        turned = "Differences are the second less the first, so that above 0 the first is better. "
        start = turned if metric.direction == "lower" else ""
        return f"{start}First better: test rows that the first answers better"
    return "Only first right: test rows that the first answers rightly and the second wrongly"


def _cells(pair: PairVerdict, names: Mapping[str, str], metric: Metric) -> list[str]:
    return [
        names[pair.first],
        names[pair.second],
        metric.signed(pair.score.value),
        interval_shown(pair.score, metric),
        p_shown(pair.p_holm),
        "yes" if pair.different else "not shown",
        flipped(pair.first_only),
        flipped(pair.second_only),
        worse(pair),
    ]


def _beside(pair: PairVerdict, other: Metric) -> list[str]:
    found = pair.accuracy if other == ACCURACY else pair.f1_macro
    return [
        "-" if found is None else other.signed(found.value),
        "-" if found is None else interval_shown(found, other),
        "-" if pair.mcnemar_p is None else p_shown(pair.mcnemar_p),
    ]


def interval_shown(found: Interval, metric: Metric) -> str:
    """Return the ends of an interval of differences."""
    return f"{metric.signed(found.low)} to {metric.signed(found.high)}"


def p_shown(value: float) -> str:
    """Return a p-value with three decimals."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
