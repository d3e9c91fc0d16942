"""The thread of the model: a row that cannot be answered fails alone, and no text reaches the log."""

import logging
import threading

import pytest

from serving.serving_models import SECRET, Lengths, label_model
from showdown.serving.asked import Unanswered
from showdown.serving.labels import ServedModel
from showdown.serving.limits import Limits
from showdown.serving.metrics import Metrics
from showdown.serving.queue import RowQueue
from showdown.serving.worker import Worker


class Bench:
    """A worker with a model of its own."""

    def __init__(self) -> None:
        self.lengths = Lengths()
        self.queue = RowQueue(Limits(), most_rows=64, pads=False)
        self.metrics = Metrics({"name": "lengths"}, lambda: 0)
        self.worker = Worker(ServedModel(label_model(self.lengths), None), self.queue, self.metrics)
        self.broken = threading.Event()

    def start(self) -> None:
        self.worker.start(self.broken.set)

    def page(self) -> str:
        return self.metrics.page().decode()


def test_one_thread_asks_the_model_and_batches_what_came_meanwhile() -> None:
    bench = Bench()
    bench.lengths.may_go_on.clear()
    first = bench.queue.put(["a"], [1])
    bench.start()
    assert bench.lengths.is_asked.wait(10)
    others = [bench.queue.put([text], [1]) for text in ("bb", "ccc", "dddd")]
    bench.lengths.may_go_on.set()
    found = [asked.future.result(10)[0] for asked in (first, *others)]
    assert [one.label for one in found] == ["b", "c", "a", "b"]  # type: ignore[attr-defined]
    bench.worker.finish(10)
    assert bench.lengths.batches == [["a"], ["bb", "ccc", "dddd"]]
    assert len(bench.lengths.threads) == 1
    assert threading.get_ident() not in bench.lengths.threads
    assert 'showdown_batch_rows_bucket{le="4.0"} 2.0' in bench.page()
    assert "showdown_batch_rows_sum 4.0" in bench.page()


def test_a_row_that_cannot_be_answered_fails_alone_and_is_not_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    asked = bench.queue.put(["a", "bb", f"fails {SECRET}", "dddd", "eeeee"], [1] * 5)
    with caplog.at_level(logging.DEBUG):
        bench.start()
        found = asked.future.result(10)
        bench.worker.finish(10)
    assert [isinstance(one, Unanswered) for one in found] == [False, False, True, False, False]
    assert str(found[2]) == "could not be answered by the model (RuntimeError)"
    assert "RuntimeError in" in caplog.text
    assert SECRET not in caplog.text
    assert "showdown_failed_rows_total 1.0" in bench.page()
    assert not bench.broken.is_set()


def test_a_model_that_answers_nothing_any_more_is_reported_once() -> None:
    bench = Bench()
    bench.start()
    assert bench.worker.alive
    bench.lengths.broken = True
    found = bench.queue.put(["a", "bb"], [1, 1]).future.result(10)
    assert all(isinstance(one, Unanswered) and one.fault for one in found)
    assert bench.broken.wait(10)
    assert not bench.worker.alive
    bench.worker.finish(10)


def test_the_end_waits_for_the_rows_that_were_taken() -> None:
    bench = Bench()
    bench.lengths.may_go_on.clear()
    asked = bench.queue.put(["a", "bb"], [5000, 5000])
    bench.start()
    assert bench.lengths.is_asked.wait(10)
    threading.Timer(0.05, bench.lengths.may_go_on.set).start()
    bench.worker.finish(10)
    assert len(asked.future.result(0)) == 2
    assert not bench.worker.alive
    assert bench.lengths.batches == [["a"], ["bb"]]
