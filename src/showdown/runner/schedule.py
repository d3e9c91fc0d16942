"""In which order the stages of a comparison's runs go, and which of them may go at the same time."""

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property

from showdown.core.events import StageName
from showdown.core.spec import RunSpec
from showdown.runner.groups import in_groups

ALL_STAGES: tuple[StageName, ...] = ("tune", "train", "score")
_TOGETHER: tuple[tuple[StageName, ...], ...] = (ALL_STAGES,)
_APART: tuple[tuple[StageName, ...], ...] = (("tune",), ("train",), ("score",))
"""Of runs that share a pretrained network: all are trained, in one process, before any is scored in one of its own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Visit:
    """Stages of one run that follow each other."""

    spec: RunSpec
    stages: tuple[StageName, ...]
    base: str | None
    """Names the pretrained network that its training shares with other runs."""

    @cached_property
    def run_id(self) -> str:
        """Return the run's id, which takes long to make."""
        return self.spec.run_id

    @property
    def shared_base(self) -> str | None:
        """The shared network where this visit trains; None otherwise."""
        return self.base if "train" in self.stages else None


class Schedule:
    """The visits that have not begun, in the order of the table, or the longest groups of runs first."""

    def __init__(
        self, specs: Sequence[RunSpec], *, share: bool | None, seconds: Mapping[str, float] | None = None
    ) -> None:
        """Plan the visits.

        Args:
            specs: the runs that are left.
            share: whether runs share a pretrained network, as in `base_key`.
            seconds: expected of a run, by its id: groups of runs that share a network, and runs that share none, then
                go by what they take together, the longest first. On several devices the last to end then ends sooner
                (Graham 1969). None keeps the order of the table.

        """
        groups = in_groups(specs, share=share)
        if seconds is not None:
            groups.sort(key=lambda one: -sum(seconds.get(spec.run_id, 0.0) for spec in one[1]))
        self._waiting = [
            Visit(spec=spec, stages=stages, base=base)
            for base, group in groups
            for stages in (_APART if base else _TOGETHER)
            for spec in group
        ]

    def again(self) -> "Schedule":
        """Return another with the same visits."""
        other = copy(self)
        other._waiting = list(self._waiting)
        return other

    def take(self, active: Collection[Visit]) -> Visit | None:
        """Take the first visit that may begin beside the active ones; None where none may.

        Visits of one run keep their order. Of runs that share a network one is trained at a time, since they go through
        one process.
        """
        runs = {visit.run_id for visit in active}
        bases = {visit.shared_base for visit in active} - {None}
        for visit in self._waiting:
            if visit.run_id not in runs and visit.shared_base not in bases:
                self._waiting.remove(visit)
                return visit
            runs.add(visit.run_id)
        return None

    def drop(self, run_id: str) -> None:
        """Forget the visits of a run that is over."""
        self._waiting = [visit for visit in self._waiting if visit.run_id != run_id]
