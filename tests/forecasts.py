"""Forecasts for tests, made up."""

from typing import Any

from showdown.core.forecast import ArmForecast, DeviceProfile, Forecast, Range


def about(value: float, spread: float = 2.0) -> Range:
    return Range(low=value / spread, expected=value, high=value * spread)


def device(*, kind: str = "gpu", name: str = "NVIDIA H100 80GB HBM3", memory_gb: float = 80.0) -> DeviceProfile:
    return DeviceProfile.model_validate(
        {"name": name, "kind": kind, "memory_gb": memory_gb, "rates": {"power_watts": 500.0}}
    )


def arm(
    name: str, *, runs: int = 1, peak_gb: float | None = None, fits: bool | None = None, **more: Any
) -> ArmForecast:
    seconds = more.pop("seconds", {"training": 60.0})
    return ArmForecast(
        name=name,
        runs=runs,
        peak_gb=None if peak_gb is None else about(peak_gb, 1.1),
        fits=(None if peak_gb is None else True) if fits is None else fits,
        seconds={phase: about(value) for phase, value in seconds.items()},
        basis=more.pop("basis", "measured on this kind of device"),
        **more,
    )


def forecast(*arms: ArmForecast, on: DeviceProfile | None = None, **more: Any) -> Forecast:
    given: dict[str, Any] = {
        "devices": 1,
        "seconds": about(600.0),
        "device_hours": about(1 / 6),
        "cost": about(1.0),
        "currency": "US dollars",
        "price_per_hour": 6.0,
        "energy_kwh": about(0.1),
    }
    return Forecast(device=on or device(), arms=list(arms), **{**given, **more})
