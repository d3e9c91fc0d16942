"""What `protocol.memory` comes to, on a CPU and for a GPU that is only pretended: nothing is computed on it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from showdown.core.errors import UserError
from showdown.core.method import Job, Placement
from showdown.core.spec import Comparison, ComparisonProtocol, ModelSpec, SharedProtocol
from showdown.stages.memory_plan import MemorySettings, memory_settings, refuse_budget_on_cpu, rounding_of
from tiny_pretrained import job

LENGTHS = [40, 30, 20, 60] * 8
WHOLE_STEP = 8 * 60
METHODS: dict[str, dict[str, Any]] = {"tfidf": {}, "full": {}, "lora": {}}


@pytest.fixture(autouse=True)
def _a_gpu_of_100_gb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (100e9, 100e9))
    monkeypatch.setattr("showdown.engine.decoder.forward.varlen_is_here", lambda: True)


def settings_of(
    folder: Path, model: Path, methods: dict[str, dict[str, Any]] = METHODS, **protocol: Any
) -> dict[str, MemorySettings]:
    """The settings of each trained row of a comparison on the pretended GPU."""
    comparison = Comparison(
        model=ModelSpec(id=str(model)), methods=methods, protocol=ComparisonProtocol(effective_batch_rows=8, **protocol)
    )
    (folder / "comparison.json").write_text(comparison.model_dump_json())
    asked = Job(
        labels=("a", "b"),
        model=comparison.model,
        protocol=comparison.protocol,
        placement=Placement(device="cuda", dtype="bfloat16"),
        seed=0,
    )
    return {name: memory_settings(name, asked, folder, LENGTHS) for name in methods if name != "tfidf"}


def chosen_of(settings: MemorySettings) -> tuple[int | None, bool, bool]:
    return settings.micro_batch_tokens, settings.recompute, settings.step_in_backward


def test_speed_takes_the_whole_step_for_all(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    found = settings_of(tmp_path, pretrained("mistral"))
    assert chosen_of(found["full"]) == chosen_of(found["lora"])
    assert (found["full"].micro_batch_rows, found["full"].recompute) == (8, False)


def test_the_methods_of_a_comparison_get_what_all_of_them_fit(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    """A budget between the needs of LoRA and of full fine-tuning binds both, unless each may have its best."""
    model, whole = pretrained("mistral"), settings_of(tmp_path, pretrained("mistral"), match_memory=False)
    expected = {name: one.expected_peak_gb or 0.0 for name, one in whole.items()}
    assert expected["lora"] < expected["full"]
    budget = expected["lora"] + 0.2 * (expected["full"] - expected["lora"])
    together = settings_of(tmp_path, model, memory=budget)
    assert chosen_of(together["lora"]) == chosen_of(together["full"])
    assert together["full"].recompute or (together["full"].micro_batch_tokens or 0) < WHOLE_STEP
    own = settings_of(tmp_path, model, memory=budget, match_memory=False)
    assert (own["lora"].micro_batch_tokens, own["lora"].recompute) == (WHOLE_STEP, False)
    assert chosen_of(own["full"]) != chosen_of(own["lora"])


def test_the_expected_peak_is_that_of_the_settings_that_a_row_gets(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    """LoRA with full fine-tuning's settings needs less than at its own best; rows that the user names count too."""
    model, whole = pretrained("mistral"), settings_of(tmp_path, pretrained("mistral"), match_memory=False)
    expected = {name: one.expected_peak_gb or 0.0 for name, one in whole.items()}
    budget = expected["lora"] + 0.2 * (expected["full"] - expected["lora"])
    together = settings_of(tmp_path, model, memory=budget)
    assert (together["lora"].expected_peak_gb or 0.0) < expected["lora"]
    assert (together["full"].expected_peak_gb or 0.0) <= budget
    one_by_one = settings_of(tmp_path, model, micro_batch_rows=1)
    assert 0.0 < (one_by_one["lora"].expected_peak_gb or 0.0) < expected["lora"]
    named_whole = settings_of(tmp_path, model, micro_batch_rows=8)
    assert named_whole["lora"].expected_peak_gb == expected["lora"]


def test_gradients_stay_where_there_is_room_for_them(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    model = pretrained("mistral")
    assert all(one.gradients_stay for one in settings_of(tmp_path, model).values())
    inside = settings_of(tmp_path, model, {"full": {}}, memory="lean", max_gradient_norm=None)
    assert inside["full"].step_in_backward
    assert not inside["full"].gradients_stay


def test_settings_stay_while_the_comparison_stays(
    pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less free memory later changes nothing for the runs that are left; another comparison is planned anew."""
    model = pretrained("mistral")
    first = settings_of(tmp_path, model)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1e5, 100e9))
    assert settings_of(tmp_path, model) == first
    assert settings_of(tmp_path, model, METHODS | {"dora": {}})["full"] != first["full"]
    (tmp_path / "memory.json").write_text("{")
    assert settings_of(tmp_path, model)["full"] != first["full"]
    assert json.loads((tmp_path / "memory.json").read_text())["settings"]["lora"]["micro_batch_tokens"] == 60


def test_lean_full_fine_tuning_steps_inside_the_backward_pass_where_nothing_clips(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    model = pretrained("mistral")
    assert not settings_of(tmp_path, model, memory="lean")["full"].step_in_backward
    inside = settings_of(tmp_path, model, memory="lean", max_gradient_norm=None)
    assert inside["full"].step_in_backward
    assert inside["full"].micro_batch_rows == inside["lora"].micro_batch_rows == 8


def test_moments_on_the_host_leave_the_gpu(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    model, free = pretrained("mistral"), {"max_gradient_norm": None, "match_memory": False, "memory": "lean"}
    on_gpu = settings_of(tmp_path, model, **free)["full"]
    on_host = settings_of(tmp_path, model, **free, moments_on_host=True)["full"]
    assert on_host.step_in_backward
    weights = sum(value.numel() for value in _network(model).parameters())
    assert (on_gpu.expected_peak_gb or 0) - (on_host.expected_peak_gb or 0) == pytest.approx(
        4 * weights / 1e9, abs=1e-3
    )


def _network(model: Path) -> torch.nn.Module:
    from showdown.models.network import network_skeleton

    return network_skeleton(model, job(model)).module


def test_rows_that_the_user_names_are_taken(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    found = settings_of(tmp_path, pretrained("bert"), micro_batch_rows=3)
    assert {one.micro_batch_rows for one in found.values()} == {3}


@pytest.mark.parametrize(
    ("protocol", "rows", "recompute"),
    [({}, 8, False), ({"memory": "lean"}, 4, True), ({"micro_batch_rows": 2}, 2, False)],
)
def test_a_cpu_needs_no_count(
    pretrained: Callable[[str], Path], tmp_path: Path, protocol: dict[str, Any], rows: int, recompute: bool
) -> None:
    asked = job(pretrained("bert"), effective_batch_rows=12, **protocol)
    found = memory_settings("full", asked, tmp_path, LENGTHS)
    assert (found.micro_batch_rows, found.recompute, found.expected_peak_gb) == (rows, recompute, None)
    few = replace(asked, protocol=asked.protocol.model_copy(update={"effective_batch_rows": 2}))
    assert memory_settings("full", few, tmp_path, LENGTHS).micro_batch_rows == 2


def test_the_choice_is_said_in_words() -> None:
    chosen = MemorySettings(micro_batch_rows=4, recompute=True, step_in_backward=True, expected_peak_gb=15.234)
    assert chosen.said(16.0) == (
        "memory `16.0`: micro-batch at most 4 rows, layers recomputed in the backward pass, "
        "step inside the backward pass, expected peak 15.2 GB"
    )


def test_masters_are_kept_where_few_weights_learn() -> None:
    auto = SharedProtocol()
    assert (rounding_of(auto, True), rounding_of(auto, False)) == ("stochastic", "float32")
    assert rounding_of(SharedProtocol(weight_rounding="nearest"), False) == "nearest"


def test_a_budget_is_refused_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("showdown.stages.memory_plan.has_gpu", lambda: False)
    with pytest.raises(UserError, match=r"protocol\.memory: a budget of 16 GB.*use `speed` or `lean`"):
        refuse_budget_on_cpu(SharedProtocol(memory=16))
    refuse_budget_on_cpu(SharedProtocol(memory="lean"))
    monkeypatch.setattr("showdown.stages.memory_plan.has_gpu", lambda: True)
    refuse_budget_on_cpu(SharedProtocol(memory=16))


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ({"moments_on_host": True}, "max_gradient_norm: null"),
        ({"moments_on_host": True, "max_gradient_norm": None, "weight_rounding": "float32"}, "weight_rounding"),
    ],
)
def test_what_cannot_be_together_is_refused(protocol: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SharedProtocol(**protocol)
