"""A comparison that was made shorter than it must be is made longer again: what matters most comes back first."""

from showdown.core.split import KFoldSplit, SingleSplit
from showdown.start.draft import Draft
from showdown.start.effort import Effort
from showdown.start.look import LIMITS, Look
from showdown.start.shorter import FEW_FOLDS, rounded, sampled, train_share, with_few_folds, with_tokens

_WORTH_IT = 1.2
"""How many times as many rows or tokens are worth another look."""


def longer(draft: Draft, before: Draft, look: Look, first: Look, room: float) -> Draft:
    """Return the draft with as much of what was taken away as is estimated to fit.

    Args:
        draft: as it was made shorter.
        before: as it was.
        look: how the draft would run.
        first: how it would have run as it was.
        room: seconds.

    """
    effort = Effort.of(look.forecast)
    draft, effort = _more_rows(draft, before, look, first, effort, room)
    draft, effort = _more_folds(draft, before, first, effort, room)
    return _more_tokens(draft, before, first, effort, room)


def _more_rows(
    draft: Draft, before: Draft, look: Look, first: Look, effort: Effort, room: float
) -> tuple[Draft, Effort]:
    limit = draft.comparison.data.limit
    if limit == before.comparison.data.limit or limit is None:
        return draft, effort
    wanted = min(first.rows, rounded(int(limit * effort.growth_for(room))))
    if wanted < _WORTH_IT * limit:
        return draft, effort
    changed = before.taken_over(draft, "data.limit") if wanted == first.rows else sampled(draft, first, wanted)
    return changed, effort.times(growing=wanted / look.rows)


def _more_folds(draft: Draft, before: Draft, first: Look, effort: Effort, room: float) -> tuple[Draft, Effort]:
    was, split = before.comparison.protocol.split, draft.comparison.protocol.split
    if not isinstance(was, KFoldSplit) or not isinstance(split, SingleSplit):
        return draft, effort
    folds = min(was.folds, FEW_FOLDS)
    few = was.model_copy(update={"folds": folds})
    more = effort.times(runs=folds, growing=train_share(few) / split.train)
    if more.seconds > room:
        return draft, effort
    return (
        with_few_folds(draft, few, first) if folds < was.folds else before.taken_over(draft, "protocol.split")
    ), more


def _more_tokens(draft: Draft, before: Draft, first: Look, effort: Effort, room: float) -> Draft:
    was, most = before.comparison.protocol.max_tokens, draft.comparison.protocol.max_tokens
    fitting = [one for one in (*LIMITS, was) if one <= min(was, most * effort.growth_for(room))]
    wanted = max(fitting, default=most)
    if wanted < _WORTH_IT * most:
        return draft
    return before.taken_over(draft, "protocol.max_tokens") if wanted == was else with_tokens(draft, wanted, first)
