"""In which order the stages of a comparison's runs go, and which of them may go at the same time.

One slot takes them in the order of the table. Several slots take the longest first, by what is left of the run, so that
none is busy with a long run when all others are over (Graham 1969, the rule of longest processing time). Runs that
share a pretrained network count together, by what each slot that works on them would still have to do. A network is so
loaded by one slot alone as long as there is enough else to do.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

from showdown.core.events import StageName
from showdown.core.spec import RunSpec
from showdown.runner.effort import StageSeconds, effort_of
from showdown.runner.groups import in_groups

ALL_STAGES: tuple[StageName, ...] = ("tune", "train", "score")
_TOGETHER: tuple[tuple[StageName, ...], ...] = (ALL_STAGES,)
_APART: tuple[tuple[StageName, ...], ...] = (("tune",), ("train", "score"))
"""Of runs that share a pretrained network: all are tuned before any is trained."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Visit:
    """Stages of one run that follow each other."""

    spec: RunSpec
    run_id: str
    stages: tuple[StageName, ...]
    base: str | None
    """Names the pretrained network that its training and scoring share with other runs."""
    number: int
    """In the order of the table."""
    ahead: float
    """Seconds from its beginning to the end of its run, by the forecast."""

    @property
    def shared_base(self) -> str | None:
        """The shared network where this visit trains and scores; None otherwise."""
        return self.base if "train" in self.stages else None


@dataclass(kw_only=True)
class _Sharing:
    """Trainings of one pretrained network, each with its scoring."""

    ready: list[tuple[float, int, Visit]] = field(default_factory=list)
    """A heap of those that may begin, the longest first."""
    left: float = 0.0
    """Seconds of those that have not begun."""
    workers: int = 0
    """Slots that train one now."""
    untuned: int = 0
    """Runs whose tuning has not begun. They are tuned before the first is trained, since a tuning ends the process that
    keeps the network."""

    @property
    def worth(self) -> float:
        """Seconds of each slot's part, should one more slot take part."""
        return self.left / (self.workers + 1)


class Schedule:
    """The visits that have not begun."""

    def __init__(
        self,
        specs: Sequence[RunSpec],
        *,
        share: bool | None,
        slots: int = 1,
        seconds_of: StageSeconds = effort_of,
    ) -> None:
        """Plan the visits.

        Args:
            specs: the runs that are left.
            share: whether runs share a pretrained network, as in `base_key`.
            slots: how many stages can run at the same time.
            seconds_of: forecasts a stage of a run.

        """
        self._in_table_order = slots == 1
        self._next: dict[str, list[Visit]] = {}
        """What is left of each run, its last visit first."""
        self._alone: list[tuple[float, int, Visit]] = []
        """A heap of visits that may begin and need no network of another run."""
        self._sharing: dict[str, _Sharing] = {}
        self._freed: list[str] = []
        """Networks of the slots that have become free."""
        for visit in self._planned(specs, share, seconds_of):
            self._next.setdefault(visit.run_id, []).append(visit)
            if visit.base is not None:
                sharing = self._sharing.setdefault(visit.base, _Sharing())
                sharing.left += visit.ahead if visit.shared_base else 0.0
                sharing.untuned += visit.stages == ("tune",)
        for visits in self._next.values():
            visits.reverse()
            self._make_ready(visits.pop())

    @staticmethod
    def _planned(specs: Sequence[RunSpec], share: bool | None, seconds_of: StageSeconds) -> list[Visit]:
        planned: list[Visit] = []
        for base, group in in_groups(specs, share=share):
            members = [(spec, spec.run_id, {stage: seconds_of(spec, stage) for stage in ALL_STAGES}) for spec in group]
            for stages in _APART if base else _TOGETHER:
                behind = ALL_STAGES[ALL_STAGES.index(stages[0]) :]
                for spec, run_id, seconds in members:
                    if stages == ("tune",) and not seconds["tune"]:
                        continue
                    ahead = sum(seconds[stage] for stage in behind)
                    number = len(planned)
                    planned.append(
                        Visit(spec=spec, run_id=run_id, stages=stages, base=base, number=number, ahead=ahead)
                    )
        return planned

    def take(self) -> Visit | None:
        """Take the next visit that may begin beside those that were taken and are not `done`; None where none may."""
        base = None if self._in_table_order else self._base_to_train()
        heap = self._sharing[base].ready if base else self._alone
        if not heap:
            self._freed.clear()
            return None
        visit = heapq.heappop(heap)[-1]
        if visit.base is not None:
            sharing = self._sharing[visit.base]
            sharing.untuned -= visit.stages == ("tune",)
            if visit.shared_base:
                sharing.left -= visit.ahead
                sharing.workers += 1
        if visit.shared_base in self._freed:
            self._freed.remove(visit.shared_base)
        elif self._freed:
            self._freed.pop()
        return visit

    def done(self, visit: Visit, *, over: bool) -> None:
        """Say that a visit has ended.

        Args:
            visit: which `take` returned.
            over: whether nothing more is to be done of its run.

        """
        if visit.shared_base:
            self._sharing[visit.shared_base].workers -= 1
            self._freed.append(visit.shared_base)
        left = self._next[visit.run_id]
        if over:
            for dropped in left:
                if dropped.shared_base:
                    self._sharing[dropped.shared_base].left -= dropped.ahead
            left.clear()
        if left:
            self._make_ready(left.pop())

    def _make_ready(self, visit: Visit) -> None:
        if self._in_table_order:
            heapq.heappush(self._alone, (0.0, visit.number, visit))
        else:
            heap = self._sharing[visit.shared_base].ready if visit.shared_base else self._alone
            heapq.heappush(heap, (-visit.ahead, visit.number, visit))

    def _base_to_train(self) -> str | None:
        """Return the network of which a training goes next; None where a visit that shares none goes before.

        A slot stays with its network unless a longer run waits: trainings of another network can be divided later.
        """
        longest = (-self._alone[0][0], False, -self._alone[0][1]) if self._alone else (-1.0, False, 0)
        ready = {
            base: (base in self._freed, sharing.worth, -sharing.ready[0][1])
            for base, sharing in self._sharing.items()
            if sharing.ready and not sharing.untuned and (sharing.worth, False, -sharing.ready[0][1]) > longest
        }
        return max(ready, key=ready.__getitem__) if ready else None
