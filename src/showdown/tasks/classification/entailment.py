"""Zero-shot classification by natural-language inference (arXiv 1909.00161): is the label's sentence entailed?"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from showdown.core.method import Job
from showdown.core.predictor import Classifier
from showdown.core.record import ScoreKind
from showdown.models.network import from_library
from showdown.models.tokens import literal, load_tokenizer, token_limit


class EntailmentClassifier(Classifier):
    """Softmax over the labels' entailment logits."""

    score_kind: ScoreKind = "probability"

    def __init__(self, folder: Path, job: Job, sentences: Sequence[str]) -> None:
        from transformers import AutoModelForSequenceClassification

        self.sentences = list(sentences)
        self.device = job.placement.device
        self.tokenizer = load_tokenizer(folder)
        self.module = from_library(AutoModelForSequenceClassification, folder, job.placement)
        self.limit = token_limit(self.tokenizer, self.module.config, job.protocol.max_tokens)
        labels = self.module.config.id2label
        self.entailed = next(index for index, name in labels.items() if name.lower().startswith("entail"))
        self.total_parameters = sum(parameter.numel() for parameter in self.module.parameters())

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float64]:
        """Probabilities: shape (rows, labels); ``batch_rows`` text-label pairs go through the network at a time."""
        sentences = [literal(self.tokenizer, sentence) for sentence in self.sentences]
        pairs = [(text, sentence) for text in (literal(self.tokenizer, one) for one in texts) for sentence in sentences]
        logits = np.zeros(len(pairs))
        with torch.inference_mode():
            for start in range(0, len(pairs), batch_rows):
                batch = pairs[start : start + batch_rows]
                inputs = self.tokenizer(
                    [text for text, _ in batch],
                    [sentence for _, sentence in batch],
                    truncation="only_first",
                    max_length=self.limit,
                    padding=True,
                    return_tensors="pt",
                ).to(self.device)
                logits[start : start + batch_rows] = self.module(**inputs).logits[:, self.entailed].double().cpu()
        from scipy.special import softmax

        found: npt.NDArray[np.float64] = softmax(logits.reshape(len(texts), len(self.sentences)), axis=1)
        return found
