"""The forecast of every arm of a comparison on one device."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from showdown.core.errors import Unavailable
from showdown.core.forecast import ArmForecast, Basis, DeviceProfile, Range
from showdown.core.forecast_words import scaled
from showdown.core.memory import MemorySettings
from showdown.core.method import Method, TunedMethod
from showdown.core.record import TRAINING_PHASE, TUNING_PHASE
from showdown.core.spec import SharedProtocol
from showdown.forecast.needs import ONE_DEVICE, NetworkArm, memory_settings_of, network_arm, of_one_device
from showdown.forecast.peak import Peak, peak_of
from showdown.forecast.phases import fitted_seconds, tuned_seconds, untrained_network
from showdown.forecast.rates import Rates
from showdown.forecast.step import StepSeconds
from showdown.forecast.workload import Workload
from showdown.methods.table import build, method_and_settings, protocol_of
from showdown.stages.devices import DevicesOfRuns

GB = 1e9
_DIVIDED_RATE, _COPIED_RATE = 0.66, 0.97
"""Of several devices beside as many single ones, where weights are divided among them, and where each has all of them:
1.32, and 1.92 to 1.96, of two on NVLink (`docs/scale.md`). Not measured with other links, nor with more devices."""


@dataclass(frozen=True, kw_only=True)
class _Arm:
    method: Method
    protocol: SharedProtocol
    tuned: NetworkArm | None
    unavailable: str | None = None
    """Why the method cannot work on this network."""


def forecast_arms(workload: Workload, profile: DeviceProfile, devices: DevicesOfRuns = ONE_DEVICE) -> list[ArmForecast]:
    """Return what each row of the table will need on a device, in the order of the table.

    No weights are read, and the device need not be here: a network is built without weights.

    Args:
        workload: the comparison, its network's configuration and the sizes of its rows.
        profile: the device's rates.
        devices: how many of them train a run together.

    Raises:
        UserError: for settings that a method does not take.

    """
    arms = _arms(workload, profile)
    tuned = {name: arm.tuned for name, arm in arms.items() if arm.tuned is not None}
    settings = memory_settings_of(tuned, profile, devices)
    network_of = cache(lambda protocol: untrained_network(protocol, workload, profile))  # of all arms that train none
    return [_forecast(name, arm, settings, workload, profile, network_of) for name, arm in arms.items()]


def peaks(workload: Workload, profile: DeviceProfile) -> dict[str, Peak]:
    """Return the peak of each row that trains a network, without its seconds, which take longer to forecast."""
    tuned = network_arms(workload, profile)
    settings = memory_settings_of(tuned, profile)
    rates = Rates(profile)
    return {name: peak_of(StepSeconds(arm, settings[name], rates)) for name, arm in tuned.items()}


def network_arms(workload: Workload, profile: DeviceProfile) -> dict[str, NetworkArm]:
    """Return each row that trains a network, but for those whose method cannot work on it."""
    return {name: arm.tuned for name, arm in _arms(workload, profile).items() if arm.tuned is not None}


def _arms(workload: Workload, profile: DeviceProfile) -> dict[str, _Arm]:
    found = {}
    for row, written in workload.comparison.methods.items():
        name, settings = method_and_settings(row, written)
        method, protocol = build(name, settings), protocol_of(workload.comparison.protocol, written)
        try:
            tuned = network_arm(method, protocol, workload, profile) if isinstance(method, TunedMethod) else None
            found[row] = _Arm(method=method, protocol=protocol, tuned=tuned)
        except Unavailable as error:
            found[row] = _Arm(method=method, protocol=protocol, tuned=None, unavailable=str(error))
    return found


def _forecast(
    name: str,
    arm: _Arm,
    settings: Mapping[str, MemorySettings],
    workload: Workload,
    profile: DeviceProfile,
    network_of: Callable[[SharedProtocol], StepSeconds],
) -> ArmForecast:
    runs = workload.seeds * workload.partitions * len(workload.comparison.learning_curve if arm.method.learns else [1])
    basis: Basis = "measured on this kind of device" if profile.measured_with else "derived"
    if arm.unavailable:
        nothing = {"training": Range(low=0.0, expected=0.0, high=0.0)}
        return ArmForecast(
            name=name, runs=0, peak_gb=None, fits=None, seconds=nothing, basis=basis, notes=[arm.unavailable]
        )
    if arm.tuned is None:
        seconds = fitted_seconds(arm.method, arm.protocol, workload, network_of)
        return ArmForecast(name=name, runs=runs, peak_gb=None, fits=None, seconds=seconds, basis=basis)
    step = StepSeconds(of_one_device(arm.tuned, settings[name]), settings[name], Rates(profile))
    peak = peak_of(step)
    seconds = tuned_seconds(step, workload)
    return ArmForecast(
        name=name,
        runs=runs,
        peak_gb=peak.allocated_gb,
        fits=peak.fits,
        devices=settings[name].devices,
        seconds={phase: _together(phase, found, settings[name]) for phase, found in seconds.items()},
        basis=basis if settings[name].devices == 1 else "derived",
    )


def _together(phase: str, seconds: Range, settings: MemorySettings) -> Range:
    """Return the seconds of a phase on several devices, each of which has its share of every step."""
    if settings.devices == 1 or phase not in (TRAINING_PHASE, TUNING_PHASE):
        return seconds
    rate = _DIVIDED_RATE if settings.divided else _COPIED_RATE
    return scaled(seconds, 1 / (rate * settings.devices))
