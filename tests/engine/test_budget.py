"""The count of memory against the measured peaks, and the choices that follow from it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.lib.instruction_lengths import instruction_lengths
from showdown.engine.budget import (
    LEAN_TOKENS,
    SHARE_OF_FREE,
    Demand,
    Expected,
    Plan,
    Shape,
    expected,
    gradients_may_stay,
    kept_bytes,
    largest_tokens,
    launch_bound_tokens,
    matched,
    peak_bytes,
    plan,
)
from showdown.engine.language.chunks import OutputLayer
from showdown.training.batches import largest_drawn_tokens

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LENGTHS = json.loads((BENCHMARKS / "lib" / "seed_lengths.json").read_text())["train"]
MISTRAL = Shape(layers=32, hidden=4096, inner=14336, queries=4096, keys=1024)
WHOLE, QUANTISED, IN_FP8 = 14.22e9, 3.87e9, 7.25e9
DEMANDS = {
    "full": Demand(weight_bytes=WHOLE, gradient_bytes=WHOLE, optimizer_bytes=2 * WHOLE, trains_backbone=True),
    "full-in-backward": Demand(weight_bytes=WHOLE, gradient_bytes=0, optimizer_bytes=2 * WHOLE, trains_backbone=True),
    "lora": Demand(weight_bytes=WHOLE, gradient_bytes=14e6, optimizer_bytes=28e6, trains_backbone=False),
    "qlora": Demand(
        weight_bytes=QUANTISED, gradient_bytes=14e6, optimizer_bytes=28e6, trains_backbone=False, four_bit=True
    ),
    "lora-fp8": Demand(weight_bytes=IN_FP8, gradient_bytes=14e6, optimizer_bytes=28e6, trains_backbone=False, fp8=True),
    "full-fp8": Demand(
        weight_bytes=WHOLE, gradient_bytes=WHOLE, optimizer_bytes=2 * WHOLE, trains_backbone=True, rounds_weights=True
    ),
}


def measured(case: str) -> dict[str, Any]:
    if case == "speed-full-fp8":
        return summary("full_fp8.json")["full-fp8, weight gradients in bf16"]["peak_allocated_gb"]
    lines = summary("engine_vs_recipe-fp8.json" if "fp8" in case else "engine_vs_recipe.json")
    (found,) = [line["peak_allocated_gb"] for line in lines if line["case"] == case]
    return found


def summary(file: str) -> Any:
    return json.loads((BENCHMARKS / "results" / "gpu" / file).read_text())["results"]["summary"]


@pytest.mark.parametrize(
    ("case", "demand", "tokens", "recompute"),
    [  # the most tokens of one micro-batch among the steps that were measured
        ("speed-full", "full", 3840, False),
        ("speed-lora", "lora", 7168, False),
        ("speed-qlora", "qlora", 7168, False),
        ("budget-lora", "lora", 4608, False),
        ("budget-qlora", "qlora", 4608, False),
        ("lean-full", "full-in-backward", 3840, True),
        ("lean-lora", "lora", 4352, True),
        ("lean-qlora", "qlora", 3584, True),
        ("speed-lora-fp8", "lora-fp8", 7168, False),
        ("lean-lora-fp8", "lora-fp8", 7168, True),
        ("speed-full-fp8", "full-fp8", 3840, False),
    ],
)
def test_the_count_is_near_what_was_measured(case: str, demand: str, tokens: int, recompute: bool) -> None:
    counted = peak_bytes(MISTRAL, DEMANDS[demand], tokens=tokens, recompute=recompute) / 1e9
    assert counted == pytest.approx(measured(case)["median"], rel=0.05)


READ_SHARE = 0.417
"""Of the rows that `benchmarks.gpu.language_model` trains on, in the steps that have most."""
LANGUAGE_BYTES, LANGUAGE_QUANTISED, ADAPTERS = 14.48e9, 4.13e9, 42e6
"""A 7B with its output layer in 16 and in 4 bits; adapters of rank 16 on all layers, in numbers."""


def output(*, learns: bool) -> OutputLayer:
    return OutputLayer(vocabulary=32000, read_share=READ_SHARE, learns=learns)


def with_adapters(weight_bytes: float, **more: Any) -> Demand:
    return Demand(
        weight_bytes=weight_bytes + 2 * ADAPTERS, gradient_bytes=2 * ADAPTERS, optimizer_bytes=12 * ADAPTERS,
        trains_backbone=False, adapts_feed_forward=True, output=output(learns=False), **more,
    )  # fmt: skip


LANGUAGE = {
    "full": Demand(
        weight_bytes=LANGUAGE_BYTES, gradient_bytes=LANGUAGE_BYTES, optimizer_bytes=2 * LANGUAGE_BYTES,
        trains_backbone=True, output=output(learns=True),
    ),
    "lora": with_adapters(LANGUAGE_BYTES),
    "qlora": with_adapters(LANGUAGE_QUANTISED, four_bit=True),
}  # fmt: skip


@pytest.mark.parametrize(
    ("demand", "tokens", "recompute", "measured_gb"),
    [  # one H100: `python -m benchmarks.gpu.language_model --cases 'showdown-*' --steps 4 --laps 3`, and its peaks
        ("full", 9203, False, 76.84),
        ("lora", 9203, False, 47.66),
        ("qlora", 9203, False, 37.79),
        ("lora", 4957, True, 16.30),
        ("qlora", 3557, True, 5.78),
        # one H200: benchmarks/results/gpu/language_model.json
        ("full", 9822, False, 79.09),
        ("lora", 9822, False, 49.91),
        ("qlora", 9822, False, 40.04),
        ("lora", 4798, True, 16.28),
        ("qlora", 3584, True, 5.79),
    ],
)
def test_the_count_of_a_language_model_is_near_what_was_measured(
    demand: str, tokens: int, recompute: bool, measured_gb: float
) -> None:
    counted = peak_bytes(MISTRAL, LANGUAGE[demand], tokens=tokens, recompute=recompute) / 1e9
    assert counted == pytest.approx(measured_gb, rel=0.05)


INSTRUCTIONS = [sum(pair) for pair in instruction_lengths()]


@pytest.mark.parametrize(("name", "measured_gb"), [("full", 76.84), ("lora", 47.66), ("qlora", 37.79)])
def test_the_peak_is_expected_of_steps_that_are_drawn_and_the_plan_fits_the_longest_rows_together(
    name: str, measured_gb: float
) -> None:
    """The largest step that was measured had 9,203 tokens, the largest of the epoch 9,822, the longest rows 20,507."""
    found = plan(MISTRAL, LANGUAGE[name], memory="speed", lengths=INSTRUCTIONS, effective_rows=16, free_gb=150.0)
    assert found.micro_tokens == largest_tokens(INSTRUCTIONS, 16)

    def peak_gb(drawn_tokens: int) -> float:
        return expected(
            MISTRAL, LANGUAGE[name], found, lengths=INSTRUCTIONS, drawn_tokens=drawn_tokens, limit_gb=140.0
        ).peak_gb

    assert peak_gb(9203) == pytest.approx(measured_gb, rel=0.05)
    drawn = largest_drawn_tokens(INSTRUCTIONS, 16, found.micro_rows, epochs=1)
    assert drawn == 9822
    assert found.expected_peak_gb > 1.4 * peak_gb(drawn)


def test_gradients_stay_only_where_the_longest_rows_together_leave_room_for_them() -> None:
    chosen = Plan(micro_rows=25, micro_tokens=2500, recompute=False, expected_peak_gb=0.0)
    lengths = [100] * 400

    def found(limit_gb: float, drawn_tokens: int) -> Expected:
        return expected(SMALL, WHOLE_SMALL, chosen, lengths=lengths, drawn_tokens=drawn_tokens, limit_gb=limit_gb)

    room = found(80.0, 2500).peak_gb
    assert found(room, 1000).gradients_stay
    assert not found(room - 0.01, 1000).gradients_stay
    assert found(80.0, 1000).peak_gb < room


@pytest.mark.parametrize("name", LANGUAGE)
@pytest.mark.parametrize("recompute", [False, True])
def test_a_larger_vocabulary_needs_more_up_to_a_chunk(name: str, recompute: bool) -> None:
    demand = LANGUAGE[name]
    assert demand.output is not None

    def peak(vocabulary: int, read_share: float) -> float:
        head = replace(demand.output, vocabulary=vocabulary, read_share=read_share)  # type: ignore[type-var]
        return peak_bytes(MISTRAL, replace(demand, output=head), tokens=4000, recompute=recompute)

    assert peak(1000, 0.3) <= peak(32_000, 0.3) <= peak(256_000, 0.3)
    whole = 4000 * 256_000 * 16
    assert peak(256_000, 1.0) < peak(1000, 1.0) + 0.1 * whole + 6 * 256_000 * 4096


@pytest.mark.parametrize("budget", [16.0, 17.5, 20.0, 30.0, 40.0])
def test_a_budget_of_a_language_model_is_kept_and_used(budget: float) -> None:
    found = plan(MISTRAL, LANGUAGE["lora"], memory=budget, lengths=[512] * 64, effective_rows=16, free_gb=141.0)
    assert found.expected_peak_gb <= budget
    assert found.micro_tokens == 16 * 512 or found.expected_peak_gb > 0.95 * budget


SMALL = Shape(layers=16, hidden=2048, inner=8192, queries=2048, keys=512)


def test_smaller_networks_are_bound_by_launches_up_to_more_tokens() -> None:
    assert launch_bound_tokens(MISTRAL) == 2048, "a size that packs are filled up to"
    assert 7000 < launch_bound_tokens(SMALL) < 7500


@pytest.mark.parametrize(
    ("shape", "gradient_bytes", "lengths", "micro_tokens", "may"),
    [  # micro-batches of 4 rows
        (MISTRAL, 14e6, [512] * 8, None, True),
        (MISTRAL, 14e6, [513] * 8, None, False),
        (MISTRAL, 14e6, [513] * 8, 2048, True),
        (MISTRAL, 14e6, [100] * 92 + [4000] * 8, None, True),
        (MISTRAL, WHOLE, [100] * 8, None, False),
        (SMALL, 2e9, [100] * 92 + [875] * 8, None, True),
        (SMALL, 2e9, [100] * 92 + [1000] * 8, None, False),
        (SMALL, 2e9, [100] * 92 + [1000] * 8, 3500, True),
    ],
)
def test_gradients_may_stay_where_usual_packs_are_launch_bound_and_they_are_few_or_all_packs_small(
    shape: Shape, gradient_bytes: float, lengths: list[int], micro_tokens: int | None, may: bool
) -> None:
    assert gradients_may_stay(shape, gradient_bytes, lengths=lengths, rows=4, micro_tokens=micro_tokens) is may


WHOLE_SMALL = Demand(weight_bytes=2e9, gradient_bytes=2e9, optimizer_bytes=4e9, trains_backbone=True)


@pytest.mark.parametrize(
    ("limit_gb", "given", "in_backward", "stay"),
    [(80.0, {}, False, True), (9.5, {}, False, False), (80.0, {"padded": True}, False, False),
     (80.0, {"moments_on_host": True}, False, False), (80.0, {}, True, False),
     (1.0, {"gradient_bytes": 1e8, "trains_backbone": False}, False, True)],
)  # fmt: skip
def test_gradients_stay_where_there_is_room_and_then_count_beside_activations(
    limit_gb: float, given: dict[str, Any], in_backward: bool, stay: bool
) -> None:
    demand = replace(WHOLE_SMALL, **given)
    chosen = Plan(micro_rows=25, micro_tokens=2500, recompute=False, expected_peak_gb=0.0, in_backward=in_backward)
    found = expected(SMALL, demand, chosen, lengths=[100] * 400, drawn_tokens=2500, limit_gb=limit_gb)
    assert found.gradients_stay is stay
    alone = peak_bytes(SMALL, replace(demand, gradient_bytes=0), tokens=2500, recompute=False) / 1e9
    inside = in_backward or demand.moments_on_host
    gradients = 0 if inside else demand.gradient_bytes / 1e9
    held = 6.0
    assert found.peak_gb == pytest.approx(alone + gradients if stay else max(alone, held + gradients))


@pytest.mark.parametrize(("rows", "stay"), [(4, True), (16, False)])
def test_gradients_of_adapters_stay_where_usual_packs_are_launch_bound(rows: int, stay: bool) -> None:
    chosen = Plan(micro_rows=rows, micro_tokens=None, recompute=False, expected_peak_gb=0.0)
    found = expected(
        MISTRAL, DEMANDS["lora"], chosen, lengths=LENGTHS, drawn_tokens=largest_tokens(LENGTHS, rows), limit_gb=141.0
    )
    assert found.gradients_stay is stay


@pytest.mark.parametrize("budget_gb", [17.0, 20.0, 26.0])
def test_a_budget_leaves_room_for_the_gradients_of_adapters(budget_gb: float) -> None:
    demand = replace(DEMANDS["lora"], gradient_bytes=0.45e9)
    found = plan(MISTRAL, demand, memory=budget_gb, lengths=LENGTHS, effective_rows=16, free_gb=141.0)
    together = expected(
        MISTRAL, demand, found, lengths=LENGTHS, drawn_tokens=largest_tokens(LENGTHS, 16), limit_gb=budget_gb
    )
    assert together.peak_gb == pytest.approx(found.expected_peak_gb)
    assert together.peak_gb <= budget_gb


def chosen(method: str, memory: Any, free_gb: float = 141.0) -> Plan:
    rows = 8 if method.startswith("full") else 16
    return plan(MISTRAL, DEMANDS[method], memory=memory, lengths=LENGTHS, effective_rows=rows, free_gb=free_gb)


WHOLE_STEP = largest_tokens(LENGTHS, 16)


def test_speed_takes_the_whole_step_where_it_fits() -> None:
    found = chosen("lora", "speed")
    assert (found.micro_rows, found.micro_tokens, found.recompute) == (16, WHOLE_STEP, False)
    assert chosen("full", "speed").micro_tokens == largest_tokens(LENGTHS, 8)


def test_speed_takes_fewer_tokens_on_a_smaller_gpu_and_never_recomputes() -> None:
    found = chosen("lora", "speed", free_gb=24.0)
    assert max(LENGTHS) <= (found.micro_tokens or 0) < WHOLE_STEP
    assert not found.recompute
    assert 20.0 < found.expected_peak_gb <= 24.0


def test_lean_recomputes_and_stays_above_the_launches() -> None:
    found = chosen("qlora", "lean")
    assert found.recompute
    assert found.micro_tokens == LEAN_TOKENS
    assert found.expected_peak_gb < 5.0
    assert (chosen("lora", "lean").micro_tokens or 0) > LEAN_TOKENS
    assert chosen("lora", "lean").expected_peak_gb < 15.6


def test_a_step_inside_the_backward_pass_is_the_leanest_and_takes_all_rows_at_once() -> None:
    demand = replace(DEMANDS["full"], may_step_in_backward=True)
    found = plan(MISTRAL, demand, memory="lean", lengths=LENGTHS, effective_rows=8, free_gb=141.0)
    assert (found.in_backward, found.recompute) == (True, True)
    assert found.micro_tokens == largest_tokens(LENGTHS, 8)
    assert found.expected_peak_gb < chosen("full", "lean").expected_peak_gb - 10


def test_padded_rows_count_as_the_longest_and_in_whole_rows() -> None:
    demand = replace(DEMANDS["lora"], padded=True)
    found = plan(MISTRAL, demand, memory=40.0, lengths=LENGTHS, effective_rows=16, free_gb=141.0)
    assert found.micro_tokens is None
    assert 1 <= found.micro_rows < 16
    assert found.expected_peak_gb <= 40.0


@pytest.mark.parametrize("budget", [15.5, 16.0, 17.5, 20.0, 25.0, 30.0, 45.0])
def test_a_budget_is_kept_and_used(budget: float) -> None:
    found = chosen("lora", budget)
    assert found.expected_peak_gb <= budget
    assert found.micro_tokens == WHOLE_STEP or found.expected_peak_gb > 0.95 * budget


def test_a_larger_budget_never_chooses_a_slower_way() -> None:
    plans = [chosen("qlora", budget) for budget in (5.0, 6.0, 9.0, 14.0, 20.0, 32.0)]
    order = [(not one.recompute, one.micro_tokens) for one in plans]
    assert order == sorted(order)


def test_where_nothing_fits_the_least_is_taken() -> None:
    found = chosen("lora", 10.0)
    assert (found.micro_tokens, found.recompute) == (max(LENGTHS), True)
    assert found.expected_peak_gb > 10.0


def test_methods_of_one_comparison_get_matched_settings() -> None:
    found = matched([chosen("lora", 30.0), chosen("qlora", 30.0)])
    assert found.micro_tokens == min(chosen(name, 30.0).micro_tokens or 0 for name in ("lora", "qlora"))
    assert found.expected_peak_gb <= 30.0


def test_largest_tokens_takes_the_longest_rows() -> None:
    assert largest_tokens([3, 9, 5], 2) == 14
    assert largest_tokens([3, 9, 5], 9) == 17


def test_norms_by_head_keep_queries_and_keys_once_more() -> None:
    """On an H100 a Qwen3-1.7B kept 6,144 bytes more a token and layer than was counted without them."""
    plain = Shape(layers=28, hidden=2048, inner=6144, queries=2048, keys=1024)
    more = kept_bytes(replace(plain, head_norms=True), keeps_inputs=True) - kept_bytes(plain, keeps_inputs=True)
    assert more == 2 * (2048 + 1024)


def test_gradients_of_a_first_micro_batch_are_counted_beside_the_activations_of_the_second() -> None:
    lengths, rows = [400] * 64, 64
    limit = 80.0
    one = plan(
        MISTRAL, DEMANDS["full"], memory="speed", lengths=lengths, effective_rows=rows, free_gb=limit / SHARE_OF_FREE
    )
    assert one.micro_tokens is not None
    assert one.micro_tokens < rows * 400
    both = peak_bytes(
        MISTRAL, DEMANDS["full"], tokens=one.micro_tokens, recompute=False, in_backward=False, gradients_stay=True
    )
    assert one.expected_peak_gb == pytest.approx(both / 1e9)
    assert one.expected_peak_gb <= limit
