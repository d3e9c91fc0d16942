"""A language path by plain transformers, one sequence at a time."""

from collections.abc import Iterator, Sequence

import torch

from showdown.core.language import Continuation
from showdown.core.task import Objective


class PlainPath:
    name = "plain"

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat([self.module(input_ids=one[None]).logits[0].float() for one in sequences])

    def loss_sum(self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, objective: Objective) -> torch.Tensor:
        return objective.loss_sum(self.logits(sequences), targets)

    @torch.no_grad()
    def logit_blocks(
        self, sequences: Sequence[torch.Tensor], targets: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        counts = targets != Objective.padding_target
        yield self.logits(sequences)[counts], targets[counts]

    @torch.no_grad()
    def write(
        self, prompts: Sequence[Sequence[int]], *, stop_ids: frozenset[int], most: int, batch_rows: int
    ) -> list[Continuation]:
        found = []
        for prompt in prompts:
            ids, finished = list(prompt), False
            while len(ids) - len(prompt) < most and not finished:
                token = int(self.logits([torch.tensor(ids)])[-1].argmax())
                finished = token in stop_ids
                ids += [] if finished else [token]
                most_left = most - (len(ids) - len(prompt))
                if finished or most_left == 0:
                    break
            found.append(Continuation(ids=ids[len(prompt) :], finished=finished, first_token_seconds=0.0))
        return found
