"""Example prices of an hour of a device, and how amounts are written. Prices change: the user's own are taken first."""

import re
from decimal import Decimal
from typing import NamedTuple

EXAMPLE_CURRENCY = "US dollars"


class GpuPrice(NamedTuple):
    """A kind of GPU that can be rented."""

    per_hour: float
    """US dollars on demand."""
    memory_gb: float
    """GB of 1e9 bytes: as CUDA reports it where that was read (H100, H200), else as published."""
    source: str


GPU_PRICES: dict[str, GpuPrice] = {
    "B200": GpuPrice(6.79, 180.0, "RunPod Secure Cloud, read 2026-10-07"),
    "H200": GpuPrice(4.59, 150.0, "RunPod Secure Cloud, read 2026-10-07"),
    "H100 NVL": GpuPrice(3.19, 94.0, "RunPod Secure Cloud, read 2026-11-09"),
    "H100 PCIe": GpuPrice(2.89, 80.0, "RunPod Secure Cloud, read 2026-11-09"),
    "H100": GpuPrice(3.99, 84.9, "RunPod Secure Cloud (SXM), read 2026-11-09"),
    "A100": GpuPrice(1.79, 80.0, "RunPod Secure Cloud (80 GB), read 2026-11-09"),
}
"""Examples: the user's own price is taken where one is given.

The first whose name occurs, as words, in the name of the GPU is taken."""
CPU_THREAD_PRICE = (0.0425, "AWS c6i.2xlarge on demand, 0.34 for 8 threads, as of 2026-04-17")
"""US dollars per hour of one CPU thread."""


def example_price(gpu: str | None, cpu_threads: int) -> tuple[float, str] | None:
    """Return US dollars per hour of a device, and where the figure comes from; None where no price is known.

    Args:
        gpu: as its driver names it; None for a processor.
        cpu_threads: that a processor computes with.

    """
    if gpu is None:
        per_thread, source = CPU_THREAD_PRICE
        here = f"here {cpu_threads} thread{'' if cpu_threads == 1 else 's'}"
        return round(per_thread * cpu_threads, 6), f"{source}; {here}"
    for name, price in GPU_PRICES.items():
        if re.search(rf"\b{name}\b", gpu, flags=re.IGNORECASE):
            return price.per_hour, price.source
    return None


def three_digits(value: float) -> str:
    """Return a number with three significant digits and no exponent: 0.0000645, 3150."""
    return format(Decimal(f"{value:.3g}"), "f")


def money(amount: float, *, example: bool = False) -> str:
    """Return an amount for people: three digits, no exponent, and its currency where the price is an example."""
    text = three_digits(amount)
    return f"{text} {EXAMPLE_CURRENCY}" if example else text
