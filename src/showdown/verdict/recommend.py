"""Which method to take under limits. One pure function over plain rows: simple enough to be told again elsewhere."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Annotated, TypedDict

from pydantic import Field

from showdown.core.spec import Strict
from showdown.verdict.cost import three_digits

NEAR = 0.01
"""Scores this near (1 point), and not told apart, count as equal: the cheaper method is then the better choice."""

Positive = Annotated[float, Field(gt=0.0)]


class Limits(Strict):
    """What a method must keep to; a limit left out is none."""

    max_memory_gb: Positive | None = None
    max_cost: Positive | None = None
    """Of training and tuning one model, in the currency of the price."""
    min_f1_macro: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    max_latency_ms: Positive | None = None
    """Of one text, 95th percentile."""
    max_train_seconds: Positive | None = None


class Candidate(TypedDict):
    """What the choice needs of a row of the table. None is what was not measured."""

    name: str
    accuracy: float
    f1_macro: float
    f1_macro_low: float
    """Lower end of its 95 % interval."""
    memory_gb: float | None
    cost: float | None
    latency_ms: float | None
    train_seconds: float | None
    not_told_apart: list[str]
    """Names of the rows whose accuracy could not be told from this one's."""


class Miss(Strict):
    """A limit that a row does not keep to."""

    limit: str
    allowed: float
    measured: float | None
    """None where it was not measured."""


class Rejected(Strict):
    """A row that was not chosen because of limits."""

    name: str
    misses: list[Miss]


class Recommendation(Strict):
    """The choice, what decided it and what would flip it."""

    chosen: str | None
    """None where no row keeps to all limits."""
    nearest: str | None = None
    """Where none does: the row whose worst miss is the smallest in proportion."""
    reasons: list[str]
    """Sentences: the measurements that decided."""
    flips: list[str]
    """Sentences: what would lead to another choice."""
    rejected: list[Rejected]
    warnings: list[str] = Field(default_factory=list)
    """Sentences: what must be known before the choice is followed."""

    @property
    def said(self) -> str:
        """Which row to take, in words."""
        if self.chosen:
            return f"Take {self.chosen}."
        return f"none qualifies; the nearest is {self.nearest}" if self.nearest else "none qualifies"


BOUNDS: tuple[tuple[str, str, str, str], ...] = (
    ("max_memory_gb", "memory_gb", "memory", "{:.3g} GB"),
    ("max_cost", "cost", "cost", "{:.3g}"),
    ("min_f1_macro", "f1_macro", "macro F1", "{:.3f}"),
    ("max_latency_ms", "latency_ms", "latency", "{:.3g} ms"),
    ("max_train_seconds", "train_seconds", "training time", "{:.3g} s"),
)
"""Each limit, the key of a candidate that it bounds, its word, and how a value is shown."""
_DECIMALS = "{:.3f}"
_WORDS = {limit: (word, form) for limit, _, word, form in BOUNDS}


def misses(row: Candidate, limits: Limits) -> list[Miss]:
    """Return the limits that a row does not keep to; what was not measured counts as not kept."""
    found = []
    for limit, key, _, _ in BOUNDS:
        allowed: float | None = getattr(limits, limit)
        if allowed is None:
            continue
        measured: float | None = row[key]  # type: ignore[literal-required]
        kept = measured is not None and (measured >= allowed if limit.startswith("min_") else measured <= allowed)
        if not kept:
            found.append(Miss(limit=limit, allowed=allowed, measured=measured))
    return found


def excess(miss: Miss) -> float:
    """By how much a limit is missed, in proportion to it; infinite where nothing was measured."""
    if miss.measured is None:
        return float("inf")
    larger, smaller = max(miss.measured, miss.allowed), min(miss.measured, miss.allowed)
    return larger / smaller - 1.0 if smaller > 0 else float("inf")


def leader_of(rows: Sequence[Candidate]) -> Candidate:
    """Return the row with the highest accuracy; of equals that with the highest macro F1."""
    return max(rows, key=lambda row: (row["accuracy"], row["f1_macro"]))


def choose(rows: Sequence[Candidate]) -> Candidate:
    """Return the best of rows that all qualify.

    The leader has the highest accuracy. Of the rows that are within `NEAR` of it and cannot be told apart from it (and
    of the leader itself) the cheapest is taken; by training time where a cost is missing.
    """
    leader = leader_of(rows)
    peers = [row for row in rows if row is leader or _equal(row, leader)]
    priced = all(row["cost"] is not None for row in peers)
    return min(peers, key=lambda row: (_price(row, priced=priced), -row["accuracy"]))


def _equal(row: Candidate, leader: Candidate) -> bool:
    return row["name"] in leader["not_told_apart"] and row["accuracy"] >= leader["accuracy"] - NEAR


def _price(row: Candidate, *, priced: bool) -> float:
    value = row["cost"] if priced else row["train_seconds"]
    return float("inf") if value is None else value


def recommend(rows: Sequence[Candidate], limits: Limits) -> Recommendation:
    """Choose a row under limits.

    Args:
        rows: the rows of the table that have scores.
        limits: what the choice must keep to.

    """
    rejected = [Rejected(name=row["name"], misses=found) for row in rows if (found := misses(row, limits))]
    out = {item.name for item in rejected}
    fit = [row for row in rows if row["name"] not in out]
    if not fit:
        return _none(rejected)
    chosen = choose(fit)
    leader = leader_of(fit)
    return Recommendation(
        chosen=chosen["name"],
        reasons=_reasons(chosen, leader, limits),
        flips=_flips(rows, fit, chosen, limits, rejected),
        rejected=rejected,
    )


def _none(rejected: list[Rejected]) -> Recommendation:
    if not rejected:
        return Recommendation(chosen=None, reasons=["No row has scores."], flips=[], rejected=[])
    nearest = min(rejected, key=lambda item: max(excess(miss) for miss in item.misses))
    return Recommendation(
        chosen=None,
        nearest=nearest.name,
        reasons=[
            f"None qualifies; the nearest is {nearest.name}: {'; '.join(_miss_words(m) for m in nearest.misses)}."
        ],
        flips=[f"{nearest.name} would qualify with {_loosened(nearest.misses)}."] if _measured(nearest) else [],
        rejected=rejected,
    )


def _measured(item: Rejected) -> bool:
    return all(miss.measured is not None for miss in item.misses)


def _miss_words(miss: Miss) -> str:
    word, form = _WORDS[miss.limit]
    if miss.measured is None:
        return f"{word} was not measured, the limit is {in_words(form, miss.allowed)}"
    return f"{word} {in_words(form, miss.measured)} where the limit is {in_words(form, miss.allowed)}"


def _loosened(found: Sequence[Miss]) -> str:
    return " and ".join(
        f"{miss.limit} {_rounded(miss.limit, miss.measured, looser=True)}"
        for miss in found
        if miss.measured is not None
    )


def in_words(form: str, value: float) -> str:
    """Show a value in its form; three digits have no exponent."""
    return form.replace(":.3g", "").format(three_digits(value)) if ":.3g" in form else form.format(value)


def _rounded(limit: str, value: float, *, looser: bool) -> str:
    """Show a measured value as a limit that it keeps to (looser) or that it touches or misses."""
    form = _WORDS[limit][1]
    exact = Decimal(repr(value))
    step = Decimal(1).scaleb(-3 if form == _DECIMALS else exact.adjusted() - 2)
    up = looser != limit.startswith("min_")
    return in_words(form, float(exact.quantize(step, rounding=ROUND_CEILING if up else ROUND_FLOOR)))


def _reasons(chosen: Candidate, leader: Candidate, limits: Limits) -> list[str]:
    said = f"{chosen['name']}: accuracy {100 * chosen['accuracy']:.1f} %, macro F1 {chosen['f1_macro']:.3f}"
    kept = [
        f"{word} {in_words(form, chosen[key])}"  # type: ignore[literal-required]
        for limit, key, word, form in BOUNDS
        if getattr(limits, limit) is not None and limit != "min_f1_macro"
    ]
    limited = any(getattr(limits, limit) is not None for limit, _, _, _ in BOUNDS)
    if chosen is leader:
        why = "no row that keeps to the limits has a higher accuracy" if limited else "no row has a higher accuracy"
        return [f"{', '.join([said, *kept])}; {why}."]
    gap = 100 * (leader["accuracy"] - chosen["accuracy"])
    cheaper = (
        f"cheaper ({three_digits(chosen['cost'])} against {three_digits(leader['cost'])})"
        if chosen["cost"] is not None and leader["cost"] is not None
        else "faster to train"
    )
    return [
        f"{', '.join([said, *kept])}.",
        f"{leader['name']} measured {gap:.1f} points more, cannot be told apart from it, and "
        f"{chosen['name']} is {cheaper}.",
    ]


def _flips(
    rows: Sequence[Candidate],
    fit: Sequence[Candidate],
    chosen: Candidate,
    limits: Limits,
    rejected: Sequence[Rejected],
) -> list[str]:
    found = []
    by_name = {row["name"]: row for row in rows}
    for item in rejected:
        if _measured(item) and choose([*fit, by_name[item.name]])["name"] == item.name:
            found.append(f"With {_loosened(item.misses)}, {item.name} would be chosen.")
    if limits.min_f1_macro is not None and chosen["f1_macro_low"] < limits.min_f1_macro:
        found.append(
            f"The interval of {chosen['name']}'s macro F1 reaches down to {chosen['f1_macro_low']:.3f}: on other rows "
            f"it may miss the limit."
        )
    found += _stricter(fit, chosen)
    others = [row for row in fit if row is not chosen]
    if others:
        next_best = choose(others)
        gap = 100 * (chosen["accuracy"] - next_best["accuracy"])
        where = f"{abs(gap):.1f} points {'below' if gap > 0 else 'above'} in accuracy" if gap else "equal in accuracy"
        told = "cannot be" if next_best["name"] in chosen["not_told_apart"] else "were"
        found.append(f"Next comes {next_best['name']}, {where}, and the two {told} told apart.")
    return found


def _stricter(fit: Sequence[Candidate], chosen: Candidate) -> list[str]:
    """Say which limits, just beyond what the chosen row measured, would lead to which other row."""
    said = []
    for limit, key, _, _ in BOUNDS:
        ours: float | None = chosen[key]  # type: ignore[literal-required]
        if not ours:
            continue
        least = limit.startswith("min_")
        better = [row for row in fit if _beats(row[key], ours, least=least)]  # type: ignore[literal-required]
        if better:
            beyond = f"{'over' if least else 'under'} {_rounded(limit, ours, looser=False)}"
            said.append(f"{limit} {beyond} to {choose(better)['name']}")
    return [f"A stricter limit would lead elsewhere: {'; '.join(said)}."] if said else []


def _beats(theirs: float | None, ours: float, *, least: bool) -> bool:
    return theirs is not None and (theirs > ours if least else theirs < ours)
