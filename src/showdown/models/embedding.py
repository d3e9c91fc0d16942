"""Embeddings of texts, or of single tokens, from a pretrained network."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from showdown.core.errors import Unavailable
from showdown.core.method import Job
from showdown.models.network import from_library, set_dropout
from showdown.models.padding import PADDING_COUNTS, of_equal_length
from showdown.models.pooling import Pooling, pooled
from showdown.models.tokens import encode, load_tokenizer, token_limit

_TOKENS_AT_ONCE = 256


class Embedder:
    """The last layer's vectors over a text's tokens made one, scaled to length one (as sentence-transformers does)."""

    def __init__(self, folder: Path, job: Job, pooling: Pooling = "mean", *, dropout: float | None = None) -> None:
        """Load the network.

        Args:
            folder: where it is.
            job: what it is for.
            pooling: how the vectors of a text's tokens become one.
            dropout: of the network where it is trained; None is that of its own configuration.

        """
        from transformers import AutoConfig, AutoModel

        self.folder, self.job, self.pooling = folder, job, pooling
        self.device = job.placement.device
        self.tokenizer = load_tokenizer(folder)
        more = {}
        if dropout is not None:
            more["config"] = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
            set_dropout(more["config"], dropout)
        whole = from_library(AutoModel, folder, job.placement, **more)
        self.encodes_apart = bool(whole.config.is_encoder_decoder)
        """Whether the network is the encoder of one that has a decoder too, which would answer for the text."""
        self.module = whole.get_encoder() if self.encodes_apart else whole
        self.limit = token_limit(self.tokenizer, self.module.config, job.protocol.max_tokens)

    def embed(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float64]:
        """Return one vector a text: shape (rows, width), each of length one."""
        return self.embed_ids(encode(self.tokenizer, texts, self.limit), batch_rows=batch_rows)

    def embed_ids(self, ids: Sequence[Sequence[int]], *, batch_rows: int) -> npt.NDArray[np.float64]:
        """Return one vector for each sequence of token ids: shape (sequences, width), each of length one."""
        return self._in_batches(ids, batch_rows, self.vectors)

    def _in_batches(
        self, ids: Sequence[Sequence[int]], batch_rows: int, vectors: Callable[[list[Sequence[int]]], torch.Tensor]
    ) -> npt.NDArray[np.float64]:
        groups = of_equal_length([len(row) for row in ids])
        order = [row for group in groups for row in group]
        apart = groups if self.module.config.model_type in PADDING_COUNTS else [order]
        with torch.inference_mode():
            blocks = [
                vectors([ids[row] for row in group[start : start + batch_rows]]).cpu().double().numpy()
                for group in apart
                for start in range(0, len(group), batch_rows)
            ]
        found: npt.NDArray[np.float64] = np.concatenate(blocks)[np.argsort(order)]
        return found

    def embed_vocabulary(self) -> npt.NDArray[np.float64]:
        """Return a vector for each token, read alone between the marks of a text: shape (vocabulary, width).

        They are not scaled.

        Raises:
            Unavailable: when the network has no table of tokens.

        """
        table = self.module.get_input_embeddings()
        if not isinstance(table, torch.nn.Embedding):
            raise Unavailable(
                f"`{self.job.model.id}` has no table of tokens to make static embeddings of; use another model"
            )
        before, after = self.marks()
        rows = [[*before, token, *after] for token in range(table.num_embeddings)]
        return self._in_batches(rows, _TOKENS_AT_ONCE, self._pooled)

    def marks(self) -> tuple[list[int], list[int]]:
        """Return the special tokens that stand before and behind the tokens of every text."""
        around, framed = self.tokenizer("")["input_ids"], self.tokenizer("a")["input_ids"]
        pairs = enumerate(zip(around, framed, strict=False))
        start = next((place for place, (one, other) in pairs if one != other), len(around))
        return around[:start], around[start:]

    def vectors(self, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return one vector for each sequence, of length one, on the device, with gradients where they are enabled."""
        return torch.nn.functional.normalize(self._pooled(ids), dim=-1)

    def _pooled(self, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        width = max(len(row) for row in ids)
        tokens = torch.full((len(ids), width), self.tokenizer.pad_token_id)
        mask = torch.zeros((len(ids), width), dtype=torch.long)
        for index, row in enumerate(ids):
            tokens[index, : len(row)] = torch.tensor(row)
            mask[index, : len(row)] = 1
        tokens, mask = tokens.to(self.device), mask.to(self.device)
        hidden = self.module(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
        return pooled(hidden, mask, self.pooling)


def parameters(embedder: Embedder) -> int:
    """Count the parameters of the frozen network."""
    return sum(parameter.numel() for parameter in embedder.module.parameters())
