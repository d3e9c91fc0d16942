"""The server's imports must not start CUDA, whatever libraries ask."""

from types import SimpleNamespace

import pytest
import torch

from showdown.runner.forkserver import gpu_kind_from_driver


class DriverError(Exception):
    """NVML's."""


def driver(*, answers: bool) -> SimpleNamespace:
    def start() -> None:
        if not answers:
            raise DriverError

    return SimpleNamespace(
        nvmlInit=start,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetCudaComputeCapability=lambda handle: [9, 0],
        NVMLError=DriverError,
    )


def test_the_driver_says_the_kind_of_gpu_while_libraries_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    own = torch.cuda.get_device_capability
    monkeypatch.setitem(__import__("sys").modules, "pynvml", driver(answers=True))
    with pytest.raises(ImportError), gpu_kind_from_driver():
        assert torch.cuda.get_device_capability() == torch.cuda.get_device_capability("cuda") == (9, 0)
        raise ImportError
    assert torch.cuda.get_device_capability is own


def test_without_an_answer_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    own = torch.cuda.get_device_capability
    monkeypatch.setitem(__import__("sys").modules, "pynvml", driver(answers=False))
    with gpu_kind_from_driver():
        assert torch.cuda.get_device_capability is own
