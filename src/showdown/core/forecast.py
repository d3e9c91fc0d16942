"""What a comparison will need: memory, time, money and energy, each as a range with what it rests on."""

from typing import Literal

from pydantic import Field

from showdown.core.bounds import Amount
from showdown.core.strict import Strict

Basis = Literal["measured here", "measured on this kind of device", "derived"]
"""What a figure rests on: measurements of this machine, those of another with the same device, or arithmetic from
the device's published rates."""


class Range(Strict):
    """An expected value, and two values between which nine of ten measurements should lie."""

    low: Amount
    expected: Amount
    high: Amount


class DeviceProfile(Strict):
    """The rates of one kind of device, from `showdown doctor --measure` or shipped."""

    name: str
    """As the driver or the processor names it."""
    kind: Literal["cpu", "gpu"]
    memory_gb: Amount
    """All of it, in GB of 1e9 bytes."""
    rates: dict[str, float]
    """By name, each with its unit in the name, as `bfloat16_matmul_tflops`."""
    measured_with: dict[str, str] = Field(default_factory=dict)
    """Versions of torch and the driver, the date and the command; empty for rates that are derived."""
    source: str | None = None
    """Of rates that are derived: whose they are, and where the published ones stand."""


class ArmForecast(Strict):
    """What one row of the table will need."""

    name: str
    runs: int
    """Seeds times partitions times shares of the learning curve, but for those that are done where only the others are
    counted."""
    peak_gb: Range | None
    """Allocated memory while training; None for a method that trains no network."""
    fits: bool | None
    """Whether the high end of the peak is within the device's memory; None where nothing is trained."""
    devices: int = 1
    """Devices that train a run together, since one has no room or others would be idle; the peak is that of each."""
    seconds: dict[str, Range]
    """Of one run, by phase of `docs/results.md`: `tuning`, `training`, `prediction` and the others."""
    basis: Basis
    fixes: list[str] = Field(default_factory=list)
    """What would make it fit, each with the peak that it then has; empty where it fits."""
    cheapest_gpu: str | None = None
    """The cheapest GPU of the price table on which it fits as it is; None where none is large enough."""
    notes: list[str] = Field(default_factory=list)


class Forecast(Strict):
    """What a whole comparison will need on a number of equal devices."""

    device: DeviceProfile
    devices: int
    arms: list[ArmForecast]
    seconds: Range
    """From the command to the last result, with runs spread over the devices."""
    device_hours: Range
    """Of all devices together, those that wait included."""
    cost: Range | None
    """At the price of an hour; None without a price."""
    currency: str | None = None
    """Of an example price; None for the user's own."""
    price_per_hour: Amount | None = None
    """Of one device."""
    price_source: str | None = None
    """Where the price comes from, in words."""
    energy_kwh: Range | None
    """None where the device's power is not known."""
    notes: list[str] = Field(default_factory=list)
    """What was estimated, a line each."""
