"""Whole comparisons on a GPU, with the product's own processes: every method, memory modes, reruns to the bit."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from showdown.config.read import check
from showdown.core.record import Results, RunRecord
from showdown.display.display import Silent
from showdown.runner.execute import execute
from tiny_pretrained import separable_rows, write_csv

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]
TUNED: dict[str, dict[str, Any]] = {
    "full": {"learning_rate": 1e-3},
    "lora": {"learning_rate": 5e-3},
    "qlora": {"learning_rate": 5e-3},
    "dora": {"learning_rate": 5e-3},
}
ALL = {"majority": {}, "tfidf": {}, "frozen": {}, "zero-shot": {}, **TUNED}


def carried_out(
    folder: Path,
    model: Path,
    methods: dict[str, Any] = TUNED,
    *,
    seeds: Sequence[int] = (0,),
    share_base: bool | None = None,
    **protocol: Any,
) -> Results:
    folder.mkdir(exist_ok=True)
    asked = {
        "data": {"source": str(write_csv(folder / "rows.csv", separable_rows(84))), "near_duplicate_jaccard": 0.99},
        "model": {"id": str(model)},
        "methods": methods,
        "seeds": list(seeds),
        "share_base": share_base,
        "protocol": {
            "epochs": 4,
            "patience_epochs": None,
            "tuning": None,
            "effective_batch_rows": 12,
            "split": {"kind": "single"},
            **protocol,
        },
    }
    return execute(check(asked, "the test"), folder / "out", Silent())


def losses_of(folder: Path, run: RunRecord) -> list[float]:
    losses: list[float] = json.loads((folder / "out" / str(run.curve_file)).read_text())["training"]["loss"]
    return losses


@pytest.mark.parametrize("family", ["mistral", "bert"])
def test_every_method_runs_and_learns(pretrained: Callable[[str], Path], tmp_path: Path, family: str) -> None:
    found = carried_out(tmp_path, pretrained(family), ALL)
    assert {run.name: run.error for run in found.runs} == dict.fromkeys(ALL)
    for run in found.runs:
        if run.name in TUNED:
            losses = losses_of(tmp_path, run)
            assert sum(losses[-3:]) < 0.8 * sum(losses[:3]), run.name
            assert (run.chosen["device"], run.chosen["precision"]) == ("cuda", "bfloat16")
            assert run.memory_kind == "gpu"
            assert run.memory_split is not None
            assert run.peak_memory_allocated_gb is not None
            assert 0 < run.memory_split.weights_gb < (run.peak_memory_allocated_gb.training or 0)
            assert run.environment is not None
            assert run.environment.gpu
            graphs = "small packs from CUDA graphs" in str(run.chosen["forward"])
            assert graphs == (family == "mistral") or run.name == "dora", run.name


def test_deterministic_reruns_are_equal_to_the_bit(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    first, again = (
        carried_out(tmp_path / name, pretrained("mistral"), deterministic=True, dropout=0.1) for name in ("a", "b")
    )
    for one, other in zip(first.runs, again.runs, strict=True):
        assert one.error is None
        assert losses_of(tmp_path / "a", one) == losses_of(tmp_path / "b", other), one.name
        assert (one.accuracy, one.f1_macro) == (other.accuracy, other.f1_macro)


def test_lean_and_budget_train_as_speed_does(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    """Recomputation and smaller micro-batches change the numbers by bfloat16's own spread alone."""
    modes: dict[str, dict[str, Any]] = {"speed": {}, "lean": {"memory": "lean"}, "budget": {"memory": 0.02}}
    found = {name: carried_out(tmp_path / name, pretrained("mistral"), **mode) for name, mode in modes.items()}
    for number, run in enumerate(found["speed"].runs):
        expected = losses_of(tmp_path / "speed", run)
        for mode in ("lean", "budget"):
            other = found[mode].runs[number]
            assert other.error is None
            assert other.chosen["micro_batch_rows"] == found[mode].runs[0].chosen["micro_batch_rows"]
            assert losses_of(tmp_path / mode, other)[:4] == pytest.approx(expected[:4], rel=0.1), (run.name, mode)
    assert all(run.chosen["recompute"] for run in found["lean"].runs)


def test_moments_on_the_host_and_the_step_inside_the_backward_pass(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    methods = {"full": TUNED["full"]}
    free = {"max_gradient_norm": None, "memory": "lean"}
    (inside,) = carried_out(tmp_path / "inside", pretrained("mistral"), methods, **free).runs
    (host,) = carried_out(tmp_path / "host", pretrained("mistral"), methods, **free, moments_on_host=True).runs
    for name, run in (("inside", inside), ("host", host)):
        assert run.error is None
        assert run.chosen["step_in_backward"] is True
        losses = losses_of(tmp_path / name, run)
        assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_trials_share_their_base_within_one_percent_of_its_memory(
    pretrained: Callable[[str], Path], tmp_path: Path, method: str
) -> None:
    """Three trials in a process peak as high as the training in a process of its own, and score as it does."""
    (run,) = carried_out(
        tmp_path, pretrained("mistral"), {method: TUNED[method]}, tuning={"trials": 3}, deterministic=True
    ).runs
    assert run.error is None
    peaks = {phase.name: phase.peak_allocated_gb for phase in run.phases}
    assert peaks["tuning"] == pytest.approx(max(peaks["training"], peaks["loading"]), rel=0.01)
    trials = json.loads((tmp_path / "out" / str(run.tuning_file)).read_text())["trials"]
    (won,) = [trial for trial in trials if trial["learning_rate"] == run.chosen["learning_rate"]]
    curve = json.loads((tmp_path / "out" / str(run.curve_file)).read_text())["validation"]
    assert [epoch["loss"] for epoch in curve] == won["loss_by_epoch"]


def test_runs_that_share_a_network_peak_within_one_percent_of_one_alone(
    pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    """Seeds of QLoRA and LoRA in one process, by default on a GPU: the same scores and allocated memory as apart."""
    methods = {name: TUNED[name] for name in ("lora", "qlora")}
    found = {
        share: carried_out(
            tmp_path / str(share), pretrained("mistral"), methods, deterministic=True, seeds=[0, 1], share_base=share
        )
        for share in (None, False)
    }
    for one, other in zip(found[None].runs, found[False].runs, strict=True):
        assert (one.error, other.error) == (None, None)
        assert losses_of(tmp_path / "None", one) == losses_of(tmp_path / "False", other)
        assert one.accuracy == other.accuracy
        peaks = [run.peak_memory_allocated_gb for run in (one, other)]
        assert peaks[0] is not None
        assert peaks[1] is not None
        assert peaks[0].training == pytest.approx(peaks[1].training, rel=0.01)
    kept = [run.chosen.get("network") for run in found[None].runs]
    assert kept == [None, "kept from the run before"] * 2
    assert {run.chosen.get("network") for run in found[False].runs} == {None}
