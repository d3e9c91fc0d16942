"""Checks of the machine: processor, memory, disk, GPUs, and whether it is busy."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.record import BUSY_OTHERS_SHARE, GB
from showdown.doctor.check import Check, note, ok, wrong
from showdown.measure.environment import cpu_name
from showdown.measure.limits import memory_room
from showdown.measure.load import LoadMeter
from showdown.measure.system import gpu_meter, has_gpu, visible_devices
from showdown.models.converted import cache_folder
from showdown.runner.device import devices_here

LOAD_SECONDS = 0.6
_LITTLE_MEMORY_GB = 1.5
"""Free: less is too little for the default comparison, 0.91 GB at its peak and half a GB of libraries."""
_LITTLE_DISK_GB = 2.0
"""Free: a comparison of the default model takes about 0.2 GB, the built-in language model 0.5 GB once."""


def machine_checks() -> Iterator[Check]:
    """Yield what the machine has, and how much of it is free."""
    yield ok("processor", cpu_name())
    room = memory_room()
    free, limit = room.free_bytes / GB, room.limit_bytes / GB
    where = ", by the limit of its control group" if room.of_group else ""
    said = f"{free:.1f} of {limit:.1f} GB free{where}"
    yield (
        ok("memory", said)
        if free >= _LITTLE_MEMORY_GB
        else wrong("memory", said, f"free {_LITTLE_MEMORY_GB:g} GB: runs may be killed")
    )
    yield from _disks()
    yield _load()
    yield from _gpus()


def _disks() -> Iterator[Check]:
    """Yield the room where results are written, and where models are kept."""
    for name, folder in (("disk", Path()), ("disk, cache", cache_folder())):
        place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(place).free / GB
        said = f"{free:.1f} GB free {'in this folder' if name == 'disk' else 'for models that are kept'}"
        enough = free >= _LITTLE_DISK_GB
        yield ok(name, said) if enough else wrong(name, said, f"free {_LITTLE_DISK_GB:g} GB, or work elsewhere")


def _load() -> Check:
    """Look at what other processes use for a moment: seconds and latencies mean little beside them."""
    meter = LoadMeter()
    time.sleep(LOAD_SECONDS)
    share = meter.read()
    if share is None:
        return note("load", "not known: the system's counters cannot be read")
    said = f"other processes use {100 * share:.0f} % of the processors"
    if share < BUSY_OTHERS_SHARE:
        return ok("load", said)
    return note("load", f"{said}: seconds and latencies measured now would be too high")


def _gpus() -> Iterator[Check]:
    """Yield the GPUs that CUDA would see, with their memory, and whether a forecast knows their rates."""
    devices = visible_devices() if has_gpu() else []
    if not devices:
        yield note("GPU", "none that CUDA sees; everything runs on the CPU, which suits small encoders")
    for number, device in enumerate(devices):
        meter = gpu_meter(device)
        if meter is None:
            yield wrong(f"GPU {number}", "does not answer", "look at `nvidia-smi`; restart the driver or the machine")
            continue
        used, total = meter.read().memory_gb, meter.total_gb()
        room = "" if used is None or total is None else f", {total - used:.1f} of {total:.1f} GB free"
        yield ok(f"GPU {number}", f"{meter.name() or 'unnamed'}{room}")
    try:
        found = devices_here(None, None)
    except UserError as error:
        yield note("forecasts", str(error))
        return
    if found.notes:
        yield note("forecasts", "; ".join(found.notes))
    else:
        yield ok("forecasts", f"the rates of {found.profile.name} are known")
