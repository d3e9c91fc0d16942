"""Preparation of a comparison in a process of its own, whose end frees the memory of its libraries and rows.

A comparison's own process waits while workers train. The libraries and rows that preparation needs (torch,
transformers, scikit-learn, 0.4 GB and more) would stay in its memory all the time, and when memory is short the kernel
kills the largest process.
"""

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Generator
from types import TracebackType
from typing import IO, NoReturn, Self, TypeVar

from showdown.core.errors import UserError
from showdown.core.strict import Strict
from showdown.measure.limits import memory_kills, raise_chance_to_be_killed
from showdown.runner.worker.fork_server import end_with

Result = TypeVar("Result", bound=Strict)

_OUT_OF_MEMORY = "out of memory while the data was prepared, before any run; give it more memory, or fewer rows"


class PreparationProcess:
    """Steps of work, each done when its result is requested: in a fork, or in this process.

    There is no fork where this process has imported torch already, as in a notebook that has trained: it would save
    nothing. Nor is there one where this process has several threads: a lock that another thread holds would stay held.
    """

    def __init__(self, steps: Generator[Strict]) -> None:
        self._steps = steps
        self._child: int | None = None
        self._begun = False
        self._kills_before = memory_kills()
        if sys.platform == "linux" and "torch" not in sys.modules and threading.active_count() == 1:
            self._fork()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the fork, also in the middle of a step."""
        self.end()

    def end(self) -> None:
        """Free all that the steps hold; no more steps can be done."""
        self._steps.close()
        if self._child is not None:
            os.kill(self._child, signal.SIGKILL)
            self._reap()

    def begin(self) -> None:
        """Let the fork do the next step meanwhile; without a fork it is done when its result is requested."""
        if self._child is not None and not self._begun:
            self._requests.write("\n")
            self._requests.flush()
            self._begun = True

    def result(self, kind: type[Result]) -> Result:
        """Do the next step, or wait for it where it has begun, and return what it yields.

        Args:
            kind: its type.

        Raises:
            UserError: where the step raises it, or ran out of memory.

        """
        if self._child is None:
            found = next(self._steps)
            assert isinstance(found, kind)
            return found
        self.begin()
        self._begun = False
        line = self._answers.readline()
        if not line.endswith("\n"):
            self._raise_for_exit(self._reap())
        answer = json.loads(line)
        if "refused" in answer:
            raise UserError(answer["refused"])
        return kind.model_validate_json(answer["result"])

    def _fork(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        (read_request, write_request), (read_answer, write_answer) = os.pipe(), os.pipe()
        parent = os.getpid()
        self._child = os.fork()
        if self._child == 0:
            os.close(write_request)
            os.close(read_answer)
            end_with(parent)
            raise_chance_to_be_killed()
            _serve(self._steps, os.fdopen(read_request), os.fdopen(write_answer, "w"))
        os.close(read_request)
        os.close(write_answer)
        self._requests, self._answers = os.fdopen(write_request, "w"), os.fdopen(read_answer)

    def _reap(self) -> int:
        assert self._child is not None
        child, self._child = self._child, None
        _, status = os.waitpid(child, 0)
        for stream in (self._requests, self._answers):
            stream.close()
        return os.waitstatus_to_exitcode(status)

    def _raise_for_exit(self, code: int) -> NoReturn:
        kills = memory_kills()
        if code == -signal.SIGKILL and (kills is None or kills != self._kills_before):
            raise UserError(_OUT_OF_MEMORY)
        raise RuntimeError(f"the process that prepares the data ended with code {code}")


def _serve(steps: Generator[Strict], requests: IO[str], answers: IO[str]) -> NoReturn:
    """Do a step for each line, and end with the last one; Ctrl-C and SIGHUP are left to the parent."""
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for _ in requests:
            answers.write(json.dumps(_answer(steps)) + "\n")
            answers.flush()
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # the parent's own clean-up is not the fork's


def _answer(steps: Generator[Strict]) -> dict[str, str]:
    try:
        return {"result": next(steps).model_dump_json()}
    except UserError as error:
        return {"refused": str(error)}
    except MemoryError:
        return {"refused": _OUT_OF_MEMORY}
