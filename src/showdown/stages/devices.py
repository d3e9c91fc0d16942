"""How many GPUs train a run together: the same rule where runs are planned and where they are carried out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from showdown.core.memory import MemorySettings


@dataclass(frozen=True, kw_only=True)
class Offers:
    """The memory settings of arms, by their name."""

    alone: Mapping[str, MemorySettings]
    """On one GPU."""
    together: Mapping[str, Mapping[int, MemorySettings]]
    """By number of GPUs, where several train a run together; divided where one has no room."""
    worthwhile: Mapping[str, int]
    """GPUs up to which each has enough tokens of a usual step. With fewer it waits for its host."""


@dataclass(frozen=True, kw_only=True)
class DevicesOfRuns:
    """How many GPUs train a run together."""

    slots: int = 1
    room: int = 1
    """GPUs for each run that is left."""
    asked: int | None = None
    """The comparison's `gpus_per_run`; None for `auto`."""

    def settings(self, name: str, offers: Offers) -> MemorySettings | None:
        """Return the settings of an arm: of the fewest GPUs that hold it, or of as many as there are for it."""
        options = offers.together.get(name, {})
        wanted = min(self.room, offers.worthwhile.get(name, 1)) if self.asked is None else self.asked
        most = self.slots if self.asked is None else self.asked
        divided = [number for number, one in options.items() if one.divided and number <= min(most, self.slots)]
        copied = [number for number, one in options.items() if not one.divided and number <= min(wanted, self.slots)]
        number = min(divided, default=max(copied, default=1))
        return options.get(number, offers.alone.get(name))


def devices_of_runs(
    left: int, *, slots: int, gpus_per_run: Literal["auto"] | int, deterministic: bool
) -> DevicesOfRuns:
    """Return the rule for so many runs that train a network.

    Args:
        left: runs that are not trained yet.
        slots: GPUs that can train one run together.
        gpus_per_run: as in a comparison.
        deterministic: whether runs must give the same numbers again; those that fit one GPU stay on one.

    """
    room = 1 if deterministic or not left else max(1, slots // left)
    return DevicesOfRuns(slots=slots, room=room, asked=None if gpus_per_run == "auto" else gpus_per_run)
