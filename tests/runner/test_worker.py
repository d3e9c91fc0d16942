"""A worker whose comparison is gone ends, even while it has nothing to tell."""

import os
import select
import signal
import time

import pytest

from showdown.runner.worker.entry import watch_over


@pytest.mark.parametrize("gone", ["nobody", "own stream", "listener", "parent"])
def test_a_worker_ends_when_its_comparison_is_gone(gone: str) -> None:
    """Else a killed comparison's worker would hold the folder's lock until its stage is over."""
    listening, telling = os.pipe()
    alive, living = os.pipe()  # the worker alone holds `living`: its end is the end of `alive`
    server = os.fork()
    if server == 0:
        os.close(listening)
        worker = os.fork()
        if worker == 0:
            with os.fdopen(telling, "w") as events:
                watch_over(events)
                if gone == "own stream":
                    events.close()  # what the worker closes itself ends nobody
                time.sleep(60)
            os._exit(0)
        os.close(living)
        os.waitpid(worker, 0)
        os._exit(0)
    os.close(telling)
    os.close(living)
    try:
        assert not select.select([alive], [], [], 0.7)[0]  # lives as long as the others do
        if gone == "listener":
            os.close(listening)
        elif gone == "parent":
            os.kill(server, signal.SIGKILL)
        ended = bool(select.select([alive], [], [], 3.0)[0])
        assert ended == (gone in ("listener", "parent"))
    finally:
        if gone != "listener":
            os.close(listening)
        os.waitpid(server, 0)
