"""Writing a run's progress to its folder, for processes that follow it."""

import json
import time
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.events import Event, Listener, PhaseStarted, Step, WorkerStarted
from showdown.core.files import append_line
from showdown.core.progress import PROGRESS_FILE, ProgressPoint, progress_after

_EVERY_SECONDS = 1.0


class ProgressLog:
    """Appends a run's progress to its `progress.jsonl`, at most once a second, and passes events on."""

    def __init__(self, folder: Path, listen: Listener) -> None:
        self._path = folder / PROGRESS_FILE
        self._listen = listen
        self._now: ProgressPoint | None = None
        self._written: ProgressPoint | None = None
        self._written_at = 0.0
        self._broken = False

    def receive(self, event: Event) -> None:
        """Take in an event of the worker, and pass it on."""
        if isinstance(event, (WorkerStarted, PhaseStarted, Step)):  # other events may come from another thread
            self._now = progress_after(self._now, event)
            if self._now and not self._broken and self._is_due(self._now):
                self._write(self._now)
        self._listen(event)

    def _is_due(self, now: ProgressPoint) -> bool:
        """Tell whether to write now: a change of phase and the last step at once, other steps once a second."""
        written = self._written
        if written is None or (now.stage, now.phase) != (written.stage, written.phase):
            return True
        return now.step == now.steps or time.monotonic() - self._written_at >= _EVERY_SECONDS

    def _write(self, now: ProgressPoint) -> None:
        self._written, self._written_at = now, time.monotonic()
        try:
            append_line(self._path, json.dumps(now.model_dump()))
        except (UserError, OSError):
            self._broken = True  # followers see less; the run goes on
