"""Writing down how far a run is, for whoever watches it from another process."""

import json
import time
from pathlib import Path
from typing import Any

from showdown.core.errors import UserError
from showdown.core.files import append_line
from showdown.core.progress import PROGRESS_FILE, Moment
from showdown.runner.process import Listener

_EVERY_SECONDS = 1.0
_TELLING = frozenset({"worker", "phase", "step"})


def moment_after(before: Moment | None, event: dict[str, Any]) -> Moment | None:
    """Return a run's moment after an event of its worker; the same one where the event changes nothing."""
    if event["kind"] == "worker":
        return Moment(stage=event["stage"], phase=None)
    if before is None:
        return None
    if event["kind"] == "phase":
        return Moment(stage=before.stage, phase=event["phase"])
    if event["kind"] == "step":
        return Moment(
            stage=before.stage,
            phase=before.phase,
            step=event["step"],
            steps=event["steps"],
            epoch=event["epoch"],
            loss=event["loss"],
            train_seconds=event["seconds"],
        )
    return before


class ProgressLog:
    """Appends a run's moments to its `progress.jsonl`, at most one a second, and passes events on."""

    def __init__(self, folder: Path, listen: Listener) -> None:
        self._path = folder / PROGRESS_FILE
        self._listen = listen
        self._now: Moment | None = None
        self._written: Moment | None = None
        self._written_at = 0.0
        self._broken = False

    def hear(self, event: dict[str, Any]) -> None:
        """Take in what the worker tells, and pass it on."""
        if event["kind"] in _TELLING:  # other events may come from another thread
            self._now = moment_after(self._now, event)
            if self._now and not self._broken and self._is_due(self._now):
                self._write(self._now)
        self._listen(event)

    def _is_due(self, now: Moment) -> bool:
        """Tell a change of phase and the last step at once, other steps once a second."""
        written = self._written
        if written is None or (now.stage, now.phase) != (written.stage, written.phase):
            return True
        return now.step == now.steps or time.monotonic() - self._written_at >= _EVERY_SECONDS

    def _write(self, now: Moment) -> None:
        self._written, self._written_at = now, time.monotonic()
        try:
            append_line(self._path, json.dumps(now.model_dump()))
        except (UserError, OSError):
            self._broken = True  # whoever watches sees less; the run is not touched
