"""Rates between the sizes that were measured, and what a piece of work takes at them."""

import pytest

from showdown.core.errors import UserError
from showdown.core.files import write_json
from showdown.core.forecast import DeviceProfile
from showdown.forecast.profiles import local_file, local_profile, profile_of, shipped_profiles
from showdown.forecast.rates import Rates, between
from showdown.forecast.step import weighed

RATES = {
    "float32_product_100x10_tflops": 1.0,
    "float32_product_100x1000_tflops": 4.0,
    "float32_product_10000x1000_tflops": 16.0,
    "float32_product_10000x10_tflops": 4.0,
    "attention_100_forward_tflops": 2.0,
    "attention_10000_forward_tflops": 8.0,
    "attention_100_backward_tflops": 1.0,
    "attention_10000_backward_tflops": 1.0,
    "elementwise_gbps": 1000.0,
    "launch_us": 10.0,
}
PROFILE = DeviceProfile(name="made up", kind="gpu", memory_gb=10.0, rates=RATES)


def test_between_is_geometric_and_flat_outside() -> None:
    known = {10: 1.0, 1000: 4.0}
    assert between([10, 1000], 100, known) == pytest.approx(2.0)
    assert between([10, 1000], 1, known) == 1.0
    assert between([10, 1000], 5000, known) == 4.0


def test_a_product_takes_its_operations_over_the_rate_between_sizes() -> None:
    # 1,000 tokens lie between 100 and 10,000, a width of 100 between 10 and 1,000: 1, 4, 4, 16 have the mean 4.
    seconds = Rates(PROFILE).product_seconds("float32", tokens=1000, inputs=100, outputs=100)
    assert seconds == pytest.approx(2 * 1000 * 100 * 100 / 4e12)


def test_a_thin_product_takes_what_it_moves() -> None:
    seconds = Rates(PROFILE).product_seconds("float32", tokens=1000, inputs=1000, outputs=1)
    assert seconds == pytest.approx(4 * (1000 * 1001 + 1000) / 1e12)


def test_attention_has_a_rate_by_length_and_way() -> None:
    rates = Rates(PROFILE)
    assert rates.attention_seconds(4e12, 1000, backward=False) == pytest.approx(1.0)
    assert rates.attention_seconds(4e12, 1000, backward=True) == pytest.approx(4.0)


def test_amounts_in_bytes_and_in_pieces() -> None:
    assert Rates(PROFILE).seconds("elementwise_gbps", 1e12) == pytest.approx(1.0)
    assert Rates(PROFILE).seconds("launch_us", 5) == pytest.approx(5e-5)


def test_the_host_of_a_gpu_works_beside_it_and_a_cpu_does_one_after_another() -> None:
    work = {"products": 1.0, "layers": 1.0}
    assert weighed(work, {"products": 2.0}, on_gpu=False) == 3.0
    assert 2.0 < weighed(work, {"products": 2.0}, on_gpu=True) < 2.1


def test_profiles_are_found_by_short_name_and_by_the_drivers() -> None:
    assert profile_of("H100") == profile_of("h100") == profile_of("NVIDIA H100 80GB HBM3")
    assert profile_of("NVIDIA A100-SXM4-80GB").name == "NVIDIA A100-SXM4-80GB"
    with pytest.raises(UserError, match="no profile of a device `abacus`; there are a100, "):
        profile_of("abacus")


def test_every_shipped_profile_says_what_it_rests_on_and_has_what_a_forecast_asks_for() -> None:
    asked = {
        "elementwise_gbps",
        "optimizer_gbps",
        "dequantise_gbps",
        "launch_us",
        "kernel_us",
        "read_gbps",
        "write_gbps",
    }
    for profile in shipped_profiles().values():
        assert bool(profile.measured_with) != bool(profile.source)
        assert profile.rates.keys() >= asked
        assert ("host_to_device_gbps" if profile.kind == "gpu" else "process_gb") in profile.rates


def test_a_profile_of_this_machine_that_is_damaged_counts_as_none(
    tmp_path: "pytest.TempPathFactory", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert local_profile() is None
    local_file().parent.mkdir(parents=True)
    write_json(local_file(), PROFILE.model_dump(mode="json"))
    assert local_profile() == PROFILE
    local_file().write_text("{")
    assert local_profile() is None
