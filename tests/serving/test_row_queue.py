"""The queue in front of the model: no row is lost, and one that nobody waits for is left out."""

import threading
import time

import pytest

from showdown.core.errors import UserError
from showdown.serving.limits import Limits
from showdown.serving.queue import Closed, Full, RowQueue


def queue(*, most_rows: int = 8, pads: bool = False, **limits: float) -> RowQueue:
    return RowQueue(Limits(**{"rows": 4, **limits}), most_rows=most_rows, pads=pads)  # type: ignore[arg-type]


def texts(waiting: RowQueue) -> list[str]:
    return [row.text for row in waiting.take() or []]


def test_rows_of_several_requests_go_together_and_answers_go_back() -> None:
    waiting = queue()
    first, second = waiting.put(["a", "b"], [1, 1]), waiting.put(["c"], [1])
    batch = waiting.take()
    assert batch is not None
    assert [row.text for row in batch] == ["a", "b", "c"]
    for row in reversed(batch):
        assert not first.future.done()
        row.answer(row.text.upper())
    assert (first.future.result(0), second.future.result(0)) == (["A", "B"], ["C"])


def test_a_request_is_taken_whole_or_refused_whole() -> None:
    waiting = queue(queue_rows=4)
    waiting.put(["a", "b", "c"], [1, 1, 1])
    with pytest.raises(Full, match="try again in 1 s"):
        waiting.put(["d", "e"], [1, 1])
    assert len(waiting) == 3
    waiting.put(["d"], [1])
    assert texts(waiting) == ["a", "b", "c", "d"]


def test_a_refused_request_is_told_when_the_queue_will_be_empty() -> None:
    waiting = queue(queue_rows=4)
    waiting.put(["a", "b", "c", "d"], [1] * 4)
    waiting.answered(1, 2.0)
    with pytest.raises(Full) as full:
        waiting.put(["e"], [1])
    assert full.value.retry_seconds == 8
    waiting.answered(1, 1e6)
    for _ in range(20):
        waiting.answered(1, 1e6)
    with pytest.raises(Full) as full:
        waiting.put(["e"], [1])
    assert full.value.retry_seconds == 60


def test_rows_that_nobody_waits_for_are_left_out() -> None:
    waiting = queue(queue_rows=4)
    gone = waiting.put(["a", "b", "c", "d"], [1] * 4)
    gone.given_up = True
    waiting.put(["e"], [1])
    assert texts(waiting) == ["e"]
    assert len(waiting) == 0


def test_an_answer_that_comes_too_late_does_no_harm() -> None:
    waiting = queue()
    asked = waiting.put(["a"], [1])
    (row,) = waiting.take() or []
    asked.future.cancel()
    row.answer("A")
    assert asked.future.cancelled()


def test_after_its_end_the_queue_gives_what_it_has_and_takes_nothing() -> None:
    waiting = queue(wait_ms=60_000)
    waiting.put(["a"], [1])
    waiting.close()
    with pytest.raises(Closed):
        waiting.put(["b"], [1])
    assert texts(waiting) == ["a"]
    assert waiting.take() is None


def test_a_row_waits_for_others_but_not_where_a_batch_is_full() -> None:
    waiting = queue(wait_ms=60_000, most_rows=2)
    found: list[list[str]] = []
    thread = threading.Thread(target=lambda: found.append(texts(waiting)))
    thread.start()
    waiting.put(["a"], [1])
    time.sleep(0.05)
    assert not found
    waiting.put(["b"], [1])
    thread.join(10)
    assert found == [["a", "b"]]


def test_a_row_waits_no_longer_than_the_limit_says() -> None:
    waiting = queue(wait_ms=30)
    began = time.monotonic()
    waiting.put(["a"], [1])
    assert texts(waiting) == ["a"]
    assert time.monotonic() - began >= 0.03


@pytest.mark.parametrize("name", ["rows", "characters", "body_bytes", "queue_rows", "timeout_seconds", "batch_tokens"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"the limit `{name}` is 0; give a number above 0"):
        Limits(**{name: 0})
    for value in (-1, float("nan"), float("inf")):
        with pytest.raises(UserError, match=f"the limit `{name}`"):
            Limits(**{name: value})


def test_a_queue_must_hold_the_largest_request() -> None:
    with pytest.raises(UserError, match="a request may have 9 rows, but only 8 may wait"):
        Limits(rows=9, queue_rows=8)
    assert Limits(wait_ms=0).wait_ms == 0
