"""Handing entries to trackers: a process of its own for each, with bounded time, whose failure costs one line.

What a tracker has is remembered in its folder by the entry's digest, so that nothing is written twice, and what was
interrupted or failed is written by the next call.
"""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from showdown.core.files import write_json
from showdown.trackers.table import FOLDER
from showdown.trackers.tracker import Entry

PATIENCE_SECONDS = 90.0
"""For one call of one tracker: the slowest takes seven seconds to make its database, and a second a run."""
_PATIENCE_FOR_AN_ENTRY = 10.0
_LEDGER = "written.json"
_LOG = "log.txt"
_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "LANG", "LC_ALL", "TMPDIR", "TZ")
"""Of the environment: no account, no token, no address of a server reaches a process that writes."""


class Mirror:
    """One tracker's copy of one comparison. Once it fails it is left alone until the next call of the command."""

    def __init__(self, name: str, output: Path, project: str, say: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            name: the tracker's.
            output: the comparison's folder.
            project: name of the comparison.
            say: is given a line where something goes wrong.

        """
        self.name = name
        self._folder = output / FOLDER / name
        self._project = project
        self._say = say
        self._failed = False

    def write(self, entries: Sequence[Entry]) -> None:
        """Write the entries that the tracker does not have yet. Never raises but for Ctrl-C and its like."""
        if self._failed:
            return
        try:
            self._write(entries)
        except Exception as error:
            self._failed = True
            self._say(f"{self.name}: not tracked ({_line(error)}); the run is not touched by it")

    def _write(self, entries: Sequence[Entry]) -> None:
        written = self._ledger()
        due = {entry.key: _digest(entry) for entry in entries}
        waiting = [entry for entry in entries if written.get(entry.key) != due[entry.key]]
        if not waiting:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        said = self._carry_out(waiting)
        done = [key for key in said.splitlines() if key in due]
        write_json(self._folder / _LEDGER, {**written, **{key: due[key] for key in done}})
        if len(done) < len(waiting):
            raise RuntimeError(self._last_words())
        (self._folder / _LOG).unlink(missing_ok=True)

    def _ledger(self) -> dict[str, str]:
        try:
            found = json.loads((self._folder / _LEDGER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _carry_out(self, entries: Sequence[Entry]) -> str:
        """Start the writing process, wait for it as long as is fair, and return what it said."""
        folder = str(self._folder.resolve())
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "showdown.trackers.write", self.name, folder, self._project],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            env={**_environment(), "HOME": folder},
            start_new_session=True,
        )
        lines = "".join(entry.model_dump_json() + "\n" for entry in entries)
        try:
            said, _ = process.communicate(lines, PATIENCE_SECONDS + _PATIENCE_FOR_AN_ENTRY * len(entries))
        except subprocess.TimeoutExpired as late:
            raise TimeoutError(f"no answer in {late.timeout:g} s") from late
        finally:
            _end(process)
        return said

    def _last_words(self) -> str:
        try:
            lines = (self._folder / _LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return f"{lines[-1][:200] if lines else 'its process ended early'}; see {self._folder / _LOG}"


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    quiet = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    quiet |= {"WANDB_MODE": "offline", "WANDB_ERROR_REPORTING": "false", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return {**kept, **quiet}


def _end(process: "subprocess.Popen[str]") -> None:
    """End a process with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None and not stream.closed:
            stream.close()


def _digest(entry: Entry) -> str:
    return hashlib.sha256(entry.model_dump_json().encode()).hexdigest()


def _line(error: Exception) -> str:
    said = str(error) or type(error).__name__
    return said.splitlines()[0][:300]
