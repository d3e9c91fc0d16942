"""Starting a stage in a process of its own and listening to it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from showdown.runner.stages import StageError, StageName

_GRACE_SECONDS = 5.0
_QUIET_ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "PYTHONUNBUFFERED": "1",
    "BITSANDBYTES_NOWELCOME": "1",
}

Listener = Callable[[dict[str, Any]], None]


def run_stage(
    stage: StageName, folder: Path, processed: Path, *, lock: int, listen: Listener
) -> StageError | None:
    """Run a stage to its end.

    Args:
        stage: which.
        folder: the run's folder.
        processed: folder of the processed rows.
        lock: descriptor of the comparison's lock, which the worker holds too, so that an orphan keeps it.
        listen: is given each event.

    Returns:
        None when the stage finished; what went wrong otherwise.

    """
    (folder / "error.json").unlink(missing_ok=True)
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "showdown.runner.worker", stage, str(folder), str(processed)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **_QUIET_ENVIRONMENT},
            pass_fds=(lock,),
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends the worker
        )
        try:
            _listen(process, listen)
        finally:
            _end(process)
    return _verdict(process.returncode, folder)


def _listen(process: "subprocess.Popen[bytes]", listen: Listener) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # a last line cut short by a kill
        listen(event)
    process.wait()


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _verdict(returncode: int, folder: Path) -> StageError | None:
    if returncode == 0:
        return None
    try:
        return StageError.model_validate_json((folder / "error.json").read_bytes())
    except (OSError, ValueError):
        pass
    if returncode < 0:
        name = signal.Signals(-returncode).name
        hint = " (the system's out-of-memory killer, or a person)" if -returncode == signal.SIGKILL else ""
        return StageError(status="failed", error=f"the process was ended by {name}{hint}; see {folder / 'log.txt'}")
    return StageError(status="failed", error=f"the process ended with code {returncode}; see {folder / 'log.txt'}")
