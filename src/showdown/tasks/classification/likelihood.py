"""Classification by a causal language model that is not trained: how likely is each label after the text?

One forward pass a row. The text is computed once; behind it stand the continuations of all labels side by side, and a
mask lets each of their tokens see the text and its own label's earlier tokens alone.

Examples, each a text with the sentence of its label, may stand before the text. What follows them is computed behind
their keys and values, which stay where the next text has the same examples.
"""

from collections.abc import Callable, Sequence
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
from showdown.models.tokens import encode, literal, load_tokenizer, positions_of, token_limit

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedTokenizerBase

_NO_LIMIT = 1 << 40


@dataclass(frozen=True, kw_only=True)
class _Tail:
    """Continuations of all labels, laid side by side."""

    tokens: torch.Tensor
    """Token ids: shape (tail,)."""
    owners: torch.Tensor
    """Label index of each token: shape (tail,)."""
    offsets: torch.Tensor
    """Place of each token within its label: shape (tail,)."""


@dataclass(frozen=True, kw_only=True)
class _Given:
    """Tokens before a text that are computed already."""

    ids: tuple[int, ...]
    cache: "Cache"


class LikelihoodClassifier(Classifier):
    """Mean log-likelihood of a label's tokens after the text (length-normalised)."""

    score_kind: ScoreKind = "log-likelihood"

    def __init__(
        self,
        folder: Path,
        job: Job,
        template: str,
        examples_for: Callable[[str], Sequence[tuple[str, str]]] = lambda _: (),
    ) -> None:
        """Load the model.

        Args:
            folder: of a causal language model.
            job: for its labels, its limit of tokens and its placement.
            template: the sentence that each label is put into.
            examples_for: returns for a text the examples before it, each a text with its label, in their order.

        Raises:
            UserError: when template and labels leave no room for a text.

        """
        from transformers import AutoModelForCausalLM

        self.device = job.placement.device
        self.tokenizer = load_tokenizer(folder)
        # eager attention takes a mask of any shape, and soft-capping with it
        self.module = from_library(AutoModelForCausalLM, folder, job.placement, attn_implementation="eager")
        self.total_parameters = sum(parameter.numel() for parameter in self.module.parameters())
        self.template, self.examples_for = template, examples_for
        before, _, after = template.partition("{label}")
        anchor = "\n" + before.rstrip()
        self.anchor = self._plain(anchor)
        self.tail = self._lay_out([self._continuation(anchor, f" {label}{after}") for label in job.labels])
        self.label_count = len(job.labels)
        self.longest = int(self.tail.offsets.max()) + 1
        # The mask of side-by-side labels is one for all layers, so that texts are kept inside a sliding window.
        window = getattr(self.module.config, "sliding_window", None) or _NO_LIMIT
        self.positions = min(positions_of(self.module.config) or _NO_LIMIT, window)
        limit = min(token_limit(self.tokenizer, self.module.config, job.protocol.max_tokens), window)
        self.text_limit = limit - len(self.anchor) - self.longest
        if self.text_limit < 1:
            raise UserError(
                f"protocol.max_tokens is {limit}, but the template and the longest label alone take "
                f"{limit - self.text_limit} tokens; raise it, or shorten `template`"
            )
        self._given: _Given | None = None
        self._left_out: dict[str, int] = {}
        """Examples that did not fit, by text."""

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float64]:
        """Mean log-likelihoods: shape (rows, labels). Rows go one by one, all labels of a row together."""
        with torch.inference_mode():
            encoded = encode(self.tokenizer, texts, self.text_limit)
            return np.stack([self._score_row(self._before(*one), one[1]) for one in zip(texts, encoded, strict=True)])

    def notes(self) -> list[str]:
        """Return for how many texts examples were left out."""
        short = [count for count in self._left_out.values() if count]
        if not short:
            return []
        return [
            f"{len(short)} of {len(self._left_out)} different texts were shown fewer examples, {sum(short)} in all: "
            f"a text with its examples may have {self.positions:,} tokens, which is all that the network takes"
        ]

    def _before(self, text: str, ids: Sequence[int]) -> list[int]:
        """Return the tokens of as many of a text's examples as fit, those next to the text first; [] without any."""
        blocks = [self._example(*one) for one in self.examples_for(text)]
        room = self.positions - len(ids) - len(self.anchor) - self.longest
        left_out = 0
        while sum(map(len, blocks[left_out:])) > room:
            left_out += 1
        self._left_out[text] = left_out
        return [token for block in blocks[left_out:] for token in block]

    def _example(self, text: str, label: str) -> list[int]:
        """Return the tokens of an example: its text, cut as texts are, the sentence of its label, and an empty line."""
        return self._plain(text)[: self.text_limit] + self._plain(
            "\n" + self.template.replace("{label}", label) + "\n\n"
        )

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

    def _score_row(self, before: Sequence[int], text_ids: list[int]) -> npt.NDArray[np.float64]:
        opened = self._opening(text_ids) if before else 0
        given = self._computed((*text_ids[:opened], *before)) if before else None
        prefix = _without_end_token(text_ids[opened:], self.tokenizer) + self.anchor
        past = len(given.ids) if given else 0
        tokens = torch.cat([torch.tensor(prefix), self.tail.tokens])
        positions = past + torch.cat([torch.arange(len(prefix)), len(prefix) + self.tail.offsets])
        logits = self.module(
            input_ids=tokens[None].to(self.device),
            position_ids=positions[None].to(self.device),
            attention_mask=self._mask(len(prefix), past),
            past_key_values=given.cache if given else None,
            use_cache=given is not None,
            logits_to_keep=len(self.tail.tokens) + 1,
        ).logits[0]
        if given:
            given.cache.crop(-len(tokens))
        # Row 0 of the logits is the prefix's last token; a label's first token is foretold by it, each later one by
        # the tail token before it.
        foretold_by = torch.where(self.tail.offsets == 0, 0, torch.arange(len(self.tail.tokens)))
        log_probabilities = torch.log_softmax(logits.float().cpu(), dim=-1)
        each = log_probabilities[foretold_by, self.tail.tokens].double()
        sums = torch.zeros(self.label_count, dtype=torch.float64).index_add_(0, self.tail.owners, each)
        found: npt.NDArray[np.float64] = (sums / torch.bincount(self.tail.owners, minlength=self.label_count)).numpy()
        return found

    def _opening(self, ids: Sequence[int]) -> int:
        """Return how many tokens the tokenizer puts before every text, such as Llama's `<s>`."""
        around = _without_end_token(encode(self.tokenizer, [""], self.text_limit)[0], self.tokenizer)
        return len(around) if list(ids[: len(around)]) == around else 0

    def _computed(self, ids: tuple[int, ...]) -> _Given:
        """Return keys and values of tokens that stand before a text: those of the row before, where it had the same."""
        from transformers import DynamicCache

        if self._given is None or self._given.ids != ids:
            cache = DynamicCache()  # without a configuration: no layer forgets what left its sliding window
            self.module(
                input_ids=torch.tensor([ids], device=self.device),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            self._given = _Given(ids=ids, cache=cache)
        return self._given

    def _mask(self, prefix_length: int, past: int) -> torch.Tensor:
        """Additive mask of shape (1, 1, tokens, past + tokens): what is computed already is seen by all."""
        tail_length = len(self.tail.tokens)
        total = prefix_length + tail_length
        seen = torch.ones(total, total, dtype=torch.bool).tril()
        same_label = self.tail.owners[:, None] == self.tail.owners[None, :]
        seen[prefix_length:, prefix_length:] &= same_label
        seen = torch.cat([torch.ones(total, past, dtype=torch.bool), seen], dim=1)
        dtype = self.module.dtype
        mask = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
        return mask[None, None].to(self.device)


def _without_end_token(ids: list[int], tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Drop an end-of-sequence token that some tokenizers add, so that the label can follow."""
    return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids
