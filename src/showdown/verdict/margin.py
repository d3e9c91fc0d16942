"""Tests of whether one arm is at most the user's margin worse than another: non-inferiority and equivalence."""

from collections.abc import Sequence

from showdown.verdict.model import MarginTest, PairVerdict, Standing
from showdown.verdict.paired import ALPHA, holm, p_above, reach_of


def with_margin(pairs: Sequence[PairVerdict], margin: float) -> list[PairVerdict]:
    """Return pairs with their tests against a margin.

    For each row and each other row, the reference, a one-sided test at 5 % asks whether the row is worse by the margin
    or more. If that is refuted, the row is at most the margin worse: non-inferior. If both rows of a pair are, the two
    are equivalent (two one-sided tests, Schuirmann 1987). The p-values of all rows beside one reference are adjusted
    together, so that the chance of any false "at most the margin worse than full" is at most 5 %: Holm's procedure
    (1979) with directions (Shaffer 1980), in which a row that is clearly worse by more than the margin is decided, and
    asks no more of the others. Where the reference was chosen because it measured best, its lead is too large
    rather than too small, which errs on the safe side (compare Hsu 1984, on comparisons with the best).

    Args:
        pairs: all pairs of a comparison.
        margin: as a fraction of 1.

    """
    adjusted = _adjusted(pairs, margin)
    return [_judged(pair, margin, adjusted) for pair in pairs]


def _adjusted(pairs: Sequence[PairVerdict], margin: float) -> dict[tuple[str, str], float]:
    """Return the adjusted p-value of each arm beside each reference, by (arm, reference)."""
    plain: dict[tuple[str, str], float] = {}
    for pair in pairs:
        plain[pair.first, pair.second] = p_above(pair.sources, pair.centre + margin)
        plain[pair.second, pair.first] = p_above(pair.sources, margin - pair.centre)
    found: dict[tuple[str, str], float] = {}
    for reference in dict.fromkeys(name for _, name in plain):
        keys = [key for key in plain if key[1] == reference]
        together = holm([min(plain[key], 1 - plain[key]) for key in keys])
        found |= {key: max(plain[key], p_value) for key, p_value in zip(keys, together, strict=True)}
    return found


def _judged(pair: PairVerdict, margin: float, adjusted: dict[tuple[str, str], float]) -> PairVerdict:
    p_first, p_second = adjusted[pair.first, pair.second], adjusted[pair.second, pair.first]
    found = MarginTest(
        margin=margin,
        p_first=p_first,
        p_second=p_second,
        first=_standing(p_first, worse=pair.different and pair.score.value < 0),
        second=_standing(p_second, worse=pair.different and pair.score.value > 0),
    )
    return pair.model_copy(update={"within": found})


def _standing(p_value: float, *, worse: bool) -> Standing:
    if p_value <= ALPHA:
        return "non-inferior"
    return "worse" if worse else "may be worse"


def most_worse(pair: PairVerdict) -> float:
    """Return by how much the second arm may be worse than the first: the one-sided 95 % bound, in the metric."""
    most = pair.centre + reach_of(pair.sources, ALPHA)
    return most if pair.largest is None else min(pair.largest, most)


def p_of_lead(pair: PairVerdict) -> float:
    """One-sided p-value of the first arm's lead over the second, for this pair alone."""
    return p_above(pair.sources, pair.centre)
