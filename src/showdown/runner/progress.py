"""Writing down how far a run is, for whoever watches it from another process."""

import json
import time
from pathlib import Path
from typing import Any

from showdown.core.errors import UserError
from showdown.core.files import append_line
from showdown.core.progress import PROGRESS_FILE, ProgressPoint, progress_after
from showdown.runner.executor import Listener

_EVERY_SECONDS = 1.0
_TELLING = frozenset({"worker", "phase", "step"})


class ProgressLog:
    """Appends a run's moments to its `progress.jsonl`, at most one a second, and passes events on."""

    def __init__(self, folder: Path, listen: Listener) -> None:
        self._path = folder / PROGRESS_FILE
        self._listen = listen
        self._now: ProgressPoint | None = None
        self._written: ProgressPoint | None = None
        self._written_at = 0.0
        self._broken = False

    def receive(self, event: dict[str, Any]) -> None:
        """Take in what the worker tells, and pass it on."""
        if event["kind"] in _TELLING:  # other events may come from another thread
            self._now = progress_after(self._now, event)
            if self._now and not self._broken and self._is_due(self._now):
                self._write(self._now)
        self._listen(event)

    def _is_due(self, now: ProgressPoint) -> bool:
        """Tell a change of phase and the last step at once, other steps once a second."""
        written = self._written
        if written is None or (now.stage, now.phase) != (written.stage, written.phase):
            return True
        return now.step == now.steps or time.monotonic() - self._written_at >= _EVERY_SECONDS

    def _write(self, now: ProgressPoint) -> None:
        self._written, self._written_at = now, time.monotonic()
        try:
            append_line(self._path, json.dumps(now.model_dump()))
        except (UserError, OSError):
            self._broken = True  # whoever watches sees less; the run is not touched
