"""The recommendation for every set of limits, computed beforehand for a page that looks it up.

A limit matters only through the arms that keep to it, and those change at measured values alone. So the rules are
applied once for every set of arms that some limits leave, and the page only has to compare values with limits.
"""

from collections.abc import Iterator, Mapping, Sequence

from showdown.core.metric import ACCURACY, Metric
from showdown.core.strict import Strict
from showdown.verdict.recommend import (
    BOUNDS,
    Candidate,
    Limits,
    Recommendation,
    in_words,
    leader_of,
    misses,
    recommend,
    value_of,
)

ON_PAGE = ("max_memory_gb", "max_cost", "min_f1_macro", "max_latency_ms", "max_general_loss_rise")
"""The limits that can be moved, in this order."""
_OF_ONE_TASK = {"min_f1_macro": "f1_macro", "max_general_loss_rise": "general_loss_rise"}
"""Limits that stand on a page only where some arm has a value, of the rise one above 0; of no arm the first does."""
MOST_CELLS = 5_000
"""Sets of rows and of limited criteria that a page can hold. Of 20 rows with costs in random orders there are 4,628,
which take 0.6 s at each of six margins; of 50 rows 63,690, 35 s and 0.7 MB
(`python -m benchmarks.cpu.large_report --choices`)."""
_STOPS = 36
_ROOM = 1.25


class Criterion(Strict):
    """One limit and the measured value of every arm."""

    limit: str
    word: str
    least: bool
    """The limit is a least value, not a largest one."""
    values: list[float | None]
    """By row; None where it was not measured, which keeps to no limit."""
    shown: list[str]
    """The same for people."""
    stops: list[float]
    """Round limits from strict to loose, so that a slider reaches every choice."""


class Choices(Strict):
    """All recommendations at one margin."""

    choices: dict[str, int]
    """By set of rows that keep to all limits: the place in `pairs`; the empty set is left out."""
    pairs: list[tuple[str | None, str]]
    """The row to take and the leader, whose comparison gives the reasons; None where no choice can be made."""
    sentences: list[str]
    """By place in `pairs`: the sentence."""
    warnings: list[list[str]]
    """By place in `pairs`: sentences."""
    reasons: dict[str, list[str]]
    """By `PAIR:LIMITS`, where the bits of the second are the criteria with a limit: the sentences."""


class Decisions(Strict):
    """All recommendations. A set of arms is a number whose bits are arms, in the order of `rows`."""

    rows: list[str]
    criteria: list[Criterion]
    margins: list[float]
    """Margins that can be chosen, rising, in points."""
    margin: int
    """The place of the one that was asked for."""
    at_margin: list[Choices]
    """By place of the margin."""
    none_qualifies: list[str]
    """By row that is the nearest where none qualifies: the sentence."""


def decisions(rows_at: Mapping[float, Sequence[Candidate]], *, margin: float, metric: Metric = ACCURACY) -> Decisions:
    """Apply the rules to every set of arms that limits can leave, at each margin.

    Args:
        rows_at: by margin in points, the arms that have scores, in its order.
        margin: the requested one.
        metric: what the scores are.

    """
    margins = sorted(rows_at)
    rows = rows_at[margin]
    cells = _cells(rows)
    return Decisions(
        rows=[row["name"] for row in rows],
        criteria=[_criterion(rows, limit) for limit in _on_page(rows)],
        margins=margins,
        margin=margins.index(margin),
        at_margin=[_choices(rows_at[one], cells, metric) for one in margins],
        none_qualifies=[_none(row["name"]) for row in rows],
    )


def _on_page(rows: Sequence[Candidate]) -> list[str]:
    """Return the limits that can be moved for these arms."""
    return [
        limit
        for limit in ON_PAGE
        if (key := _OF_ONE_TASK.get(limit)) is None
        or any((value := value_of(row, key)) is not None and (value > 0.0 or key == "f1_macro") for row in rows)
        or (not rows and key == "f1_macro")
    ]


def _choices(rows: Sequence[Candidate], cells: Mapping[tuple[int, int], Limits], metric: Metric) -> Choices:
    pairs: list[tuple[str | None, str]] = []
    found: list[Recommendation] = []
    choices: dict[str, int] = {}
    reasons: dict[str, list[str]] = {}
    for (kept, limited), limits in cells.items():
        if not kept:
            continue
        if str(kept) not in choices:
            told = recommend(rows, limits, metric)
            pair = (told.chosen, _behind(told, [row for place, row in enumerate(rows) if kept >> place & 1]))
            if pair not in pairs:
                pairs.append(pair)
                found.append(told)
            choices[str(kept)] = pairs.index(pair)
        key = f"{choices[str(kept)]}:{limited}"
        if key not in reasons:
            reasons[key] = recommend(rows, limits, metric).reasons
    return Choices(
        choices=choices,
        pairs=pairs,
        sentences=[told.sentence for told in found],
        warnings=[told.warnings for told in found],
        reasons=reasons,
    )


def _behind(found: Recommendation, kept: Sequence[Candidate]) -> str:
    """Return what the reasons depend on: the leader, or all names where no choice between them can be made."""
    return leader_of(kept)["name"] if found.chosen else ", ".join(row["name"] for row in kept)


def _none(nearest: str) -> str:
    return Recommendation(chosen=None, nearest=nearest, reasons=[], flips=[], rejected=[]).sentence


def _measured(rows: Sequence[Candidate], limit: str) -> list[float | None]:
    key = next(key for name, key, _, _ in BOUNDS if name == limit)
    return [value_of(row, key) for row in rows]


def fit_on_page(rows: Sequence[Candidate]) -> bool:
    """Return whether a page can hold every choice; more arms mean more sets of them that limits can leave."""
    return len(_cells(rows, most=MOST_CELLS)) <= MOST_CELLS


def _cells(rows: Sequence[Candidate], most: int | None = None) -> dict[tuple[int, int], Limits]:
    """Return limits for every reachable set of rows and set of criteria with a limit.

    With ``most`` a criterion is passed over once there are more than so many.
    """
    cells = {((1 << len(rows)) - 1, 0): Limits()}
    for place, limit in enumerate(_on_page(rows)):
        if most is not None and len(cells) > most:
            break
        kept_by = {}
        for value in _thresholds(_measured(rows, limit), least=limit.startswith("min_")):
            alone = Limits.model_validate({limit: value})
            kept_by[sum(1 << at for at, row in enumerate(rows) if not misses(row, alone))] = value
        for (kept, limited), limits in list(cells.items()):
            for mask, value in kept_by.items():
                cell = (kept & mask, limited | 1 << place)
                if cell not in cells:
                    cells[cell] = limits.model_copy(update={limit: value})
    return cells


def _thresholds(values: Sequence[float | None], *, least: bool) -> Iterator[float]:
    """Yield a limit for every set of rows that this criterion alone can leave over; a limit is above 0."""
    positive = sorted({value for value in values if value is not None and value > 0})
    yield from positive
    if positive:
        yield positive[0] / 2
    if least and (not positive or positive[-1] < 1):
        yield (1 + (positive[-1] if positive else 0)) / 2
    if not positive and not least:
        yield 1.0


def _criterion(rows: Sequence[Candidate], limit: str) -> Criterion:
    _, _, word, form = next(bound for bound in BOUNDS if bound[0] == limit)
    values = _measured(rows, limit)
    known = sorted({value for value in values if value is not None and value > 0})
    least = limit.startswith("min_")
    return Criterion(
        limit=limit,
        word=word,
        least=least,
        values=values,
        shown=["not measured" if value is None else in_words(form, value) for value in values],
        stops=[number / 100 for number in range(100, 0, -1)] if least else _stops(known),
    )


def _stops(known: Sequence[float]) -> list[float]:
    """Return rising round numbers around measured values, and each of those rounded up."""
    if not known:
        return []
    low, high = known[0] / _ROOM, known[-1] * _ROOM
    even = [low * (high / low) ** (turn / (_STOPS - 1)) for turn in range(_STOPS)]
    return sorted({float(f"{value:.2g}") for value in even} | {_rounded_up(value) for value in known})


def _rounded_up(value: float) -> float:
    shown = float(f"{value:.3g}")
    return shown if shown >= value else float(f"{shown + 10 ** _exponent(shown):.3g}")


def _exponent(value: float) -> int:
    """Return the power of ten of the third significant digit."""
    return int(f"{value:.2e}".partition("e")[2]) - 2
