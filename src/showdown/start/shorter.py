"""What makes a comparison shorter: fewer tokens, folds, epochs and rows."""

from collections.abc import Callable
from functools import partial

from showdown.core.forecast_words import duration
from showdown.core.metric import CLASSIFICATION, GENERATION
from showdown.core.split import KFoldSplit, SingleSplit
from showdown.runner.auto_settings import USUAL_EPOCHS
from showdown.start.draft import Draft
from showdown.start.look import LIMITS, Look

FEW_FOLDS = 3
_FEW_TOKENS, _FEWEST_TOKENS = 128, 64
"""Of a labelled text: its beginning tells most labels apart, and folds are worth more than its end."""
_FEW_EPOCHS = 3
"""Of a model that writes: usual for instructions, where a classifier needs more."""
_LEAST_ROWS = 100
_ROWS_A_LABEL = 10

Shorter = tuple[Draft, float, float] | None
"""A draft that takes less time; about which part of the runs, and of what grows with the rows in each, is left. None
where there is no such draft."""


def _fewer_tokens(draft: Draft, look: Look, share: float, *, least: int) -> Shorter:
    most = draft.comparison.protocol.max_tokens
    if draft.comparison.task != CLASSIFICATION or most <= least:
        return None
    wanted = max(least, next((one for one in reversed(LIMITS) if one <= share * most), least))
    return with_tokens(draft, wanted, look), 1.0, wanted / most


def with_tokens(draft: Draft, wanted: int, look: Look) -> Draft:
    """Return the draft with fewer tokens of each text; `look` is how it would run otherwise."""
    why = f"the first {wanted} tokens of each text, for time; {_was(look)}"
    return draft.with_protocol("max_tokens", wanted, why)


def _fewer_folds(draft: Draft, look: Look, share: float) -> Shorter:
    del share
    split = draft.comparison.protocol.split
    if not isinstance(split, KFoldSplit) or split.folds <= FEW_FOLDS:
        return None
    fewer = split.model_copy(update={"folds": FEW_FOLDS})
    return with_few_folds(draft, fewer, look), FEW_FOLDS / split.folds, train_share(fewer) / train_share(split)


def with_few_folds(draft: Draft, split: KFoldSplit, look: Look) -> Draft:
    """Return the draft with fewer folds; `look` is how it would run otherwise."""
    why = f"{split.folds} folds, for time: few, but every row is tested once; {_was(look)}"
    return draft.with_protocol("split", split, why)


def _one_split(draft: Draft, look: Look, share: float) -> Shorter:
    del share
    split = draft.comparison.protocol.split
    if not isinstance(split, KFoldSplit):
        return None
    single = SingleSplit(seed=split.seed)
    why = f"one split in place of folds, for time: fewer test rows, wider intervals; {_was(look)}"
    return draft.with_protocol("split", single, why), 1 / split.folds, single.train / train_share(split)


def train_share(split: KFoldSplit) -> float:
    """Return which part of the rows a fold trains on."""
    return 1 - 1 / split.folds - split.validation


def _fewer_epochs(draft: Draft, look: Look, share: float) -> Shorter:
    del share
    epochs = draft.comparison.protocol.epochs
    if draft.comparison.task != GENERATION or epochs <= _FEW_EPOCHS:
        return None
    why = f"at most, for time; a method that had not converged by then is marked; {_was(look)}"
    return draft.with_protocol("epochs", _FEW_EPOCHS, why), 1.0, _FEW_EPOCHS / min(epochs, USUAL_EPOCHS)


def _fewer_rows(draft: Draft, look: Look, share: float) -> Shorter:
    least = max(_LEAST_ROWS, _ROWS_A_LABEL * len(look.prepared.labels))
    limit = rounded(max(least, int(share * look.rows)))
    if limit >= look.rows:
        return None
    return sampled(draft, look, limit), 1.0, limit / look.rows


def sampled(draft: Draft, look: Look, limit: int) -> Draft:
    """Return the draft with a sample of the rows; `look` is how it would run otherwise."""
    beyond = sum(len(part.rows) for part in look.prepared.rows.left_out if part.requested)
    why = f"a sample of the {look.rows + beyond:,} rows, the same share of every label, for time; {_was(look)}"
    return draft.with_data("limit", limit, why)


FEWER_RUNS = (_fewer_folds, _one_split)
STEPS: tuple[Callable[[Draft, Look, float], Shorter], ...] = (
    partial(_fewer_tokens, least=_FEW_TOKENS),
    _fewer_folds,
    partial(_fewer_tokens, least=_FEWEST_TOKENS),
    _fewer_epochs,
    _one_split,
    _fewer_rows,
)
"""What makes a comparison shorter, the mildest first. Each gets the part of what grows with the rows for which there is
time, and makes it no smaller than it has to."""


def rounded(rows: int) -> int:
    """Return a number of rows with two digits that is not more."""
    size: int = 10 ** max(0, len(str(rows)) - 2)
    return rows // size * size


def _was(look: Look) -> str:
    return f"without it {duration(look.forecast.seconds)}"
