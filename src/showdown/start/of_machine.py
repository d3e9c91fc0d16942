"""What the machine decides: which methods fit, and how much of the comparison a given time is enough for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from showdown.core.forecast import ArmForecast, Forecast
from showdown.core.forecast_words import duration, gigabytes, scaled, total
from showdown.core.metric import AUTO, CLASSIFICATION, GENERATION
from showdown.core.spec import Comparison, TuningSpec
from showdown.core.split import KFoldSplit, SingleSplit
from showdown.data.prepare import Prepared
from showdown.data.tables import count
from showdown.methods.table import method_and_settings, method_class
from showdown.runner.auto_settings import USUAL_EPOCHS
from showdown.runner.prepared import Ready
from showdown.start.draft import Draft
from showdown.start.effort import Effort
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
"""How often a comparison that was made shorter is looked at and made shorter again."""


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
        look_at: forecasts a comparison on this machine, in some seconds.
        most_seconds: that the whole may take, by what is expected.

    Raises:
        UserError: for data or a model that cannot be used.

    """
    look = look_at(draft.comparison)
    draft = settled(draft, look)
    fits = _without_hopeless(_within_memory(draft, look), look, most_seconds)
    if fits.comparison != draft.comparison:
        draft, look = fits, look_at(fits.comparison)
    for _ in range(_MOST_LOOKS):
        shorter = _shortened(draft, look, most_seconds)
        if shorter.comparison == draft.comparison:
            break
        draft, look = shorter, look_at(shorter.comparison)
    return draft, look


def _within_memory(draft: Draft, look: Look) -> Draft:
    """Leave out what cannot work on this network, and what does not fit even with the leanest settings."""
    room = look.forecast.device.memory_gb
    for arm in look.forecast.arms:
        if arm.runs == 0:
            draft = draft.without(arm.name, "; ".join(arm.notes) or "it cannot work on this network")
    misfits = [arm for arm in look.forecast.arms if arm.peak_gb is not None and arm.peak_gb.expected > room]
    lean = [arm.name for arm in misfits if any(fix.startswith("`memory: lean`:") for fix in arm.fixes)]
    if lean and draft.comparison.protocol.memory == "speed":
        why = f"`speed` does not fit for {', '.join(lean)}; the same for all methods"
        draft = draft.with_protocol("memory", "lean", why)
    for arm in misfits:
        if arm.name not in lean and arm.peak_gb is not None:
            draft = draft.without(arm.name, f"needs about {gigabytes(arm.peak_gb)}; there are {room:.3g} here")
    return draft


def _without_hopeless(draft: Draft, look: Look, most_seconds: float) -> Draft:
    """Leave out the methods each of which would take the whole time by itself, however short the comparison is made.

    Otherwise all others would be made as short for their sake, in vain.
    """
    short, least = draft, Effort.of(look.forecast)
    for step in _STEPS:
        if found := step(short, look, 0.0):
            short, runs, growing = found
            least = least.times(runs=runs, growing=growing)
    for arm in look.forecast.arms:
        hopeless = least.arms[arm.name].seconds > most_seconds
        if hopeless and arm.name in draft.comparison.methods and _needs_network(draft, arm):
            took = duration(scaled(total(arm), arm.runs))
            draft = draft.without(arm.name, f"takes {took} by itself, too long even where all is made shorter")
    return draft


def _needs_network(draft: Draft, arm: ArmForecast) -> bool:
    method, _ = method_and_settings(arm.name, draft.comparison.methods[arm.name])
    return method_class(method).needs() != "text"


def _shortened(draft: Draft, look: Look, most_seconds: float) -> Draft:
    """Return the draft with as many changes as are estimated to bring it into the time, the mildest first."""
    effort = Effort.of(look.forecast)
    if effort.seconds <= most_seconds:
        return draft
    room = _SPARE * most_seconds
    # Where starting, loading and saving alone take too long, smaller runs are of no use before there are fewer of them.
    for step in _STEPS if effort.growth_for(room) > 0.0 else (*_FEWER_RUNS, *_STEPS):
        share = effort.growth_for(room)
        if effort.seconds <= room:
            break
        if (share > 0.0 or step in _FEWER_RUNS) and (found := step(draft, look, share)):
            draft, runs, growing = found
            effort = effort.times(runs=runs, growing=growing)
    return _without_slowest(draft, look, effort, room)


Shorter = tuple[Draft, float, float] | None
"""A draft that takes less time; about which part of the runs, and of what grows with the rows in each, is left. None
where there is no such draft."""


def _fewer_tokens(draft: Draft, look: Look, share: float, *, least: int) -> Shorter:
    most = draft.comparison.protocol.max_tokens
    if draft.comparison.task != CLASSIFICATION or most <= least:
        return None
    wanted = max(least, next((one for one in reversed(LIMITS) if one <= share * most), least))
    why = f"the first {wanted} tokens of each text, for time; {_was(look)}"
    return draft.with_protocol("max_tokens", wanted, why), 1.0, wanted / most


def _fewer_folds(draft: Draft, look: Look, share: float) -> Shorter:
    del share
    split = draft.comparison.protocol.split
    if not isinstance(split, KFoldSplit) or split.folds <= _FEW_FOLDS:
        return None
    why = f"{_FEW_FOLDS} folds in place of {split.folds}, for time; every row is still tested once; {_was(look)}"
    fewer = split.model_copy(update={"folds": _FEW_FOLDS})
    return draft.with_protocol("split", fewer, why), _FEW_FOLDS / split.folds, _train_share(fewer) / _train_share(split)


def _one_split(draft: Draft, look: Look, share: float) -> Shorter:
    del share
    split = draft.comparison.protocol.split
    if not isinstance(split, KFoldSplit):
        return None
    single = SingleSplit(seed=split.seed)
    why = f"one split in place of folds, for time: fewer test rows, wider intervals; {_was(look)}"
    return draft.with_protocol("split", single, why), 1 / split.folds, single.train / _train_share(split)


def _train_share(split: KFoldSplit) -> float:
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
    limit = _rounded(max(least, int(share * look.rows)))
    if limit >= look.rows:
        return None
    beyond = sum(len(part.rows) for part in look.prepared.rows.left_out if part.requested)
    why = f"a sample of the {look.rows + beyond:,} rows, the same share of every label, for time; {_was(look)}"
    return draft.with_data("limit", limit, why), 1.0, limit / look.rows


_FEWER_RUNS = (_fewer_folds, _one_split)
_STEPS: tuple[Callable[[Draft, Look, float], Shorter], ...] = (
    partial(_fewer_tokens, least=_FEW_TOKENS),
    _fewer_folds,
    partial(_fewer_tokens, least=_FEWEST_TOKENS),
    _fewer_epochs,
    _one_split,
    _fewer_rows,
)
"""What makes a comparison shorter, the mildest first. Each gets the part of what grows with the rows for which there is
time, and makes it no smaller than it has to."""


def _without_slowest(draft: Draft, look: Look, effort: Effort, room: float) -> Draft:
    """Leave out the methods that take longest, until the others fit; those without a network stay."""
    for arm in sorted(look.forecast.arms, key=lambda one: -effort.arms[one.name].seconds):
        if effort.seconds <= room:
            break
        if _needs_network(draft, arm):
            took = duration(scaled(total(arm), arm.runs))
            draft = draft.without(arm.name, f"takes {took} by itself with {count(look.rows, 'row')}, too long here")
            effort = effort.without(arm.name)
    return draft


def _rounded(rows: int) -> int:
    """Return a number of rows with two digits that is not more."""
    size: int = 10 ** max(0, len(str(rows)) - 2)
    return rows // size * size


def _was(look: Look) -> str:
    return f"without it {duration(look.forecast.seconds)}"
