"""`showdown doctor --measure` keeps no rates that other work disturbed, unless it is told to."""

from pathlib import Path
from typing import Any

import pytest

import showdown.doctor.measuring
from showdown.core.forecast import DeviceProfile
from showdown.doctor.measuring import measure_machine
from showdown.forecast.profiles import local_profile

RATES = {
    "float32_product_4096x3072_tflops": 0.5,
    "elementwise_gbps": 20.0,
    "launch_us": 10.0,
}


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without other work, whose rates come out the same twice."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    profile = DeviceProfile(name="a CPU", kind="cpu", memory_gb=16.0, rates=RATES, measured_with={"torch": "2"})
    meter = showdown.doctor.measuring
    monkeypatch.setattr(meter, "measure_device", lambda say: profile)
    monkeypatch.setattr(meter, "measure_again", lambda profile: {"elementwise_gbps": 20.5, "launch_us": 9.5})
    others(monkeypatch, 0.02)


def others(monkeypatch: pytest.MonkeyPatch, share: float | None) -> None:
    class Meter:
        def read(self) -> float | None:
            return share

    monkeypatch.setattr(showdown.doctor.measuring, "LoadMeter", Meter)


def test_rates_of_an_idle_machine_are_kept() -> None:
    found = measure_machine(lambda line: None)
    assert found.kept
    assert found.lines[:3] == (
        "device: a CPU, 16.0 GB",
        "matrix products: 0.5 TFLOP/s (float32_product_4096x3072)",
        "memory: 20 GB/s",
    )
    kept = local_profile()
    assert kept is not None
    assert (kept.rates, kept.measured_with) == (RATES, {"torch": "2"})


@pytest.mark.parametrize(
    ("share", "again", "doubt"),
    [
        (0.4, {}, "busy: other processes used 40 % of the processors"),
        (
            0.02,
            {"elementwise_gbps": 12.0, "launch_us": 10.5},
            "unsteady: elementwise_gbps was 20 and then 12, 40 % apart",
        ),
        (0.02, {"launch_us": 20.0}, "unsteady: launch_us was 10 and then 20, 100 % apart"),
    ],
)
def test_disturbed_rates_are_kept_only_by_force(
    share: float, again: dict[str, float], doubt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    others(monkeypatch, share)
    if again:
        monkeypatch.setattr(showdown.doctor.measuring, "measure_again", lambda profile: again)
    found = measure_machine(lambda line: None)
    assert not found.kept
    assert any(line.startswith(doubt) for line in found.lines)
    assert found.lines[-1].startswith("nothing was kept")
    assert local_profile() is None
    forced = measure_machine(lambda line: None, force=True)
    assert forced.kept
    kept = local_profile()
    assert kept is not None
    assert kept.measured_with["doubts"].startswith(doubt), "the profile says what is wrong with it"


def test_a_gpu_in_use_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    from showdown.measure.system import GpuReading

    class Meter:
        def read(self) -> GpuReading:
            return GpuReading(utilisation_percent=55.0)

    meter: Any = Meter()
    monkeypatch.setattr(showdown.doctor.measuring, "has_gpu", lambda: True)
    monkeypatch.setattr(showdown.doctor.measuring, "gpu_meter", lambda: meter)
    found = measure_machine(lambda line: None)
    assert not found.kept
    assert "busy: the GPU was 55 % in use before, so that rates are too low" in found.lines


def test_a_load_that_cannot_be_read_is_no_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    others(monkeypatch, None)
    assert measure_machine(lambda line: None).kept


def test_what_is_measured_again_are_rates_of_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    from showdown.forecast import measure

    monkeypatch.setattr(measure, "_timed", lambda run, device, enough=0.0: 1.0)
    rates = {**measure._products("cpu"), **measure._moving("cpu")}
    profile = DeviceProfile(name="a CPU", kind="cpu", memory_gb=16.0, rates=rates)
    again = measure.measure_again(profile)
    assert {"elementwise_gbps", "float32_product_4096x3072_tflops"} < again.keys() < rates.keys()
    assert all(again[name] == rates[name] for name in again)
