"""A stage on a machine of a cluster: in the comparison's folder where the machine sees it, else in a copy.

Nothing here knows what runs the cluster. One process of a machine calls `stage_on_machine` for one stage after the
other, and keeps a fork server between them.
"""

import contextlib
import os
import queue
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.events import Event, StageName, encode
from showdown.core.files import read_file, write_bytes
from showdown.core.version import VERSION
from showdown.runner.parcel import Files, files_of, unpack
from showdown.runner.sampler import SYSTEM_FILE, Sampler
from showdown.runner.worker.carry_out import carry_out
from showdown.runner.worker.results import LOG_FILE
from showdown.runner.worker.server_process import ServerProcess
from showdown.runner.worker.task import WorkerTask
from showdown.stages.memory_plan import FILE as MEMORY_PLAN
from showdown.stages.results import StageError

SIGN_FILE = ".sign"
"""In the comparison's folder. Who finds the right words in it sees that folder, and no other one of its name."""
_EVENTS_EVERY_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True)
class MachineStage:
    """A stage for another machine, in values that travel well."""

    stage: StageName
    run_id: str
    root: str
    """The comparison's folder, absolute."""
    data: str
    """Folder of the processed rows, relative to it."""
    sign: str
    """Content of its `SIGN_FILE`."""
    on_gpu: bool
    threads: int
    sampling_seconds: float
    version: str
    """Of Showdown where the comparison runs."""


@dataclass(frozen=True, kw_only=True)
class Parcels:
    """The files that a machine needs where it does not see the comparison's folder, by path relative to it."""

    data: Files
    run: Files


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """Says that the machine does not see the comparison's folder and got no parcels."""

    machine: str


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The end of a stage."""

    outcome: StageError | None
    in_place: bool
    """Whether it wrote in the comparison's folder. Otherwise its files were sent before this."""
    memory_plan: bytes | None = None
    """The comparison's memory plan, where the stage made one elsewhere: it is no file of a run."""


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Events, a line each."""

    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A file that the stage wrote, by its path relative to the run's folder."""

    files: Files


Reply = Lines | Part | Unseen | Finished


class _Keeper:
    """The fork server that this process keeps, and the one thread that talks to it.

    The kernel ends a server with the thread that started it, so that the thread stays.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "stages")
        self._server: ServerProcess | None = None
        self._environment: dict[str, str] = {}

    def begin(self, task: WorkerTask, listen: "queue.SimpleQueue[Event]", stage: MachineStage) -> "Future[object]":
        """Begin a stage in the thread."""
        return self._thread.submit(self._carry_out, task, listen, stage)

    def _carry_out(self, task: WorkerTask, events: "queue.SimpleQueue[Event]", stage: MachineStage) -> object:
        wanted = {
            "OMP_NUM_THREADS": str(stage.threads),
            "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        }
        if self._server is None or wanted != self._environment:
            if self._server is not None:
                self._server.end()
            self._server, self._environment = ServerProcess(None, wanted), wanted
        with Sampler(_scratch(task.folder), stage.sampling_seconds, events.put) as sampler:
            return carry_out(self._server, task, sampler.receive, on_gpu=stage.on_gpu)


_keeper: _Keeper | None = None


def stage_on_machine(stage: MachineStage, parcels: Parcels | None) -> Iterator[Reply]:
    """Carry a stage out, and yield its events, its files where they are wanted elsewhere, and its end.

    Args:
        stage: what to do.
        parcels: the files for a machine that does not see the comparison's folder; None while it may see it.

    Raises:
        UserError: when another version of Showdown is here.

    """
    global _keeper  # noqa: PLW0603 - of this process, which does nothing else
    machine = os.uname().nodename
    if stage.version != VERSION:
        raise UserError(
            f"machine {machine} has showdown {VERSION}, and the comparison runs with {stage.version}; install "
            "the same version on all machines of the cluster"
        )
    in_place = _sees(Path(stage.root), stage.sign)
    if not in_place and parcels is None:
        yield Unseen(machine=machine)
        return
    _keeper = _keeper or _Keeper()
    with _place(stage, None if in_place else parcels) as root:
        folder = root / "runs" / stage.run_id
        before = set() if in_place else set(files_of(folder, skip=_NOT_SENT))
        device = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0] or None if stage.on_gpu else None
        task = WorkerTask(stage=stage.stage, folder=folder, data=root / stage.data, device=device, alone=True)
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        parent = os.getppid()
        done = _keeper.begin(task, events, stage)
        while not done.done() or not events.empty():
            if os.getppid() != parent:
                # What started this process is gone, and nobody reads on. A process of Ray then stays until its task is
                # over, and would hold the run's lock so long.
                os._exit(1)
            if lines := _next_lines(events):
                yield Lines(lines=lines)
        outcome = done.result()
        assert outcome is None or isinstance(outcome, StageError)
        if not in_place:
            # What the run brought stays out, but for files that the stage changed.
            yield from (
                Part(files={name: content})
                for name, content in files_of(folder, skip=_NOT_SENT).items()
                if name not in before or not name.startswith("artifact/")
            )
        made = not in_place and stage.stage == "plan" and (root / MEMORY_PLAN).is_file()
        memory_plan = read_file(root / MEMORY_PLAN) if made else None
        yield Finished(outcome=outcome, in_place=in_place, memory_plan=memory_plan)


_NOT_SENT = ("checkpoints", SYSTEM_FILE, "progress.jsonl", ".lock", "started.json")
"""Of a run's folder: what is of use on the machine alone, or written where the comparison runs."""


def _next_lines(events: "queue.SimpleQueue[Event]") -> list[str]:
    """Wait a moment for events, and return those that there are."""
    lines: list[str] = []
    with contextlib.suppress(queue.Empty):
        lines.append(encode(events.get(timeout=_EVENTS_EVERY_SECONDS)))
        while True:
            lines.append(encode(events.get_nowait()))
    return lines


def _sees(root: Path, sign: str) -> bool:
    try:
        return read_file(root / SIGN_FILE).decode("utf-8", "replace") == sign
    except OSError:
        return False


@contextlib.contextmanager
def _place(stage: MachineStage, parcels: Parcels | None) -> Iterator[Path]:
    """Yield the comparison's folder, or a copy of what the stage needs of it."""
    if parcels is None:
        yield Path(stage.root)
        return
    with tempfile.TemporaryDirectory(prefix="showdown-") as copy:
        unpack(parcels.data, Path(copy))
        unpack(parcels.run, Path(copy))
        (Path(copy) / "runs" / stage.run_id / LOG_FILE).unlink(missing_ok=True)
        yield Path(copy)


def _scratch(folder: Path) -> Path:
    """Return a folder for the samples of a run, which are sent as events; it begins with those that there are."""
    scratch = Path(tempfile.gettempdir()) / f"showdown-samples-{os.getpid()}" / folder.name
    shutil.rmtree(scratch.parent, ignore_errors=True)
    scratch.mkdir(parents=True)
    with contextlib.suppress(OSError):
        write_bytes(scratch / SYSTEM_FILE, read_file(folder / SYSTEM_FILE))
    return scratch
