"""The sentences of a verdict."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from showdown.core.metric import ACCURACY, Metric
from showdown.core.prices import money, three_digits
from showdown.verdict.confounds import Confound
from showdown.verdict.generation.words import cut_answers, forgotten, prompting, quantised_twice
from showdown.verdict.leak import copies_text, spoils_scores, worth_sentence
from showdown.verdict.listing import listed
from showdown.verdict.margin import most_worse
from showdown.verdict.model import ArmVerdict, PairVerdict, Score
from showdown.verdict.pair_words import better, lead, needed, not_shown, pair_of, still_open, target
from showdown.verdict.pareto import Pareto
from showdown.verdict.training import cut_short_first, divergences, endings

_ALIKE = 1e-9
_MANY = 6
_FEW_CONFOUNDS = 5
_FEW_PAIRS = 3
_FEW_ROWS = 2
"""A difference of no more test rows than these is said in rows."""
_MEASURES = {
    "accuracy": "accuracy",
    "f1_macro": "macro F1",
    "memory_gb": "memory",
    "train_seconds": "training time",
    "cost": "cost",
    "model_size_mb": "size",
    "latency_ms": "latency",
    "first_token_ms": "time to the first token",
    "tokens_per_second": "speed of writing",
    "general_loss_rise": "rise of the loss on general text",
}
"""What a measure of the Pareto front is called; `score` is called what the metric is."""

_FASTEST = "fastest writing"
Measure = Callable[[ArmVerdict], float | None]
_WINS: tuple[tuple[str, str | None, Measure], ...] = (
    ("least memory in the whole run", "GB", lambda row: row.memory_gb),
    ("shortest training", "s", lambda row: row.train_seconds),
    ("cheapest", None, lambda row: row.cost.model if row.cost else None),
    ("least saved on the disk", "MB", lambda row: row.model_size_mb),
    ("lowest latency (95th percentile)", "ms", lambda row: row.latency_ms),
    (
        "first token soonest (95th percentile)",
        "ms",
        lambda row: row.writing.first_token_p95_ms if row.writing else None,
    ),
    (_FASTEST, "tokens a second", lambda row: row.writing.tokens_per_second if row.writing else None),
)
"""What it is called, its unit (None for money), and what is measured; of all but the last less is better."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Sentences that are found elsewhere."""

    ranked_by: str | None = None
    """Which metric rows are ranked by and why, where that has to be said: the second of all sentences."""
    known: Sequence[str] = ()
    """What must be known of the scores: a leak, test rows that were left out."""
    undertrained: Sequence[str] = ()
    """Who ended below the linear probe of the same network."""
    memory: Sequence[str] = ()
    """Explanations of memory that is not as expected."""
    quantised_before: Mapping[str, str] = field(default_factory=dict)
    """By arm, in which form its network's weights were quantised before they became plain numbers, where they were."""


def sentences(
    rows: Sequence[ArmVerdict],
    pairs: Sequence[PairVerdict],
    front: Pareto,
    differing: Sequence[Confound],
    *,
    metric: Metric,
    findings: Findings,
) -> list[str]:
    """Return what a comparison showed in sentences, the most important first.

    Args:
        rows: all arms.
        pairs: all pairs that share test rows, tested against the margin.
        front: who dominates whom.
        differing: what differs beyond the method.
        metric: what rows are ranked by.
        findings: sentences that are found elsewhere.

    """
    scored = sorted((row for row in rows if row.score), key=lambda row: -metric.sign * _score(row).value)
    of_name = {row.name: row for row in rows}
    rival = _cheap_rival(scored, pairs, metric)
    found = [cut_short_first(scored), *findings.undertrained, rival]
    if metric.is_of_writing:
        found = [prompting(scored, pairs, metric) or rival, *found[:2]]
    found += [*findings.known, *divergences(rows)]
    if scored:
        apart = _rows_apart(pairs) if metric.mean_over_rows else None
        found += [_leader(scored, metric), _beaten(scored, pairs, metric), *_undecided(scored, pairs, metric)]
        found += [_within(scored, pairs, metric), _others(scored, pairs, of_name, metric), apart]
        found += [*forgotten(scored, pairs, metric), *cut_answers(scored), *endings(scored)]
        found += [quantised_twice(scored, findings.quantised_before)]
        found += [_single_seed(scored), _wins(scored), *_front(front, metric), *findings.memory]
    found += _without_score(rows)
    found += [
        f"Some runs of {row.name} are missing ({row.missing_reason})."
        for row in scored
        if row.missing_reason is not None
    ]
    found.append(_differing(differing))
    lines = [sentence for sentence in found if sentence]
    return [*lines[:1], findings.ranked_by, *lines[1:]] if findings.ranked_by and scored else lines


def leak_sentence(
    data: Mapping[str, Any], without: Mapping[str, float] | None = None, metric: Metric = ACCURACY
) -> str:
    """Return how many test rows are copies, how much they raise a cheap model's accuracy, and the scores without.

    Args:
        data: the `data` of a comparison's results: its audit and its inspection.
        without: score of each arm on the test rows that are no copies.
        metric: what is scored.

    """
    copies, worth = copies_text(data), worth_sentence(data)
    text = f"Copies of training rows were let into the test rows{', ' if copies else ''}{copies}"
    text += ": these scores say little of new texts." if spoils_scores(data) else "."
    text += f" {worth}" if worth else ""
    if without:
        scores = ", ".join(f"{name} {metric.shown(score)}" for name, score in without.items())
        text += f" {metric.capital} on the test rows that are no copies: {scores}."
    return text


def _rows_apart(pairs: Sequence[PairVerdict]) -> str | None:
    """Name the pairs that differ by a test row or two; with several seeds the mean over them."""
    apart = [(abs(pair.accuracy.value) * pair.rows, pair) for pair in pairs if pair.accuracy and not pair.different]
    close = sorted((one for one in apart if 0.5 <= one[0] < _FEW_ROWS + 0.5), key=lambda one: one[0])
    if not close:
        return None
    lines = [
        f"{pair.first} and {pair.second} differ by {round(rows)} of {pair.rows} test rows"
        for rows, pair in close[:_FEW_PAIRS]
    ]
    return f"{'; '.join(lines)}. Chance alone often makes such a difference."


def _score(row: ArmVerdict) -> Score:
    assert row.score is not None
    return row.score


def _is_fine_tuned(row: ArmVerdict) -> bool:
    return row.traits.role == "fine-tuned"


def _cheap_rival(scored: Sequence[ArmVerdict], pairs: Sequence[PairVerdict], metric: Metric) -> str | None:
    """State that fine-tuning was not shown to beat the best of the cheap arms that it did not beat."""
    tuned = next((row for row in scored if _is_fine_tuned(row)), None)
    for cheap in scored if tuned else ():
        pair = pair_of(pairs, cheap.name, tuned.name) if tuned and cheap.traits.role == "cheap" else None
        if tuned and pair and not (pair.different and pair.score.value < 0):
            return _not_beaten(cheap, tuned, pair, [row.name for row in scored if row.cut_short], metric)
    return None


def _not_beaten(
    cheap: ArmVerdict, tuned: ArmVerdict, pair: PairVerdict, cut_short: Sequence[str], metric: Metric
) -> str:
    best = f"{tuned.name}, the best fine-tuned method,"
    theirs = metric.shown(_score(cheap).value)
    scores = f"has {metric.scored(_score(tuned).value)} and {cheap.name} {theirs}"
    if tuned.name in cut_short:
        return still_open(
            f"the cheap rival {cheap.name}", best, metric.scored(_score(tuned).value), f"{cheap.name} has {theirs}"
        )
    rest = f" {listed(cut_short)} may do better when trained for longer." if cut_short else ""
    if pair.different:
        return f"{target(pair)}, the cheap rival {cheap.name} beats fine-tuning: {best} {scores}.{rest}"
    return f"{target(pair)}, fine-tuning was not shown to beat the cheap rival {cheap.name}: {best} {scores}.{rest}"


def _leader(scored: Sequence[ArmVerdict], metric: Metric) -> str:
    leader = scored[0]
    best = _score(leader)
    equals = [row.name for row in scored if abs(_score(row).value - best.value) < _ALIKE]
    of_one = f" of {leader.name}" if len(equals) > 1 else ""
    interval = f"no interval: {best.why}"
    if best.low is not None and best.high is not None:
        interval = f"95 % interval{of_one} {metric.ends(best.low, best.high)}"
    return f"{listed(equals)} scored {metric.best_word}: {metric.scored(best.value)} ({interval})."


def _beaten(scored: Sequence[ArmVerdict], pairs: Sequence[PairVerdict], metric: Metric) -> str:
    """Name the arms that the leader beats; one that had not converged was not beaten."""
    leader, others = scored[0], {row.name: row for row in scored[1:]}
    if not others:
        return "There is no other method with scores to compare it with."
    known = [pair for name in others if (pair := pair_of(pairs, leader.name, name)) is not None]
    ahead = [pair for pair in known if pair.different and pair.score.value > 0]
    won = [
        f"{pair.second} by {lead(pair, metric, named=pair is ahead[0])}"
        for pair in ahead
        if not others[pair.second].cut_short
    ]
    text = f"{target(ahead[0])}, {leader.name} beats {', '.join(won)}." if won else ""
    unfinished = [pair for pair in ahead if others[pair.second].cut_short]
    which = "" if len(unfinished) > 1 else ", which had not converged,"
    short = [f"{pair.second}{which} by {lead(pair, metric)}" for pair in unfinished]
    if short:
        than = f"{', '.join(short)}, none of which had converged" if len(short) > 1 else short[0]
        text += f"{' ' if won else ''}{target(ahead[0])}, {leader.name} scored {metric.more} than {than}."
    if text and any(pair.lead for pair in ahead):
        text += " A fair estimate is below what was measured: a difference that stands out is in part luck."
    if won and leader.diverged:
        text += f" These leads leave out the {leader.diverged} of {leader.runs} runs of {leader.name} that diverged."
    if text or not known:
        return text
    return f"{target(known[0])}, {leader.name} was not shown to beat any other method."


def _others(
    scored: Sequence[ArmVerdict], pairs: Sequence[PairVerdict], of_name: Mapping[str, ArmVerdict], metric: Metric
) -> str | None:
    """Describe the pairs without the leader and without floors."""
    below = [row.name for row in scored[1:] if row.traits.role != "floor"]
    known = [pair for first, second in itertools.combinations(below, 2) if (pair := pair_of(pairs, first, second))]
    shown = [better(pair, of_name, metric, named=False) for pair in known if pair.different]
    alike = [f"{pair.first} and {pair.second}" for pair in known if not pair.different]
    parts = [_first_few(shown, "; ", "more pairs")] if shown else []
    parts += [f"no difference was shown between {_first_few(alike, ', ', 'more pairs')}"] if alike else []
    return f"{target(known[0])}, of the other pairs: {'; '.join(parts)}." if parts else None


def _first_few(text: Sequence[str], between: str = ", ", rest: str = "more") -> str:
    """Join texts; of many the first few, and how many more there are."""
    more = f"{between}and {len(text) - _MANY} {rest}" if len(text) > _MANY + 1 else ""
    return between.join(text[: _MANY if more else None]) + more


def _undecided(scored: Sequence[ArmVerdict], pairs: Sequence[PairVerdict], metric: Metric) -> list[str]:
    """Name who was not shown to differ from the leader, the nearest first, and what would decide it."""
    leader = scored[0]
    found = [pair for other in scored[1:] if (pair := pair_of(pairs, leader.name, other.name)) and not pair.different]
    lines = [" ".join(filter(None, [not_shown(pair, pairs, metric), needed(pair)])) for pair in found[:_FEW_PAIRS]]
    rest = _first_few([pair.second for pair in found[_FEW_PAIRS:]])
    return [*lines, f"No difference was shown between {leader.name} and {rest} either."] if rest else lines


def _within(scored: Sequence[ArmVerdict], pairs: Sequence[PairVerdict], metric: Metric) -> str | None:
    """Name who is at most the margin worse than the leader, and by how much others that were not beaten may be."""
    leader = scored[0]
    known = [
        (pair, pair.within)
        for other in scored[1:]
        if other.traits.role != "floor" and (pair := pair_of(pairs, leader.name, other.name)) and pair.within
    ]
    at_most = [pair.second for pair, within in known if within.second == "non-inferior"]
    may_be = [
        f"{metric.size(most_worse(pair))} for {pair.second}"
        for pair, within in known
        if within.second == "may be worse"
    ]
    if not at_most and not may_be:
        return None
    (pair, within), are = known[0], "are each" if len(at_most) > 1 else "is"
    near = f"at most {metric.margin(within.margin)} worse than {leader.name}"
    if not at_most:
        return (
            f"{target(pair)}, the test could not show that any other method is {near}. The true gap may be up to "
            f"{_first_few(may_be)}."
        )
    rest = f" This was not shown of others: the true gap may be up to {_first_few(may_be)}." if may_be else ""
    return f"{target(pair)}, {_named(at_most)} {are} {near}.{rest}"


def _named(names: Sequence[str]) -> str:
    return _first_few(names) if len(names) > _MANY + 1 else listed(names)


def _without_score(rows: Sequence[ArmVerdict]) -> list[str]:
    """Name the arms without scores, those with the same reason together."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if not row.score and row.missing_reason:
            names.setdefault(row.missing_reason, []).append(row.name)
    return [
        f"{_named(found)} {'have' if len(found) > 1 else 'has'} no score ({reason})." for reason, found in names.items()
    ]


def _single_seed(scored: Sequence[ArmVerdict]) -> str | None:
    single = [row.name for row in scored if not row.traits.deterministic and row.seeds == 1 and not row.repeated]
    if not single:
        return None
    had = "ran with one seed each" if len(single) > 1 else "ran with one seed"
    spread = "the spread between reruns is assumed, not measured"
    return f"{_first_few(single)} {had}: {spread}. 3 to 5 seeds would measure it."


def _wins(scored: Sequence[ArmVerdict]) -> str | None:
    """Name who measured best in each cost; floors and costs of 0 are left out."""
    rows = [row for row in scored if row.traits.role != "floor"]
    found = []
    example = all(row.cost.price.example for row in rows if row.cost)
    for words, unit, measure in _WINS:
        known = [(value, row.name) for row in rows if (value := measure(row))]
        kinds = {row.memory_kind for row in rows} if unit == "GB" else set()
        if len(known) > 1 and len(kinds) < 2:
            best = (max if words == _FASTEST else min)(value for value, _ in known)
            names = [name for value, name in known if value == best]
            if len(names) < len(known):
                text = f"{three_digits(best)} {unit}" if unit else money(best, example=example)
                found.append(f"{words} {listed(names)} ({text})")
    return f"Measured best: {'; '.join(found)}." if found else None


def _front(front: Pareto, metric: Metric) -> list[str]:
    """Name who is on the Pareto front and who is not; nothing where all are."""
    if not front.dominated:
        return []
    words = [metric.title if measure == "score" else _MEASURES[measure] for measure in front.measures]
    over = listed(words)
    beaten = [f"{item.name} ({_first_few(item.by)})" for item in front.dominated]
    return [
        f"As measured, the Pareto front of {over} is {_first_few(front.front)}.",
        f"Not on it, since another method measured no worse in any of these: {_first_few(beaten)}. Other test rows "
        "may give another front.",
    ]


def _differing(differing: Sequence[Confound]) -> str | None:
    keys = list(dict.fromkeys(item.key for item in differing if item.kind != "own setting"))
    if not keys:
        return None
    more = f" and {len(keys) - _FEW_CONFOUNDS} more" if len(keys) > _FEW_CONFOUNDS else ""
    return f"Besides the method, the arms also differ in {', '.join(keys[:_FEW_CONFOUNDS])}{more}."
