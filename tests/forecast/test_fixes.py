"""What would make an arm fit: each way is tried, the mildest first, and only what fits is named."""

from dataclasses import dataclass
from typing import Any

import pytest

from forecasts import about, arm, device
from showdown.core.forecast import DeviceProfile
from showdown.core.prices import GPU_PRICES
from showdown.core.spec import Comparison
from showdown.forecast import fixes
from showdown.forecast.fixes import with_cheapest_gpu, with_fixes


@dataclass(frozen=True, kw_only=True)
class Workload:
    comparison: Comparison


@dataclass(frozen=True)
class Peak:
    allocated_gb: Any
    fits: bool


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of 100 GB in full: half of that lean, a quarter in four bits."""

    def peaks(workload: Workload, profile: DeviceProfile) -> dict[str, Peak]:
        found = {}
        for row, written in workload.comparison.methods.items():
            protocol = written.get("protocol", {})
            needed = 25.0 if written.get("method") == "qlora" else 100.0
            needed *= 0.5 if protocol.get("memory") == "lean" else 1.0
            needed *= 0.9 if protocol.get("micro_batch_rows") == 1 else 1.0
            found[row] = Peak(about(needed, 1.0), fits=needed <= profile.memory_gb)
        return {} if "tfidf" in found else found

    monkeypatch.setattr(fixes, "peaks", peaks)


def found_for(memory_gb: float, written: dict[str, Any] | None = None, kind: str = "gpu") -> list[str]:
    workload: Any = Workload(comparison=Comparison.model_validate({"methods": {"full": written or {}}}))
    (found,) = with_fixes([arm("full", peak_gb=100.0, fits=False)], workload, device(kind=kind, memory_gb=memory_gb))
    return found.fixes


def test_ways_that_fit_are_named_with_their_peak() -> None:
    assert found_for(60.0) == [
        "`memory: lean`: 50 GB",
        "`memory: lean` with `micro_batch_rows: 1`: 45 GB",
        "`method: qlora`: 25 GB",
    ]
    assert found_for(30.0) == ["`method: qlora`: 25 GB"]
    assert found_for(10.0) == []


def test_ways_that_are_taken_already_are_not_named() -> None:
    assert found_for(46.0, {"protocol": {"memory": "lean"}}) == [
        "`micro_batch_rows: 1`: 45 GB",
        "`memory: lean` with `micro_batch_rows: 1`: 45 GB",
        "`method: qlora`: 12.5 GB",
    ]


def test_an_arm_that_fits_needs_no_way() -> None:
    workload: Any = Workload(comparison=Comparison.model_validate({"methods": {"full": {}}}))
    fitting = [arm("full", peak_gb=10.0), arm("tfidf")]
    assert with_fixes(fitting, workload, device()) == fitting


def test_the_cheapest_gpu_is_by_the_hour_and_large_enough() -> None:
    workload: Any = Workload(
        comparison=Comparison.model_validate({"methods": {"full": {}, "small": {"method": "qlora"}}})
    )
    arms = [arm("full", peak_gb=100.0, fits=False), arm("small", peak_gb=25.0), arm("words")]
    full, small, words = with_cheapest_gpu(arms, workload)
    cheapest = min(GPU_PRICES, key=lambda name: GPU_PRICES[name].per_hour)
    fitting = [name for name, price in GPU_PRICES.items() if price.memory_gb >= 100.0]
    assert small.cheapest_gpu == cheapest
    assert full.cheapest_gpu == min(fitting, key=lambda name: GPU_PRICES[name].per_hour)
    assert words.cheapest_gpu is None
