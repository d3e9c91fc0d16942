"""A causal language model as a writer of answers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from showdown.core.language import LanguagePath
from showdown.core.predictor import Writer, Written
from showdown.core.spec import SharedProtocol
from showdown.core.task import EncodedExamples, Objective
from showdown.models.tokens import positions_of
from showdown.models.virtual_tokens import virtual_tokens
from showdown.tasks.generation.layout import ChatLayout
from showdown.tasks.generation.validation import token_losses

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class NetworkWriter(Writer):
    """Greedy answers of a network. Prompts of similar length are answered together."""

    def __init__(
        self,
        module: torch.nn.Module,
        forward: LanguagePath,
        tokenizer: "PreTrainedTokenizerBase",
        protocol: SharedProtocol,
    ) -> None:
        self.module, self.forward, self.tokenizer = module, forward, tokenizer
        self.layout = ChatLayout(tokenizer)
        assert isinstance(protocol.max_new_tokens, int), "the preparation of a comparison fills it in"
        self.most = protocol.max_new_tokens

    def write(self, prompts: Sequence[str], *, batch_rows: int) -> list[Written]:
        """Write an answer to each prompt, at most `protocol.max_new_tokens` tokens long."""
        return self.write_behind([self.layout.prompt(prompt) for prompt in prompts], batch_rows=batch_rows)

    def write_behind(self, ids: Sequence[Sequence[int]], *, batch_rows: int) -> list[Written]:
        """Write an answer behind each prompt, given as token ids."""
        by_length = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        self.module.eval()
        written = self.forward.write(
            [ids[row] for row in by_length], stop_ids=self.layout.stop_ids, most=self.most, batch_rows=batch_rows
        )
        answers: dict[int, Written] = {}
        for row, one in zip(by_length, written, strict=True):
            answers[row] = Written(
                text=self.tokenizer.decode(one.ids, skip_special_tokens=True).strip(),
                tokens=len(one.ids) + one.finished,
                finished=one.finished,
                first_token_seconds=one.first_token_seconds,
            )
        return [answers[row] for row in range(len(ids))]

    def refusal(self, prompt: str) -> str | None:
        """Return that a prompt leaves an answer no room in the network's positions; None where it does."""
        tokens, positions = len(self.layout.prompt(prompt)), positions_of(self.module.config)
        positions = None if positions is None else positions - virtual_tokens(self.module)
        if positions is None or tokens + self.most <= positions:
            return None
        return (
            f"has {tokens:,} tokens, and an answer may have {self.most:,} more, where the model has {positions:,} "
            "positions; shorten it"
        )

    def token_losses(self, prompts: Sequence[str], answers: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return what the wanted answers cost: shape (prompts, 2), the summed loss in nats and the number of tokens."""
        return np.array([[float(one.sum()), len(one)] for one in self.losses_by_token(prompts, answers)]).reshape(-1, 2)

    def answer_tokens(self, answer: str) -> int:
        """Return about how many tokens an answer has, the one that ends it included."""
        return len(self.tokenizer(self.layout.literal(answer), add_special_tokens=False)["input_ids"]) + 1

    def losses_by_token(self, prompts: Sequence[str], answers: Sequence[str]) -> list[torch.Tensor]:
        """Return the loss of each token of the wanted answers in nats: float64, shape (tokens,), for each prompt.

        Answers that stand in the prompt itself, as earlier turns of its chat, are given and do not count.
        """
        laid = [self.layout.example(*pair) for pair in zip(prompts, answers, strict=True)]
        given = [len(self.layout.prompt(prompt)) for prompt in prompts]
        nothing = Objective.padding_target
        targets = [[nothing] * (start - 1) + one.targets[start - 1 :] for one, start in zip(laid, given, strict=True)]
        examples = EncodedExamples(ids=[one.ids for one in laid], targets=targets)
        return token_losses(self.module, self.forward, examples)[0] if laid else []
