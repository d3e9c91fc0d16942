"""How a stage ended: from the exit code of its process and what lies in the run's folder."""

import signal
from pathlib import Path

from showdown.core.files import read_file
from showdown.runner.stage_trace import Started, ended_for_memory
from showdown.stages.results import StageError

ERROR_FILE = "error.json"
LOG_FILE = "log.txt"


def stage_outcome(exit_code: int, folder: Path, started: Started | None = None) -> StageError | None:
    """Return what went wrong in a stage; None where nothing did.

    Args:
        exit_code: of its process; negative for a signal.
        folder: the run's, with its `error.json` where the process could write one.
        started: the trace of the stage's start.

    """
    if exit_code == 0:
        return None
    try:
        return StageError.model_validate_json(read_file(folder / ERROR_FILE))
    except (OSError, ValueError):
        pass
    log = folder / LOG_FILE
    if exit_code == -signal.SIGKILL:
        why = started and ended_for_memory(folder, started)
        if why:
            return StageError(status="out-of-memory", error=f"the process was {why}")
        ended = "the process was ended by SIGKILL (the system's out-of-memory killer, or a person)"
        return StageError(status="failed", error=f"{ended}; see {log}")
    if exit_code < 0:
        return StageError(
            status="failed", error=f"the process was ended by {signal.Signals(-exit_code).name}; see {log}"
        )
    return StageError(status="failed", error=f"the process ended with code {exit_code}; see {log}")
