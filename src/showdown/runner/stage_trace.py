"""The trace of a stage that was begun: by it a run whose process was killed is told from one that lacked memory.

It lies in the run's folder while a stage goes, and stays where memory ended it or where the comparison itself was
killed: the next call reads there under which limit that was, and whether the kernel has killed for memory since.
"""

from pathlib import Path

from showdown.core.files import read_file, write_json
from showdown.core.record import GB
from showdown.core.samples import read_samples
from showdown.core.spec import Strict
from showdown.measure.limits import memory_kills, memory_room
from showdown.measure.system import gpu_meter
from showdown.runner.sampler import SYSTEM_FILE

_FILE = "started.json"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NEARLY_ALL = 0.75
"""Of the memory, held by the worker alone: the rest is other processes' and what grew since the sample."""
_CLEARLY_MORE = 1.05


class Started(Strict):
    """What the system said when a stage was begun."""

    boot: str
    """Of the machine; counters begin again with it."""
    kills: int | None
    """Processes killed for want of memory until then (`memory_kills`)."""
    limit_gb: float
    """Of memory for this process and its workers, GB of 1e9 bytes."""
    gpu_gb: float | None
    """Of the GPU's memory."""


def started_now() -> Started:
    """Return what the system says now."""
    meter = gpu_meter()
    return Started(
        boot=_boot(),
        kills=memory_kills(),
        limit_gb=memory_room().limit_bytes / GB,
        gpu_gb=meter.total_gb() if meter else None,
    )


def leave_trace(folder: Path) -> Started:
    """Write that a stage begins, into the run's folder."""
    started = started_now()
    write_json(folder / _FILE, started.model_dump())
    return started


def remove_trace(folder: Path) -> None:
    """Remove what `leave_trace` wrote: the stage has ended, and how is known."""
    (folder / _FILE).unlink(missing_ok=True)


def ended_for_memory(folder: Path, started: Started | None = None) -> str | None:
    """Say how memory ended the stage of a run that was killed, or return None where that cannot be told.

    Args:
        folder: the run's.
        started: what `leave_trace` returned, where this process has seen the end itself; by default what it wrote.

    """
    begun = started or _trace(folder)
    if begun is None or begun.boot != _boot():
        return None
    kills = memory_kills()
    limit = f"the limit is {begun.limit_gb:.3g} GB"
    if begun.kills is not None and kills is not None:
        if kills > begun.kills:
            return f"killed by the kernel, which had no more memory: {limit}"
        if started:
            return None
    # The counter may be another one, where the whole container was ended and began anew.
    held_gb = next((one.ram_gb for one in reversed(read_samples(folder / SYSTEM_FILE)) if one.ram_gb), 0.0)
    if held_gb < _NEARLY_ALL * begun.limit_gb:
        return None
    return f"killed, most likely for want of memory, of which it held {held_gb:.3g} GB: {limit}"


def more_memory_now(folder: Path) -> bool:
    """Tell whether there is clearly more memory than when a run of this folder ran out of it."""
    then, now = _trace(folder), started_now()
    if then is None:
        return False
    pairs = ((then.limit_gb, now.limit_gb), (then.gpu_gb, now.gpu_gb))
    return any(old and new and new > _CLEARLY_MORE * old for old, new in pairs)


def _trace(folder: Path) -> Started | None:
    try:
        return Started.model_validate_json(read_file(folder / _FILE))
    except (OSError, ValueError):
        return None


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
