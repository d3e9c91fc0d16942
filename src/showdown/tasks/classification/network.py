"""A trained network as a classifier of texts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from showdown.core.predictor import Classifier
from showdown.core.record import ScoreKind
from showdown.core.task import ForwardPath
from showdown.engine.decoder.forward import PackedForward
from showdown.engine.encoder.forward import PackedEncoder
from showdown.engine.graphs.capture import CapturedForward
from showdown.evaluation.logits import logits_of
from showdown.models.tokens import encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ROUNDS_TO_RECORD = 2
"""CUDA graphs record a size when it comes for the second time."""


class NetworkClassifier(Classifier):
    """Softmax of a network's logits. Texts of similar length are computed together."""

    score_kind: ScoreKind = "probability"

    def __init__(
        self, module: torch.nn.Module, forward: ForwardPath, tokenizer: "PreTrainedTokenizerBase", limit: int
    ) -> None:
        self.module = module
        self.forward = forward
        self.tokenizer = tokenizer
        self.limit: int = limit
        self.pads = not isinstance(forward, (CapturedForward, PackedEncoder, PackedForward))
        if isinstance(forward, CapturedForward):
            self.warm_up_rounds = _ROUNDS_TO_RECORD

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float64]:
        """Return probabilities: shape (texts, labels), each row sums to one."""
        ids = encode(self.tokenizer, texts, self.limit)
        return torch.softmax(logits_of(self.module, self.forward, ids, batch_rows).double(), dim=-1).numpy()
