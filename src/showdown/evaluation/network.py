"""A fine-tuned network as a classifier of texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from showdown.core.method import Classifier
from showdown.core.record import ScoreKind
from showdown.engine.forward import ForwardPath
from showdown.engine.graphs.capture import CapturedForward
from showdown.models.tokens import encode

_ROUNDS_TO_RECORD = 2
"""A size that comes for the second time is recorded."""


class NetworkClassifier(Classifier):
    """Softmax of a network's logits, batches of like length."""

    score_kind: ScoreKind = "probability"

    def __init__(self, module: torch.nn.Module, forward: ForwardPath, tokenizer: Any, limit: int) -> None:
        self.module = module
        self.forward = forward
        self.tokenizer = tokenizer
        self.limit = limit
        if isinstance(forward, CapturedForward):
            self.warm_up_rounds = _ROUNDS_TO_RECORD

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float64]:
        """Probabilities: shape (rows, labels), each row sums to one."""
        ids = encode(self.tokenizer, texts, self.limit)
        return torch.softmax(logits_of(self.module, self.forward, ids, batch_rows).double(), dim=-1).numpy()


def logits_of(
    module: torch.nn.Module, forward: ForwardPath, ids: Sequence[Sequence[int]], batch_rows: int
) -> torch.Tensor:
    """Return the logits of each row, without gradients, dropout off: shape (rows, labels), float32, on the CPU."""
    by_length = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    was_training = module.training
    if was_training:  # the walk through the modules of a 7B with adapters takes longer than some of its answers
        module.eval()
    blocks = []
    with torch.no_grad():
        for start in range(0, len(by_length), batch_rows):
            rows = by_length[start : start + batch_rows]
            blocks.append(forward.logits([torch.tensor(ids[row]) for row in rows]).float().cpu())
    if was_training:
        module.train()
    found = torch.cat(blocks)
    return found[torch.argsort(torch.tensor(by_length))]
