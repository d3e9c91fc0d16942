"""One stage by a fork server of this machine, with its trace in the run's folder while it goes."""

from showdown.core.events import Listener
from showdown.measure.system import stage_meter
from showdown.runner.stage_trace import leave_trace, remove_trace
from showdown.runner.worker.results import stage_outcome
from showdown.runner.worker.server_process import ServerProcess
from showdown.runner.worker.task import WorkerTask
from showdown.stages.results import StageError


def carry_out(server: ServerProcess, task: WorkerTask, listen: Listener, *, on_gpu: bool) -> StageError | None:
    """Have a stage done, and return its outcome: None when it finished, what went wrong otherwise.

    Args:
        server: does it.
        task: the stage.
        listen: gets its events; what it raises leaves the stage running.
        on_gpu: whether the stage needs the GPU, whose memory the trace then names.

    """
    meter = stage_meter(task.device) if on_gpu else None
    started = leave_trace(task.folder, meter.total_gb() if meter else None)
    outcome: StageError | None = None
    try:
        outcome = stage_outcome(server.run(task, listen), task.folder, started)
        return outcome
    finally:
        if outcome is None or outcome.status != "out-of-memory":
            remove_trace(task.folder)
