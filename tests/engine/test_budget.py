"""The count of memory against the measured peaks, and the choices that follow from it."""

import json
from pathlib import Path
from typing import Any

import pytest

from showdown.engine.budget import Demand, Plan, Shape, largest_tokens, matched, peak_bytes, plan

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LENGTHS = json.loads((BENCHMARKS / "seed_lengths.json").read_text())["train"]
MISTRAL = Shape(layers=32, hidden=4096, inner=14336, queries=4096, keys=1024)
WHOLE, QUANTISED = 14.22e9, 3.87e9
DEMANDS = {
    "full": Demand(weight_bytes=WHOLE, gradient_bytes=WHOLE, moment_bytes=2 * WHOLE, trains_backbone=True),
    "full-in-backward": Demand(weight_bytes=WHOLE, gradient_bytes=0, moment_bytes=2 * WHOLE, trains_backbone=True),
    "lora": Demand(weight_bytes=WHOLE, gradient_bytes=14e6, moment_bytes=28e6, trains_backbone=False),
    "qlora": Demand(
        weight_bytes=QUANTISED, gradient_bytes=14e6, moment_bytes=28e6, trains_backbone=False, four_bit=True
    ),
}


def measured(case: str) -> dict[str, Any]:
    for name in ("gpu_showdown.json", "gpu_showdown_modes.json"):
        for line in json.loads((BENCHMARKS / "results" / name).read_text())["summary"]:
            if line["case"] == case and "peak_allocated_gb" in line:
                return line["peak_allocated_gb"]
    raise AssertionError(f"no result of {case}")


@pytest.mark.parametrize(
    ("case", "demand", "tokens", "recompute"),
    [  # the most tokens of one micro-batch among the steps that were measured
        ("speed-full", "full", 3840, False),
        ("speed-lora", "lora", 7168, False),
        ("speed-qlora", "qlora", 7168, False),
        ("between-lora", "lora", 4096, False),
        ("lean-full", "full-in-backward", 3840, True),
        ("lean-lora", "lora", 2048, True),
        ("lean-qlora", "qlora", 1536, True),
        ("between-qlora", "qlora", 4096, True),
    ],
)
def test_the_count_is_near_what_was_measured(case: str, demand: str, tokens: int, recompute: bool) -> None:
    counted = peak_bytes(MISTRAL, DEMANDS[demand], tokens=tokens, recompute=recompute) / 1e9
    assert counted == pytest.approx(measured(case)["median"], rel=0.05)


def chosen(method: str, memory: Any, free_gb: float = 141.0) -> Plan:
    rows = 8 if method.startswith("full") else 16
    return plan(MISTRAL, DEMANDS[method], memory=memory, lengths=LENGTHS, effective_rows=rows, free_gb=free_gb)


def test_speed_takes_the_whole_step_where_it_fits() -> None:
    assert (chosen("lora", "speed").micro_rows, chosen("lora", "speed").recompute) == (16, False)
    assert chosen("full", "speed").micro_rows == 8


def test_speed_halves_the_micro_batch_on_a_smaller_gpu_and_never_recomputes() -> None:
    found = chosen("lora", "speed", free_gb=24.0)
    assert found.micro_rows < 16
    assert not found.recompute
    assert found.expected_peak_gb <= 24.0


def test_lean_recomputes_and_stays_above_the_launches() -> None:
    found = chosen("qlora", "lean")
    assert found.recompute
    assert found.micro_rows == 4


@pytest.mark.parametrize("budget", [16.0, 17.5, 20.0, 25.0, 30.0, 45.0])
def test_a_budget_is_kept(budget: float) -> None:
    found = chosen("lora", budget)
    assert found.expected_peak_gb <= budget


def test_a_larger_budget_never_chooses_a_slower_way() -> None:
    plans = [chosen("qlora", budget) for budget in (5.0, 6.0, 9.0, 14.0, 20.0, 32.0)]
    order = [(not one.recompute, one.micro_rows) for one in plans]
    assert order == sorted(order)


def test_where_nothing_fits_the_least_is_taken() -> None:
    found = chosen("lora", 10.0)
    assert (found.micro_rows, found.recompute) == (1, True)
    assert found.expected_peak_gb > 10.0


def test_methods_of_one_comparison_get_matched_settings() -> None:
    found = matched([chosen("lora", 30.0), chosen("qlora", 30.0)])
    assert found.micro_rows == min(chosen("lora", 30.0).micro_rows, chosen("qlora", 30.0).micro_rows)
    assert found.expected_peak_gb <= 30.0


def test_largest_tokens_takes_the_longest_rows() -> None:
    assert largest_tokens([3, 9, 5], 2) == 14
    assert largest_tokens([3, 9, 5], 9) == 17
