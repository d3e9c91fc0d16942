"""One network trained by several processes together: the numbers of one, whole results, and nobody left behind."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from several_devices import Lab, losses, saved, settings, stage_of

from showdown.core.events import Event, Step, WorkerStarted
from showdown.core.metric import CLASSIFICATION, GENERATION
from showdown.testing.workshop import Workshop

CLOSE = 2e-6
"""Of losses: sums over rows have another order."""


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Lab]]:
    found = {}
    for task in (CLASSIFICATION, GENERATION):
        found[task] = Lab(Workshop(tmp_path_factory.mktemp(task), task=task))
    yield found
    for lab in found.values():
        lab.server.end()
        lab.shop.fresh.close()


def same(one: Path, other: Path) -> None:
    """Check that two runs made the same model: the same losses, files, tensors and counts."""
    assert losses(one) == pytest.approx(losses(other), abs=CLOSE)
    mine, others = saved(one), saved(other)
    assert {name: value.shape for name, value in mine.items()} == {name: value.shape for name, value in others.items()}
    # The gradient of a key's bias is rounding alone, which AdamW scales to a whole step.
    apart = {name: float((mine[name] - others[name]).abs().max()) for name in mine if "key.bias" not in name}
    assert max(apart.values()) < 1e-4
    for key in ("trainable_parameters", "total_parameters", "model_size_mb", "train_rows"):
        assert stage_of(one)[key] == stage_of(other)[key]
    assert {p.name for p in (one / "artifact").iterdir()} == {p.name for p in (other / "artifact").iterdir()}


def compare(lab: Lab, folder: Path, method: str, family: str, several: list[Any]) -> None:
    assert lab.stage(folder / "one", lab.spec(method, family, settings(1))) is None
    for number, memory in enumerate(several):
        run = folder / f"several-{number}"
        assert lab.stage(run, lab.spec(method, family, memory)) is None
        same(folder / "one", run)
        assert stage_of(run)["chosen"]["devices"] == memory.devices_words
        assert not (run / "checkpoints").exists()


def test_two_processes_make_the_model_of_one(labs: dict[str, Lab], tmp_path: Path) -> None:
    ways = [settings(2), settings(2, divided=True, recompute=True)]
    compare(labs[CLASSIFICATION], tmp_path, "full", "mistral", ways)


@pytest.mark.long
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize(("task", "family"), [(CLASSIFICATION, "mistral"), (GENERATION, "llama")])
def test_any_number_of_processes_makes_the_model_of_one(
    labs: dict[str, Lab], tmp_path: Path, task: str, family: str, method: str
) -> None:
    ways = [settings(2), settings(2, divided=True), settings(3, divided=True, recompute=True), settings(4)]
    compare(labs[task], tmp_path, method, family, ways)


@pytest.mark.long
@pytest.mark.parametrize("method", ["full", "lora", "qlora", "dora", "bitfit"])
def test_an_encoder_is_copied_to_each_process(labs: dict[str, Lab], tmp_path: Path, method: str) -> None:
    compare(labs[CLASSIFICATION], tmp_path, method, "bert", [settings(2)])


@pytest.mark.long
def test_a_network_that_is_not_packed_cannot_be_divided(labs: dict[str, Lab], tmp_path: Path) -> None:
    lab = labs[CLASSIFICATION]
    error = lab.stage(tmp_path / "run", lab.spec("full", "bert", settings(2, divided=True)))
    assert error is not None
    assert error.status == "unavailable"
    assert "cannot be divided" in error.error


@pytest.mark.long
@pytest.mark.parametrize(("before", "after"), [(2, 3), (2, 1), (1, 2), (3, 2)])
@pytest.mark.parametrize(("method", "divided"), [("full", True), ("full", False), ("lora", True)])
def test_a_killed_training_goes_on_with_another_number(
    labs: dict[str, Lab], tmp_path: Path, method: str, divided: bool, before: int, after: int
) -> None:
    lab, whole, cut = labs[CLASSIFICATION], tmp_path / "whole", tmp_path / "cut"
    every = {"checkpoint_every_steps": 1}
    assert lab.stage(whole, lab.spec(method, "mistral", settings(1), **every)) is None
    workers: list[int] = []

    def kill_at_step_six(event: Event) -> None:
        if isinstance(event, WorkerStarted):
            workers.append(event.pid)
        if isinstance(event, Step) and event.step == 6:
            os.kill(workers[-1], signal.SIGKILL)

    def memory(devices: int) -> Any:
        return settings(devices, divided=divided and devices > 1)

    error = lab.stage(cut, lab.spec(method, "mistral", memory(before), **every), listen=kill_at_step_six)
    assert error is not None
    assert "SIGKILL" in error.error
    steps: list[int] = []
    again = lab.stage(
        cut,
        lab.spec(method, "mistral", memory(after), **every),
        listen=lambda event: steps.append(event.step) if isinstance(event, Step) else None,
    )
    assert again is None
    assert steps[0] > 4  # nothing was trained twice but the step that was lost
    same(whole, cut)


@pytest.mark.long
def test_a_process_that_dies_takes_the_others_along_and_the_run_says_so(labs: dict[str, Lab], tmp_path: Path) -> None:
    lab, others, began = labs[CLASSIFICATION], [], time.monotonic()

    def kill_another(event: Event) -> None:
        if isinstance(event, WorkerStarted):
            others.append(event.pid)
        if isinstance(event, Step) and event.step == 2 and len(others) == 1:
            children = psutil.Process(others[0]).children()
            assert len(children) == 2
            others.extend(child.pid for child in children)
            os.kill(others[1], signal.SIGKILL)

    error = lab.stage(tmp_path / "run", lab.spec("full", "mistral", settings(3)), listen=kill_another)
    assert error is not None
    assert error.status == "failed"
    assert "a process that trained it with others was ended by SIGKILL" in error.error
    assert time.monotonic() - began < 60
    late = time.monotonic() + 5
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in others[1:]):
        assert time.monotonic() < late
        time.sleep(0.05)


@pytest.mark.long
def test_tuning_is_done_by_all_and_finds_what_one_finds(labs: dict[str, Lab], tmp_path: Path) -> None:
    lab, rates = labs[CLASSIFICATION], []
    for devices in (1, 2):
        folder = tmp_path / str(devices)
        tuning = {"trials": 3, "epochs": 1}
        spec = lab.spec("lora", "mistral", settings(devices, divided=devices > 1), tuning=tuning)
        assert lab.stage(folder, spec, "tune") is None
        assert lab.stage(folder, spec) is None
        rates.append([trial["learning_rate"] for trial in json.loads((folder / "tune.json").read_text())["trials"]])
    assert rates[0] == pytest.approx(rates[1], rel=1e-3)


@pytest.mark.long
def test_masks_differ_between_processes(labs: dict[str, Lab], tmp_path: Path) -> None:
    """With dropout two processes train something else than one, and equal seeds train the same again, to the bit."""
    lab = labs[CLASSIFICATION]
    spec = lab.spec("lora", "mistral", settings(2), dropout=0.3)
    for name in ("a", "b"):
        assert lab.stage(tmp_path / name, spec) is None
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    assert lab.stage(tmp_path / "one", lab.spec("lora", "mistral", settings(1), dropout=0.3)) is None
    assert losses(tmp_path / "one") != pytest.approx(losses(tmp_path / "a"), abs=CLOSE)
    first, again = saved(tmp_path / "a"), saved(tmp_path / "b")
    assert all(torch.equal(first[name], again[name]) for name in first)
