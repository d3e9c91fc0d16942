"""What happens in a run while a stage goes: one typed union, written as one JSON array a line.

An event is a named tuple, and its line is `["step", "RUN_ID", 1, 40, ...]`: its kind, then its fields in order. A step
of a small network takes 1 ms, so an event must cost next to nothing. Making and encoding a `Step` takes 2.3
microseconds, and `json.dumps` of a dictionary with the same values 2.8 (one core of a 2-core Xeon;
`python -m timeit -s "from showdown.core.events import Step, encode" "encode(Step('r', 1, 40, 1, 0.5, 2.5))"`).
"""

import json
import os
from collections.abc import Callable, Mapping
from typing import IO, Literal, NamedTuple, get_args

from showdown.core.samples import Sample

StageName = Literal["plan", "tune", "train", "score"]
"""`plan` is done once for all runs of a comparison, the others once for each run."""


class WorkerStarted(NamedTuple):
    """A process begins a stage of the run."""

    run_id: str
    stage: StageName
    pid: int
    device: str | None
    """The GPU of its slot, as in `CUDA_VISIBLE_DEVICES`; None where the slot leaves that variable alone."""


class PhaseStarted(NamedTuple):
    """A phase of the stage begins, named for the user."""

    run_id: str
    phase: str


class PhaseEntered(NamedTuple):
    """The clock charges this phase from now on. Finer than `PhaseStarted`, and the same phase comes again and again."""

    run_id: str
    phase: str


class Step(NamedTuple):
    """One optimizer step is done."""

    run_id: str
    step: int
    steps: int
    epoch: int
    loss: float
    train_seconds: float
    """Training time of all steps so far."""


class Message(NamedTuple):
    """A line for the reader of the result."""

    run_id: str
    text: str


class SystemSample(NamedTuple):
    """A sample of the run's process and of its GPU, from another thread."""

    run_id: str
    sample: Sample


class WorkerExited(NamedTuple):
    """The stage is over."""

    run_id: str
    code: int
    """Exit code of its process; negative for a signal."""


Event = WorkerStarted | PhaseStarted | PhaseEntered | Step | Message | SystemSample | WorkerExited
Listener = Callable[[Event], None]

_KINDS: Mapping[str, type[Event]] = {
    "worker": WorkerStarted,
    "phase": PhaseStarted,
    "entered": PhaseEntered,
    "step": Step,
    "message": Message,
    "sample": SystemSample,
    "exit": WorkerExited,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_FIELDS = {kind: len(kind._fields) for kind in _KINDS.values()}
assert set(_NAMES) == set(get_args(Event))
_dumps = json.JSONEncoder(check_circular=False, default=lambda sample: sample.model_dump()).encode


def encode(event: Event) -> str:
    """Return an event as one line, without its end."""
    return _dumps((_NAMES[type(event)], *event))


def decode(line: str | bytes) -> Event:
    """Return the event of a line that `encode` wrote.

    Raises:
        ValueError: for anything else, such as a line that a kill cut short.

    """
    found = json.loads(line)
    kind = _KINDS.get(found[0]) if isinstance(found, list) and found and isinstance(found[0], str) else None
    if kind is None or len(found) != _FIELDS[kind] + 1:
        raise ValueError("this line is no event")
    if kind is SystemSample:
        return SystemSample(found[1], Sample.model_validate(found[2]))
    return kind(*found[1:])


class EventWriter:
    """Writes the events of one run to the process that follows it."""

    def __init__(self, stream: IO[str], run_id: str = "") -> None:
        """Prepare.

        Args:
            stream: gets a line an event.
            run_id: of the run; empty where nobody tells runs apart.

        """
        self._stream = stream
        self._run_id = run_id
        self.messages: list[str] = []
        """All messages so far, for the run's notes."""

    def worker(self, stage: StageName, device: str | None = None) -> None:
        """Report that this process begins a stage."""
        self._write(WorkerStarted(self._run_id, stage, os.getpid(), device))

    def phase(self, name: str) -> None:
        """Report that a phase begins."""
        self._write(PhaseStarted(self._run_id, name))

    def entered(self, name: str) -> None:
        """Report which phase the clock charges from now on."""
        self._write(PhaseEntered(self._run_id, name))

    def step(self, *, step: int, steps: int, epoch: int, loss: float, seconds: float) -> None:
        """Report that an optimizer step is done."""
        self._write(Step(self._run_id, step, steps, epoch, loss, seconds))

    def say(self, message: str) -> None:
        """Report something that a reader of the result must know."""
        self.messages.append(message)
        self._write(Message(self._run_id, message))

    def _write(self, event: Event) -> None:
        self._stream.write(encode(event) + "\n")
        self._stream.flush()
