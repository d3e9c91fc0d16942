"""The verdict in sentences that say no more than the numbers do."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from showdown.verdict.confounds import Confound
from showdown.verdict.cost import money, three_digits
from showdown.verdict.model import Interval, PairVerdict, RowVerdict
from showdown.verdict.pareto import Pareto
from showdown.verdict.spread import STEADY_METHODS

CHEAP_METHODS = frozenset({"tfidf", "frozen"})
"""Rivals that learn in seconds on a CPU: no fine-tuning is worth its cost unless it beats them."""
FLOOR = "majority"
"""Does nothing, and so is no rival in what costs something."""
_MANY_ROWS = 1_000_000
_EQUAL = "they did equally well on these rows"
_ALIKE = 1e-9
_MANY_PAIRS = 6
_FEW_CONFOUNDS = 5
_FEW_PAIRS = 3
_FEW_ROWS = 2
"""A difference of no more test rows than these is said in rows."""
_PAIR = 2
_MEASURES = {
    "accuracy": "accuracy",
    "f1_macro": "macro F1",
    "memory_gb": "memory",
    "train_seconds": "training time",
    "cost": "cost",
    "model_size_mb": "size",
    "latency_ms": "latency",
}
"""What a measure of the Pareto front is called."""

Measure = Callable[[RowVerdict], float | None]
_WINS: tuple[tuple[str, str | None, Measure], ...] = (
    ("least memory in the whole run", "GB", lambda row: row.memory_gb),
    ("shortest training", "s", lambda row: row.train_seconds),
    ("cheapest", None, lambda row: row.cost.model if row.cost else None),
    ("least saved on the disk", "MB", lambda row: row.model_size_mb),
    ("lowest latency", "ms", lambda row: row.latency_ms),
)
"""What it is called, its unit (None for money), and what is measured."""


def sentences(
    rows: Sequence[RowVerdict],
    pairs: Sequence[PairVerdict],
    front: Pareto,
    differing: Sequence[Confound],
    *,
    leak: str | None,
    surprises: Sequence[str] = (),
) -> list[str]:
    """Say what a comparison showed, the most important first.

    Args:
        rows: all rows of the table.
        pairs: all pairs that share test rows.
        front: who dominates whom.
        differing: what differs beyond the method.
        leak: what copies that were let across the split mean; None where none were.
        surprises: what the memory needs by way of explanation.

    """
    scored = sorted((row for row in rows if row.accuracy), key=lambda row: -_accuracy(row).value)
    found = [_cheap_rival(scored, pairs), leak]
    if scored:
        found += [_leader(scored, pairs), *_undecided(scored, pairs), _others(scored, pairs)]
        found += [_rows_apart(pairs), _single_seed(scored)]
        found += [_wins(scored), _front(front), *surprises]
    found += [f"{row.name} has no score ({row.obstacle})." for row in rows if not row.accuracy]
    found += [f"Some runs of {row.name} are missing ({row.obstacle})." for row in scored if row.obstacle is not None]
    found.append(_differing(differing))
    return [sentence for sentence in found if sentence]


def leak_said(data: Mapping[str, Any]) -> str:
    """Say how many copies were let into the test rows, and what they are worth to a cheap model.

    Args:
        data: the `data` of a comparison's results: its audit and its inspection.

    """
    across = (data.get("audit") or {}).get("across")
    worth = (data.get("inspection") or {}).get("leak_worth")
    said = "Copies of training rows were let into the test rows"
    if across:
        share = 100 * across["test_copies"] / max(1, across["test_rows"])
        said += f", {across['test_copies']:,} of {across['test_rows']:,} ({share:.0f} %)"
    said += ": these scores say little of new texts."
    if worth:
        leaky, clean = 100 * worth["leaky_accuracy"], 100 * worth["clean_accuracy"]
        said += (
            f" To TF-IDF with a linear SVM such a leak is worth {leaky - clean:.1f} points: {leaky:.1f} % in "
            f"cross-validation by rows, {clean:.1f} % with copies kept on one side."
        )
    return said


def _rows_apart(pairs: Sequence[PairVerdict]) -> str | None:
    """Say of pairs that differ by a row or two how few that is; with several seeds the mean over them."""
    close = sorted(
        (
            pair
            for pair in pairs
            if not pair.different and 0.5 <= abs(pair.accuracy.value) * pair.rows < _FEW_ROWS + 0.5
        ),
        key=lambda pair: abs(pair.accuracy.value) * pair.rows,
    )
    if not close:
        return None
    said = []
    for pair in close[:_FEW_PAIRS]:
        apart = round(abs(pair.accuracy.value) * pair.rows)
        said.append(f"{pair.first} and {pair.second} are {apart} of {pair.rows} test rows apart")
    return f"{'; '.join(said)}: so small a difference is a coin toss."


def _accuracy(row: RowVerdict) -> Interval:
    assert row.accuracy is not None
    return row.accuracy


def pair_of(pairs: Sequence[PairVerdict], first: str, second: str) -> PairVerdict | None:
    """Return the pair of two rows, turned so that ``first`` comes first; None where they share no test rows."""
    for pair in pairs:
        if (pair.first, pair.second) == (first, second):
            return pair
        if (pair.second, pair.first) == (first, second):
            return pair.model_copy(
                update={
                    "first": first,
                    "second": second,
                    "accuracy": _turned(pair.accuracy),
                    "f1_macro": _turned(pair.f1_macro) if pair.f1_macro else None,
                }
            )
    return None


def _turned(interval: Interval) -> Interval:
    return Interval(value=-interval.value, low=-interval.high, high=-interval.low)


def _percent(interval: Interval) -> str:
    return f"{100 * interval.value:.1f} % (95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f})"


def _points(interval: Interval) -> str:
    return f"{signed_points(interval.value)} points ({signed_points(interval.low)} to {signed_points(interval.high)})"


def signed_points(share: float) -> str:
    """Return points with their sign; what rounds to nothing is +0.0, never -0.0."""
    return f"{round(100 * share, 1) + 0.0:+.1f}"


def _gap(pair: PairVerdict, pairs: Sequence[PairVerdict]) -> str:
    """Say a difference that was not shown, and why where its own interval would show it."""
    said = _points(pair.accuracy)
    if pair.accuracy.low <= 0.0 <= pair.accuracy.high:
        return said
    return f"{said} for this pair alone, which is not enough among {len(pairs)} pairs"


def _is_tuned(row: RowVerdict) -> bool:
    return row.method not in STEADY_METHODS


def _cheap_rival(scored: Sequence[RowVerdict], pairs: Sequence[PairVerdict]) -> str | None:
    """Say that fine-tuning was not shown to be worth it, where any cheap rival was not beaten; the best of those."""
    tuned = next((row for row in scored if _is_tuned(row)), None)
    for cheap in scored if tuned else ():
        pair = pair_of(pairs, tuned.name, cheap.name) if tuned and cheap.method in CHEAP_METHODS else None
        if tuned and pair and not (pair.different and pair.accuracy.value > 0):
            return _not_beaten(cheap, tuned, pair, pairs)
    return None


def _not_beaten(cheap: RowVerdict, tuned: RowVerdict, pair: PairVerdict, pairs: Sequence[PairVerdict]) -> str:
    scores = f"{_percent(_accuracy(cheap))} against {_percent(_accuracy(tuned))} accuracy"
    if pair.different:
        return f"The cheap rival {cheap.name} is better than the best fine-tuned method, {tuned.name}: {scores}."
    gap = f"the difference may be chance, {_gap(pair, pairs)}" if pair.accuracy.value else _EQUAL
    return (
        f"Fine-tuning was not shown to beat the cheap rival {cheap.name}: {scores} for {tuned.name}, the best "
        f"fine-tuned method; {gap}."
    )


def _leader(scored: Sequence[RowVerdict], pairs: Sequence[PairVerdict]) -> str:
    leader = scored[0]
    best = _accuracy(leader)
    equals = [row.name for row in scored if abs(_accuracy(row).value - best.value) < _ALIKE]
    said = f"{leader.name} has the highest accuracy, {_percent(best)}"
    if len(equals) > 1:
        interval = f"95 % interval of {leader.name} {100 * best.low:.1f} to {100 * best.high:.1f}"
        said = f"{' and '.join(equals)} share the highest accuracy, {100 * best.value:.1f} % ({interval})"
    who = "it" if len(equals) == 1 else leader.name
    beaten = []
    for other in scored[1:]:
        pair = pair_of(pairs, leader.name, other.name)
        if pair is not None and pair.different and pair.accuracy.value > 0:
            beaten.append(f"{other.name} by {_points(pair.accuracy)}")
    if len(scored) == 1:
        return f"{said}; there is no other row with scores to compare it with."
    return (
        f"{said}; {who} beats {', '.join(beaten)}." if beaten else f"{said}; {who} was not shown to beat any other row."
    )


def _others(scored: Sequence[RowVerdict], pairs: Sequence[PairVerdict]) -> str | None:
    """Say the pairs without the leader; the majority label, which does nothing, is left out."""
    below = [row.name for row in scored[1:] if row.method != FLOOR]
    known = [pair for first, second in itertools.combinations(below, 2) if (pair := pair_of(pairs, first, second))]
    shown = [decided(pair, pairs).rstrip(".") for pair in known if pair.different]
    alike = [f"{pair.first} and {pair.second}" for pair in known if not pair.different]
    parts = [_first_few(shown, "; ")] if shown else []
    parts += [f"{_first_few(alike, ', ')} cannot be told apart"] if alike else []
    return f"Of the others: {'; '.join(parts)}." if parts else None


def _first_few(said: Sequence[str], between: str) -> str:
    more = f"{between}and {len(said) - _MANY_PAIRS} more pairs" if len(said) > _MANY_PAIRS + 1 else ""
    return between.join(said[: _MANY_PAIRS if more else None]) + more


def _undecided(scored: Sequence[RowVerdict], pairs: Sequence[PairVerdict]) -> list[str]:
    """Say who cannot be told from the leader, the nearest first, and what would decide it."""
    leader = scored[0]
    found = [pair for other in scored[1:] if (pair := pair_of(pairs, leader.name, other.name)) and not pair.different]
    said = [decided(pair, pairs) for pair in found[:_FEW_PAIRS]]
    rest = ", ".join(pair.second for pair in found[_FEW_PAIRS:])
    return [*said, f"Nor can {leader.name} be told apart from {rest}."] if rest else said


def decided(pair: PairVerdict, pairs: Sequence[PairVerdict]) -> str:
    """Say which of a pair is better, or that they cannot be told apart and what would decide it.

    Args:
        pair: one of ``pairs``.
        pairs: all that were tested together.

    """
    if not pair.different:
        return f"{pair.first} and {pair.second} cannot be told apart: {_gap(pair, pairs)}; {needed(pair)}."
    if pair.accuracy.value > 0:
        return f"{pair.first} beats {pair.second} by {_points(pair.accuracy)}."
    return f"{pair.second} beats {pair.first} by {_points(_turned(pair.accuracy))}."


def needed(pair: PairVerdict) -> str:
    """Say how many more test rows would decide a pair that was not told apart, at the power of `rows_to_decide`."""
    total = pair.clusters_to_decide
    if pair.accuracy.value == 0.0:
        return _EQUAL
    if total is None:
        return (
            "the spread between reruns is too large for such a gap, or known from too few seeds, so that rows alone "
            "would not decide it"
        )
    more = max(1, total - pair.clusters)
    if more > _MANY_ROWS:
        return "it would take more than a million more test rows to decide it"
    digits = 10 ** max(0, len(str(more)) - 2)
    rounded = -(-more // digits) * digits
    where = " in each split" if pair.test == "corrected resampled t" else ""
    different = ", each a text of its own" if pair.clusters < pair.rows else ""
    return (
        f"if the true difference is as large, about {rounded:,} more test rows{where} would decide it four times in "
        f"five{different}"
    )


def _single_seed(scored: Sequence[RowVerdict]) -> str | None:
    single = [row.name for row in scored if _is_tuned(row) and row.seeds == 1 and not row.repeated]
    if not single:
        return None
    return (
        f"{', '.join(single)}: one seed, so that its spread between reruns is assumed (2 points), not measured; "
        f"3 to 5 seeds would measure it."
    )


def _wins(scored: Sequence[RowVerdict]) -> str | None:
    """Say who measured best in what costs something; the majority class and a cost of 0, which do nothing, are out."""
    rows = [row for row in scored if row.method != FLOOR]
    found = []
    example = all(row.cost.price.example for row in rows if row.cost)
    for words, unit, measure in _WINS:
        known = [(value, row.name) for row in rows if (value := measure(row))]
        kinds = {row.memory_kind for row in rows} if unit == "GB" else set()
        if len(known) > 1 and len(kinds) < 2:
            best = min(value for value, _ in known)
            names = [name for value, name in known if value == best]
            if len(names) < len(known):
                said = f"{three_digits(best)} {unit}" if unit else money(best, example=example)
                found.append(f"{words} {' and '.join(names)} ({said})")
    return f"Measured best: {'; '.join(found)}." if found else None


def _front(front: Pareto) -> str | None:
    """Say who is on the Pareto front and who is not; of one row there is nothing to say."""
    if len(front.front) + len(front.dominated) < _PAIR:
        return None
    words = [_MEASURES[measure] for measure in front.measures]
    over = f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
    beaten = [f"{item.name} by {', '.join(item.by)}" for item in front.dominated]
    rest = f"dominated, no better in any measured value, chance included: {'; '.join(beaten)}"
    return f"On the Pareto front of {over}: {', '.join(front.front)}; {rest if beaten else 'no row is dominated'}."


def _differing(differing: Sequence[Confound]) -> str | None:
    keys = list(dict.fromkeys(item.key for item in differing if item.kind != "own setting"))
    if not keys:
        return None
    more = f" and {len(keys) - _FEW_CONFOUNDS} more" if len(keys) > _FEW_CONFOUNDS else ""
    return f"Beyond the method, rows also differ in {', '.join(keys[:_FEW_CONFOUNDS])}{more}."
