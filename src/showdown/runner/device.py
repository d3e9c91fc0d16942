"""The devices that a forecast is made for: those of this machine, or others by their name."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from showdown.core.errors import UserError
from showdown.core.forecast import DeviceProfile
from showdown.core.prices import EXAMPLE_CURRENCY, example_price
from showdown.core.record import GB
from showdown.forecast.profiles import local_profile, profile_of, shipped_profiles
from showdown.measure.environment import cpu_name
from showdown.measure.limits import memory_room
from showdown.measure.system import gpu_meter, has_gpu
from showdown.runner.executors.local import local_devices

_CPU = "cpu"
_SHIPPED_THREADS = 2
"""Of the shipped processors."""
_BY_THREADS = re.compile(r".*_tflops")
_OWN_PRICE = "your own price"


@dataclass(frozen=True, kw_only=True)
class Devices:
    """Equal devices, and what an hour of one costs."""

    profile: DeviceProfile
    count: int = 1
    price_per_hour: float | None = None
    price_source: str | None = None
    currency: str | None = None
    notes: tuple[str, ...] = ()
    """What must be known of the profile."""
    of_another_host: bool = False
    """Whether the profile is that of the same GPU in another machine than this one, whose host may be slower."""


def devices_named(name: str, count: int | None, price_per_hour: float | None) -> Devices:
    """Return so many devices of a kind, one by default.

    Raises:
        UserError: for a name that no profile has, or a number or price that cannot be.

    """
    if count is not None and count < 1:
        raise UserError(f"--gpus {count}: a forecast is for one device or more; give 1, 2, 4 ...")
    profile = profile_of(name)
    if profile.kind == "cpu" and count not in (None, 1):
        raise UserError(f"--gpus {count}: `{name}` is a processor; name a GPU with --gpu, such as h100")
    return _priced(profile, count or 1, price_per_hour, threads=_SHIPPED_THREADS, notes=())


def devices_here(count: int | None, price_per_hour: float | None, gpus: Sequence[str] | None = None) -> Devices:
    """Return the devices of this machine.

    Args:
        count: how many; by default all its GPUs, or those that are named.
        price_per_hour: of one; None for an example price.
        gpus: those that a comparison uses, as in `local_devices`.

    Raises:
        UserError: for a GPU of which no rates are known, or GPUs that are not there.

    """
    if count is not None and count < 1:
        raise UserError(f"--gpus {count}: a forecast is for one device or more; give 1, 2, 4 ...")
    if not has_gpu():
        if count not in (None, 1):
            raise UserError(f"--gpus {count}: this machine has no GPU; name one with --gpu, such as h100")
        profile, notes = _processor_here()
        return _priced(profile, 1, price_per_hour, threads=_threads(), notes=notes)
    profile, of_another_host = _gpu_here()
    found = _priced(profile, count or len(local_devices(gpus)), price_per_hour, threads=0, notes=())
    return replace(found, of_another_host=of_another_host)


def _gpu_here() -> tuple[DeviceProfile, bool]:
    """Return this machine's GPU: as measured, else the shipped one, and whether it is that."""
    meter = gpu_meter()
    name, total = (meter.name(), meter.total_gb()) if meter else (None, None)
    if name is None:
        raise UserError("this machine's GPU does not answer; name one with --gpu, such as h100")
    measured = local_profile()
    if measured is not None and measured.name == name:
        return measured, False
    try:
        found = profile_of(name)
    except UserError as error:
        known = ", ".join(shipped_profiles())
        raise UserError(
            f"no rates of the GPU `{name}` are known; `showdown doctor --measure` finds them in under a minute, "
            f"or name another GPU with --gpu ({known})"
        ) from error
    return found if total is None else found.model_copy(update={"memory_gb": total}), True


def _processor_here() -> tuple[DeviceProfile, tuple[str, ...]]:
    """Return this machine's processor: as measured, else the shipped one of its kind, or another with its threads."""
    room = memory_room().limit_bytes / GB
    measured = local_profile()
    if measured is not None and measured.kind == "cpu":
        return measured.model_copy(update={"memory_gb": room}), ()
    name, threads = cpu_name(), _threads()
    shipped = _shipped_processor(name)
    if _kind(shipped.name) == _kind(name) and threads == _SHIPPED_THREADS:
        return shipped.model_copy(update={"name": name, "memory_gb": room}), ()
    times = threads / _SHIPPED_THREADS
    rates = {key: rate * (times if _BY_THREADS.fullmatch(key) else 1.0) for key, rate in shipped.rates.items()}
    note = (
        f"device: this processor was not measured, {shipped.name} stands for it; `showdown doctor --measure` measures "
        "it in under a minute"
    )
    update = {"name": name, "memory_gb": room, "rates": rates, "measured_with": {}}
    return shipped.model_copy(update=update), (note,)


def _shipped_processor(name: str) -> DeviceProfile:
    """Return the shipped profile of a processor of this name, else the one that stands for others."""
    shipped = shipped_profiles()
    alike = (one for one in shipped.values() if one.kind == "cpu" and _kind(one.name) == _kind(name))
    return next(alike, shipped[_CPU])


def _kind(name: str) -> str:
    """Return a processor's name without its numbers of cores and threads."""
    return name.partition(",")[0]


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def _priced(
    profile: DeviceProfile, count: int, price_per_hour: float | None, *, threads: int, notes: tuple[str, ...]
) -> Devices:
    if price_per_hour is not None:
        if not 0.0 <= price_per_hour < float("inf"):
            raise UserError(f"--price-per-hour {price_per_hour:g}: give 0 or more")
        return Devices(
            profile=profile, count=count, price_per_hour=price_per_hour, price_source=_OWN_PRICE, notes=notes
        )
    found = example_price(profile.name if profile.kind == "gpu" else None, threads)
    if found is None:
        return Devices(profile=profile, count=count, notes=notes)
    price, source = found
    return Devices(
        profile=profile,
        count=count,
        price_per_hour=price,
        price_source=source,
        currency=EXAMPLE_CURRENCY,
        notes=notes,
    )
