"""The launches of this host in the profile of the same GPU in another machine."""

import pytest
import torch

from showdown.forecast import measure
from showdown.forecast.measure import with_own_launches
from showdown.forecast.profiles import profile_of


def test_launches_are_those_of_this_host_and_all_else_that_of_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(measure, "_launches", lambda device: {"launch_us": 21.987654, "kernel_us": 9.0})
    shipped = profile_of("h100")
    assert with_own_launches(shipped).rates == {**shipped.rates, "launch_us": 21.99}
    assert with_own_launches(profile_of("cpu")) == profile_of("cpu")


def test_a_gpu_that_is_not_here_keeps_its_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert with_own_launches(profile_of("h100")) == profile_of("h100")
