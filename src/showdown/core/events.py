"""What a worker reports while a stage goes: one JSON object a line."""

import json
import os
from typing import IO, Any


class EventWriter:
    """Tells the parent what happens, one JSON object a line."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.messages: list[str] = []

    def worker(self, stage: str) -> None:
        """A process of its own begins a stage."""
        self._tell(kind="worker", stage=stage, pid=os.getpid())

    def phase(self, name: str) -> None:
        """A phase begins."""
        self._tell(kind="phase", phase=name)

    def entered(self, name: str) -> None:
        """The clock charges a phase from now on; finer than `phase`, and met again and again."""
        self._tell(kind="entered", phase=name)

    def step(self, *, step: int, steps: int, epoch: int, loss: float, seconds: float) -> None:
        """One optimiser step is done."""
        self._tell(kind="step", step=step, steps=steps, epoch=epoch, loss=loss, seconds=seconds)

    def say(self, message: str) -> None:
        """Something happened that a reader of the result must know."""
        self.messages.append(message)
        self._tell(kind="say", message=message)

    def _tell(self, **event: Any) -> None:
        self._stream.write(json.dumps(event) + "\n")
        self._stream.flush()
