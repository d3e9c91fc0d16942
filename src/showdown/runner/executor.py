"""Running stages: what an executor is, and what it is told. The table of executors is `runner/executors/table.py`."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from showdown.core.events import Listener, StageName
from showdown.stages.results import StageError

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
    """Names the pretrained network that this stage shares with others. Stages that name the same one and go through one
    slot one after the other go through one process; None is a process of its own."""
    devices: int = 1
    """How many it takes together."""
    host_gb: float | None = None
    """Memory of the machine that it may take beside that of a GPU, in GB of 1e9 bytes; None where it is not known."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What an executor is made with."""

    lock: int
    """Descriptor of the comparison's lock, which local servers and workers hold with it."""
    root: Path
    """The comparison's folder."""
    listen: Listener
    """Gets all events, from any thread."""
    say: Callable[[str], None]
    """Gets a line for the user."""
    work: bool = True
    """Whether stages are expected: libraries can then be imported while the audit is still going on."""
    gpus: Sequence[str] | None = None
    """The comparison's `gpus`."""
    address: str | None = None
    """The comparison's `address`."""
    sampling_seconds: float = 0.0
    """The comparison's `sampling_seconds`."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What stages find where an executor runs them."""

    gpu: bool
    """Whether there is a GPU for those that need one."""
    shares_bases: bool = True
    """Whether stages on one pretrained network can follow each other in one process."""
    together: int = 1
    """How many devices one stage can take."""
    samples: bool = False
    """Whether the executor samples the system itself, where the stage runs, and sends `SystemSample` events. Otherwise
    workers are processes of this machine, and are sampled from here."""


class Executor(Protocol):
    """Runs stages, each in a process of its own, and passes their events to the listener that it was made with."""

    @property
    def slots(self) -> int:
        """How many stages can run at the same time; may change while they do."""

    @property
    def place(self) -> Place:
        """What stages find."""

    def submit(self, stage: Stage, run_folder: Path, resources: Resources) -> "Future[StageError | None]":
        """Have a stage run, and return its outcome: None when it finished, what went wrong otherwise.

        The future raises what the listener raised, which ends the stage.
        """

    def __enter__(self) -> Self:
        """Begin to get ready for the first stage."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all stages that are running."""
