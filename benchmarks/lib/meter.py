"""Seconds and memory of a stretch of training, as every case of the GPU benchmark measures them."""

import time
from dataclasses import dataclass, field
from typing import Any

import torch

GB = 1e9


@dataclass(kw_only=True)
class Meter:
    """Measures from the end of the warm-up on; everything before counts for nothing."""

    device: str
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    device_gb: float = 0.0
    _begun: float = 0.0
    _step_ends: list[float] = field(default_factory=list)

    def begin(self) -> None:
        """The warm-up is over."""
        if self.device == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        self._begun = time.perf_counter()

    def end(self) -> None:
        """The last measured step is done."""
        if self.device == "cuda":
            torch.cuda.synchronize()
            free, total = torch.cuda.mem_get_info()
            self.device_gb = (total - free) / GB
        self.seconds = time.perf_counter() - self._begun

    def memory(self) -> dict[str, float]:
        """Peak allocated and reserved memory since the warm-up, and what the device shows as used at the end, in GB."""
        if self.device != "cuda":
            return {"peak_allocated_gb": 0.0, "peak_reserved_gb": 0.0, "device_gb": 0.0}
        return {
            "peak_allocated_gb": torch.cuda.max_memory_allocated() / GB,
            "peak_reserved_gb": torch.cuda.max_memory_reserved() / GB,
            "device_gb": self.device_gb,
        }


def environment(device: str) -> dict[str, Any]:
    """Versions and hardware."""
    import importlib.metadata
    import platform

    names = (
        "torch", "transformers", "peft", "bitsandbytes", "liger-kernel", "nvidia-cudnn-frontend", "accelerate", "triton"
    )  # fmt: skip
    found: dict[str, Any] = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    if device == "cuda":
        found |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
    return found
