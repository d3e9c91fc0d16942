"""Every pair of arms as plain cells: the difference with its interval, the tests, and what else differs."""

from collections.abc import Mapping

from showdown.core.metric import ACCURACY, METRICS, metric_named
from showdown.report.notes import CUT_SHORT, CUT_SHORT_NOTE, some
from showdown.verdict.model import Interval, PairVerdict, Standing, Verdict
from showdown.verdict.pair_words import signed_points
from showdown.verdict.recommend import points

_ANSWERS: dict[Standing, str] = {"non-inferior": "no", "may be worse": "may be", "worse": "yes"}


def headings(verdict: Verdict) -> list[str]:
    """Return the headings of the cells."""
    other = _other(verdict)
    return [
        "First",
        "Second",
        f"{metric_named(verdict.metric).capital}, points",
        "95 % interval",
        "p (Holm)",
        "Different",
        "Only first right, rows",
        "Only second right, rows",
        f"Worse, margin {points(verdict.margin_points / 100)}",
        f"{metric_named(other).capital}, points",
        "95 % interval",
        "McNemar p, one run each",
        "Differ also in",
    ]


def _other(verdict: Verdict) -> str:
    """Return the metric beside that of the verdict, for information: macro F1, or accuracy beside any other."""
    return METRICS["f1_macro"].key if verdict.metric == ACCURACY.key else ACCURACY.key


def pair_rows(verdict: Verdict) -> list[list[str]]:
    """Return the cells of each pair, in the order of the table; differences are first less second."""
    names, accuracy = marked_names(verdict), verdict.metric == ACCURACY.key
    return [_cells(pair, names, pair.f1_macro if accuracy else pair.accuracy) for pair in verdict.pairs]


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
    repeated = any(pair.test == "corrected resampled t" for pair in verdict.pairs)
    accuracy = verdict.metric == ACCURACY.key
    how = "the corrected resampled t-test over repeats"
    if not repeated:
        how = "a paired test over test rows (copies of a text count together) and over reruns; "
        how += (
            "with one seed each, the exact McNemar test must agree, which knows nothing of reruns"
            if accuracy
            else "each row counts with its influence on the score, by the jackknife"
        )
    f1 = "" if repeated or not accuracy else " Macro F1 has an interval by the jackknife and is not tested."
    f1 = f1 if accuracy else " Accuracy is not tested."
    pairs = some(len(verdict.pairs), "pair")
    margin = points(verdict.margin_points / 100)
    short = f" {CUT_SHORT_NOTE}" if any(row.cut_short for row in verdict.rows) else ""
    return (
        f"{metric_named(verdict.metric).capital} is tested: {how}. p is adjusted over {pairs}, intervals are "
        f"those of the pair alone.{f1} Only first right: test rows that the first answers rightly and the second "
        f"wrongly, the mean over all pairs of their seeds. Worse, no: at most {margin} worse "
        "(one-sided test at 5 %, adjusted over all rows beside the other); yes: a difference was shown; may be: "
        f"neither.{short}"
    )


def _cells(pair: PairVerdict, names: Mapping[str, str], other: Interval | None) -> list[str]:
    return [
        names[pair.first],
        names[pair.second],
        signed_points(pair.score.value),
        interval_shown(pair.score),
        p_shown(pair.p_holm),
        "yes" if pair.different else "not shown",
        flipped(pair.first_only),
        flipped(pair.second_only),
        worse(pair),
        "-" if other is None else signed_points(other.value),
        "-" if other is None else interval_shown(other),
        "-" if pair.mcnemar_p is None else p_shown(pair.mcnemar_p),
        ", ".join(pair.confounds) or "-",
    ]


def interval_shown(found: Interval) -> str:
    """Return the ends of an interval in points."""
    return f"{signed_points(found.low)} to {signed_points(found.high)}"


def p_shown(value: float) -> str:
    """Return a p-value with three decimals."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
