"""Which arm to take under limits: a pure function over plain values."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Annotated, Literal, NotRequired, TypedDict

from pydantic import Field

from showdown.core.metric import ACCURACY, METRICS, Metric
from showdown.core.prices import three_digits
from showdown.core.strict import Strict
from showdown.verdict.listing import listed

FAR_CHEAPER = 5.0
"""A row that costs this many times as much must be shown to be better, or the cheaper one is taken."""
NOTICEABLE = 0.01
"""A cent, of whatever currency: costs that differ by less decide nothing."""
NOTICEABLE_SECONDS = 60.0
"""The same of training times, where a cost is missing."""
LEAD_LEVEL = 0.05
"""Level of the one-sided test by which a lead counts as shown to be there, for the choice between two rows."""

Positive = Annotated[float, Field(gt=0.0)]


class Limits(Strict):
    """Limits that an arm must keep to; None is no limit."""

    max_memory_gb: Positive | None = None
    max_cost: Positive | None = None
    """Of training and tuning one model, in the currency of the price."""
    min_f1_macro: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    max_latency_ms: Positive | None = None
    """Of one text, 95th percentile."""
    max_train_seconds: Positive | None = None
    max_general_loss_rise: Positive | None = None
    """Of the loss on general text by fine-tuning, in nats a token. A network that is not trained has no rise."""


class Beside(TypedDict):
    """How an arm compares with another one, the reference, on the test rows that both answered."""

    standing: Literal["non-inferior", "may be worse", "worse"]
    """Whether it is at most the margin worse."""
    margin: float
    """As a fraction of 1."""
    may_be_worse_by: float
    """One-sided 95 % bound, as a fraction of 1."""
    p_of_lead: float
    """One-sided p-value of the reference's lead over it, for this pair alone."""
    different: bool
    """A difference was shown, adjusted over all pairs."""


class Candidate(TypedDict):
    """Measurements of an arm that the choice uses; None where something was not measured."""

    name: str
    score: float
    """By the metric of the verdict, with its sign turned where less is better: more of it is better."""
    floor: bool
    """It gives every text one answer, and the metric is one that such a row cannot win: it stands in for no other."""
    accuracy: float | None
    """None for a task without labels. So for the next two."""
    f1_macro: float | None
    f1_macro_low: float | None
    """Lower end of its 95 % interval."""
    memory_gb: float | None
    cost: float | None
    latency_ms: float | None
    train_seconds: float | None
    general_loss_rise: NotRequired[float | None]
    """In nats a token; 0 for a network that is not trained."""
    runs: int
    """All of its runs."""
    diverged: int
    """Those that diverged; the scores are of the others."""
    cut_short: bool
    """It had not converged when it stopped."""
    beside: dict[str, Beside]
    """By the name of another row; one that is missing was never compared with this one."""


class Miss(Strict):
    """A limit that an arm does not keep to."""

    limit: str
    allowed: float
    measured: float | None
    """None where it was not measured."""


class Rejected(Strict):
    """An arm that was not chosen because of limits."""

    name: str
    misses: list[Miss]


class Recommendation(Strict):
    """The chosen arm, the reasons, and what would lead to another choice."""

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
    def sentence(self) -> str:
        """Return which arm to take, in words."""
        if self.chosen:
            return f"Take {self.chosen}."
        return f"none qualifies; the nearest is {self.nearest}" if self.nearest else "no choice can be made"


BOUNDS: tuple[tuple[str, str, str, str], ...] = (
    ("max_memory_gb", "memory_gb", "memory", "{:.3g} GB"),
    ("max_cost", "cost", "cost", "{:.3g}"),
    ("min_f1_macro", "f1_macro", "macro F1", "{:.3f}"),
    ("max_latency_ms", "latency_ms", "latency", "{:.3g} ms"),
    ("max_train_seconds", "train_seconds", "training time", "{:.3g} s"),
    ("max_general_loss_rise", "general_loss_rise", "rise of the loss on general text", "{:.3g} nats"),
)
"""Each limit, the key of a candidate that it bounds, its word, and how a value is shown."""
_ALIKE = 1e-9
_DECIMALS = "{:.3f}"
_WORDS = {limit: (word, form) for limit, _, word, form in BOUNDS}


def misses(row: Candidate, limits: Limits) -> list[Miss]:
    """Return the limits that an arm does not keep to; a value that was not measured keeps to none."""
    found = []
    for limit, key, _, _ in BOUNDS:
        allowed: float | None = getattr(limits, limit)
        if allowed is None:
            continue
        measured = value_of(row, key)
        kept = measured is not None and (measured >= allowed if limit.startswith("min_") else measured <= allowed)
        if not kept:
            found.append(Miss(limit=limit, allowed=allowed, measured=measured))
    return found


def value_of(row: Candidate, key: str) -> float | None:
    """Return a measurement of an arm by its key in `BOUNDS`; None where it was not measured."""
    value: float | None = row.get(key)  # type: ignore[assignment]
    return value


def excess(miss: Miss) -> float:
    """Return by how much a limit is missed, in proportion to it; infinite where nothing was measured."""
    if miss.measured is None:
        return float("inf")
    larger, smaller = max(miss.measured, miss.allowed), min(miss.measured, miss.allowed)
    return larger / smaller - 1.0 if smaller > 0 else float("inf")


def leader_of(rows: Sequence[Candidate]) -> Candidate:
    """Return the arm with the best score; of equals the one with the highest macro F1."""
    return max(rows, key=lambda row: (row["score"], row["f1_macro"] or 0.0))


def choose(rows: Sequence[Candidate]) -> Candidate | None:
    """Return the best of arms that all qualify; None where the leader was not compared with all others.

    The leader has the highest score. Of it and the rows that can stand in for it (`stands_in`) the cheapest is
    taken, by training time where a cost is missing; before all those of which no run diverged. Of rows whose costs
    nobody could tell from the cheapest one's that with the highest score is taken.
    """
    leader = leader_of(rows)
    others = [row for row in rows if row is not leader]
    if not all(leader["name"] in row["beside"] for row in others):
        return None
    price, noticeable = _prices(rows)
    peers = [leader, *(row for row in others if stands_in(row, leader, price, noticeable))]
    peers = [row for row in peers if not row["diverged"]] or peers
    cheapest = min(price[row["name"]] for row in peers)
    equal = [row for row in peers if price[row["name"]] < cheapest + noticeable or price[row["name"]] == cheapest]
    return min(equal, key=lambda row: (-row["score"], price[row["name"]]))


def stands_in(row: Candidate, leader: Candidate, price: Mapping[str, float], noticeable: float) -> bool:
    """Return whether an arm can be taken in place of the leader.

    It can where it was shown to be at most the margin worse. Where that was not shown, and the leader's lead was not
    either, it can if it measured within the margin, or if the leader costs `FAR_CHEAPER` times as much, and noticeably
    more: what costs so much more has to be shown to be better. A floor never can: it finds no row of a rare label.

    Args:
        row: a row that was compared with the leader.
        leader: the row with the highest score.
        price: of both, by name.
        noticeable: a difference of prices that counts.

    """
    beside = row["beside"][leader["name"]]
    if row["floor"] and row["score"] < leader["score"]:
        return False
    if beside["standing"] == "non-inferior":
        return True
    if beside["p_of_lead"] <= LEAD_LEVEL:
        return False
    near = row["score"] >= leader["score"] - beside["margin"]
    dear, cheap = price[leader["name"]], price[row["name"]]
    return near or (dear - cheap >= noticeable and FAR_CHEAPER * cheap <= dear)


def _prices(rows: Sequence[Candidate]) -> tuple[dict[str, float], float]:
    """Return what each arm costs, or its training time where a cost is missing, and the difference that counts."""
    priced = all(row["cost"] is not None for row in rows)
    values = {row["name"]: row["cost"] if priced else row["train_seconds"] for row in rows}
    known = {name: float("inf") if value is None else value for name, value in values.items()}
    return known, NOTICEABLE if priced else NOTICEABLE_SECONDS


def recommend(rows: Sequence[Candidate], limits: Limits, metric: Metric = ACCURACY) -> Recommendation:
    """Choose an arm under limits.

    Args:
        rows: the arms that have scores.
        limits: what the choice must keep to.
        metric: what the scores are.

    """
    rejected = [Rejected(name=row["name"], misses=found) for row in rows if (found := misses(row, limits))]
    out = {item.name for item in rejected}
    fit = [row for row in rows if row["name"] not in out]
    if not fit:
        return _none(rejected)
    chosen = choose(fit)
    leader = leader_of(fit)
    if chosen is None:
        return _not_ranked(fit, leader, rejected)
    return Recommendation(
        chosen=chosen["name"],
        reasons=_reasons(rows, chosen, leader, limits, metric),
        flips=_flips(rows, fit, chosen, limits, rejected, metric),
        rejected=rejected,
        warnings=_warnings(rows, chosen),
    )


def _not_ranked(fit: Sequence[Candidate], leader: Candidate, rejected: list[Rejected]) -> Recommendation:
    """Explain that arms which were not tested on the same rows cannot be ranked."""
    alone = [row["name"] for row in fit if row is not leader and leader["name"] not in row["beside"]]
    return Recommendation(
        chosen=None,
        reasons=[
            f"{leader['name']} and {', '.join(alone)} were not compared: they were not tested on the same rows. "
            "No choice between them can be made."
        ],
        flips=[],
        rejected=rejected,
    )


def not_converged(names: Sequence[str]) -> str:
    """Return the sentence on arms that were still improving when they stopped."""
    they_are = "they are" if len(names) > 1 else "it is"
    return f"{listed(names)} had not converged: this table does not say that {they_are} worse."


def _warnings(rows: Sequence[Candidate], chosen: Candidate) -> list[str]:
    lines = []
    if chosen["diverged"]:
        lines.append(
            f"{chosen['diverged']} of {chosen['runs']} runs of {chosen['name']} diverged: its score counts only the "
            "others, and a training of your own may diverge too."
        )
    short = [row["name"] for row in rows if row["cut_short"] and row is not chosen]
    if short:
        lines.append(not_converged(short))
    return lines


def _none(rejected: list[Rejected]) -> Recommendation:
    if not rejected:
        return Recommendation(chosen=None, reasons=["No method has scores."], flips=[], rejected=[])
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
    """Format a value; three significant digits have no exponent."""
    return form.replace(":.3g", "").format(three_digits(value)) if ":.3g" in form else form.format(value)


def _rounded(limit: str, value: float, *, looser: bool) -> str:
    """Format a measured value as a limit that it keeps to (looser) or that it touches or misses."""
    form = _WORDS[limit][1]
    exact = Decimal(repr(value))
    step = Decimal(1).scaleb(-3 if form == _DECIMALS else exact.adjusted() - 2)
    up = looser != limit.startswith("min_")
    return in_words(form, float(exact.quantize(step, rounding=ROUND_CEILING if up else ROUND_FLOOR)))


def _scores(row: Candidate, metric: Metric) -> str:
    """Return the score of the verdict, and of labels accuracy and macro F1, in words."""
    known = {metric: metric.sign * row["score"], ACCURACY: row["accuracy"], METRICS["f1_macro"]: row["f1_macro"]}
    return ", ".join(f"{one.title} {one.shown(value)}" for one, value in known.items() if value is not None)


def _reasons(
    rows: Sequence[Candidate], chosen: Candidate, leader: Candidate, limits: Limits, metric: Metric
) -> list[str]:
    text = f"{chosen['name']}: {_scores(chosen, metric)}"
    kept = [
        f"{word} {in_words(form, value)}"
        for limit, key, word, form in BOUNDS
        if getattr(limits, limit) is not None
        and limit != "min_f1_macro"
        and (value := value_of(chosen, key)) is not None
    ]
    limited = any(getattr(limits, limit) is not None for limit, _, _, _ in BOUNDS)
    text = ", ".join([text, *kept])
    if chosen is leader:
        why = f"no method {'that keeps to the limits ' if limited else ''}scored {metric.more}"
        return [f"{text}; {why}.", *_cheaper(rows, chosen, metric)]
    return [f"{text}.", *_in_place_of(leader, chosen, metric)]


def _cheaper(rows: Sequence[Candidate], chosen: Candidate, metric: Metric) -> list[str]:
    """Name the best arm that costs less and was not shown to be worse, and by how much it may be worse."""
    price, noticeable = _prices(rows)
    found = [
        row
        for row in rows
        if price[chosen["name"]] - price[row["name"]] >= noticeable
        and (beside := row["beside"].get(chosen["name"]))
        and beside["standing"] == "may be worse"
    ]
    if not found:
        return []
    best = leader_of(found)
    return [f"{best['name']} costs less, but {_may_be_worse(best, chosen, metric)}."]


def _may_be_worse(row: Candidate, leader: Candidate, metric: Metric) -> str:
    beside = row["beside"][leader["name"]]
    side = "below" if metric.direction == "higher" else "above"
    return (
        f"its true {metric.title} may be up to {metric.size(beside['may_be_worse_by'])} {side} {leader['name']}'s; "
        f"a loss of {metric.margin(beside['margin'])} is allowed"
    )


def points(share: float) -> str:
    """Return a margin in points."""
    return ACCURACY.margin(share)


def _in_place_of(leader: Candidate, chosen: Candidate, metric: Metric) -> list[str]:
    """Explain why the leader was not taken, and what may be lost."""
    gap = leader["score"] - chosen["score"]
    beside = chosen["beside"][leader["name"]]
    start = f"{leader['name']} scored {metric.gap(gap)} {metric.more}"
    if gap < _ALIKE:
        start = f"{leader['name']} scored the same"
    if beside["standing"] == "non-inferior":
        lost = f"{chosen['name']} is at most {metric.margin(beside['margin'])} worse than {leader['name']}"
    else:
        start += ", but no difference was shown" if gap >= _ALIKE else ""
        lost = f"{chosen['name']} was not shown to be worse, but {_may_be_worse(chosen, leader, metric)}"
    return [f"{start}.", f"{lost}.", f"{chosen['name']} {_advantage(leader, chosen)}."]


def _advantage(leader: Candidate, chosen: Candidate) -> str:
    if leader["diverged"] and not chosen["diverged"]:
        return f"had no run that diverged; {leader['name']} had {leader['diverged']} of {leader['runs']}"
    if chosen["cost"] is not None and leader["cost"] is not None:
        return f"costs less ({three_digits(chosen['cost'])} against {three_digits(leader['cost'])})"
    price, _ = _prices([leader, chosen])
    return "trains faster" if price[chosen["name"]] < price[leader["name"]] else "costs no more"


def _flips(
    rows: Sequence[Candidate],
    fit: Sequence[Candidate],
    chosen: Candidate,
    limits: Limits,
    rejected: Sequence[Rejected],
    metric: Metric,
) -> list[str]:
    found = []
    by_name = {row["name"]: row for row in rows}
    for item in rejected:
        wider = choose([*fit, by_name[item.name]])
        if _measured(item) and wider is not None and wider["name"] == item.name:
            found.append(f"With {_loosened(item.misses)}, {item.name} would be chosen.")
    low = chosen["f1_macro_low"]
    if limits.min_f1_macro is not None and low is not None and low < limits.min_f1_macro:
        found.append(
            f"The interval of {chosen['name']}'s macro F1 reaches down to {low:.3f}: on other rows "
            f"it may miss the limit."
        )
    found += _stricter(fit, chosen)
    others = [row for row in fit if row is not chosen]
    next_best = choose(others) if others else None
    if next_best is not None:
        where = f"{_apart(chosen['score'] - next_best['score'], metric)} in {metric.title}"
        found.append(f"Next comes {next_best['name']}, {where}; {_comparison_in_words(chosen, next_best)}.")
    return found


def _apart(lead: float, metric: Metric) -> str:
    """Return where the second of two arms lies beside the first, which leads by so much; less may be better."""
    side = "below" if metric.sign * lead > 0 else "above"
    return f"{metric.size(abs(lead))} {side}" if lead else "equal"


def _comparison_in_words(first: Candidate, second: Candidate) -> str:
    """Return whether a difference was shown, none was shown, or the two were never compared."""
    beside = second["beside"].get(first["name"])
    if beside is None:
        return "the two were not compared"
    return "a difference was shown" if beside["different"] else "no difference was shown"


def _stricter(fit: Sequence[Candidate], chosen: Candidate) -> list[str]:
    """Name the limits, just beyond what the chosen arm measured, that would lead to another arm."""
    lines = []
    for limit, key, _, _ in BOUNDS:
        ours = value_of(chosen, key)
        if ours is None or ours <= 0.0:
            continue
        least = limit.startswith("min_")
        better = [row for row in fit if _beats(value_of(row, key), ours, least=least)]
        other = choose(better) if better else None
        if other is not None:
            beyond = f"{'over' if least else 'under'} {_rounded(limit, ours, looser=False)}"
            lines.append(f"{limit} {beyond} to {other['name']}")
    return [f"A stricter limit would lead elsewhere: {'; '.join(lines)}."] if lines else []


def _beats(theirs: float | None, ours: float, *, least: bool) -> bool:
    return theirs is not None and (theirs > ours if least else theirs < ours)
