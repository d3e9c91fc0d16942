"""What the machine decides: which methods fit, and how much of the comparison a given time is enough for."""

from showdown.core.forecast import ArmForecast
from showdown.core.forecast_words import duration, gigabytes, scaled, total
from showdown.core.metric import AUTO
from showdown.core.spec import TuningSpec
from showdown.core.split import KFoldSplit
from showdown.data.tables import count
from showdown.methods.table import method_and_settings, method_class
from showdown.start.draft import Draft
from showdown.start.effort import Effort
from showdown.start.longer import longer
from showdown.start.look import Look, LookAt
from showdown.start.shorter import FEWER_RUNS, STEPS

_SPARE = 0.9
"""Of the time: a forecast is of the expected time."""
_MOST_LOOKS = 4
"""How often a comparison that was made shorter is looked at and made shorter again."""


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
    before, first = draft, look
    for _ in range(_MOST_LOOKS):
        shorter = _shortened(draft, look, most_seconds)
        if shorter.comparison == draft.comparison:
            break
        draft, look = shorter, look_at(shorter.comparison)
    if first is not look:
        more = longer(draft, before, look, first, _SPARE * most_seconds)
        if more.comparison != draft.comparison:
            again = look_at(more.comparison)
            if again.forecast.seconds.expected <= most_seconds:
                return more, again
    return draft, look


def _within_memory(draft: Draft, look: Look) -> Draft:
    """Leave out what cannot work on this network, and what does not fit even with the leanest settings."""
    room = look.forecast.device.memory_gb
    for arm in look.forecast.arms:
        if arm.runs == 0:
            draft = draft.without(arm.name, "; ".join(arm.notes) or "it cannot work on this network")
    misfits = [arm for arm in look.forecast.arms if arm.peak_gb is not None and arm.peak_gb.expected > room]
    lean = [arm.name for arm in misfits if any(fix.startswith("`memory: lean`:") for fix in arm.fixes)]
    if draft.is_named("protocol.memory"):
        lean = []
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
    for step in STEPS:
        found = step(short, look, 0.0)
        if found and found[0] != short:  # what the user named stays
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
    for step in STEPS if effort.growth_for(room) > 0.0 else (*FEWER_RUNS, *STEPS):
        share = effort.growth_for(room)
        if effort.seconds <= room:
            break
        found = step(draft, look, share) if share > 0.0 or step in FEWER_RUNS else None
        if found and found[0] != draft:
            draft, runs, growing = found
            effort = effort.times(runs=runs, growing=growing)
    return _without_slowest(draft, look, effort, room)


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
