"""The thread that owns the model: nothing else ever calls it."""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Sequence

from showdown.serving.asked import Row, Unanswered
from showdown.serving.metrics import Metrics
from showdown.serving.queue import RowQueue
from showdown.serving.served import Served

_LOG = logging.getLogger("showdown.serving")


class Worker:
    """Answers the rows of a queue, a batch at a time."""

    def __init__(self, served: Served, queue: RowQueue, metrics: Metrics) -> None:
        """Prepare.

        Args:
            served: the model.
            queue: of its rows.
            metrics: are told of every batch.

        """
        self._served, self._queue, self._metrics = served, queue, metrics
        self._broken: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="showdown-model", daemon=True)
        self._known_broken = False

    def start(self, broken: Callable[[], None]) -> None:
        """Begin to answer.

        Args:
            broken: called once where the model cannot answer any more, from the worker's thread.

        """
        self._broken = broken
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether rows are answered."""
        return self._thread.is_alive() and not self._known_broken

    def finish(self, seconds: float) -> None:
        """Take no more rows, and wait for the answers to those that are there, at most so many seconds."""
        self._queue.close()
        self._thread.join(seconds)

    def _run(self) -> None:
        while (rows := self._queue.take()) is not None:
            began = time.monotonic()
            self._answer(rows)
            seconds = time.monotonic() - began
            self._queue.answered(len(rows), seconds)
            self._metrics.batch(rows=len(rows), tokens=sum(row.tokens for row in rows), seconds=seconds)

    def _answer(self, rows: Sequence[Row]) -> None:
        """Answer rows together; where that fails, in halves, so that a row that cannot be answered fails alone."""
        try:
            found = self._served.answer([row.text for row in rows])
        except Exception as error:  # a request has an answer, whatever the model meets
            if len(rows) > 1:
                middle = len(rows) // 2
                self._answer(rows[:middle])
                self._answer(rows[middle:])
                return
            found = [self._failed(error)]
        for row, one in zip(rows, found, strict=True):
            row.answer(one)

    def _failed(self, error: Exception) -> Unanswered:
        """Write down what failed, without its message, which may quote the text; find out whether all will fail."""
        cause = error.__cause__ or error
        kind = type(cause).__name__
        places = [f"{frame.filename}, line {frame.lineno}" for frame in traceback.extract_tb(cause.__traceback__)[-1:]]
        _LOG.error("the model could not answer a row: %s in %s", kind, *(places or ["an unknown place"]))
        self._metrics.failed()
        if not self._known_broken and not self._still_answers():
            self._known_broken = True
            _LOG.error("the model cannot answer any text any more")
            self._broken()
        return Unanswered(f"could not be answered by the model ({kind})", fault=True)

    def _still_answers(self) -> bool:
        try:
            self._served.warm_up()
        except Exception:
            return False
        return True
