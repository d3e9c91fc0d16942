"""The devices that a forecast is made for, and what is refused of them."""

from collections.abc import Callable

import pytest

from forecasts import device
from showdown.core.errors import UserError
from showdown.runner import device as devices
from showdown.runner.device import Devices, devices_here, devices_named

GPU = "NVIDIA H100 80GB HBM3"


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_gpu", lambda: False)
    monkeypatch.setattr(devices, "local_profile", lambda: None)


class Meter:
    def __init__(self, name: str | None) -> None:
        self._name = name

    def name(self) -> str | None:
        return self._name

    def total_gb(self) -> float:
        return 79.0


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    def two(name: str | None) -> None:
        monkeypatch.setattr(devices, "has_gpu", lambda: True)
        monkeypatch.setattr(devices, "local_profile", lambda: None)
        monkeypatch.setattr(devices, "gpu_meter", lambda: Meter(name))
        monkeypatch.setattr(devices, "local_devices", lambda named: ["0", "1"] if named is None else [*named])

    return two


def line(call: Callable[[], Devices]) -> str:
    with pytest.raises(UserError) as found:
        call()
    return str(found.value)


def test_a_named_device_has_its_example_price_and_the_users_own_stands_first() -> None:
    example, own = devices_named("H100", None, None), devices_named("h100", 4, 2.5)
    assert (example.count, example.currency) == (1, "US dollars")
    assert example.price_source is not None
    assert "RunPod" in example.price_source
    assert (own.count, own.price_per_hour, own.currency) == (4, 2.5, None)


def test_bad_names_numbers_and_prices_are_refused_in_one_line(no_gpu: None) -> None:
    assert "h100" in line(lambda: devices_named("h101", None, None))
    assert "--gpus 0" in line(lambda: devices_named("h100", 0, None))
    assert "--gpus -1" in line(lambda: devices_here(-1, None))
    assert "--price-per-hour -1: give 0 or more" in line(lambda: devices_named("h100", None, -1.0))
    assert "--price-per-hour nan" in line(lambda: devices_named("h100", None, float("nan")))
    assert "is a processor" in line(lambda: devices_named("cpu", 2, None))
    assert "this machine has no GPU; name one with --gpu" in line(lambda: devices_here(2, None))


def test_a_processor_that_was_not_measured_says_so(no_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_threads", lambda: 8)
    monkeypatch.setattr(devices, "cpu_name", lambda: "Some processor, 8 cores")
    here, shipped = devices_here(None, None), devices_named("cpu", None, None)
    assert "doctor --measure" in here.notes[0]
    assert here.profile.measured_with == {}
    rate = next(name for name in shipped.profile.rates if name.endswith("_tflops"))
    assert here.profile.rates[rate] == pytest.approx(4 * shipped.profile.rates[rate]), "four times the threads"
    assert here.price_per_hour == pytest.approx(8 * 0.0425)


def test_a_shipped_processor_of_the_same_name_is_taken_and_with_other_threads_it_is_scaled(
    no_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "cpu_name", lambda: "AMD EPYC, 64 cores")
    monkeypatch.setattr(devices, "_threads", lambda: 2)
    shipped, here = devices_named("epyc", None, None).profile, devices_here(None, None)
    assert here.profile.rates == shipped.rates
    assert here.profile.measured_with == shipped.measured_with != {}
    assert here.notes == ()
    monkeypatch.setattr(devices, "_threads", lambda: 4)
    scaled = devices_here(None, None)
    rate = next(name for name in shipped.rates if name.endswith("_tflops"))
    assert scaled.profile.rates[rate] == pytest.approx(2 * shipped.rates[rate])
    assert shipped.name in scaled.notes[0]


def test_a_measured_processor_is_taken_with_the_memory_of_today(no_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = device(kind="cpu", name="a processor", memory_gb=1.0)
    monkeypatch.setattr(devices, "local_profile", lambda: measured)
    here = devices_here(None, None)
    assert (here.profile.name, here.notes) == ("a processor", ())
    assert here.profile.memory_gb != 1.0


def test_all_gpus_of_a_machine_are_taken_with_their_own_memory(gpus: Callable[[str | None], None]) -> None:
    gpus(GPU)
    here = devices_here(None, None)
    assert (here.count, here.profile.memory_gb) == (2, 79.0)
    assert devices_here(None, None).of_another_host, "its launches are those of another machine"
    assert devices_here(1, None).count == 1
    assert devices_here(None, None, ["1"]).count == 1, "those that the comparison names"


def test_a_gpu_of_which_nothing_is_known_asks_to_be_measured(
    gpus: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus("NVIDIA Unheard 9000")
    assert "doctor --measure" in line(lambda: devices_here(None, None))
    monkeypatch.setattr(devices, "local_profile", lambda: device(name="NVIDIA Unheard 9000"))
    assert devices_here(None, None).profile.name == "NVIDIA Unheard 9000"
    monkeypatch.setattr(devices, "local_profile", lambda: device(name="another"))
    assert "doctor --measure" in line(lambda: devices_here(None, None))
    gpus(None)
    assert "does not answer" in line(lambda: devices_here(None, None))
