"""A step's rows are divided among the processes that train together, and checkpoints hold their parts."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from showdown.engine.parallel.group import Group
from showdown.training.batches import micro_batches, shared_micro_batches
from showdown.training.checkpoint import State, load_state, save_state

LENGTHS = [9, 3, 7, 1, 5, 5, 8, 2, 6, 4]


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_each_row_has_one_place_and_all_make_the_same_number_of_passes(processes: int) -> None:
    shares = shared_micro_batches(range(10), LENGTHS, 2, processes=processes)
    assert len(shares) == processes
    assert len({len(batches) for batches in shares}) == 1
    assert sorted(row for batches in shares for batch in batches for row in batch) == list(range(10))
    assert max(len(batch) for batches in shares for batch in batches) <= 2


def test_one_process_makes_the_passes_that_it_always_made() -> None:
    assert shared_micro_batches(range(10), LENGTHS, 3, 12, processes=1) == [micro_batches(range(10), LENGTHS, 3, 12)]


def test_processes_get_like_numbers_of_tokens() -> None:
    shares = shared_micro_batches(range(10), LENGTHS, 8, processes=2)
    tokens = [sum(LENGTHS[row] for batch in batches for row in batch) for batches in shares]
    assert max(tokens) - min(tokens) <= 1


def test_no_row_too_many_makes_a_pass_of_its_own() -> None:
    """One long row weighs as much as three short ones, but three do not fit a pass."""
    assert shared_micro_batches(range(4), [10, 3, 3, 3], 2, processes=2) == [[[0, 3]], [[1, 2]]]


def test_a_process_without_rows_makes_empty_passes() -> None:
    assert shared_micro_batches([3], LENGTHS, 2, processes=3) == [[[3]], [[]], [[]]]


class Alone(Group):
    """One of several processes, which meets no other; a leader has the others do their work when it waits."""

    def __init__(self, rank: int, size: int, others: Callable[[], None] | None = None) -> None:
        super().__init__(rank, size)
        self.others = others

    def wait(self) -> None:
        if self.others:
            self.others, others = None, self.others
            others()


def written_by(folder: Path, whole: torch.Tensor, processes: int) -> None:
    """A checkpoint of a tensor in parts, of one that each process has, and of numbers of each."""
    parts = torch.chunk(whole, processes)

    def state(rank: int) -> State:
        tensors = {"same": torch.arange(3.0), "random": torch.tensor([float(rank)])}
        tensors |= {"part": parts[rank]} if rank < len(parts) else {}
        return State(
            tensors=tensors, facts={"step": 7}, parts=frozenset({"part"} if processes > 1 else ()),
            own=frozenset({"random"}),
        )  # fmt: skip

    def others() -> None:
        for rank in range(1, processes):
            save_state(folder, state(rank), Alone(rank, processes))

    save_state(folder, state(0), Alone(0, processes, others))


@pytest.mark.parametrize("writers", [1, 2, 3])
@pytest.mark.parametrize("readers", [1, 2, 4])
def test_any_number_of_processes_reads_what_any_other_wrote(tmp_path: Path, writers: int, readers: int) -> None:
    whole = torch.arange(35.0).view(7, 5)
    written_by(tmp_path / "state", whole, writers)
    divided = frozenset({"part"} if readers > 1 else ())
    read = [load_state(tmp_path / "state", divided=divided, group=Alone(rank, readers)) for rank in range(readers)]
    expected = torch.chunk(whole, readers)
    for rank, state in enumerate(read):
        if rank < len(expected):
            assert torch.equal(state.tensors["part"], expected[rank])
        assert torch.equal(state.tensors["same"], torch.arange(3.0))
        assert state.facts == {"step": 7}
        assert state.processes == writers
        assert float(state.tensors["random"]) == (rank if rank < writers else 0)


def test_a_process_beyond_the_last_row_has_no_part(tmp_path: Path) -> None:
    written_by(tmp_path / "state", torch.arange(10.0).view(2, 5), 1)
    state = load_state(tmp_path / "state", divided=frozenset({"part"}), group=Alone(3, 4))
    assert "part" not in state.tensors
