"""What a worker is to do, and how a fork server is told of it: a JSON array a line."""

import json
from dataclasses import dataclass
from pathlib import Path

from showdown.core.events import StageName


@dataclass(frozen=True, kw_only=True)
class WorkerTask:
    """One stage of one run."""

    stage: StageName
    folder: Path
    """The run's folder, with its `spec.json`; its name is the run's id."""
    data: Path
    """Folder of the processed rows."""
    base: str | None = None
    """Names the pretrained network that this stage shares with others; None for a process of its own."""
    device: str | None = None
    """The GPU of the slot, as in `CUDA_VISIBLE_DEVICES`; None where the slot leaves that variable alone."""

    alone: bool = False
    """Whether the process takes a lock of the run's folder, and leaves a stage that is whole by then as it is: on a
    cluster a process that nobody follows any more may still be at work on the same stage."""

    def line(self) -> bytes:
        """Return the task as a line, its end included."""
        parts = [self.stage, str(self.folder.resolve()), str(self.data.resolve()), self.base, self.device, self.alone]
        return json.dumps(parts).encode() + b"\n"


def read_task(line: str) -> WorkerTask:
    """Return the task of a line."""
    stage, folder, data, base, device, alone = json.loads(line)
    return WorkerTask(stage=stage, folder=Path(folder), data=Path(data), base=base, device=device, alone=alone)
