"""A benchmark's cases run in processes of their own, one at a time on each GPU."""

import os
import time
from itertools import pairwise
from typing import Any

from benchmarks.lib.processes import in_a_process, on_each_gpu


def seen(number: int) -> dict[str, Any]:
    """What a case sees."""
    began = time.monotonic()
    time.sleep(0.2)
    if number == 2:
        raise ValueError("no such case")
    return {"gpu": os.environ["CUDA_VISIBLE_DEVICES"], "began": began, "over": time.monotonic()}


def test_each_gpu_has_one_case_at_a_time_and_a_case_that_fails_says_why() -> None:
    found = dict(on_each_gpu(seen, [(number,) for number in range(5)], ["3", "7"], device="cpu", start="fork"))
    assert found.pop(2)["error"] == "ValueError: no such case"
    assert sorted(found) == [0, 1, 3, 4]
    assert {one["gpu"] for one in found.values()} == {"3", "7"}
    for gpu in ("3", "7"):
        own = sorted((one["began"], one["over"]) for one in found.values() if one["gpu"] == gpu)
        assert all(over <= began for (_, over), (began, _) in pairwise(own))


def never(seconds: float) -> dict[str, Any]:
    """A case that takes too long."""
    time.sleep(seconds)
    return {}


def test_a_case_that_takes_too_long_is_ended() -> None:
    assert in_a_process(never, (60.0,), device="cpu", start="fork", seconds=0.3) == {"error": "ended after 0.3 s"}
