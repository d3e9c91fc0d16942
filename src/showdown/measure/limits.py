"""How much memory this process may have, and how often the kernel killed for want of it: what Linux says.

A control group (a container, a batch job, `systemd-run -p MemoryMax=`) has a limit of its own beside the machine's
memory, and so has each group above it; the least of them holds. Where nothing can be read, nothing is known.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

PROC = Path("/proc")
CONTROL_GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, kw_only=True)
class MemoryRoom:
    """Memory in bytes."""

    limit_bytes: int
    """The least of the machine's memory and the limits of the control groups."""
    free_bytes: int
    """What can still be had of it; files that the kernel merely keeps in memory count as free."""
    of_group: bool
    """Whether a control group, rather than the machine, sets what is free."""


@dataclass(frozen=True, kw_only=True)
class _Names:
    """The files of a version of control groups (cgroup-v2.rst; cgroup-v1/memory.rst)."""

    limit: str
    used: str
    reclaimable: str
    """The key of `memory.stat` for files that the kernel gives up first."""
    kills: str


_V1 = _Names(
    limit="memory.limit_in_bytes",
    used="memory.usage_in_bytes",
    reclaimable="total_inactive_file",
    kills="memory.oom_control",
)
_V2 = _Names(limit="memory.max", used="memory.current", reclaimable="inactive_file", kills="memory.events")


def memory_room(proc: Path = PROC, control_groups: Path = CONTROL_GROUPS) -> MemoryRoom:
    """Return what memory this process may have, by the machine and by its control groups."""
    machine = psutil.virtual_memory()
    limit, free, of_group = int(machine.total), int(machine.available), False
    names, folders = _groups(proc, control_groups)
    for folder in folders:
        most, used = _number(folder / names.limit), _number(folder / names.used)
        if most is None or used is None or most >= machine.total:
            continue
        limit = min(limit, most)
        left = max(0, most - used + (_value(folder / "memory.stat", names.reclaimable) or 0))
        if left < free:
            free, of_group = left, True
    return MemoryRoom(limit_bytes=limit, free_bytes=free, of_group=of_group)


def memory_kills(proc: Path = PROC, control_groups: Path = CONTROL_GROUPS) -> int | None:
    """Return how many processes the kernel has killed for want of memory: in this control group, else in all.

    The count rises and starts at 0 with the group or the machine. None where it cannot be read.
    """
    names, folders = _groups(proc, control_groups)
    for folder in folders:
        kills = _value(folder / names.kills, "oom_kill")
        if kills is not None:
            return kills
    return _value(proc / "vmstat", "oom_kill")


def raise_chance_to_be_killed(points: int = 500) -> None:
    """Let the kernel choose this process first when memory runs out, rather than the one that listens to it.

    Args:
        points: thousandths of the memory that are added to what it holds when the kernel looks for the largest process
            (proc_pid_oom_score_adj(5)). Any process may raise its own.

    """
    path = PROC / "self" / "oom_score_adj"
    try:
        path.write_text(str(min(1000, int(path.read_text()) + points)))
    except (OSError, ValueError):
        return  # not Linux, or not allowed: the kernel then chooses by size alone


def _groups(proc: Path, control_groups: Path) -> tuple[_Names, Iterator[Path]]:
    """Return how the files of this process's memory group are named, and its folder and those of the groups above."""
    version_2: str | None = None
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "memory" in controllers.split(","):
            return _V1, _upwards(control_groups / "memory", path)
        if number == "0" and not controllers:
            version_2 = path
    return _V2, _upwards(control_groups, version_2 or "/")


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """Yield a group's folder and those above it. In a container the path may be the host's, and is then not here."""
    folder = root / path.lstrip("/")
    while folder.is_relative_to(root):
        if folder.is_dir():
            yield folder
        if folder == root:
            return
        folder = folder.parent


def _number(path: Path) -> int | None:
    """Read a file that holds one number; None for `max`, or where it cannot be read."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _value(path: Path, key: str) -> int | None:
    """Read one value of a file of `key value` lines."""
    try:
        found = dict(line.split(None, 1) for line in path.read_text().splitlines() if " " in line)
        return int(found[key])
    except (OSError, ValueError, KeyError):
        return None
