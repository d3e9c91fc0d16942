"""Hand entries to trackers, each in a separate process with a time limit. A failure prints one line and ends no run.

The tracker's folder records the digest of each written entry. No entry is written twice, and the next call writes those
that were interrupted or failed.
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

TIMEOUT_SECONDS = 90.0
"""Time limit of one call of a tracker. The slowest takes seven seconds to create its database, and a second a run."""
_TIMEOUT_SECONDS_PER_ENTRY = 10.0
_DIGESTS = "written.json"
_LOG = "log.txt"
_ENVIRONMENT_KEPT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "LANG", "LC_ALL", "TMPDIR", "TZ")
"""Environment variables of the writing process: none names an account, a token or a server."""


class Mirror:
    """One tracker's copy of one comparison. After a failure it writes nothing until the next call of the command."""

    def __init__(self, name: str, output: Path, project: str, report: Callable[[str], None]) -> None:
        """Prepare a mirror.

        Args:
            name: a key of `TRACKERS`.
            output: the comparison's folder.
            project: name of the comparison.
            report: called with one line when something fails.

        """
        self.name = name
        self._folder = output / FOLDER / name
        self._project = project
        self._report = report
        self._failed = False

    def write(self, entries: Sequence[Entry]) -> None:
        """Write the entries that the tracker does not have yet. Errors are reported, not raised."""
        if self._failed:
            return
        try:
            self._write(entries)
        except Exception as error:
            self._failed = True
            self._report(f"{self.name}: not tracked ({_first_line(error)}); the run itself is not affected")

    def _write(self, entries: Sequence[Entry]) -> None:
        written = self._written_digests()
        digests = {entry.key: _digest(entry) for entry in entries}
        waiting = [entry for entry in entries if written.get(entry.key) != digests[entry.key]]
        if not waiting:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        output = self._run_writer(waiting)
        done = [key for key in output.splitlines() if key in digests]
        write_json(self._folder / _DIGESTS, {**written, **{key: digests[key] for key in done}})
        if len(done) < len(waiting):
            raise RuntimeError(self._last_log_line())
        (self._folder / _LOG).unlink(missing_ok=True)

    def _written_digests(self) -> dict[str, str]:
        try:
            found = json.loads((self._folder / _DIGESTS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _run_writer(self, entries: Sequence[Entry]) -> str:
        """Run the writing process, and return its output: the key of each entry that it wrote.

        Raises:
            TimeoutError: when it takes too long; it is then killed.

        """
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
            output, _ = process.communicate(lines, TIMEOUT_SECONDS + _TIMEOUT_SECONDS_PER_ENTRY * len(entries))
        except subprocess.TimeoutExpired as late:
            raise TimeoutError(f"no answer in {late.timeout:g} s") from late
        finally:
            _end(process)
        return output

    def _last_log_line(self) -> str:
        try:
            lines = (self._folder / _LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return f"{lines[-1][:200] if lines else 'its process ended early'}; see {self._folder / _LOG}"


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT_KEPT if name in os.environ}
    quiet = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    quiet |= {"WANDB_MODE": "offline", "WANDB_ERROR_REPORTING": "false", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return {**kept, **quiet}


def _end(process: "subprocess.Popen[str]") -> None:
    """Kill a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None and not stream.closed:
            stream.close()


def _digest(entry: Entry) -> str:
    return hashlib.sha256(entry.model_dump_json().encode()).hexdigest()


def _first_line(error: Exception) -> str:
    message = str(error) or type(error).__name__
    return message.splitlines()[0][:300]
