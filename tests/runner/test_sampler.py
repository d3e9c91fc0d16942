"""Samples of the system: what is in them, what a kill may cut, and what follows from them."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from showdown.core.events import Event, Message, PhaseEntered, StageName, SystemSample, WorkerStarted
from showdown.core.load import load_of, used_by_others
from showdown.core.record import Load
from showdown.core.samples import Sample, energy_of, read_samples
from showdown.measure import system
from showdown.measure.system import GpuMeter, GpuReading, ProcessMeter, process_age_seconds
from showdown.runner import sampler as sampler_module
from showdown.runner.sampler import SYSTEM_FILE, Sampler

RUN = "lora-s0-p0-0123456789"


def started(stage: StageName = "train") -> WorkerStarted:
    return WorkerStarted(RUN, stage, os.getpid(), None)


def entered(phase: str) -> PhaseEntered:
    return PhaseEntered(RUN, phase)


class FakeGpu:
    """A GPU that spends 100 J between two readings."""

    def __init__(self) -> None:
        self.joules = 5_000.0

    def read(self, own_pid: int | None = None) -> GpuReading:
        self.joules += 100
        return GpuReading(memory_gb=1.5, power_watts=100.0, energy_joules=self.joules)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGpu]:
    fake = FakeGpu()
    monkeypatch.setattr(sampler_module, "stage_meter", lambda device: fake)
    yield fake


def test_energy_goes_on_where_another_stage_has_other_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs have spent more in their lives than one of them: the difference is not the run's."""
    both, one = FakeGpu(), FakeGpu()
    both.joules = 90_000.0
    monkeypatch.setattr(sampler_module, "stage_meter", lambda device: both if device == "0,1" else one)
    path = tmp_path / SYSTEM_FILE
    with Sampler(tmp_path, 0.02, nothing) as sampler:
        sampler.receive(started()._replace(device="0,1"))
        before = len(wait_for_samples(path, 3))
        sampler.receive(started("score")._replace(device="0"))
        wait_for_samples(path, before + 3)
    joules = [found.gpu_energy_joules or 0.0 for found in read_samples(path)]
    assert joules == sorted(joules)
    assert max(joules) <= 100.0 * len(joules)


def wait_for_samples(path: Path, count: int) -> list[Sample]:
    deadline = time.monotonic() + 20
    while len(found := read_samples(path)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def nothing(event: Event) -> None:
    del event


def test_samples_name_the_phases_of_the_record(tmp_path: Path) -> None:
    events: list[Event] = []
    path = tmp_path / SYSTEM_FILE
    phases: list[tuple[StageName, list[str]]] = [
        ("train", ["start", "loading", "training"]),
        ("score", ["start of scoring", "prediction"]),
    ]
    with Sampler(tmp_path, 0.05, events.append) as sampler:
        for stage, inner in phases:
            sampler.receive(started(stage))
            for phase in inner:
                if not phase.startswith("start"):
                    sampler.receive(entered(phase))
                wait_for_samples(path, len(read_samples(path)) + 2)
    found = read_samples(path)
    assert list(dict.fromkeys(sample.phase for sample in found)) == [phase for _, inner in phases for phase in inner]
    assert [sample.seconds for sample in found] == sorted(sample.seconds for sample in found)
    assert all(sample.ram_gb and 0.01 < sample.ram_gb < 100 for sample in found)
    assert all(sample.gpu_memory_gb is None for sample in found)
    assert [event.sample for event in events if isinstance(event, SystemSample)] == found
    assert {event.run_id for event in events if isinstance(event, SystemSample)} == {tmp_path.name}
    assert sum(isinstance(event, WorkerStarted) for event in events) == 2


def test_tuning_is_one_phase(tmp_path: Path) -> None:
    with Sampler(tmp_path, 0.05, nothing) as sampler:
        sampler.receive(started("tune"))
        sampler.receive(entered("training"))
        wait_for_samples(tmp_path / SYSTEM_FILE, 4)
    assert {sample.phase for sample in read_samples(tmp_path / SYSTEM_FILE)} == {"tuning"}


def test_a_resumed_run_goes_on_after_a_torn_line(tmp_path: Path, gpu: FakeGpu) -> None:
    path = tmp_path / SYSTEM_FILE
    with Sampler(tmp_path, 0.05, nothing) as sampler:
        sampler.receive(started())
        wait_for_samples(path, 3)
    before = read_samples(path)
    with path.open("a") as file:
        file.write('{"seconds": 12.5, "pha')
    gpu.joules += 1e6  # spent while nobody sampled: not the run's
    with Sampler(tmp_path, 0.05, nothing) as sampler:
        sampler.receive(started())
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
    events: list[Event] = []
    with Sampler(tmp_path, 0.0, events.append) as sampler:
        sampler.receive(started())
    assert not list(tmp_path.iterdir())
    assert events == [started()]


def test_a_folder_that_cannot_be_written_is_said_and_no_more(tmp_path: Path) -> None:
    events: list[Event] = []
    with Sampler(tmp_path / "missing", 0.05, events.append) as sampler:
        sampler.receive(started())
        time.sleep(0.2)
    messages = [event.text for event in events if isinstance(event, Message)]
    assert len(messages) == 1
    assert "no more samples" in messages[0]


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

    found: list[object] = []

    def handle(name: object) -> str:
        found.append(name)
        return "a handle"

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", handle)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", handle)
    for visible in ("3,1", "GPU-abc", "", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        system.gpu_meter.cache_clear()
        assert (system.gpu_meter() is None) == (visible in ("", "-1"))
    assert found == [3, "GPU-abc"]
    assert system.gpu_meter("5") is system.gpu_meter("5") is not None, "a slot's device, whatever is visible here"
    assert found == [3, "GPU-abc", 5]
    system.gpu_meter.cache_clear()


@pytest.mark.parametrize(
    ("visible", "devices"),
    [
        (None, ["GPU-0", "GPU-1"]),  # by UUID, whose order does not matter
        ("", []),
        ("1, 0", ["1", "0"]),
        ("GPU-1", ["GPU-1"]),
        ("0,-1,1", ["0"]),  # CUDA ignores what follows an entry that is no device
    ],
)
def test_which_gpus_are_visible(monkeypatch: pytest.MonkeyPatch, visible: str | None, devices: list[str]) -> None:
    import pynvml

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 2)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUUID", lambda handle: f"GPU-{handle}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert system.visible_devices() == devices


def test_the_sampler_of_a_run_reads_the_gpu_of_its_slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meters = {"0": FakeGpu(), "1": FakeGpu()}
    monkeypatch.setattr(sampler_module, "stage_meter", lambda device: meters[device])
    with Sampler(tmp_path, 0.05, nothing) as sampler:
        sampler.receive(WorkerStarted(RUN, "train", os.getpid(), "1"))
        wait_for_samples(tmp_path / SYSTEM_FILE, 2)
    assert meters["0"].joules == 5_000.0
    assert meters["1"].joules > 5_000.0


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


def test_a_busy_process_beside_the_run_is_in_its_samples(tmp_path: Path) -> None:
    with (
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) as child,
        Sampler(tmp_path, 0.4, nothing) as sampler,
    ):
        sampler.receive(started())
        sampler.receive(entered("training"))
        wait_for_samples(tmp_path / SYSTEM_FILE, 6)
        child.kill()
    found = read_samples(tmp_path / SYSTEM_FILE)
    load = load_of(found, None)
    assert load is not None and load.training_others_share is not None
    assert load.training_others_share * (os.cpu_count() or 1) > 0.3, "this process waited, the child did not"
    assert load.average is not None


class Quiet:
    """A meter of a machine on which nothing else goes on, or as much as is given."""

    share: float | None = 0.01

    def __init__(self, own_seconds: object) -> None:
        del own_seconds

    def read(self) -> float | None:
        return self.share


@pytest.mark.parametrize(("share", "flagged"), [(0.01, False), (0.09, False), (0.4, True), (None, False)])
def test_what_goes_on_beside_a_run_is_flagged_and_an_idle_machine_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float | None, flagged: bool
) -> None:
    monkeypatch.setattr(sampler_module, "LoadMeter", type("Given", (Quiet,), {"share": share}))
    monkeypatch.setattr(sampler_module, "load_average", lambda: 1.25)
    with Sampler(tmp_path, 0.05, nothing) as sampler:
        sampler.receive(started())
        sampler.receive(entered("training"))
        wait_for_samples(tmp_path / SYSTEM_FILE, 5)
    load = load_of(read_samples(tmp_path / SYSTEM_FILE), share)
    assert load is not None
    assert (load.training_others_share, load.speed_others_share, load.average) == (share, share, 1.25)
    assert load.is_busy == flagged
    assert (used_by_others([load]) is not None) == flagged


def loaded(*given: tuple[float, str | None, float | None]) -> list[Sample]:
    empty = dict.fromkeys(Sample.model_fields)
    return [
        Sample.model_validate({**empty, "seconds": seconds, "phase": phase, "others_share": share})
        for seconds, phase, share in given
    ]


def test_load_goes_to_the_phase_in_which_it_was_and_weighs_by_time() -> None:
    steps = loaded(
        (0, "start", None), (1, "training", 0.9), (2, "training", 0.2), (5, "validation", 0.6), (6, "training", 0.9)
    )
    found = load_of(steps, 0.123456)
    assert found == Load(
        training_others_share=0.5,  # (1 s of 0.2 and 3 s of 0.6) / 4 s
        speed_others_share=0.123,
        average=None,
        gpu_others_share=None,
    )


def test_a_training_too_short_to_tell_has_the_load_of_the_whole_run() -> None:
    found = load_of(loaded((0, "start", None), (1, "loading", 0.2), (3, None, 0.5)), None)
    assert found is not None
    assert found.training_others_share == pytest.approx((1 * 0.2 + 2 * 0.5) / 3)
    assert load_of(loaded((0, "start", None), (1, "training", None)), None) is None
    assert load_of([], None) is None


def test_samples_of_before_the_load_was_read_are_read(tmp_path: Path) -> None:
    path = tmp_path / SYSTEM_FILE
    old = {key: None for key in Sample.model_fields if "others" not in key and key != "load_average"}
    path.write_text(json.dumps({**old, "seconds": 1.0}) + "\n")
    assert [sample.others_share for sample in read_samples(path)] == [None]


def test_what_was_busy_is_named_at_its_most() -> None:
    quiet = Load(training_others_share=0.05, speed_others_share=0.09, average=0.2, gpu_others_share=None)
    busy = Load(training_others_share=0.42, speed_others_share=0.05, average=2.0, gpu_others_share=0.98)
    busier = Load(training_others_share=0.1, speed_others_share=0.71, average=2.0, gpu_others_share=0.03)
    assert used_by_others([busy, quiet]) == "about 40 % of the processors and about 100 % of the GPU"
    assert used_by_others([busier]) == "about 70 % of the processors"
    assert used_by_others([quiet, busy, busier]) == "about 70 % of the processors and about 100 % of the GPU"
    assert used_by_others([quiet]) is None
    assert used_by_others([]) is None


class Used:
    def __init__(self, pid: int, stamp: int = 0, percent: int = 0) -> None:
        self.pid, self.timeStamp, self.smUtil = pid, stamp, percent


def test_other_users_of_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import pynvml

    listed: list[Used] = [Used(7), Used(8)]
    used: list[Used] = []
    asked: list[int] = []

    def utilisation(handle: object, since: int) -> list[Used]:
        asked.append(since)
        if not used:
            raise pynvml.NVMLError_NotFound
        return used

    def unsupported(*_: object) -> None:
        raise pynvml.NVMLError_NotSupported

    for name in ("UtilizationRates", "MemoryInfo", "PowerUsage", "Temperature", "TotalEnergyConsumption"):
        monkeypatch.setattr(pynvml, f"nvmlDeviceGet{name}", unsupported)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetComputeRunningProcesses", lambda handle: listed)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetProcessUtilization", utilisation)
    meter = GpuMeter("a handle")
    assert meter.read(7).others_percent == 0.0
    used += [Used(7, 50, 90), Used(8, 60, 30), Used(8, 40, 99), Used(9, 55, 5)]
    assert meter.read(7).others_percent == 35.0
    assert meter.read(7).others_percent == 35.0
    assert asked == [0, 0, 60]
    assert meter.read().others_percent is None
    listed.clear()
    assert meter.read(7).others_percent is None, "the driver numbers processes otherwise: who is a stranger is unknown"


def test_every_cut_of_the_file_leaves_its_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / SYSTEM_FILE
    written = samples((0, "start", 0), (1, "training", 36), (2, "training", 72))
    lines = [json.dumps(sample.model_dump()) + "\n" for sample in written]
    content = "".join(lines)
    for size in range(len(content) + 1):
        path.write_text(content[:size])
        whole = sum(len("".join(lines[: count + 1])) <= size + 1 for count in range(3))
        assert read_samples(path) == written[:whole]
