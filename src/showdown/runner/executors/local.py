"""The executor of this machine: a stage at a time on a CPU, and one a GPU."""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Self

from showdown.core.events import Listener
from showdown.measure.system import chosen_devices, has_gpu, visible_devices
from showdown.runner.executor import Place, Resources, Setup, Stage
from showdown.runner.worker.carry_out import carry_out
from showdown.runner.worker.server_process import ServerProcess
from showdown.runner.worker.task import WorkerTask
from showdown.stages.results import StageError

_JOIN_SECONDS = 10.0


def local_devices(gpus: Sequence[str] | None = None) -> list[str | None]:
    """Return the device of each slot of this machine: one for every GPU where there are several, else one slot.

    A single slot is None: its processes see what this process sees.

    Args:
        gpus: the GPUs to use, as in `chosen_devices`; each is then a slot. None for all.

    Raises:
        UserError: for a GPU that is not there.

    """
    if gpus is not None:
        return [*chosen_devices(gpus)]
    devices = visible_devices()
    return [*devices] if len(devices) > 1 else [None]


def local_executor(setup: Setup) -> "LocalExecutor":
    """Return the executor of this machine."""
    devices = local_devices(setup.gpus)
    return LocalExecutor(setup.lock, setup.listen, devices, ahead=setup.root if setup.work else None)


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
        """The pretrained network that the slot's shared process holds, or loads."""
        self.idle = True
        self.lent = False
        """Whether another slot carries out a stage that takes this one's device, too."""
        self.borrowed: list[_Slot] = []
        """Slots whose devices this one's stage takes beside its own."""
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
        work = WorkerTask(
            stage=task.stage.name,
            folder=task.folder,
            data=task.stage.data,
            base=task.resources.base,
            device=self.device,
        )
        return carry_out(self.server, work, self._listen, on_gpu=task.resources.device == "gpu")

    def give_up_base(self) -> None:
        """End the process that holds a pretrained network: the device's memory is needed."""
        if self.base is not None:
            self.server.stop()
            self.base = None


class LocalExecutor:
    """Runs stages on this machine, one at a time in each slot, first come, first served.

    A slot has a fork server that holds the libraries, and forks a fresh process for every stage. A stage that shares a
    pretrained network goes to a slot that holds it, if one is free. Slots of several GPUs share the processor's cores
    evenly.
    """

    def __init__(
        self,
        lock: int,
        listen: Listener,
        devices: Sequence[str | None] | None = None,
        *,
        ahead: Path | None = None,
    ) -> None:
        """Prepare; no process is started yet.

        Args:
            lock: descriptor of the comparison's lock, which servers and workers hold with it.
            listen: gets all events, from the thread of their slot.
            devices: the device of each slot, as `CUDA_VISIBLE_DEVICES` names it; by default `local_devices`.
            ahead: where servers log that are started when the executor is entered; None starts them with the first
                stage.

        """
        devices = local_devices() if devices is None else devices
        self._slots = [
            _Slot(device, ServerProcess(lock, _environment(device, len(devices))), listen) for device in devices
        ]
        self._lock = lock
        self._listen = listen
        self._joint: dict[str, _Slot] = {}
        """Slots of several devices, by their names with commas."""
        self._ahead = ahead
        self._waiting: deque[_Task] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._threads: list[threading.Thread] = []

    @property
    def slots(self) -> int:
        """How many stages can run at the same time."""
        return len(self._slots)

    @property
    def place(self) -> Place:
        """This machine."""
        return Place(gpu=has_gpu(), together=len(self._slots) if has_gpu() else 1)

    def __enter__(self) -> Self:
        if self._ahead is not None:
            with self._changed:
                self._start(self._ahead)
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
        for slot in (*self._slots, *self._joint.values()):
            slot.server.end()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def submit(self, stage: Stage, run_folder: Path, resources: Resources) -> "Future[StageError | None]":
        """Have a stage run as soon as a slot is free; see `Executor.submit`."""
        task = _Task(stage=stage, folder=run_folder, resources=resources)
        with self._changed:
            self._waiting.append(task)
            self._start(run_folder)
            self._changed.notify_all()
        return task.future

    def _start(self, log_folder: Path) -> None:
        """Start the threads of the slots, if they are not going."""
        if not self._threads:
            self._threads = [
                threading.Thread(target=self._serve, args=(slot, log_folder), name=f"slot {number}", daemon=True)
                for number, slot in enumerate(self._slots)
            ]
            for thread in self._threads:
                thread.start()

    def _serve(self, slot: _Slot, log_folder: Path) -> None:
        """Carry out stages in a slot until the executor is closed.

        The thread lives as long as its server, which the kernel ends with the thread that started it. Servers import
        libraries from the first stage on, also those of slots that wait, as while memory is planned.
        """
        with contextlib.suppress(RuntimeError):  # closed already
            slot.server.start(log_folder)
        while (task := self._next(slot)) is not None:
            if task.resources.devices == 1:
                slot.carry_out(task)
            else:
                self._carry_out_together(slot, task)
        slot.server.stop()

    def _carry_out_together(self, slot: _Slot, task: _Task) -> None:
        """Carry out a stage that takes the devices of several slots: this one, and others that have become free."""
        group = sorted([slot, *slot.borrowed], key=self._slots.index)
        with self._changed:
            names = ",".join(str(one.device) for one in group)
            if names not in self._joint:
                self._joint[names] = _Slot(
                    names, ServerProcess(self._lock, _environment(names, len(self._slots))), self._listen
                )
        for one in group:
            one.give_up_base()
        self._joint[names].carry_out(task)
        with self._changed:
            for one in slot.borrowed:
                one.lent, one.idle = False, True
            slot.borrowed = []
            self._changed.notify_all()

    def _next(self, slot: _Slot) -> _Task | None:
        """Wait for the next stage that a slot may run; None once the executor is closed."""
        with self._changed:
            slot.idle = not slot.lent
            while not self._closed:
                task = None if slot.lent else self._suited(slot)
                if task is not None:
                    self._waiting.remove(task)
                    self._take(slot, task)
                    self._changed.notify_all()  # others may now take what this slot was left to take
                    return task
                self._changed.wait()
        return None

    def _take(self, slot: _Slot, task: _Task) -> None:
        """Mark the slots that a stage takes: this one, and for several devices others that are free."""
        slot.idle = False
        if task.resources.devices == 1:
            slot.base = task.resources.base
            return
        slot.borrowed = [one for one in self._slots if one.idle][: task.resources.devices - 1]
        for other in slot.borrowed:
            other.idle, other.lent = False, True

    def _suited(self, slot: _Slot) -> _Task | None:
        """Return the first stage whose network the slot holds, else the first that no other free slot would take so.

        A stage that takes several devices lets none pass that came later: they would keep it waiting for ever.
        """
        if self._waiting and (wanted := self._waiting[0].resources.devices) > 1:
            return self._waiting[0] if sum(one.idle for one in self._slots) >= wanted else None
        waiting = list(takewhile(lambda task: task.resources.devices == 1, self._waiting))
        held = {other.base for other in self._slots if other.idle and other is not slot} - {None, slot.base}
        own = (task for task in waiting if task.resources.base == slot.base is not None)
        return next(own, None) or next((task for task in waiting if task.resources.base not in held), None)


def _environment(device: str | None, slots: int) -> dict[str, str]:
    """Return the variables of a slot's processes: the one GPU that they see, and their share of the cores."""
    if device is None:
        return {}
    threads = max(1, (os.cpu_count() or 1) // slots)
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)), "CUDA_VISIBLE_DEVICES": device}
