"""Seconds and memory of a training, as the GPU benchmarks measure them."""

import time
from dataclasses import dataclass, field

import torch

from benchmarks.lib.timing import synchronize

GB = 1e9


@dataclass(kw_only=True)
class Meter:
    """Measures from `begin` on; what came before is not counted."""

    device: str
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    device_gb: float = 0.0
    _peaks_gb: tuple[float, float] = (0.0, 0.0)
    """Allocated and reserved."""
    _begun: float = 0.0

    def begin(self) -> None:
        """Start to measure; memory that nothing uses is given back first."""
        synchronize(self.device)
        if self.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        self._begun = time.perf_counter()

    def end(self) -> None:
        """Stop to measure: the last step was given to the device."""
        synchronize(self.device)
        if self.device == "cuda":
            free, total = torch.cuda.mem_get_info()
            self.device_gb = (total - free) / GB
            # Read here: what comes after a training, such as a validation, may reset them.
            self._peaks_gb = torch.cuda.max_memory_allocated() / GB, torch.cuda.max_memory_reserved() / GB
        self.seconds = time.perf_counter() - self._begun

    def memory(self) -> dict[str, float]:
        """Return the peaks from `begin` to the end, and what the device shows as used then; zeros on a CPU."""
        allocated, reserved = self._peaks_gb
        return {"peak_allocated_gb": allocated, "peak_reserved_gb": reserved, "device_gb": self.device_gb}


@dataclass(kw_only=True)
class Laps(Meter):
    """A meter that takes the time of the same steps several times in a row, after a warm-up.

    It waits for the device at the end of each lap, before the next step is launched. Peaks count from `begin` on, the
    warm-up included, since the step that needs most memory is in it.
    """

    warmup_steps: int
    lap_steps: int
    laps: int
    lap_seconds: list[float] = field(default_factory=list)

    def step_done(self, steps: int) -> None:
        """Be told that a step was given to the device; `steps` counts those of the warm-up too."""
        lap, rest = divmod(steps - self.warmup_steps, self.lap_steps)
        if rest or lap < 0:
            return
        synchronize(self.device)
        now = time.perf_counter()
        if lap:
            self.lap_seconds.append(now - self._begun)
        self._begun = now
        if lap == self.laps:
            self.end()


class Losses:
    """Watches a training of the product, and keeps its losses."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def step(self, *, step: int, steps: int, epoch: int, loss: float, seconds: float) -> None:
        """Keep a step's loss."""
        self.losses.append(loss)

    def say(self, message: str) -> None:
        """Print a message."""
        print(message, flush=True)
