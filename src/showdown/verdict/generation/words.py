"""Sentences that only a comparison of written answers has."""

import math
from collections.abc import Iterator, Mapping, Sequence

from showdown.core.metric import Metric
from showdown.verdict.generation.measured import Forgetting
from showdown.verdict.listing import listed
from showdown.verdict.model import ArmVerdict, PairVerdict, Score
from showdown.verdict.pair_words import lead, pair_of, still_open, target

CLEAR_RISE = 0.05
"""In nats a token: a smaller difference between two rises of the loss on general text is not mentioned. A text that
costs so much more has a perplexity that is 5 % higher."""
_CLEAR_ERRORS = 2.0
"""Nor is one of fewer standard errors, where both arms have several runs."""
_RIVALS = ("prompted", "cheap")


def prompting(scored: Sequence[ArmVerdict], pairs: Sequence[PairVerdict], metric: Metric) -> str | None:
    """State whether fine-tuning was shown to beat the best prompt method, and by how much.

    Args:
        scored: arms with scores, the best first.
        pairs: all pairs.
        metric: what they are ranked by.

    Returns:
        None where there is no fine-tuned arm, no prompt method, or where they were not compared.

    """
    rival = next((row for row in scored if row.traits.role in _RIVALS), None)
    tuned = [row for row in scored if row.traits.role == "fine-tuned"]
    if rival is None or not tuned:
        return None
    known = [(row, pair) for row in tuned if (pair := pair_of(pairs, row.name, rival.name))]
    ahead = next((found for found in known if found[1].different and found[1].score.value > 0), None)
    if ahead:
        row, pair = ahead
        left_out = (
            f" (without the {row.diverged} of {row.runs} runs of {row.name} that diverged)" if row.diverged else ""
        )
        return (
            f"{target(pair)}, fine-tuning beats {_kind(rival)}: {row.name} leads {rival.name}, {_best(rival)}, by "
            f"{lead(pair, metric)}{left_out}."
        )
    first = next((found for found in known if found[0] is tuned[0]), None)
    return _not_ahead(rival, *first, metric) if first else None


def _not_ahead(rival: ArmVerdict, tuned: ArmVerdict, pair: PairVerdict, metric: Metric) -> str:
    best = f"{tuned.name}, the best fine-tuned method,"
    ours, theirs = metric.scored(_score(tuned).value), metric.shown(_score(rival).value)
    has = f"has {ours} and {rival.name}, {_best(rival)}, {theirs}"
    if tuned.cut_short:
        return still_open(_kind(rival), best, ours, f"{rival.name}, {_best(rival)}, has {theirs}")
    if pair.different:
        return f"{target(pair)}, {_kind(rival)} beats fine-tuning: {best} {has}."
    return f"{target(pair)}, fine-tuning was not shown to beat {_kind(rival)}: {best} {has}."


def _kind(rival: ArmVerdict) -> str:
    return "prompting" if rival.traits.role == "prompted" else f"the cheap rival {rival.name}"


def _best(rival: ArmVerdict) -> str:
    return "the best prompt method" if rival.traits.role == "prompted" else "the best method without fine-tuning"


def _score(row: ArmVerdict) -> Score:
    assert row.score is not None
    return row.score


def forgotten(scored: Sequence[ArmVerdict], pairs: Sequence[PairVerdict], metric: Metric) -> Iterator[str]:
    """Name each fine-tuned arm that lost clearly more elsewhere than one that was not shown to be worse on the task.

    Args:
        scored: arms with scores, the best first.
        pairs: all pairs, tested against the margin.
        metric: what they are ranked by.

    """
    measured = [(row, row.forgetting) for row in scored if row.forgetting]
    for row, ours in measured:
        keepers = [
            (theirs, other.name, pair)
            for other, theirs in measured
            if _is_clearly_less(theirs, ours)
            and (pair := pair_of(pairs, other.name, row.name))
            and not (pair.different and pair.score.value < 0)
        ]
        if keepers:
            theirs, name, pair = keepers[0]  # the best on the task
            yield (
                f"{row.name} lost more elsewhere than {name}: the loss on general text rose by "
                f"{ours.general_loss_rise:.3f} nats a token, against {theirs.general_loss_rise:.3f}, and {name} "
                f"{_on_the_task(pair, metric, cut_short=row.cut_short)}.{_rounded(row)}"
            )


def _is_clearly_less(less: Forgetting, more: Forgetting) -> bool:
    """Return whether one rise of the loss is below another by more than `CLEAR_RISE`, and by more than chance."""
    apart, errors = more.general_loss_rise - less.general_loss_rise, 0.0
    if less.general_loss_rise_spread is not None and more.general_loss_rise_spread is not None:
        errors = math.hypot(
            less.general_loss_rise_spread / math.sqrt(less.runs), more.general_loss_rise_spread / math.sqrt(more.runs)
        )
    return apart >= CLEAR_RISE and apart > _CLEAR_ERRORS * errors


def _rounded(row: ArmVerdict) -> str:
    """Return that a loss elsewhere is not of training alone."""
    if not row.traits.quantised:
        return ""
    return f" Of {row.name} that includes what rounding the network's weights costs."


def _on_the_task(pair: PairVerdict, metric: Metric, *, cut_short: bool) -> str:
    """Return how the first arm of a pair, which was not shown to be worse, does on the task.

    Args:
        pair: the two arms.
        metric: what they are ranked by.
        cut_short: whether the second had not converged, and so was not beaten.

    """
    if pair.different and cut_short:
        return f"scored {metric.more} on the task, where {pair.second} had not converged"
    if pair.different:
        return "beats it on the task"
    if pair.within and pair.within.first == "non-inferior":
        return f"is at most {metric.margin(pair.within.margin)} worse on the task"
    return "was not shown to be worse on the task"


def cut_answers(scored: Sequence[ArmVerdict]) -> Iterator[str]:
    """State whose answers were cut at the limit of tokens, and how many."""
    found = [(row.name, row.writing) for row in scored if row.writing and row.writing.cut_answers]
    if found:
        each = [f"{writing.cut_answers} of {writing.answers} of {name}" for name, writing in found]
        limits = sorted({writing.max_new_tokens for _, writing in found if writing.max_new_tokens is not None})
        limit = f" of {listed([str(one) for one in limits])} tokens" if limits else ""
        yield (
            f"Answers were cut at the limit{limit}: {', '.join(each)}. They were scored as they stand; "
            "`protocol.max_new_tokens` sets the limit."
        )


def quantised_twice(scored: Sequence[ArmVerdict], before: Mapping[str, str]) -> str | None:
    """State what it does to a comparison that the weights were quantised once, and that some arms quantise them again.

    Args:
        scored: arms with scores.
        before: by arm, in which form its network's weights were quantised before they became plain numbers.

    """
    tuned = [row for row in scored if row.traits.role == "fine-tuned" and row.name in before]
    again, plain = ([row.name for row in tuned if row.traits.quantised is turn] for turn in (True, False))
    if not again or not plain:
        return None
    rounds = "round" if len(again) > 1 else "rounds"
    return (
        f"The weights of this network were rounded before, to {before[again[0]]}: all methods start from what that "
        f"left. {listed(again)} {rounds} them again, with about as large an error as if they had never been rounded. "
        f"So weights rounded twice ({listed(again)}) are compared with weights rounded once ({listed(plain)}), where "
        "with the original weights it would be once and never. Their difference may then be another, and all scores "
        "higher."
    )
