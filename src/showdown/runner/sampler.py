"""Sampling the system while a run goes, from the parent process, so that the worker loses no time."""

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from showdown.core.events import Event, Listener, Message, PhaseEntered, StageName, SystemSample, WorkerStarted
from showdown.core.files import append_line
from showdown.core.samples import Sample, read_samples
from showdown.measure.load import LoadMeter, load_average
from showdown.measure.system import GpuMeter, GpuMeters, GpuReading, ProcessMeter, stage_meter

SYSTEM_FILE = "system.jsonl"
_FIRST_PHASE: Mapping[StageName, str] = {
    "plan": "start",
    "tune": "tuning",
    "train": "start",
    "score": "start of scoring",
}
_SOONER = 4
"""A change of phase is sampled at once, but not within this fraction of the interval after the last sample."""
_PATIENCE_SECONDS = 5.0
"""For a driver that does not answer."""


class Sampler:
    """Writes samples of one run while it is entered, and passes the events of its worker on."""

    def __init__(self, folder: Path, every_seconds: float, listen: Listener) -> None:
        """Prepare.

        Args:
            folder: the run's folder.
            every_seconds: interval; 0 samples nothing.
            listen: gets every event of the worker, and an event for each sample.

        """
        self._run_id = folder.name
        self._path = folder / SYSTEM_FILE
        self._every_seconds = every_seconds
        self._listen = listen
        self._process: ProcessMeter | None = None
        self._pid: int | None = None
        self._gpu: GpuMeter | GpuMeters | None = None
        self._energy = self._energy_before = 0.0
        """Joules of the run so far, and before the counter that is read now."""
        self._energy_began: float | None = None
        """What that counter said when it was first read."""
        self._load: LoadMeter | None = None
        self._stage: StageName | None = None
        self._phase: str | None = None
        self._wake, self._over = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take a last sample and stop."""
        self._over.set()
        self._wake.set()
        if self._thread:
            self._thread.join(_PATIENCE_SECONDS)

    def receive(self, event: Event) -> None:
        """Take in an event of the worker, and pass it on."""
        if isinstance(event, WorkerStarted):
            self._stage, self._phase = event.stage, _FIRST_PHASE[event.stage]
            self._process, self._pid = _process(event.pid), event.pid
            self._take_meter(stage_meter(event.device))
            self._load = LoadMeter(self._own_seconds)
            self._wake.set()
            if self._every_seconds and self._thread is None:
                self._begin()
        elif isinstance(event, PhaseEntered) and self._stage != "tune" and event.phase != self._phase:
            self._phase = event.phase
            self._wake.set()
        self._listen(event)

    def _take_meter(self, meter: GpuMeter | GpuMeters | None) -> None:
        """Read another meter from now on: the energy so far is kept, and that of the other GPUs counts from here."""
        if meter is not self._gpu:
            self._energy_before, self._energy_began = self._energy, None
        self._gpu = meter

    def _begin(self) -> None:
        """Begin with the first worker: the import of libraries before it belongs to no run."""
        before = read_samples(self._path)
        self._began = time.monotonic() - (before[-1].seconds if before else 0.0)
        self._energy = self._energy_before = max((one.gpu_energy_joules or 0.0 for one in before), default=0.0)
        self._thread = threading.Thread(target=self._sample_on, daemon=True)
        self._thread.start()

    def _sample_on(self) -> None:
        try:
            while not self._over.is_set():
                self._take()
                self._over.wait(self._every_seconds / _SOONER)
                self._wake.wait(self._every_seconds * (1 - 1 / _SOONER))
                self._wake.clear()
            self._take()
        except Exception as error:
            self._listen(Message(self._run_id, f"no more samples of the system: {error}"))

    def _take(self) -> None:
        cpu, ram = self._process_reading()
        gpu = self._gpu_reading()
        sample = Sample(
            seconds=round(time.monotonic() - self._began, 3),
            phase=self._phase,
            cpu_percent=cpu,
            ram_gb=ram,
            gpu_utilisation_percent=gpu.utilisation_percent,
            gpu_memory_gb=_rounded(gpu.memory_gb, 4),
            gpu_power_watts=_rounded(gpu.power_watts, 1),
            gpu_temperature_c=gpu.temperature_c,
            gpu_energy_joules=self._energy_since_start(gpu.energy_joules),
            others_share=_rounded(self._load.read() if self._load else None, 4),
            load_average=_rounded(load_average(), 3),
            gpu_others_percent=gpu.others_percent,
        )
        append_line(self._path, json.dumps(sample.model_dump()))
        self._listen(SystemSample(self._run_id, sample))

    def _process_reading(self) -> tuple[float | None, float | None]:
        if self._process is None:
            return None, None
        try:
            cpu, ram = self._process.read()
        except psutil.Error:
            self._process = None
            return None, None
        return round(cpu, 1), round(ram, 4)

    def _gpu_reading(self) -> GpuReading:
        return self._gpu.read(self._pid) if self._gpu else GpuReading()

    def _own_seconds(self) -> float | None:
        """Return the processor seconds of the run's process and of this one, which follows it."""
        spent = self._process.spent_seconds() if self._process else None
        return None if spent is None else spent + time.process_time()

    def _energy_since_start(self, counter_joules: float | None) -> float | None:
        if counter_joules is None:
            return None
        if self._energy_began is None:
            self._energy_began = counter_joules
        self._energy = round(self._energy_before + counter_joules - self._energy_began, 3)
        return self._energy


class Samples:
    """Writes the samples of a run that are taken on another machine, and passes all events on."""

    def __init__(self, folder: Path, listen: Listener) -> None:
        self._path, self._listen = folder / SYSTEM_FILE, listen

    def receive(self, event: Event) -> None:
        """Take in an event of the worker or of its machine's sampler."""
        if isinstance(event, SystemSample):
            append_line(self._path, json.dumps(event.sample.model_dump()))
        self._listen(event)


def _process(pid: int) -> ProcessMeter | None:
    try:
        return ProcessMeter(pid)
    except psutil.Error:
        return None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
