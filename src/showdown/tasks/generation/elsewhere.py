"""What fine-tuning changed beside the task: the loss on a general text, and the answers to the task's own prompts.

Both are read from the network as it was trained and from the one it began with, one after the other, so that memory
for one of them is enough. The divergence of next-token distributions on the prompts is the one that reinforcement
learning from human feedback is penalised by (Ziegler et al., arXiv 1909.08593); of forgetting it was found to be the
best predictor (Shenfeld et al., arXiv 2509.04259).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

import torch

from showdown.core.record import Elsewhere
from showdown.core.task import EncodedExamples, Objective, Probe
from showdown.tasks.generation.network import NetworkWriter
from showdown.tasks.generation.validation import token_losses

_PROMPTS = 64
_TOKENS_A_PROMPT = 16
"""Of so many test prompts, so many tokens each: the distributions of all of them together take 0.3 GB for each 75,000
words of a vocabulary, on the host."""


@dataclass(frozen=True, kw_only=True)
class LanguageProbe(Probe):
    """What one network says to the general text and to the prompts."""

    general_loss: float
    """Mean loss a token, in nats."""
    general_tokens: int
    next_tokens: torch.Tensor
    """Log-probabilities of the next token at chosen places of the prompts: shape (places, vocabulary), float32."""

    def against(self, before: Probe) -> Elsewhere:
        """Compare the network with the one it began with."""
        assert isinstance(before, LanguageProbe)
        return Elsewhere(
            general_loss_before=before.general_loss,
            general_loss_after=self.general_loss,
            general_tokens=self.general_tokens,
            prompt_kl=max(0.0, divergence(before.next_tokens, self.next_tokens)),
            prompt_tokens=len(self.next_tokens),
        )


def probe(writer: NetworkWriter, prompts: Sequence[str]) -> LanguageProbe:
    """Let a network read the general text and the first test prompts."""
    general = _whole(writer.tokenizer(_general_paragraphs())["input_ids"])
    losses = torch.cat(token_losses(writer.module, writer.forward, general)[0])
    ids = [writer.layout.prompt(prompt) for prompt in prompts[:_PROMPTS]]
    return LanguageProbe(
        general_loss=float(losses.mean()),
        general_tokens=len(losses),
        next_tokens=torch.cat(list(_next_tokens(writer, ids))),
    )


def divergence(before: torch.Tensor, after: torch.Tensor) -> float:
    """Return the mean over places of KL(before || after) in nats.

    Args:
        before: log-probabilities, shape (places, vocabulary).
        after: the same of the other network.

    """
    of_places = [
        float((p.double().exp() * (p.double() - q.double())).sum()) for p, q in zip(before, after, strict=True)
    ]
    return sum(of_places) / len(of_places)


def _general_paragraphs() -> list[str]:
    text = (resources.files("showdown") / "datasets" / "general.txt").read_text(encoding="utf-8")
    return [paragraph.strip() for paragraph in text.split("\n\n") if paragraph.strip()]


def _whole(ids: Sequence[Sequence[int]]) -> EncodedExamples:
    """Return texts of which every token counts that has one before it."""
    return EncodedExamples(ids=ids, targets=[[*row[1:], Objective.padding_target] for row in ids])


def _next_tokens(writer: NetworkWriter, ids: Sequence[Sequence[int]]) -> Iterator[torch.Tensor]:
    """Yield log-probabilities at places spread evenly over each prompt, the last of which begins the answer."""
    writer.module.eval()
    for row in ids:
        count = min(_TOKENS_A_PROMPT, len(row))
        places = {len(row) - 1 - (len(row) * step) // count for step in range(count)}
        targets = [0 if place in places else Objective.padding_target for place in range(len(row))]
        for logits, _ in writer.forward.logit_blocks([torch.tensor(row)], torch.tensor(targets)):
            yield torch.log_softmax(logits.float(), dim=-1).cpu()
