"""Zero-shot classification by a causal language model: how likely is each label after the text?

One forward pass a row. The text is computed once; behind it stand the continuations of all labels side by side, and a
mask lets each of their tokens see the text and its own label's earlier tokens alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from showdown.core.errors import UserError
from showdown.core.method import Job
from showdown.core.predictor import Classifier
from showdown.core.record import ScoreKind
from showdown.models.network import from_library
from showdown.models.tokens import encode, literal, load_tokenizer, token_limit

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True)
class _Tail:
    """Continuations of all labels, laid side by side."""

    tokens: torch.Tensor
    """Token ids: shape (tail,)."""
    owners: torch.Tensor
    """Label index of each token: shape (tail,)."""
    offsets: torch.Tensor
    """Place of each token within its label: shape (tail,)."""


class LikelihoodClassifier(Classifier):
    """Mean log-likelihood of a label's tokens after the text (length-normalised)."""

    score_kind: ScoreKind = "log-likelihood"

    def __init__(self, folder: Path, job: Job, template: str) -> None:
        from transformers import AutoModelForCausalLM

        self.device = job.placement.device
        self.tokenizer = load_tokenizer(folder)
        # eager attention takes a mask of any shape, and soft-capping with it
        self.module = from_library(AutoModelForCausalLM, folder, job.placement, attn_implementation="eager")
        self.total_parameters = sum(parameter.numel() for parameter in self.module.parameters())
        before, _, after = template.partition("{label}")
        anchor = "\n" + before.rstrip()
        self.anchor = self._plain(anchor)
        self.tail = self._lay_out([self._continuation(anchor, f" {label}{after}") for label in job.labels])
        self.label_count = len(job.labels)
        limit = token_limit(self.tokenizer, self.module.config, job.protocol.max_tokens)
        # The mask of side-by-side labels is one for all layers, so that texts are kept inside a sliding window.
        limit = min(limit, getattr(self.module.config, "sliding_window", None) or limit)
        longest = int(self.tail.offsets.max()) + 1
        self.text_limit = limit - len(self.anchor) - longest
        if self.text_limit < 1:
            raise UserError(
                f"protocol.max_tokens is {limit}, but the template and the longest label alone take "
                f"{limit - self.text_limit} tokens; raise it, or shorten `template`"
            )

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float64]:
        """Mean log-likelihoods: shape (rows, labels). Rows go one by one, all labels of a row together."""
        with torch.inference_mode():
            return np.stack([self._score_row(ids) for ids in encode(self.tokenizer, texts, self.text_limit)])

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(literal(self.tokenizer, text), add_special_tokens=False)["input_ids"]
        return ids

    def _continuation(self, anchor: str, continuation: str) -> list[int]:
        """Tokenise a continuation as it reads behind the anchor, which a tokenizer may spell otherwise than alone."""
        together = self._plain(anchor + continuation)
        return (
            together[len(self.anchor) :] if together[: len(self.anchor)] == self.anchor else self._plain(continuation)
        )

    def _lay_out(self, continuations: list[list[int]]) -> _Tail:
        lengths = torch.tensor([len(ids) for ids in continuations])
        return _Tail(
            tokens=torch.tensor([token for ids in continuations for token in ids]),
            owners=torch.repeat_interleave(torch.arange(len(continuations)), lengths),
            offsets=torch.cat([torch.arange(int(length)) for length in lengths]),
        )

    def _score_row(self, text_ids: list[int]) -> npt.NDArray[np.float64]:
        prefix = _without_end_token(text_ids, self.tokenizer) + self.anchor
        tokens = torch.cat([torch.tensor(prefix), self.tail.tokens])
        positions = torch.cat([torch.arange(len(prefix)), len(prefix) + self.tail.offsets])
        logits = self.module(
            input_ids=tokens[None].to(self.device),
            position_ids=positions[None].to(self.device),
            attention_mask=self._mask(len(prefix)),
            use_cache=False,
            logits_to_keep=len(self.tail.tokens) + 1,
        ).logits[0]
        # Row 0 of the logits is the prefix's last token; a label's first token is foretold by it, each later one by
        # the tail token before it.
        foretold_by = torch.where(self.tail.offsets == 0, 0, torch.arange(len(self.tail.tokens)))
        log_probabilities = torch.log_softmax(logits.float().cpu(), dim=-1)
        each = log_probabilities[foretold_by, self.tail.tokens].double()
        sums = torch.zeros(self.label_count, dtype=torch.float64).index_add_(0, self.tail.owners, each)
        found: npt.NDArray[np.float64] = (sums / torch.bincount(self.tail.owners, minlength=self.label_count)).numpy()
        return found

    def _mask(self, prefix_length: int) -> torch.Tensor:
        """Additive mask of shape (1, 1, tokens, tokens)."""
        tail_length = len(self.tail.tokens)
        total = prefix_length + tail_length
        seen = torch.ones(total, total, dtype=torch.bool).tril()
        same_label = self.tail.owners[:, None] == self.tail.owners[None, :]
        seen[prefix_length:, prefix_length:] &= same_label
        dtype = self.module.dtype
        mask = torch.zeros(total, total, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
        return mask[None, None].to(self.device)


def _without_end_token(ids: list[int], tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Drop an end-of-sequence token that some tokenizers add, so that the label can follow."""
    return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids
