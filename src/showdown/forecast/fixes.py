"""What would make an arm fit that does not, each way tried by the forecast itself; the cheapest GPU for each arm."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from showdown.core.forecast import ArmForecast, DeviceProfile
from showdown.core.method import TunedMethod
from showdown.core.prices import GPU_PRICES
from showdown.forecast.arms import peaks
from showdown.forecast.profiles import shipped_profiles
from showdown.forecast.workload import Workload
from showdown.methods.table import METHODS, build, method_and_settings, protocol_of

_ROOM_GB = 1.0
"""Of a GPU, left to its driver by a budget."""
_ANY_GPU = "h100"
"""Memory depends on the kind of device and its size, not on its rates: it stands for those without a profile."""


def with_fixes(arms: Sequence[ArmForecast], workload: Workload, profile: DeviceProfile) -> list[ArmForecast]:
    """Fill in `fixes` of the arms that do not fit."""
    return [arm if arm.fits is not False else _with_fixes(arm, workload, profile) for arm in arms]


def _with_fixes(arm: ArmForecast, workload: Workload, profile: DeviceProfile) -> ArmForecast:
    found = []
    for words, written in _changes(arm.name, workload, profile):
        methods = {**workload.comparison.methods, arm.name: written}
        changed = replace(workload, comparison=workload.comparison.model_copy(update={"methods": methods}))
        peak = peaks(changed, profile).get(arm.name)
        if peak is not None and peak.fits:
            found.append(f"{words}: {peak.allocated_gb.expected:.3g} GB")
    return arm.model_copy(update={"fixes": found})


def _changes(row: str, workload: Workload, profile: DeviceProfile) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield changes of an arm, in words, and what the comparison then has under its name. The mildest come first."""
    written = workload.comparison.methods[row]
    own = dict(written.get("protocol") or {})
    protocol = protocol_of(workload.comparison.protocol, written)
    budget = int(profile.memory_gb - _ROOM_GB)
    if profile.kind == "gpu" and budget > 0 and isinstance(protocol.memory, str):
        yield f"`memory: {budget}`, a budget", {**written, "protocol": {**own, "memory": budget}}
    if protocol.memory != "lean":
        yield "`memory: lean`", {**written, "protocol": {**own, "memory": "lean"}}
    if protocol.micro_batch_rows != 1:
        yield "`micro_batch_rows: 1`", {**written, "protocol": {**own, "micro_batch_rows": 1}}
        lean = {**own, "memory": "lean", "micro_batch_rows": 1}
        yield "`memory: lean` with `micro_batch_rows: 1`", {**written, "protocol": lean}
    name, _ = method_and_settings(row, written)
    for other in _smaller(name, workload.comparison.task):
        yield f"`method: {other}`", {"method": other, **({"protocol": own} if own else {})}


def _smaller(name: str, task: str) -> list[str]:
    """Return the methods that hold the network in four bits, where this one does not."""
    found = []
    for other in METHODS:
        method = build(other, {}) if METHODS.package(other) is None else None
        if isinstance(method, TunedMethod) and method.options.four_bit and task in method.tasks:
            found.append(other)
    return [] if name in found else found


def with_cheapest_gpu(arms: Sequence[ArmForecast], workload: Workload) -> list[ArmForecast]:
    """Fill in `cheapest_gpu`, by the hour, of the arms that train a network."""
    found: dict[str, str] = {}
    wanted = {arm.name for arm in arms if arm.peak_gb is not None}
    shipped = shipped_profiles()
    any_gpu = shipped[_ANY_GPU]
    for name, price in sorted(GPU_PRICES.items(), key=lambda one: one[1].per_hour):
        if wanted <= found.keys():
            break
        profile = shipped.get(name.casefold()) or any_gpu.model_copy(update={"memory_gb": price.memory_gb})
        for row, peak in peaks(workload, profile).items():
            if peak.fits:
                found.setdefault(row, name)
    return [arm.model_copy(update={"cheapest_gpu": found.get(arm.name)}) for arm in arms]
