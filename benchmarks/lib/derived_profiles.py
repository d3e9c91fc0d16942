"""Writes the profiles of GPUs that were not measured: the H100's measured rates, scaled by published peaks.

    python -m benchmarks.lib.derived_profiles

Products and attention scale with the dense 16-bit peak, all that moves bytes with the memory's bandwidth. What the host
does is taken as on the H100's. A GPU of another generation reaches another share of its peak, so that such a forecast
is called derived.
"""

from dataclasses import dataclass
from pathlib import Path

from showdown.core.files import write_json
from showdown.core.forecast import DeviceProfile
from showdown.forecast.profiles import profile_of

FOLDER = Path(__file__).parents[2] / "src" / "showdown" / "forecast" / "shipped"
_H100 = (989.4, 3352.0)
"""Dense bfloat16 TFLOP/s and GB/s of the SXM module (NVIDIA H100 Tensor Core GPU datasheet)."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a datasheet says."""

    name: str
    memory_gb: float
    tflops: float
    """Dense, bfloat16."""
    gbps: float
    watts: float
    source: str


GPUS = {
    "b200": Published(
        name="NVIDIA B200", memory_gb=191.0, tflops=2250.0, gbps=8000.0, watts=1000.0,
        source="NVIDIA DGX B200 datasheet (18 PFLOP/s sparse FP16 of 8 GPUs, 64 TB/s)",
    ),
    "a100": Published(
        name="NVIDIA A100-SXM4-80GB", memory_gb=85.1, tflops=312.0, gbps=2039.0, watts=400.0,
        source="NVIDIA A100 Tensor Core GPU datasheet",
    ),
    "l40s": Published(
        name="NVIDIA L40S", memory_gb=47.8, tflops=362.0, gbps=864.0, watts=350.0, source="NVIDIA L40S datasheet",
    ),
    "l4": Published(
        name="NVIDIA L4", memory_gb=23.6, tflops=121.0, gbps=300.0, watts=72.0, source="NVIDIA L4 datasheet",
    ),
}  # fmt: skip


def derived(measured: DeviceProfile, gpu: Published) -> DeviceProfile:
    """Return the profile of a GPU from that of a measured one."""
    arithmetic, bandwidth = gpu.tflops / _H100[0], gpu.gbps / _H100[1]
    moving = ("elementwise_gbps", "elementwise_small_gbps", "optimizer_gbps", "dequantise_gbps")
    rates = {}
    for name, rate in measured.rates.items():
        factor = arithmetic if name.endswith("_tflops") else bandwidth if name in moving else 1.0
        rates[name] = float(f"{rate * factor:.4g}")
    rates["power_watts"] = gpu.watts
    return DeviceProfile(
        name=gpu.name, kind="gpu", memory_gb=gpu.memory_gb, rates=rates,
        source=f"rates of {measured.name}, scaled by published peaks: {gpu.source}",
    )  # fmt: skip


def main() -> None:
    """Write the profile of each GPU that was not measured."""
    measured = profile_of("h100")
    for short, gpu in GPUS.items():
        write_json(FOLDER / f"{short}.json", derived(measured, gpu).model_dump(mode="json"))


if __name__ == "__main__":
    main()
