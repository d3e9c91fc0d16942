"""The executor of a Ray cluster (extra `ray`): one task a stage, with one GPU or a machine's processors.

Ray places tasks, and says when one was lost. The folder of results decides what is done (`runner/resume.py`), so that
Ray retries nothing by itself: a stage whose process or machine is gone is submitted again, unless its files are whole.
A stage that ran out of memory is submitted once more, with the leanest settings and more memory kept for it; the same
way it would end the same way.
"""

import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ray
from ray import exceptions as lost

from showdown.core.errors import UserError
from showdown.core.events import Message, decode
from showdown.core.files import read_file, write_bytes, write_json, write_text
from showdown.core.memory import MemorySettings
from showdown.core.record import GB
from showdown.core.spec import RunSpec
from showdown.core.version import VERSION
from showdown.measure.system import chosen_devices
from showdown.runner.executor import Place, Resources, Setup, Stage
from showdown.runner.parcel import files_of, take_in
from showdown.runner.resume import is_whole
from showdown.runner.stage_trace import TRACE_FILE, Started, remove_trace
from showdown.runner.store import SCORE_FILE
from showdown.runner.worker.remote import (
    SIGN_FILE,
    Finished,
    Lines,
    MachineStage,
    Parcels,
    Part,
    Reply,
    Unseen,
    stage_on_machine,
)
from showdown.stages.memory_plan import FILE as MEMORY_PLAN
from showdown.stages.results import StageError

LEANEST = MemorySettings(micro_batch_rows=1, recompute=True)
"""Of a training that ran out of memory."""
_MORE_MEMORY = 2.0
"""Times as much as before for a stage that ran out of memory."""
_MOST_LOSSES = 3
"""Processes or machines that one stage may lose. Who loses more is likely their cause."""
_OBJECTS_BYTES = 256_000_000
"""Of the object store of a local Ray, which carries events alone."""
_ANSWER_SECONDS = 5.0
_LOOK_EVERY_SECONDS = 5.0
"""At the machines of the cluster; each look asks its head."""
_LOST = (lost.WorkerCrashedError, lost.NodeDiedError, lost.LocalRayletDiedError, lost.ObjectLostError,
         lost.OwnerDiedError, lost.RaySystemError)  # fmt: skip
HINT = (
    "a Ray of this machine was started. For a cluster, `ray start --head` on one machine and "
    "`ray start --address=HOST:6379` on the others, then `--executor ray --address HOST:6379` (docs/scale.md)"
)


class RayExecutor:
    """Runs stages as tasks of a Ray cluster, which is started here where no address is given."""

    def __init__(self, setup: Setup) -> None:
        """Prepare; nothing is started yet.

        Raises:
            UserError: for `gpus` beside an address.

        """
        if setup.gpus is not None and setup.address is not None:
            raise UserError(
                "`gpus` chooses GPUs of this machine, and `address` a cluster with GPUs of its own; drop one"
            )
        self._setup = setup
        self._root = setup.root.resolve()
        self._sign = secrets.token_hex(16)
        self._began_ray = False
        self._threads = ThreadPoolExecutor(10_000, "ray stages")  # each waits for one stage
        self._closed = threading.Event()
        self._running: set[Any] = set()
        self._changing = threading.Lock()
        self._looked: tuple[float, list[dict[str, float]]] = (0.0, [])
        self._shared = True
        """Whether all machines that were asked saw the comparison's folder."""
        self._data: dict[Path, Any] = {}

    def __enter__(self) -> Self:
        """Connect, or start a Ray of this machine."""
        write_text(self._root / SIGN_FILE, self._sign)
        if not ray.is_initialized():
            self._connect()
        return self

    def _connect(self) -> None:
        address = self._setup.address
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's default gives way to every other process
        before = signal.getsignal(signal.SIGTERM)
        common: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            if address is None:
                if self._setup.gpus is not None:
                    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(chosen_devices(self._setup.gpus))
                ray.init(
                    **common,
                    include_dashboard=False,
                    _node_ip_address="127.0.0.1",
                    object_store_memory=_OBJECTS_BYTES,
                )
                self._setup.say(HINT)
            else:
                _refuse_silent(address)
                ray.init(address, **common)
        except (OSError, RuntimeError, ValueError) as error:
            why = str(error).strip().splitlines()[0][:200]
            where = f"at `{address}`" if address else "on this machine"
            raise UserError(f"no Ray {where}: {why}; see `ray status`, or leave `address` out") from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, before)  # Ray sets its own
        self._began_ray = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all stages, and the connection."""
        self._closed.set()
        with self._changing:
            running = list(self._running)
        for one in running:
            ray.cancel(one, force=True)
        self._threads.shutdown(wait=True, cancel_futures=True)
        if self._began_ray:
            ray.shutdown()

    @property
    def slots(self) -> int:
        """The GPUs of the cluster; its machines where it has none, since stages beside each other are timed wrongly."""
        machines = self._machines()
        return max(1, int(sum(machine.get("GPU", 0.0) for machine in machines)) or len(machines))

    @property
    def place(self) -> Place:
        """The cluster. No process is kept from stage to stage for a network, since the next stage may go elsewhere."""
        return Place(gpu=any(machine.get("GPU") for machine in self._machines()), shares_bases=False, samples=True)

    def submit(self, stage: Stage, run_folder: Path, resources: Resources) -> "Future[StageError | None]":
        """Have a stage run as soon as there is a machine for it; see `Executor.submit`."""
        return self._threads.submit(self._carry_out, stage, run_folder.resolve(), resources)

    def _machines(self) -> list[dict[str, float]]:
        """Return the resources of each machine that can run a stage."""
        looked_at, machines = self._looked
        if not machines or time.monotonic() - looked_at > _LOOK_EVERY_SECONDS:
            alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            machines = [found for found in alive if found.get("CPU", 0.0) >= 1.0]
            self._looked = (time.monotonic(), machines)
        return machines

    def _processors(self) -> int:
        """Return the processors of one stage: a machine's share of one GPU, or a whole machine."""
        machines = self._machines()
        with_gpu = [machine for machine in machines if machine.get("GPU")] or machines
        shares = [int(machine["CPU"] // max(1.0, machine.get("GPU", 0.0))) for machine in with_gpu]
        return max(1, min(shares, default=1))

    def _carry_out(self, stage: Stage, folder: Path, resources: Resources) -> StageError | None:
        if stage.name == "score":
            (folder / SCORE_FILE).unlink(missing_ok=True)  # of an earlier call: what is there from now on is this one's
        losses, tried_again = 0, False
        while True:
            try:
                outcome = self._attempt(stage, folder, resources)
            except lost.OutOfMemoryError as error:
                outcome = StageError(status="out-of-memory", error=f"Ray ended the stage for memory: {_line(error)}")
            except _LOST as error:
                if is_whole(folder, stage.name):
                    return None
                losses += 1
                if self._closed.is_set() or losses > _MOST_LOSSES:
                    ended = f"its process or machine was lost {losses} times, the last time: {_line(error)}"
                    return StageError(status="failed", error=ended)
                self._say(folder, f"its process or machine was lost; `{stage.name}` begins again ({_line(error)})")
                continue
            except ray.exceptions.RayTaskError as error:
                raise _cause(error) from error
            if outcome is None or outcome.status != "out-of-memory" or tried_again:
                return outcome
            leaner, more = _make_leaner(folder), self._more_memory(resources)
            if not leaner and more == resources:
                return outcome
            tried_again, resources = True, more
            self._say(folder, f"`{stage.name}` ran out of memory; once more {_how(leaner=leaner, more=more)}")

    def _attempt(self, stage: Stage, folder: Path, resources: Resources) -> StageError | None:
        on_gpu, threads = resources.device == "gpu", self._processors()
        asked = MachineStage(
            stage=stage.name,
            run_id=folder.name,
            root=str(self._root),
            data=stage.data.resolve().relative_to(self._root).as_posix(),
            sign=self._sign,
            on_gpu=on_gpu,
            threads=int(os.environ.get("OMP_NUM_THREADS", threads)),
            sampling_seconds=self._setup.sampling_seconds,
            version=VERSION,
        )
        options = {"num_cpus": threads, "num_gpus": int(on_gpu), "max_retries": 0, "num_returns": "streaming",
                   "scheduling_strategy": "SPREAD", "name": f"{stage.name} {folder.name}"}  # fmt: skip
        if resources.host_gb is not None:
            options["memory"] = self._reserved_bytes(resources.host_gb)
        if self._shared:
            finished = self._follow(options, asked, None, folder)
            if finished is not None:
                return finished.outcome
            self._shared = False
        finished = self._follow(options, asked, self._parcels(stage, folder), folder)
        assert finished is not None
        return finished.outcome

    def _most_bytes(self) -> int:
        """Return the memory that the largest machine has for stages; Ray would wait for ever for more."""
        return int(max((machine.get("memory", 0.0) for machine in self._machines()), default=0.0))

    def _reserved_bytes(self, host_gb: float) -> int:
        """Return what Ray is asked to keep for a stage, so that a machine gets no more stages than fit on it."""
        return min(int(host_gb * GB), self._most_bytes())

    def _more_memory(self, resources: Resources) -> Resources:
        """Return what a stage that ran out of memory asks for; the same where no machine has more."""
        if resources.host_gb is None or resources.host_gb * GB >= self._most_bytes():
            return resources
        return replace(resources, host_gb=_MORE_MEMORY * resources.host_gb)

    def _parcels(self, stage: Stage, folder: Path) -> Any:
        """Put what a machine without the comparison's folder needs into the object store, the rows once for all."""
        if stage.data not in self._data:
            files = files_of(stage.data, within=self._root.resolve())
            self._data[stage.data] = ray.put(files)
        run = files_of(folder, skip=("log.txt", "checkpoints", TRACE_FILE), within=self._root)
        run |= {
            name: read_file(self._root / name)
            for name in ("comparison.json", MEMORY_PLAN)
            if (self._root / name).is_file()
        }
        return self._data[stage.data], ray.put(run)

    def _follow(self, options: dict[str, Any], asked: MachineStage, parcels: Any, folder: Path) -> Finished | None:
        """Submit a stage, pass its events on and take its files in; None where no machine sees the folder."""
        replies = ray.remote(_on_machine).options(**options).remote(asked, *(parcels or (None, None)))
        with self._changing:
            self._running.add(replies)
        try:
            if parcels:
                write_json(folder / TRACE_FILE, _NO_TRACE.model_dump())
            return self._end_of(map(ray.get, replies), folder)
        except BaseException:
            if not self._closed.is_set():
                ray.cancel(replies, force=True)
            raise
        finally:
            if parcels:
                remove_trace(folder)
            with self._changing:
                self._running.discard(replies)

    def _end_of(self, replies: Iterator[Reply], folder: Path) -> Finished | None:
        files: dict[str, bytes] = {}
        for reply in replies:
            if isinstance(reply, Lines):
                for line in reply.lines:
                    self._setup.listen(decode(line))
            elif isinstance(reply, Part):
                files |= reply.files
            elif isinstance(reply, Unseen):
                return None
            elif isinstance(reply, Finished):
                take_in(files, folder)
                if reply.memory_plan is not None:
                    write_bytes(self._root / MEMORY_PLAN, reply.memory_plan)
                return reply
        raise lost.WorkerCrashedError

    def _say(self, folder: Path, line: str) -> None:
        self._setup.listen(Message(folder.name, line))


def _refuse_silent(address: str) -> None:
    """Raise OSError where nothing answers at `HOST:PORT`; Ray itself would try for minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()


_NO_TRACE = Started(boot="", kills=None, limit_gb=0.0, gpu_gb=None)
"""Tells a page that follows the comparison that the stage goes; of memory elsewhere it says nothing."""


def _on_machine(asked: MachineStage, data: Any, run: Any) -> Iterator[Reply]:
    """Yield a stage's replies; runs on a machine of the cluster."""
    parcels = None if data is None else Parcels(data=data, run=run)
    yield from stage_on_machine(asked, parcels)


def _make_leaner(folder: Path) -> bool:
    """Give a run the leanest memory settings; return False where it has them already, or trains no network."""
    spec = RunSpec.model_validate_json(read_file(folder / "spec.json"))
    if spec.needs != "training" or spec.memory == LEANEST:
        return False
    write_json(folder / "spec.json", spec.model_copy(update={"memory": LEANEST}).model_dump(mode="json"))
    return True


def _how(*, leaner: bool, more: Resources) -> str:
    """Say in words with what a stage is tried again."""
    lean = "with a micro-batch of one row" if leaner else "as it was"
    return lean if more.host_gb is None else f"{lean}, on a machine with {more.host_gb:.3g} GB to spare or all it has"


def _cause(error: Any) -> Exception:
    """Return what a task raised: an error for the user as it is, others in a line."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, UserError):
        return UserError(str(cause))
    if isinstance(cause, ModuleNotFoundError):
        return UserError(f"a machine of the cluster has no module `{cause.name}`; install finetuning-showdown on all")
    return RuntimeError(f"a stage could not be carried out on the cluster: {_line(error)}")


def _line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
