"""McNemar's test, and the test of a difference in accuracy that it must agree with."""

from dataclasses import replace

from scipy import special

from showdown.verdict.outcomes import Floats, Ints
from showdown.verdict.paired import PairTest, Side, contrast_test


def mcnemar_exact(first: Floats, second: Floats) -> float:
    """Two-sided exact McNemar test of two runs (rows,): a binomial test of the rows that only one got right."""
    only_first, only_second = int((first > second).sum()), int((second > first).sum())
    tail = special.bdtr(min(only_first, only_second), only_first + only_second, 0.5)
    return float(min(1.0, 2.0 * tail))


def paired_test(first: Side, second: Side, clusters: Ints) -> PairTest:
    """Test a difference in accuracy on shared rows, with the spread between reruns in it.

    With one run each the exact McNemar test must agree: the larger p-value counts.

    Args:
        first: one method.
        second: the other, on the same rows.
        clusters: shape (rows,).

    """
    found = contrast_test([first], [second], clusters)
    exact = mcnemar_exact(first.values[0], second.values[0])
    return replace(found, exact_p=exact, must_pass_exact=len(first.values) == len(second.values) == 1)
