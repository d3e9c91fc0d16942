"""Every pair of rows as plain cells: the effect with its interval, the tests, and what else differs between the two."""

from showdown.report.notes import some
from showdown.verdict.model import Interval, PairVerdict, Verdict
from showdown.verdict.words import signed_points

HEADINGS = [
    "First",
    "Second",
    "Accuracy, points",
    "95 % interval",
    "p (Holm)",
    "Different",
    "Macro F1, points",
    "95 % interval",
    "McNemar p, one run each",
    "Differ also in",
]


def pair_rows(verdict: Verdict) -> list[list[str]]:
    """Return the cells of each pair, in the order of the table; differences are first less second."""
    return [_cells(pair) for pair in verdict.pairs]


def pair_note(verdict: Verdict) -> str:
    """Say how the pairs were tested."""
    repeated = any(pair.test == "corrected resampled t" for pair in verdict.pairs)
    how = (
        "the corrected resampled t-test over repeats"
        if repeated
        else "a paired test over rows, in duplicate clusters, and reruns; with one seed each the exact McNemar test of "
        "those runs, which is blind to reruns, must agree"
    )
    f1 = "" if repeated else " Macro F1 has an interval by the jackknife and is not tested."
    pairs = some(len(verdict.pairs), "pair")
    return f"Accuracy is tested: {how}. p is adjusted over {pairs}, intervals are those of the pair alone.{f1}"


def _cells(pair: PairVerdict) -> list[str]:
    return [
        pair.first,
        pair.second,
        signed_points(pair.accuracy.value),
        _interval(pair.accuracy),
        _p(pair.p_holm),
        "yes" if pair.different else "not shown",
        "-" if pair.f1_macro is None else signed_points(pair.f1_macro.value),
        "-" if pair.f1_macro is None else _interval(pair.f1_macro),
        "-" if pair.mcnemar_p is None else _p(pair.mcnemar_p),
        ", ".join(pair.confounds) or "-",
    ]


def _interval(found: Interval) -> str:
    return f"{signed_points(found.low)} to {signed_points(found.high)}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
