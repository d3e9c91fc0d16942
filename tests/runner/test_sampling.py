"""Samples of the system: what is in them, what a kill may cut, and what follows from them."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from showdown.core.samples import Sample, energy_of, read_samples
from showdown.measure import system
from showdown.measure.system import GpuReading, ProcessMeter, process_age_seconds
from showdown.runner import sampling
from showdown.runner.sampling import SYSTEM_FILE, Sampler

WORKER = {"kind": "worker", "stage": "train", "pid": os.getpid()}


class FakeGpu:
    """A GPU that spends 100 J between two readings."""

    def __init__(self) -> None:
        self.joules = 5_000.0

    def read(self) -> GpuReading:
        self.joules += 100
        return GpuReading(memory_gb=1.5, power_watts=100.0, energy_joules=self.joules)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGpu]:
    fake = FakeGpu()
    monkeypatch.setattr(sampling, "gpu_meter", lambda: fake)
    yield fake


def wait_for_samples(path: Path, count: int) -> list[Sample]:
    give_up = time.monotonic() + 20
    while len(found := read_samples(path)) < count:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    return found


def nothing(event: dict[str, Any]) -> None:
    del event


def test_samples_name_the_phases_of_the_record(tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []
    path = tmp_path / SYSTEM_FILE
    phases = [("train", ["start", "loading", "training"]), ("score", ["start of scoring", "prediction"])]
    with Sampler(tmp_path, 0.05, heard.append) as sampler:
        for stage, inner in phases:
            sampler.hear({"kind": "worker", "stage": stage, "pid": os.getpid()})
            for phase in inner:
                if not phase.startswith("start"):
                    sampler.hear({"kind": "entered", "phase": phase})
                wait_for_samples(path, len(read_samples(path)) + 2)
    found = read_samples(path)
    assert list(dict.fromkeys(sample.phase for sample in found)) == [phase for _, inner in phases for phase in inner]
    assert [sample.seconds for sample in found] == sorted(sample.seconds for sample in found)
    assert all(sample.ram_gb and 0.01 < sample.ram_gb < 100 for sample in found)
    assert all(sample.gpu_memory_gb is None for sample in found)
    assert [event["seconds"] for event in heard if event["kind"] == "sample"] == [sample.seconds for sample in found]
    assert sum(event["kind"] == "worker" for event in heard) == 2


def test_tuning_is_one_phase(tmp_path: Path) -> None:
    with Sampler(tmp_path, 0.05, nothing) as sampler:
        sampler.hear({"kind": "worker", "stage": "tune", "pid": os.getpid()})
        sampler.hear({"kind": "entered", "phase": "training"})
        wait_for_samples(tmp_path / SYSTEM_FILE, 4)
    assert {sample.phase for sample in read_samples(tmp_path / SYSTEM_FILE)} == {"tuning"}


def test_a_resumed_run_goes_on_after_a_torn_line(tmp_path: Path, gpu: FakeGpu) -> None:
    path = tmp_path / SYSTEM_FILE
    with Sampler(tmp_path, 0.05, nothing) as sampler:
        sampler.hear(WORKER)
        wait_for_samples(path, 3)
    before = read_samples(path)
    with path.open("a") as file:
        file.write('{"seconds": 12.5, "pha')
    gpu.joules += 1e6  # spent while nobody sampled: not the run's
    with Sampler(tmp_path, 0.05, nothing) as sampler:
        sampler.hear(WORKER)
        wait_for_samples(path, len(before) + 2)
    found = read_samples(path)
    assert found[: len(before)] == before
    assert found[len(before)].seconds >= before[-1].seconds
    assert found[len(before)].seconds < before[-1].seconds + 2
    assert len(path.read_text().splitlines()) == len(found) + 1
    assert found[len(before)].gpu_energy_joules == before[-1].gpu_energy_joules
    steps = {after.gpu_energy_joules - one.gpu_energy_joules for one, after in itertools.pairwise(before)}
    assert steps == {100.0}


def test_no_sampling_writes_nothing(tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []
    with Sampler(tmp_path, 0.0, heard.append) as sampler:
        sampler.hear(WORKER)
    assert not list(tmp_path.iterdir())
    assert heard == [WORKER]


def test_a_folder_that_cannot_be_written_is_said_and_no_more(tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []
    with Sampler(tmp_path / "missing", 0.05, heard.append) as sampler:
        sampler.hear(WORKER)
        time.sleep(0.2)
    said = [event["message"] for event in heard if event["kind"] == "say"]
    assert len(said) == 1
    assert "no more samples" in said[0]


def test_the_processors_use_is_what_was_spent() -> None:
    meter = ProcessMeter(os.getpid())
    meter.read()
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    busy, resident = meter.read()
    time.sleep(0.3)
    idle, _ = meter.read()
    assert 20 < busy < 250
    assert idle < busy / 2
    assert resident > 0.01


def test_a_process_is_as_old_as_it_is() -> None:
    """Its start is known to a hundredth of a second, not to a whole one."""
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        ages = []
        for _ in range(4):
            ages.append(time.monotonic() - began - process_age_seconds(psutil.Process(child.pid)))
            time.sleep(0.1)
        child.kill()
    assert all(-0.05 < age < 0.5 for age in ages), ages
    assert max(ages) - min(ages) < 0.1


def test_which_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import pynvml

    asked = []
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", asked.append)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", asked.append)
    for visible in ("3,1", "GPU-abc", "", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        system.gpu_meter.cache_clear()
        assert (system.gpu_meter() is None) == (visible in ("", "-1"))
    system.gpu_meter.cache_clear()
    assert asked == [3, "GPU-abc"]


def samples(*given: tuple[float, str | None, float | None]) -> list[Sample]:
    empty = dict.fromkeys(Sample.model_fields)
    return [
        Sample.model_validate({**empty, "seconds": seconds, "phase": phase, "gpu_energy_joules": joules})
        for seconds, phase, joules in given
    ]


def test_energy_goes_to_the_phase_in_which_it_was_spent() -> None:
    found = energy_of(
        samples((0, "start", 0), (1, "training", 36), (2, "training", 72), (3, "checkpoint", 108), (4, None, 144))
    )
    assert found is not None
    assert found.run == pytest.approx(144 / 3.6e6)
    assert found.training == pytest.approx(72 / 3.6e6)
    assert energy_of(samples((0, "start", None), (1, "training", None))) is None
    untrained = energy_of(samples((0, "start", 0), (1, "loading", 36)))
    assert untrained is not None
    assert untrained.training is None


def test_energy_of_tuning_and_of_scoring_is_apart() -> None:
    steps = ("tuning", "tuning", "start", "training", "start of scoring", "reloading", "prediction", "speed", None)
    found = energy_of(samples(*((turn, phase, 36.0 * turn) for turn, phase in enumerate(steps))))
    assert found is not None
    assert found.tuning == pytest.approx(72 / 3.6e6)
    assert found.scoring == pytest.approx(144 / 3.6e6)
    assert found.training == pytest.approx(36 / 3.6e6)
    assert found.run == pytest.approx(288 / 3.6e6)


def test_every_cut_of_the_file_leaves_its_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / SYSTEM_FILE
    written = samples((0, "start", 0), (1, "training", 36), (2, "training", 72))
    lines = [json.dumps(sample.model_dump()) + "\n" for sample in written]
    content = "".join(lines)
    for size in range(len(content) + 1):
        path.write_text(content[:size])
        whole = sum(len("".join(lines[: count + 1])) <= size + 1 for count in range(3))
        assert read_samples(path) == written[:whole]
