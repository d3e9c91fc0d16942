"""How long a device needs for a piece of work: rates of its profile, between the sizes that were measured."""

import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from showdown.core.forecast import DeviceProfile

_PRODUCT = re.compile(r"(?P<dtype>\w+)_product_(?P<tokens>\d+)x(?P<width>\d+)_tflops")
_ATTENTION = re.compile(r"attention_(?P<length>\d+)_(?P<way>forward|backward)_tflops")
BYTES = {"bfloat16": 2, "float32": 4}
NF4_BYTES = 0.53
"""Of a weight in four bits, with its share of the scales."""
FP8_SPEED = 1.59
"""Rate of products in fp8 over that in bfloat16, rounding and transposition included: 7.79 and 4.89 ms for a layer of a
7B on one H100 (`benchmarks.gpu.fp8`). Other GPUs are taken to gain as much."""
DECOMPOSITION = {"cpu": 55.0, "gpu": 400.0}
"""Seconds of a singular value decomposition of m rows and n columns, over those of a product in float32 of 2 m^2 n
operations, on a GPU of 2 m^3: there columns hardly count. On a CPU of two threads 49 to 64, for 1,024 rows. On an H100
1.1 s for 4,096 rows, with 4,096 to 14,336 columns (`benchmarks.gpu.decompositions`); of fewer rows up to twice this."""

_CPU_BUILD_GB = 0.46
"""Resident set of a process with PyTorch's CPU build and all libraries (`memory_split` of the default comparison)."""


def optimizer_bytes(*, gradient: float, state: float, weights: float) -> float:
    """Return the bytes that a step moves: gradients are read for their norm and for the step, all else is rewritten."""
    return 2 * gradient + 2 * state + 2 * weights


@dataclass(frozen=True)
class Rates:
    """Rates of one device in seconds, bytes and operations."""

    profile: DeviceProfile

    def _of(self, name: str) -> float:
        return self.profile.rates[name]

    @cached_property
    def _products(self) -> dict[str, dict[int, dict[int, float]]]:
        """Operations a second by type, tokens and width."""
        found: dict[str, dict[int, dict[int, float]]] = {}
        for name, rate in self.profile.rates.items():
            match = _PRODUCT.fullmatch(name)
            if match:
                by_tokens = found.setdefault(match["dtype"], {}).setdefault(int(match["tokens"]), {})
                by_tokens[int(match["width"])] = rate * 1e12
        return found

    @cached_property
    def _attentions(self) -> dict[str, dict[int, float]]:
        """Operations a second by way and length."""
        found: dict[str, dict[int, float]] = {"forward": {}, "backward": {}}
        for name, rate in self.profile.rates.items():
            match = _ATTENTION.fullmatch(name)
            if match:
                found[match["way"]][int(match["length"])] = rate * 1e12
        return found

    def product_seconds(self, dtype: str, *, tokens: float, inputs: float, outputs: float, times: float = 1.0) -> float:
        """Return the seconds of a matrix product of `tokens` rows, or of a weight's gradient from so many.

        Args:
            dtype: `float32` or `bfloat16`.
            tokens: the dimension that grows with the batch.
            inputs: one width of the weight.
            outputs: the other.
            times: how many there are.

        """
        if tokens <= 0:
            return 0.0
        grid = self._products.get(dtype) or self._products["float32"]
        width = math.sqrt(inputs * outputs)
        rate = between(sorted(grid), tokens, lambda at: between(sorted(grid[at]), width, lambda w: grid[at][w]))
        moved = BYTES.get(dtype, 4) * (tokens * (inputs + outputs) + inputs * outputs)
        return times * max(2.0 * tokens * inputs * outputs / rate, self.moving_seconds(moved))

    def moving_seconds(self, moved_bytes: float) -> float:
        """Return the seconds of kernels that read and write so many bytes and compute little."""
        return moved_bytes / (self._of("elementwise_gbps") * 1e9)

    def decomposition_seconds(self, rows: int, columns: int) -> float:
        """Return the seconds of a singular value decomposition in float32, of at most as many rows as columns."""
        outputs = rows if self.profile.kind == "gpu" else columns
        one = self.product_seconds("float32", tokens=rows, inputs=rows, outputs=outputs)
        return DECOMPOSITION[self.profile.kind] * one

    def attention_seconds(self, operations: float, length: float, *, backward: bool) -> float:
        """Return the seconds of attention's own products over sequences of about this length."""
        way = "backward" if backward else "forward"
        grid = self._attentions[way]
        return operations / between(sorted(grid), max(1.0, length), grid.__getitem__)

    def seconds(self, name: str, amount: float) -> float:
        """Return the seconds for an amount: of bytes at a rate `..._gbps`, or of pieces at `..._us` each."""
        rate = self._of(name)
        return amount * rate * 1e-6 if name.endswith("_us") else amount / (rate * 1e9)

    @cached_property
    def process_gb(self) -> float:
        """The resident set of a process before any network, of the build here where the profile's has CUDA."""
        import torch

        other = torch.version.cuda is None and not self.profile.measured_with.get("torch", "").endswith("+cpu")
        return min(self._of("process_gb"), _CPU_BUILD_GB) if other else self._of("process_gb")

    def plain(self, name: str) -> float:
        """Return a rate as the profile has it."""
        return self._of(name)


def between(places: Sequence[int], at: float, value: "Mapping[int, float] | object") -> float:
    """Return what lies between two measured values, geometrically; the nearest beyond the first and the last.

    Args:
        places: where values are known, rising and above 0.
        at: where one is wanted.
        value: function or mapping from a place to its value, above 0.

    """
    read = value.__getitem__ if isinstance(value, Mapping) else value
    assert callable(read)
    if at <= places[0] or at >= places[-1]:
        return float(read(places[0] if at <= places[0] else places[-1]))
    right = bisect_right(places, at)
    low, high = places[right - 1], places[right]
    share = math.log(at / low) / math.log(high / low)
    return float(math.exp((1 - share) * math.log(read(low)) + share * math.log(read(high))))
