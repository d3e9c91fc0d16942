"""The trace of a running stage: it tells a process that was killed from one that ran out of memory.

`started.json` lies in the run's folder while a stage goes. It stays when memory ended the stage, or when the whole
comparison was killed. The next call reads from it how much memory there was, and whether the kernel has since killed
for memory.
"""

from pathlib import Path

from showdown.core.files import read_file, write_json
from showdown.core.record import GB
from showdown.core.samples import read_samples
from showdown.core.strict import Strict
from showdown.measure.limits import memory_kills, memory_room
from showdown.runner.sampler import SYSTEM_FILE

TRACE_FILE = "started.json"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NEARLY_ALL = 0.75
"""Of the limit, held by the worker alone. The rest is other processes, and what grew since the last sample."""


class Started(Strict):
    """The memory and the kernel's counters when a stage began."""

    boot: str
    """Id of the machine's boot; counters begin again with it."""
    kills: int | None
    """Processes killed for memory since the boot (`memory_kills`)."""
    limit_gb: float
    """Memory limit for this process and its workers, GB of 1e9 bytes."""
    gpu_gb: float | None
    """Memory of the GPU; None for a stage that needs none."""


def started_now(gpu_gb: float | None) -> Started:
    """Return the memory and the counters now.

    Args:
        gpu_gb: memory of the stage's GPU; None for a stage that needs none.

    """
    return Started(boot=_boot(), kills=memory_kills(), limit_gb=memory_room().limit_bytes / GB, gpu_gb=gpu_gb)


def leave_trace(folder: Path, gpu_gb: float | None = None) -> Started:
    """Write into the run's folder that a stage begins.

    Args:
        folder: the run's.
        gpu_gb: as in `started_now`.

    """
    started = started_now(gpu_gb)
    write_json(folder / TRACE_FILE, started.model_dump())
    return started


def remove_trace(folder: Path) -> None:
    """Remove the trace of a stage that has ended in a known way."""
    (folder / TRACE_FILE).unlink(missing_ok=True)


def ended_for_memory(folder: Path, started: Started | None = None) -> str | None:
    """Return how memory ended the stage of a run, as part of a sentence; None where it is not known that it did.

    Args:
        folder: the run's.
        started: the trace, where this process saw the stage end itself; by default the one in the folder.

    """
    begun = started or read_trace(folder)
    if begun is None or begun.boot != _boot():
        return None
    kills = memory_kills()
    limit = f"the limit is {begun.limit_gb:.3g} GB"
    if begun.kills is not None and kills is not None:
        if kills > begun.kills:
            return f"killed by the kernel, which had no more memory: {limit}"
        if started:
            return None
    # Where the whole container was stopped and started again, the kernel's counter began again at 0.
    held_gb = next((one.ram_gb for one in reversed(read_samples(folder / SYSTEM_FILE)) if one.ram_gb), 0.0)
    if held_gb < _NEARLY_ALL * begun.limit_gb:
        return None
    return f"killed, most likely for want of memory, of which it held {held_gb:.3g} GB: {limit}"


def read_trace(folder: Path) -> Started | None:
    """Return the trace in a run's folder; None where there is none or it is cut short."""
    try:
        return Started.model_validate_json(read_file(folder / TRACE_FILE))
    except (OSError, ValueError):
        return None


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
