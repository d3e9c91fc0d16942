"""Memory reserved ahead of training: as much as is missing, in one piece, and nothing where it is there already."""

import pytest
import torch

from showdown.engine import allocator
from showdown.engine.allocator import reserve_memory

GB = 10**9


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A GPU on which 2 GB are allocated and 3 GB reserved; what is taken of it."""
    found: list[int] = []
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 2 * GB)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 3 * GB)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(allocator.torch, "empty", lambda count, **_: found.append(count))
    return found


def test_what_is_missing_is_taken(taken: list[int]) -> None:
    reserve_memory(10.0)
    assert taken == [8 * GB]


@pytest.mark.parametrize("peak_gb", [1.0, 2.5, 3.0])
def test_nothing_is_taken_where_it_is_there(taken: list[int], peak_gb: float) -> None:
    reserve_memory(peak_gb)
    assert taken == []


@pytest.mark.usefixtures("taken")
def test_a_gpu_that_has_less_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(count: int, **_: object) -> None:
        asked.append(count)
        raise torch.OutOfMemoryError

    monkeypatch.setattr(allocator.torch, "empty", refuse)
    reserve_memory(500.0)
    assert asked == [498 * GB]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_growing_sizes_leave_no_gaps() -> None:
    torch.cuda.empty_cache()
    held = torch.cuda.memory_reserved()
    reserve_memory(torch.cuda.memory_allocated() / GB + 1.0)
    for number in range(1, 9):
        pieces = [torch.empty(number * 15 * 2**20, dtype=torch.uint8, device="cuda") for _ in range(7)]
        assert len(pieces) == 7
        del pieces
    assert torch.cuda.memory_reserved() - held < 1.05 * GB
