"""What the machine decides: which methods fit, and how much of the comparison a given time is enough for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from showdown.core.forecast import ArmForecast, Forecast
from showdown.core.forecast_words import duration, gigabytes, is_scoring, is_training, is_tuning, scaled, total
from showdown.core.metric import AUTO, CLASSIFICATION, GENERATION
from showdown.core.spec import Comparison, TuningSpec
from showdown.core.split import KFoldSplit, SingleSplit
from showdown.data.prepare import Prepared
from showdown.data.tables import count
from showdown.methods.table import method_and_settings, method_class
from showdown.runner.prepared import Ready
from showdown.start.draft import Draft
from showdown.start.of_data import LIMITS

_FEW_FOLDS = 3
_FEW_TOKENS, _FEWEST_TOKENS = 128, 64
"""Of a labelled text: its beginning tells most labels apart, and folds are worth more than its end."""
_FEW_EPOCHS = 3
"""Of a model that writes: usual for instructions, where a classifier needs more."""
_LEAST_ROWS = 100
_ROWS_A_LABEL = 10
_SPARE = 0.9
"""Of the time: a forecast is of the expected time."""
_MOST_LOOKS = 4
"""For one way of making a comparison shorter."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A comparison as it would run here."""

    ready: Ready
    prepared: Prepared
    forecast: Forecast

    @property
    def rows(self) -> int:
        """Return how many rows are used."""
        return len(self.prepared.rows.row_ids)


LookAt = Callable[[Comparison], Look]


def settled(draft: Draft, look: Look) -> Draft:
    """Return the draft with a value for everything that is `auto`, which would be chosen anew on another machine."""
    asked, found = draft.comparison, look.ready
    split = found.split
    if asked.protocol.split.kind == AUTO:
        draft = draft.with_protocol("split", split, _why_split(split, look))
    if asked.protocol.tuning == AUTO:
        tuning = found.comparison.protocol.tuning
        draft = draft.with_protocol(
            "tuning",
            tuning,
            "each method's learning rate is searched: that is cheap here"
            if isinstance(tuning, TuningSpec)
            else "each method trains at its default rate; `{trials: 4}` searches it, five times the time",
        )
    if asked.seeds == AUTO:
        seeds = found.comparison.seeds
        assert isinstance(seeds, list)
        draft = draft.with_seeds(
            seeds,
            "one seed: [0, 1, 2] measures the spread between reruns, in three times the time"
            if len(seeds) == 1
            else "several, so that the spread between reruns is measured",
        )
    return draft


def _why_split(split: object, look: Look) -> str:
    texts = f"{count(len(set(look.prepared.rows.duplicate_groups)), f'different {look.prepared.rows.noun}')}"
    if isinstance(split, KFoldSplit):
        return f"{texts}, too few to set some aside: each is tested once; copies of a text stay together"
    return f"{texts}, enough to set test rows aside; copies of a text stay together"


def fitting(draft: Draft, look_at: LookAt, most_seconds: float) -> tuple[Draft, Look]:
    """Return the draft as it fits the machine's memory and the time, and how it would run.

    The protocol is changed for all rows alike. Methods that do not fit are left out.

    Args:
        draft: everything but what the machine decides.
        look_at: forecasts a comparison on this machine.
        most_seconds: that the whole may take, by what is expected.

    Raises:
        UserError: for data or a model that cannot be used.

    """
    look = look_at(draft.comparison)
    draft = settled(draft, look)
    draft, look = _within_memory(draft, look, look_at)
    for step in _steps():
        for _ in range(_MOST_LOOKS):
            share = _share_left(look, most_seconds)
            smaller = None if share >= 1.0 else step(draft, look, share)
            if smaller is None:
                break
            draft, look = smaller, look_at(smaller.comparison)
    return draft, look


def _within_memory(draft: Draft, look: Look, look_at: LookAt) -> tuple[Draft, Look]:
    """Leave out what cannot work on this network, and what does not fit even with the leanest settings."""
    for arm in look.forecast.arms:
        if arm.runs == 0:
            draft = draft.without(arm.name, "; ".join(arm.notes) or "it cannot work on this network")
    misfits = [arm for arm in look.forecast.arms if arm.fits is False]
    lean = any(fix.startswith("`memory: lean`:") for arm in misfits for fix in arm.fixes)
    if lean and draft.comparison.protocol.memory == "speed":
        names = ", ".join(arm.name for arm in misfits)
        draft = draft.with_protocol("memory", "lean", f"`speed` does not fit for {names}; the same for all methods")
        look = look_at(draft.comparison)
    room = look.forecast.device.memory_gb
    for arm in look.forecast.arms:
        if arm.fits is False and arm.peak_gb is not None:
            draft = draft.without(arm.name, f"needs about {gigabytes(arm.peak_gb)}, and there are {room:.3g} GB here")
    return draft, look_at(draft.comparison) if len(draft.comparison.methods) < len(look.forecast.arms) else look


def _steps() -> Iterator[Callable[[Draft, Look, float], Draft | None]]:
    """Yield what makes a comparison shorter, the mildest first; each returns None where it can do no more."""
    yield partial(_fewer_tokens, least=_FEW_TOKENS)
    yield _fewer_folds
    yield partial(_fewer_tokens, least=_FEWEST_TOKENS)
    yield _fewer_epochs
    yield _one_split
    yield _fewer_rows
    yield _without_slowest


def _share_left(look: Look, most_seconds: float) -> float:
    """Return which part of the time that grows with the rows there is room for; 1 or more where all of it fits."""
    expected = look.forecast.seconds.expected
    if expected <= most_seconds:
        return 1.0
    grows = sum(
        arm.runs * seconds.expected
        for arm in look.forecast.arms
        for phase, seconds in arm.seconds.items()
        if is_tuning(phase) or is_training(phase) or is_scoring(phase)
    )
    grows = min(grows / look.forecast.devices, expected)
    return max(0.0, _SPARE * most_seconds - (expected - grows)) / grows if grows else 1.0


def _fewer_tokens(draft: Draft, look: Look, share: float, *, least: int) -> Draft | None:
    most = draft.comparison.protocol.max_tokens
    if draft.comparison.task != CLASSIFICATION or most <= least:
        return None
    wanted = max(least, next((one for one in reversed(LIMITS) if one <= share * most), least))
    return draft.with_protocol("max_tokens", wanted, f"the first {wanted} tokens of each text, for time; {_was(look)}")


def _fewer_folds(draft: Draft, look: Look, share: float) -> Draft | None:
    del share
    split = draft.comparison.protocol.split
    if not isinstance(split, KFoldSplit) or split.folds <= _FEW_FOLDS:
        return None
    why = f"{_FEW_FOLDS} folds in place of {split.folds}, for time; every row is still tested once; {_was(look)}"
    return draft.with_protocol("split", split.model_copy(update={"folds": _FEW_FOLDS}), why)


def _fewer_epochs(draft: Draft, look: Look, share: float) -> Draft | None:
    del share
    if draft.comparison.task != GENERATION or draft.comparison.protocol.epochs <= _FEW_EPOCHS:
        return None
    why = f"at most, for time; a method that had not converged by then is marked; {_was(look)}"
    return draft.with_protocol("epochs", _FEW_EPOCHS, why)


def _one_split(draft: Draft, look: Look, share: float) -> Draft | None:
    del share
    split = draft.comparison.protocol.split
    if not isinstance(split, KFoldSplit):
        return None
    why = f"one split in place of {split.folds} folds, for time: fewer test rows, wider intervals; {_was(look)}"
    return draft.with_protocol("split", SingleSplit(seed=split.seed), why)


def _fewer_rows(draft: Draft, look: Look, share: float) -> Draft | None:
    least = max(_LEAST_ROWS, _ROWS_A_LABEL * len(look.prepared.labels))
    limit = _rounded(max(least, int(share * look.rows)))
    if limit >= look.rows:
        return None
    beyond = sum(len(part.rows) for part in look.prepared.rows.left_out if part.requested)
    why = f"a sample of the {look.rows + beyond:,} rows, the same share of every label, for time; {_was(look)}"
    return draft.with_data("limit", limit, why)


def _without_slowest(draft: Draft, look: Look, share: float) -> Draft | None:
    """Leave out the methods that take longest, until the others fit; those without a network stay."""
    seconds = {arm.name: _arm_seconds(arm) for arm in look.forecast.arms}
    room = share * sum(seconds.values())
    left = dict(seconds)
    for arm in sorted(look.forecast.arms, key=_arm_seconds, reverse=True):
        if sum(left.values()) <= room or len(left) == 1:
            break
        if method_class(method_and_settings(arm.name, draft.comparison.methods[arm.name])[0]).needs() != "text":
            del left[arm.name]
            took = duration(scaled(total(arm), arm.runs))
            draft = draft.without(arm.name, f"takes {took} by itself, even on {count(look.rows, 'row')}")
    return draft if len(left) < len(seconds) else None


def _arm_seconds(arm: ArmForecast) -> float:
    return arm.runs * total(arm).expected


def _rounded(rows: int) -> int:
    """Return a number of rows with two digits that is not more."""
    size: int = 10 ** max(0, len(str(rows)) - 2)
    return rows // size * size


def _was(look: Look) -> str:
    return f"{duration(look.forecast.seconds)} before"
