"""Sentences on a pair of arms: which is better, or that no difference was shown and what would show one."""

from collections.abc import Mapping, Sequence

from showdown.core.metric import ACCURACY, Metric
from showdown.verdict.model import ArmVerdict, Interval, PairVerdict

_ALIKE = 1e-9
_MANY = 1_000_000


def pair_of(pairs: Sequence[PairVerdict], first: str, second: str) -> PairVerdict | None:
    """Return the pair of two arms, turned so that ``first`` comes first; None where they share no test rows."""
    for pair in pairs:
        if (pair.first, pair.second) == (first, second):
            return pair
        if (pair.second, pair.first) == (first, second):
            return turned(pair)
    return None


def turned(pair: PairVerdict) -> PairVerdict:
    """Return a pair with its arms exchanged."""
    within = pair.within and pair.within.model_copy(
        update={
            "first": pair.within.second,
            "second": pair.within.first,
            "p_first": pair.within.p_second,
            "p_second": pair.within.p_first,
        }
    )
    return pair.model_copy(
        update={
            "first": pair.second,
            "second": pair.first,
            "score": _turned(pair.score),
            "accuracy": _turned(pair.accuracy) if pair.accuracy else None,
            "f1_macro": _turned(pair.f1_macro) if pair.f1_macro else None,
            "lead": _turned(pair.lead) if pair.lead else None,
            "centre": -pair.centre,
            "first_only": pair.second_only,
            "second_only": pair.first_only,
            "within": within,
        }
    )


def _turned(interval: Interval) -> Interval:
    return Interval(value=-interval.value, low=-interval.high, high=-interval.low)


def target(pair: PairVerdict) -> str:
    """Return which trainings a pair's test generalises to."""
    return "With new training sets of this kind" if pair.test == "corrected resampled t" else "With this training set"


def still_open(rival: str, best: str, scored: str, rival_has: str) -> str:
    """State that a fine-tuned method stopped too early to be ranked against a rival.

    Args:
        rival: what is beaten or not.
        best: the fine-tuned method, with a comma behind it.
        scored: what it scored.
        rival_has: what the rival scored, with its name.

    """
    return (
        f"It is open whether fine-tuning beats {rival}: {best} has {scored} so far, but had not converged; {rival_has}."
    )


def not_shown(pair: PairVerdict, pairs: Sequence[PairVerdict], metric: Metric = ACCURACY) -> str:
    """State that no difference was shown, what was measured, and why where the pair's own interval would show it."""
    if pair.score.value < 0:
        pair = turned(pair)
    gap = pair.score.value
    measured = f"{pair.first} scored {metric.gap(gap)} {metric.more}" if gap > _ALIKE else "both scored the same"
    text = (
        f"{target(pair)}, no difference between {pair.first} and {pair.second} was shown: {measured} "
        f"({_interval(pair.score, metric)})."
    )
    if pair.score.low <= 0.0 <= pair.score.high:
        return text
    return (
        f"{text} If only this pair were compared, this result would show a difference; {len(pairs)} pairs are "
        "compared, so it does not."
    )


def decided(
    pair: PairVerdict, pairs: Sequence[PairVerdict], of_name: Mapping[str, ArmVerdict], metric: Metric = ACCURACY
) -> str:
    """State which of a pair is better, or that no difference was shown and what would decide it.

    Args:
        pair: one of ``pairs``.
        pairs: all that were tested together.
        of_name: the arms, by the names that pairs have.
        metric: what they were tested by.

    """
    if not pair.different:
        return " ".join(filter(None, [not_shown(pair, pairs, metric), needed(pair)]))
    return f"{target(pair)}, {better(pair, of_name, metric)}."


def better(
    pair: PairVerdict, of_name: Mapping[str, ArmVerdict], metric: Metric = ACCURACY, *, named: bool = True
) -> str:
    """State which arm beats which; of one that had not converged, that it scored less, and count runs that diverged.

    Args:
        pair: a pair whose difference was shown.
        of_name: the arms, by the names that pairs have.
        metric: what they were tested by.
        named: see `lead`.

    """
    if pair.score.value < 0:
        pair = turned(pair)
    winner, loser = of_name[pair.first], of_name[pair.second]
    by = f"by {lead(pair, metric, named=named)}"
    text = f"{pair.first} beats {pair.second} {by}"
    if loser.cut_short:
        text = f"{pair.first} scored {metric.more} than {pair.second}, which had not converged, {by}"
    left_out = f" (without the {winner.diverged} of {winner.runs} runs of {pair.first} that diverged)"
    return text + (left_out if winner.diverged else "")


def needed(pair: PairVerdict) -> str:
    """State how many more test rows, or how many seeds, would be likely to show a difference where none was shown.

    Returns:
        A sentence; empty where both scored the same, so that nothing says how large a difference to look for.

    """
    if pair.score.value == 0.0:
        return ""
    ways = []
    if pair.clusters_to_decide:
        rows = _range(*(total and max(1, total - pair.clusters) for total in pair.clusters_to_decide))
        where = " in each split" if pair.test == "corrected resampled t" else ""
        different = " (each a text of its own)" if pair.clusters < pair.rows else ""
        ways.append(f"{rows} additional test rows{where}{different}")
    if pair.seeds_to_decide:
        ways.append(f"{_range(*pair.seeds_to_decide)} seeds of each trained method")
    if not ways:
        return "If there is one, it would probably take both more test rows and more seeds to show it."
    either = ways[0] if len(ways) == 1 else f"{', or '.join(ways)},"
    return f"If there is one, about {either} would be likely to show it."


def _range(fewest: int | None, most: int | None) -> str:
    """Return a range in round numbers; None is no upper end."""
    if fewest is None or fewest > _MANY:
        return "a million or more"
    if most is None or most > _MANY:
        return f"{_rounded_up(fewest):,} (or many more)"
    low, high = _rounded_up(fewest), _rounded_up(most)
    return f"{low:,} to {high:,}" if low < high else f"{low:,}"


def _rounded_up(count: int) -> int:
    """Return a number rounded up to two significant digits."""
    digits = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // digits) * digits


def _interval(found: Interval, metric: Metric) -> str:
    return f"95 % interval {metric.signed(found.low)} to {metric.signed(found.high)}"


def lead(pair: PairVerdict, metric: Metric = ACCURACY, *, named: bool = True) -> str:
    """Return by how much the first arm of a pair leads: as measured, and shrunk, with its interval.

    Args:
        pair: the pair.
        metric: what was tested.
        named: say of what the difference is, where a metric of written answers is not named elsewhere.

    """
    found = pair.lead or pair.score
    interval = f"95 % interval {metric.amount(found.low)} to {metric.amount(found.high)}"
    fair = f"fair estimate {metric.amount(found.value)}, " if pair.lead else ""
    measured = metric.gap(pair.score.value) if named else metric.size(pair.score.value)
    return f"{measured} ({fair}{interval})"


def signed_points(share: float) -> str:
    """Return points with their sign; what rounds to zero is +0.0, never -0.0."""
    return ACCURACY.signed(share)
