"""Running stages: what an executor is, and the local one, a stage at a time on a CPU and one a GPU."""

import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from showdown.core.events import Listener, StageName
from showdown.measure.system import gpu_meter, visible_devices
from showdown.runner.stage_trace import leave_trace, remove_trace
from showdown.runner.worker.results import stage_outcome
from showdown.runner.worker.server_process import ServerProcess
from showdown.runner.worker.task import WorkerTask
from showdown.stages.results import StageError

_JOIN_SECONDS = 10.0
DeviceKind = Literal["cpu", "gpu"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of a run."""

    name: StageName
    data: Path
    """Folder of the processed rows that the run is of."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a stage needs."""

    device: DeviceKind
    base: str | None = None
    """Names the pretrained network that this training shares with others. Stages of the same name go through one
    process, one after the other; None is a process of its own."""


class Executor(Protocol):
    """Runs stages, each in a process of its own, and passes their events to the listener that it was made with."""

    @property
    def slots(self) -> int:
        """How many stages can run at the same time."""

    def submit(self, stage: Stage, run_folder: Path, resources: Resources) -> "Future[StageError | None]":
        """Have a stage run, and return its outcome: None when it finished, what went wrong otherwise.

        The future raises what the listener raised, which ends the stage.
        """

    def __enter__(self) -> Self:
        """Nothing is started before the first stage."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all stages that are running."""


def local_devices() -> list[str | None]:
    """Return the device of each slot of this machine: one for every GPU where there are several, else one slot.

    A single slot is None: its processes see what this process sees.
    """
    devices = visible_devices()
    return [*devices] if len(devices) > 1 else [None]


@dataclass(frozen=True, kw_only=True)
class _Task:
    stage: Stage
    folder: Path
    resources: Resources
    future: "Future[StageError | None]" = field(default_factory=Future)


class _Slot:
    """One device with a fork server of its own."""

    def __init__(self, device: str | None, server: ServerProcess, listen: Listener) -> None:
        self.device = device
        self.server = server
        self.base: str | None = None
        """The pretrained network that the slot's shared process holds."""
        self._listen = listen

    def carry_out(self, task: _Task) -> None:
        """Run a stage to its end, and set its future."""
        try:
            outcome = self._outcome(task)
        except BaseException as error:
            self.server.stop()  # the stage may still be running
            task.future.set_exception(error)
        else:
            task.future.set_result(outcome)

    def _outcome(self, task: _Task) -> StageError | None:
        meter = gpu_meter(self.device) if task.resources.device == "gpu" else None
        started = leave_trace(task.folder, meter.total_gb() if meter else None)
        work = WorkerTask(
            stage=task.stage.name,
            folder=task.folder,
            data=task.stage.data,
            base=task.resources.base,
            device=self.device,
        )
        outcome: StageError | None = None
        try:
            code = self.server.run(work, self._listen)
            outcome = stage_outcome(code, task.folder, started)
            return outcome
        finally:
            if outcome is None or outcome.status != "out-of-memory":
                remove_trace(task.folder)


class LocalExecutor:
    """Runs stages on this machine, one at a time in each slot, first come, first served.

    A slot has a fork server that holds the libraries, and forks a fresh process for every stage. Stages that share a
    pretrained network go to one slot. Slots of several GPUs share the processor's cores evenly.
    """

    def __init__(self, lock: int, listen: Listener, devices: Sequence[str | None] | None = None) -> None:
        """Prepare; no process is started yet.

        Args:
            lock: descriptor of the comparison's lock, which servers and workers hold with it.
            listen: gets all events, from the thread of their slot.
            devices: the device of each slot, as `CUDA_VISIBLE_DEVICES` names it; by default `local_devices`.

        """
        devices = local_devices() if devices is None else devices
        self._slots = [
            _Slot(device, ServerProcess(lock, _environment(device, len(devices))), listen) for device in devices
        ]
        self._waiting: deque[_Task] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._threads: list[threading.Thread] = []

    @property
    def slots(self) -> int:
        """How many stages can run at the same time."""
        return len(self._slots)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the servers, and with them all workers."""
        with self._changed:
            self._closed = True
            for task in self._waiting:
                task.future.cancel()
            self._waiting.clear()
            self._changed.notify_all()
        for slot in self._slots:
            slot.server.end()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def submit(self, stage: Stage, run_folder: Path, resources: Resources) -> "Future[StageError | None]":
        """Have a stage run as soon as a slot is free; see `Executor.submit`."""
        task = _Task(stage=stage, folder=run_folder, resources=resources)
        with self._changed:
            self._waiting.append(task)
            if not self._threads:
                self._threads = [
                    threading.Thread(target=self._serve, args=(slot,), name=f"slot {number}", daemon=True)
                    for number, slot in enumerate(self._slots)
                ]
                for thread in self._threads:
                    thread.start()
            self._changed.notify_all()
        return task.future

    def _serve(self, slot: _Slot) -> None:
        """Carry out stages in a slot until the executor is closed.

        The thread lives as long as its server, which the kernel ends with the thread that started it.
        """
        while (task := self._next(slot)) is not None:
            slot.carry_out(task)
        slot.server.stop()

    def _next(self, slot: _Slot) -> _Task | None:
        """Wait for the next stage that a slot may run; None once the executor is closed."""
        with self._changed:
            while not self._closed:
                taken = {other.base for other in self._slots if other is not slot}
                for task in self._waiting:
                    base = task.resources.base
                    if base is None or base not in taken:
                        self._waiting.remove(task)
                        slot.base = base
                        return task
                self._changed.wait()
        return None


def _environment(device: str | None, slots: int) -> dict[str, str]:
    """Return the variables of a slot's processes: the one GPU that they see, and their share of the cores."""
    if device is None:
        return {}
    threads = max(1, (os.cpu_count() or 1) // slots)
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)), "CUDA_VISIBLE_DEVICES": device}
