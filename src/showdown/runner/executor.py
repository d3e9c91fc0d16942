"""Starting stages in processes of their own and listening to them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from showdown.core.files import open_to_append, read_file
from showdown.runner.stage_trace import Started, ended_for_memory, leave_trace, remove_trace
from showdown.stages.results import StageError, StageName

_GRACE_SECONDS = 5.0
_QUIET_ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "PYTHONUNBUFFERED": "1",
    "BITSANDBYTES_NOWELCOME": "1",
}

Listener = Callable[[dict[str, Any]], None]


class LocalExecutor:
    """Runs one stage at a time, each in a fresh process forked from a server that holds the libraries.

    The server starts with the first stage, and again should it die.
    """

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the server and the worker that may be running."""
        self._end()

    def run_stage(
        self, stage: StageName, folder: Path, processed: Path, listen: Listener, base: str | None = None
    ) -> StageError | None:
        """Run a stage to its end.

        Args:
            stage: which.
            folder: the run's folder.
            processed: folder of the processed rows.
            listen: is given each event.
            base: names the pretrained network that this training shares with others: those that follow each other with
                the same name go through one process. None for a process of its own.

        Returns:
            None when the stage finished; what went wrong otherwise.

        """
        started = leave_trace(folder)
        error: StageError | None = None
        try:
            error = verdict(self._exit_code(stage, folder, processed, listen, base), folder, started)
            return error
        finally:
            if error is None or error.status != "out-of-memory":
                remove_trace(folder)

    def _exit_code(self, stage: StageName, folder: Path, processed: Path, listen: Listener, base: str | None) -> int:
        """Have a stage done, listen to it, and return the exit code of its process; of the server if that is gone."""
        (folder / "error.json").unlink(missing_ok=True)
        server = self._started(folder)
        assert server.stdin is not None and server.stdout is not None
        request = json.dumps([stage, str(folder.resolve()), str(processed.resolve()), base])
        server.stdin.write(request.encode() + b"\n")
        server.stdin.flush()
        for line in server.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a worker's last line, cut short by its end
            if event["kind"] == "exit":
                return int(event["code"])
            listen(event)
        code = server.wait()
        self._end()
        return code or 1

    def _started(self, folder: Path) -> "subprocess.Popen[bytes]":
        if self._server is None:
            with os.fdopen(open_to_append(folder / "log.txt"), "ab") as log:
                self._server = subprocess.Popen(
                    # -P: no module is taken from the folder where the command is typed
                    [sys.executable, "-P", "-m", "showdown.runner.worker.fork_server", str(os.getpid())],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**os.environ, **_QUIET_ENVIRONMENT},
                    pass_fds=(self._lock,),  # an orphan keeps the comparison's lock until it is gone
                    start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends the rest
                )
        return self._server

    def _end(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(server.pid, signal_number)
                server.wait(_GRACE_SECONDS)
                break
            except ProcessLookupError:
                server.wait()
                break
            except subprocess.TimeoutExpired:
                continue
        for stream in (server.stdin, server.stdout):
            if stream is not None:
                stream.close()


def verdict(returncode: int, folder: Path, started: Started | None = None) -> StageError | None:
    """Return what went wrong in a stage, or None.

    Args:
        returncode: of its process; negative for a signal.
        folder: the run's, with its `error.json` where the process could say why.
        started: what the system said when the stage began.

    """
    if returncode == 0:
        return None
    try:
        return StageError.model_validate_json(read_file(folder / "error.json"))
    except (OSError, ValueError):
        pass
    log = folder / "log.txt"
    if returncode == -signal.SIGKILL:
        why = started and ended_for_memory(folder, started)
        if why:
            return StageError(status="out-of-memory", error=f"the process was {why}")
        said = "the process was ended by SIGKILL (the system's out-of-memory killer, or a person)"
        return StageError(status="failed", error=f"{said}; see {log}")
    if returncode < 0:
        return StageError(
            status="failed", error=f"the process was ended by {signal.Signals(-returncode).name}; see {log}"
        )
    return StageError(status="failed", error=f"the process ended with code {returncode}; see {log}")
