"""Sentence embeddings from a pretrained network, frozen."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from showdown.core.method import Job
from showdown.models.network import from_library
from showdown.models.padding import PADDING_COUNTS, of_equal_length
from showdown.models.tokens import encode, load_tokenizer, token_limit


class Embedder:
    """Mean of the last layer's vectors over a text's tokens, scaled to length one (as sentence-transformers does)."""

    def __init__(self, folder: Path, job: Job) -> None:
        from transformers import AutoModel

        self.folder, self.job = folder, job
        self.device = job.placement.device
        self.tokenizer = load_tokenizer(folder)
        whole = from_library(AutoModel, folder, job.placement)
        self.encodes_apart = bool(whole.config.is_encoder_decoder)
        """Whether the network is the encoder of one that has a decoder too, which would answer for the text."""
        self.module = whole.get_encoder() if self.encodes_apart else whole
        self.limit = token_limit(self.tokenizer, self.module.config, job.protocol.max_tokens)

    def embed(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float64]:
        """Return one vector a text: shape (rows, width), each of length one."""
        ids = encode(self.tokenizer, texts, self.limit)
        groups = of_equal_length([len(row) for row in ids])
        order = [row for group in groups for row in group]
        apart = groups if self.module.config.model_type in PADDING_COUNTS else [order]
        with torch.inference_mode():
            blocks = [
                self._embed_batch([ids[row] for row in group[start : start + batch_rows]])
                for group in apart
                for start in range(0, len(group), batch_rows)
            ]
        found: npt.NDArray[np.float64] = np.concatenate(blocks)[np.argsort(order)]
        return found

    def _embed_batch(self, ids: list[list[int]]) -> npt.NDArray[np.float64]:
        width = max(len(row) for row in ids)
        tokens = torch.full((len(ids), width), self.tokenizer.pad_token_id)
        mask = torch.zeros((len(ids), width), dtype=torch.long)
        for index, row in enumerate(ids):
            tokens[index, : len(row)] = torch.tensor(row)
            mask[index, : len(row)] = 1
        tokens, mask = tokens.to(self.device), mask.to(self.device)
        hidden = self.module(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
        mean = (hidden * mask.unsqueeze(-1)).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        normalised = torch.nn.functional.normalize(mean, dim=-1)
        found: npt.NDArray[np.float64] = normalised.cpu().double().numpy()
        return found


def parameters(embedder: Embedder) -> int:
    """Count the parameters of the frozen network."""
    return sum(parameter.numel() for parameter in embedder.module.parameters())
