"""The parent's handle of a fork server: started with the first stage, and again should it die."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from showdown.core.events import Listener, WorkerExited, decode
from showdown.core.files import open_to_append
from showdown.runner.worker.results import ERROR_FILE, LOG_FILE
from showdown.runner.worker.task import WorkerTask

_GRACE_SECONDS = 5.0
_QUIET_ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "PYTHONUNBUFFERED": "1",
    "BITSANDBYTES_NOWELCOME": "1",
}


class ServerProcess:
    """One fork server, which does one stage at a time. All but `end` is called from one thread."""

    def __init__(self, lock: int | None, environment: Mapping[str, str]) -> None:
        """Prepare; nothing is started yet.

        Args:
            lock: descriptor of the comparison's lock, which the server and its workers hold with it; None on another
                machine than the comparison's.
            environment: variables of the server beside those of this process.

        """
        self._lock = lock
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._changing = Lock()
        self._ended = False

    def run(self, task: WorkerTask, listen: Listener) -> int:
        """Have a stage done, and return the exit code of its process, or of the server if that is gone.

        Args:
            task: the stage.
            listen: gets each event.

        """
        (task.folder / ERROR_FILE).unlink(missing_ok=True)
        server = self.start(task.folder)
        assert server.stdin is not None and server.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # the server has just died, and its output ends
            server.stdin.write(task.line())
            server.stdin.flush()
        for line in server.stdout:
            try:
                event = decode(line)
            except ValueError:
                continue  # a worker's last line, cut short by its end
            if isinstance(event, WorkerExited):
                return event.code
            listen(event)
        code = server.wait()
        self.stop()
        return code or 1

    def start(self, folder: Path) -> "subprocess.Popen[bytes]":
        """Return the server's process, started where none lives; what it prints goes to the log in ``folder``."""
        if self._process is not None and self._process.poll() is not None:
            self.stop()
        with self._changing:
            if self._ended:
                raise RuntimeError("the executor is closed")
            if self._process is None:
                with os.fdopen(open_to_append(folder / LOG_FILE), "ab") as log:
                    self._process = subprocess.Popen(
                        # -P: no module is taken from the folder where the command is typed
                        [sys.executable, "-P", "-m", "showdown.runner.worker.fork_server", str(os.getpid())],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=log,
                        env={**os.environ, **_QUIET_ENVIRONMENT, **self._environment},
                        pass_fds=()
                        if self._lock is None
                        else (self._lock,),  # an orphan keeps the comparison's lock until it is gone
                        start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends the rest
                    )
            return self._process

    def end(self) -> None:
        """End the server and the worker that may be running, for good; may be called from any thread."""
        with self._changing:
            self._ended = True
            server = self._process
        _kill(server)

    def stop(self) -> None:
        """End the server and the worker that may be running; the next stage starts another one."""
        server, self._process = self._process, None
        _kill(server)
        for stream in (server.stdin, server.stdout) if server else ():
            if stream is not None:
                with contextlib.suppress(OSError):  # a request that nobody read
                    stream.close()


def _kill(server: "subprocess.Popen[bytes] | None") -> None:
    """End a server with all its workers, which are of its process group, also where it is dead itself."""
    if server is None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(_GRACE_SECONDS)
        except ProcessLookupError:
            server.wait()
        except subprocess.TimeoutExpired:
            continue
        return
