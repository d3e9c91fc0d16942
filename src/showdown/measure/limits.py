"""Memory limits of this process, and the number of out-of-memory kills, as Linux reports them.

A control group (a container, a batch job, `systemd-run -p MemoryMax=`) can limit memory, and so can each group above
it. The lowest limit applies. Values that cannot be read are None.
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
    """The lower of the machine's memory and the limits of the control groups."""
    free_bytes: int
    """Memory that can still be allocated. The page cache, which the kernel can drop, counts as free."""
    of_group: bool
    """Whether `free_bytes` is set by a control group rather than by the machine."""


@dataclass(frozen=True, kw_only=True)
class _Names:
    """File names of one version of control groups (the kernel's cgroup-v2.rst and cgroup-v1/memory.rst)."""

    limit: str
    used: str
    reclaimable: str
    """Key of `memory.stat` for the part of the page cache that the kernel drops first."""
    kills: str


_V1 = _Names(
    limit="memory.limit_in_bytes",
    used="memory.usage_in_bytes",
    reclaimable="total_inactive_file",
    kills="memory.oom_control",
)
_V2 = _Names(limit="memory.max", used="memory.current", reclaimable="inactive_file", kills="memory.events")


def memory_room(proc: Path = PROC, control_groups: Path = CONTROL_GROUPS) -> MemoryRoom:
    """Return the memory that the machine and its control groups allow this process."""
    machine = psutil.virtual_memory()
    limit, free, of_group = int(machine.total), int(machine.available), False
    names, folders = _groups(proc, control_groups)
    for folder in folders:
        group_limit, used = _number(folder / names.limit), _number(folder / names.used)
        if group_limit is None or used is None or group_limit >= machine.total:
            continue
        limit = min(limit, group_limit)
        left = max(0, group_limit - used + (_value(folder / "memory.stat", names.reclaimable) or 0))
        if left < free:
            free, of_group = left, True
    return MemoryRoom(limit_bytes=limit, free_bytes=free, of_group=of_group)


def memory_kills(proc: Path = PROC, control_groups: Path = CONTROL_GROUPS) -> int | None:
    """Return how many processes the kernel has killed because memory ran out; None when it cannot be read.

    The count is that of this control group, or of the machine when the group has none. It only rises.
    """
    names, folders = _groups(proc, control_groups)
    for folder in folders:
        kills = _value(folder / names.kills, "oom_kill")
        if kills is not None:
            return kills
    return _value(proc / "vmstat", "oom_kill")


def raise_chance_to_be_killed(points: int = 500) -> None:
    """Make the kernel kill this process when memory runs out, rather than its parent.

    Args:
        points: thousandths of the memory limit that the kernel adds to this process's use when it looks for the largest
            process (proc_pid_oom_score_adj(5)). A process may always raise its own.

    """
    path = PROC / "self" / "oom_score_adj"
    try:
        path.write_text(str(min(1000, int(path.read_text()) + points)))
    except (OSError, ValueError):
        return  # not Linux, or not allowed: the kernel then chooses by size alone


def _groups(proc: Path, control_groups: Path) -> tuple[_Names, Iterator[Path]]:
    """Return the file names of this process's memory group, and the folders of that group and of all groups above."""
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
    """Yield a group's folder and those above it. In a container the path may be the host's and is then missing."""
    folder = root / path.lstrip("/")
    while folder.is_relative_to(root):
        if folder.is_dir():
            yield folder
        if folder == root:
            return
        folder = folder.parent


def _number(path: Path) -> int | None:
    """Read a file that holds one number; None for `max`, or when it cannot be read."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _value(path: Path, key: str) -> int | None:
    """Read one value from a file of `key value` lines; None when it cannot be read."""
    try:
        found = dict(line.split(None, 1) for line in path.read_text().splitlines() if " " in line)
        return int(found[key])
    except (OSError, ValueError, KeyError):
        return None
