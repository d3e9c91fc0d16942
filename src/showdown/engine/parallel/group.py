"""The processes that train one network together, one for each device, and what they tell each other.

All of them carry out the same stage. A call of a method of `Group` waits until every process of the group calls it, so
all must come to the same decisions: numbers that decide are taken from the leader (`agreed`).
"""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed

_PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: the leader may validate or write a large checkpoint meanwhile. A process
that ends takes the others along before (`runner/worker/ranks.py`)."""

Wait = Callable[[], None]
"""Waits for a message: on a GPU later work of the current stream does, on a CPU the caller."""


class Group:
    """The processes, seen by one of them. A process without others is a group of one, and its calls cost nothing."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files and reports progress."""
        return self.rank == 0

    def add_(self, tensor: torch.Tensor) -> torch.Tensor:
        """Replace a tensor by the sum of those of all processes, and return it."""
        if self.size > 1:
            distributed.all_reduce(tensor)
        return tensor

    def rows(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return this process's rows of a tensor that has a multiple of `size` rows, without a copy."""
        return tensor.chunk(self.size)[self.rank]

    def begin_adding_rows(self, tensors: Sequence[torch.Tensor]) -> Wait:
        """Begin to replace this process's rows by the sums of all processes' rows; other rows are of no use then.

        Args:
            tensors: contiguous, with a multiple of `size` rows; not to be touched until the wait is over.

        """
        pairs = [(self.rows(tensor), tensor) for tensor in tensors]
        return _begin(_named("reduce_scatter_single", "reduce_scatter_tensor"), pairs)

    def begin_gathering_rows(self, tensors: Sequence[torch.Tensor]) -> Wait:
        """Begin to replace the other processes' rows by what those have there; see `begin_adding_rows`."""
        pairs = [(tensor, self.rows(tensor)) for tensor in tensors]
        return _begin(_named("all_gather_single", "all_gather_into_tensor"), pairs)

    def largest(self, number: float) -> float:
        """Return the largest number that any process has."""
        return float(max(self.told(number)))

    def agreed(self, number: float) -> float:
        """Return the leader's number."""
        return float(self.told(number)[0])

    def told(self, value: Any) -> list[Any]:
        """Return what every process says, by rank: numbers, texts, and lists and objects of them, as JSON."""
        if self.size == 1:
            return [value]
        line = torch.tensor(list(json.dumps(value).encode()), dtype=torch.uint8)
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        distributed.all_gather(lengths, torch.tensor([line.numel()]))
        longest = max(int(length) for length in lengths)
        lines = [torch.zeros(longest, dtype=torch.uint8) for _ in range(self.size)]
        distributed.all_gather(lines, torch.nn.functional.pad(line, (0, longest - line.numel())))
        return [json.loads(bytes(one[: int(length)].tolist())) for one, length in zip(lines, lengths, strict=True)]

    def wait(self) -> None:
        """Wait until every process has come here."""
        self.told(0)


def _named(*names: str) -> Callable[..., Any]:
    """Return the function of torch.distributed that has one of these names: PyTorch 2.13 renamed some."""
    found: Callable[..., Any] = next(getattr(distributed, name) for name in names if hasattr(distributed, name))
    return found


def _begin(message: Callable[..., Any], pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> Wait:
    """Begin messages as one, each with what it writes and what it reads; return what waits for them."""
    if not pairs:
        return lambda: None
    with distributed._coalescing_manager(async_ops=True) as messages:  # type: ignore[attr-defined]
        for written, read in pairs:
            message(written, read)
    done: Wait = messages.wait
    return done


def current() -> Group:
    """Return the group of this process."""
    if distributed.is_available() and distributed.is_initialized():
        return Group(distributed.get_rank(), distributed.get_world_size())
    return Group()


def join(rank: int, size: int, meeting: Path, *, device: str) -> None:
    """Make this process one of a group.

    Args:
        rank: its number, from 0.
        size: of the group.
        meeting: a file that all processes of the group can write, and that none has used before.
        device: `cuda`, of which this process sees one alone, or `cpu`.

    """
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo",
        store=distributed.FileStore(str(meeting), size),  # type: ignore[attr-defined]
        rank=rank,
        world_size=size,
        timeout=_PATIENCE,
        device_id=torch.device("cuda", 0) if device == "cuda" else None,
    )


def leave() -> None:
    """Leave the group; what is under way is dropped."""
    if distributed.is_initialized():
        distributed.destroy_process_group()
