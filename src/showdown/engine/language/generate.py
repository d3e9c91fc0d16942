"""Greedy continuations by transformers' `generate`: for every causal language model that is not packed."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from showdown.core.language import Continuation
from showdown.engine.language.batches import in_batches
from showdown.engine.language.left_padded import LEFT_PADDED
from showdown.engine.structure import LanguageModel
from showdown.models.padding import of_equal_length


def continued(
    language: LanguageModel,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: frozenset[int],
    most: int,
    batch_rows: int,
    pad_token_id: int,
    device: str,
) -> list[Continuation]:
    """Continue each prompt greedily, as `LanguagePath.write` says.

    Args:
        language: a transformers model for causal language modelling.
        prompts: token ids of each.
        stop_ids: tokens that end an answer.
        most: tokens that one answer may have, the stop token included.
        batch_rows: prompts that are continued at a time.
        pad_token_id: fills up rows that are shorter, or done.
        device: `cpu` or `cuda`.

    """
    found: dict[int, Continuation] = {}

    def written(batch: Sequence[Sequence[int]]) -> list[Continuation]:
        rows, seconds = _of_batch(language, batch, pad_token_id=pad_token_id, device=device)
        return [_continuation(ids, stop_ids, seconds) for ids in rows]

    together = [list(range(len(prompts)))]
    if language.model.config.model_type not in LEFT_PADDED:
        together = of_equal_length([len(prompt) for prompt in prompts])
    with _greedy(language, stop_ids, most, pad_token_id), torch.no_grad():
        for rows in together:
            found |= zip(rows, in_batches([prompts[row] for row in rows], batch_rows, written), strict=True)
    return [found[row] for row in range(len(prompts))]


@contextmanager
def _greedy(language: LanguageModel, stop_ids: frozenset[int], most: int, pad_token_id: int) -> Iterator[None]:
    """Replace the model's own settings, which may sample, penalise repetition or end elsewhere."""
    from transformers import GenerationConfig

    model = language.model
    before = model.generation_config
    model.generation_config = GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=most,
        eos_token_id=sorted(stop_ids) or None,
        pad_token_id=pad_token_id,
        bos_token_id=before.bos_token_id,
    )
    try:
        yield
    finally:
        model.generation_config = before


def _of_batch(
    language: LanguageModel, prompts: Sequence[Sequence[int]], *, pad_token_id: int, device: str
) -> tuple[list[list[int]], float]:
    """Return what was written behind each prompt, with what fills it up, and the seconds to the first token."""
    clock = _FirstToken()
    longest = max(map(len, prompts))
    ids = torch.tensor([[pad_token_id] * (longest - len(one)) + list(one) for one in prompts])
    mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in prompts])
    written = language.model.generate(
        input_ids=ids.to(device), attention_mask=mask.to(device), stopping_criteria=[clock]
    )  # fmt: skip
    rows: list[list[int]] = written[:, longest:].tolist()
    return rows, clock.seconds


class _FirstToken:
    """Notes when the first token is there; it never stops anything."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self.seconds = 0.0

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        if not self.seconds:
            if input_ids.is_cuda:
                torch.cuda.synchronize()
            self.seconds = time.perf_counter() - self._start
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


def _continuation(ids: list[int], stop_ids: frozenset[int], seconds: float) -> Continuation:
    end = next((place for place, token in enumerate(ids) if token in stop_ids), None)
    return Continuation(ids=ids[:end], finished=end is not None, first_token_seconds=seconds)
