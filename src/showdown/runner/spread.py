"""How long a comparison takes on a number of equal devices: the real schedule, with a forecast's seconds."""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from showdown.core.events import StageName
from showdown.core.forecast import ArmForecast, Range
from showdown.core.record import SCORING_PHASES, TRAINING_PHASE, TUNING_PHASE
from showdown.core.spec import RunSpec
from showdown.runner.effort import StageSeconds, effort_of
from showdown.runner.schedule import Schedule, Visit

_BY_ROWS = (TUNING_PHASE, TRAINING_PHASE)
"""Phases that grow with the training rows."""
_LOADING = "loading"
_OF_SCORING_ALONE = ("start of scoring", "reloading")
"""Phases that hardly take time in the process that trained the run."""
_End = Callable[[Range], float]


def spread(specs: Sequence[RunSpec], arms: Sequence[ArmForecast], *, devices: int, share: bool | None) -> Range:
    """Return the seconds from the start of the first run to the end of the last one.

    The ends of the range are those where every run takes the low or the high end of its own: what makes one run longer
    than expected makes the others longer, too.

    Args:
        specs: all runs.
        arms: their forecast.
        devices: of equal speed, each with one stage at a time.
        share: whether runs share a pretrained network, as in `base_key`.

    """
    seconds = {arm.name: arm.seconds for arm in arms}
    order, several = forecast_or_effort(arms), {arm.name: arm.devices for arm in arms}

    def together(visit: Visit) -> int:
        return several.get(visit.spec.name, 1) if "train" in visit.stages else 1

    low, expected, high = (
        _simulated(Schedule(specs, share=share, slots=devices, seconds_of=order), seconds, devices, end, together)
        for end in (lambda one: one.low, lambda one: one.expected, lambda one: one.high)
    )
    return Range(low=min(low, expected), expected=expected, high=max(expected, high))


def forecast_or_effort(arms: Sequence[ArmForecast]) -> StageSeconds:
    """Return the expected seconds of a stage of a run: by the forecast, or by its effort where an arm has none."""
    seconds = {arm.name: arm.seconds for arm in arms}
    if not all(seconds.values()):
        return effort_of

    def seconds_of(spec: RunSpec, stage: StageName) -> float:
        phases = seconds[spec.name].items()
        return sum(_of_phase(spec, phase, found.expected) for phase, found in phases if stage_of(phase) == stage)

    return seconds_of if seconds else effort_of


def stage_of(phase: str) -> StageName:
    """Return the stage that a phase belongs to."""
    if phase.startswith(TUNING_PHASE):
        return "tune"
    return "score" if phase in SCORING_PHASES else "train"


def _simulated(
    schedule: Schedule,
    seconds: Mapping[str, Mapping[str, Range]],
    devices: int,
    end: _End,
    together: Callable[[Visit], int],
) -> float:
    """Return when the last visit ends, if each device takes the next visit as soon as it is free.

    A visit that takes several devices waits until so many are free, and none that comes later passes it.
    """
    active: list[tuple[float, int, Visit]] = []
    holding: Counter[str] = Counter()
    now, waiting = 0.0, None
    while True:
        while visit := waiting or (schedule.take() if len(active) < devices else None):
            taken = sum(together(one) for _, _, one in active)
            waiting = visit if taken and taken + together(visit) > devices else None
            if waiting:
                break
            training = sum(one.shared_base == visit.shared_base for _, _, one in active)
            loads = visit.shared_base is None or training >= holding[visit.shared_base]
            if loads and visit.shared_base is not None:
                holding[visit.shared_base] += 1
            heapq.heappush(active, (now + _visit_seconds(visit, seconds, end, loads=loads), visit.number, visit))
        if not active:
            return now
        now, _, visit = heapq.heappop(active)
        schedule.done(visit, over=False)


def _visit_seconds(visit: Visit, seconds: Mapping[str, Mapping[str, Range]], end: _End, *, loads: bool) -> float:
    """Return what a visit takes; a device that holds the network already does not load it to train, nor to score."""
    left_out = {*(() if loads else (_LOADING,)), *(_OF_SCORING_ALONE if visit.shared_base else ())}
    return sum(
        _of_phase(visit.spec, phase, end(found))
        for phase, found in seconds.get(visit.spec.name, {}).items()
        if stage_of(phase) in visit.stages and phase not in left_out
    )


def _of_phase(spec: RunSpec, phase: str, seconds: float) -> float:
    return seconds * (spec.train_fraction if phase.startswith(_BY_ROWS) else 1.0)
