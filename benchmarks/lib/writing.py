"""Writing with a language model: Showdown's packed path beside transformers' `generate`, on the same prompts."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from benchmarks.lib.timing import spread
from showdown.core.language import LanguagePath

_FIRST_WORD = 10
"""Token ids below it are left to special tokens."""


def prompts(vocabulary: int, *, count: int, beginning: int, shortest: int, longest: int) -> list[list[int]]:
    """Return prompts of random tokens that all begin with the same tokens.

    Args:
        vocabulary: of the network.
        count: prompts.
        beginning: tokens that all begin with.
        shortest: tokens of the shortest prompt, those included.
        longest: tokens of the longest.

    """
    generator = torch.Generator().manual_seed(0)

    def drawn(tokens: int) -> list[int]:
        return torch.randint(_FIRST_WORD, vocabulary, (tokens,), generator=generator).tolist()

    shared = drawn(beginning)
    lengths = torch.randint(shortest, longest + 1, (count,), generator=generator).tolist()
    return [shared + drawn(length - beginning) for length in lengths]


def written(path: LanguagePath, given: Sequence[Sequence[int]], tokens: int) -> list[list[int]]:
    """Write so many tokens behind each prompt with Showdown."""
    found = path.write(given, stop_ids=frozenset(), most=tokens, batch_rows=len(given))
    return [list(one.ids) for one in found]


@torch.no_grad()
def generated(model: Any, given: Sequence[Sequence[int]], tokens: int, *, pad: int, device: str) -> list[list[int]]:
    """Write so many tokens behind each prompt with transformers, padded on the left."""
    longest = max(map(len, given))
    ids = torch.tensor([[pad] * (longest - len(one)) + list(one) for one in given])
    mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in given])
    found = model.generate(
        input_ids=ids.to(device), attention_mask=mask.to(device), do_sample=False, num_beams=1,
        min_new_tokens=tokens, max_new_tokens=tokens, pad_token_id=pad, use_cache=True,
    )  # fmt: skip
    rows: list[list[int]] = found[:, longest:].tolist()
    return rows


def in_turns(
    ways: dict[str, Callable[[], list[list[int]]]],
    *,
    rounds: int,
    tokens: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Time each way in turns, after a round that is not counted.

    Args:
        ways: by name; each returns what it wrote.
        rounds: how often each is timed.
        tokens: of one answer.
        clock: returns seconds; for one thread on a CPU `time.process_time`, which other programs disturb least.

    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    rows: dict[str, list[list[int]]] = {}
    for turn in range(rounds + 1):
        for name, write in ways.items():
            began = clock()
            rows[name] = write()
            if turn:
                seconds[name].append(clock() - began)
    first, *others = rows.values()
    return {
        "seconds": {name: spread(taken) for name, taken in seconds.items()},
        "tokens_per_second": {name: len(first) * tokens / spread(taken)["median"] for name, taken in seconds.items()},
        "equal_rows": [sum(one == other for one, other in zip(first, rows, strict=True)) for rows in others],
    }
