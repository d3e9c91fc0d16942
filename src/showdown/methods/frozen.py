"""Logistic regression on embeddings of the frozen pretrained network: no backward pass."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from showdown.core.examples import Examples
from showdown.core.method import Fitted, FittedMethod, Job, MethodSettings
from showdown.core.network_reads import NetworkReads
from showdown.core.predictor import Classifier
from showdown.core.record import ScoreKind
from showdown.core.traits import Traits

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

    from showdown.models.embedding import Embedder

_FILE = "regression.safetensors"
_BATCH_ROWS = 16
_IMPORTS = """from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer"""
_OPENING = f"""model = AutoModel.from_pretrained(base)ENCODER.eval()
head = load_file(folder + "/{_FILE}")"""
_SCORING = """    hidden, mask = model(**inputs).last_hidden_state, inputs["attention_mask"].unsqueeze(-1)
    vectors = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1).double()
    scores = (vectors @ head["weight"].T + head["bias"]).softmax(-1)"""


class FrozenClassifier(Classifier):
    """Logistic regression over sentence embeddings."""

    score_kind: ScoreKind = "probability"

    def __init__(self, embedder: "Embedder", weight: npt.NDArray[np.float64], bias: npt.NDArray[np.float64]) -> None:
        self.embedder = embedder
        self.weight = weight
        self.bias = bias

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float64]:
        """Probabilities: shape (rows, labels), each row sums to one."""
        from scipy.special import softmax

        logits = self.embedder.embed(texts, batch_rows=batch_rows) @ self.weight.T + self.bias
        found: npt.NDArray[np.float64] = softmax(logits, axis=1)
        return found


class FrozenSettings(MethodSettings):
    """Settings of the logistic regression."""

    regularisation: float = Field(default=10.0, gt=0.0)
    """Inverse strength C; embeddings have length one, so scikit-learn's default of 1 underfits."""


class Frozen(FittedMethod):
    """Logistic regression on the frozen network's embeddings."""

    title: ClassVar[str] = "Frozen + logistic"
    summary: ClassVar[str] = "logistic regression on embeddings of the same network, frozen; one forward pass a row"
    Settings: ClassVar[type[MethodSettings]] = FrozenSettings
    traits: ClassVar[Traits] = Traits(
        role="cheap", deterministic=True, reads="tokens", linear_probe=True, color="green"
    )

    def network_reads(self, *, train: int, validation: int) -> NetworkReads:
        """Return that every training row is embedded once."""
        del validation
        return NetworkReads(fit_rows=train)

    def fit(self, train: Examples, job: Job, *, validation: Examples) -> Fitted:
        """Embed the training rows once and fit the regression."""
        from sklearn.linear_model import LogisticRegression

        from showdown.models.embedding import parameters

        embedder = _embedder(job)
        vectors = embedder.embed(train.texts, batch_rows=_BATCH_ROWS)
        model = LogisticRegression(C=self.settings.regularisation, max_iter=2000, random_state=job.seed)
        model.fit(vectors, np.asarray(train.targets))
        weight, bias = _all_labels(model, len(job.labels))
        learned = int(weight.size + bias.size)
        return Fitted(
            predictor=FrozenClassifier(embedder, weight, bias),
            trainable_parameters=learned,
            total_parameters=parameters(embedder) + learned,
        )

    def save(self, classifier: FrozenClassifier, folder: Path) -> None:
        """Write the regression as safetensors; the network is the pretrained one and is not copied."""
        from safetensors.numpy import save_file

        from showdown.models.companions import Usage, write_companions
        from showdown.models.tokens import load_tokenizer

        save_file({"weight": classifier.weight, "bias": classifier.bias}, folder / _FILE)
        embedder = classifier.embedder
        usage = Usage(
            imports=_IMPORTS,
            opening=_OPENING.replace("ENCODER", ".get_encoder()" if embedder.encodes_apart else ""),
            scoring=_SCORING,
        )
        tokenizer = load_tokenizer(embedder.folder)
        write_companions(folder, tokenizer, embedder.job, embedder.limit, method=self, usage=usage)

    def load(self, folder: Path, job: Job) -> FrozenClassifier:
        """Read the regression and load the pretrained network again."""
        from safetensors.numpy import load_file

        saved = load_file(folder / _FILE)
        return FrozenClassifier(_embedder(job), saved["weight"], saved["bias"])


def _embedder(job: Job) -> "Embedder":
    from showdown.models.embedding import Embedder
    from showdown.models.source import locate

    return Embedder(locate(job.model), job)


def _all_labels(
    model: "LogisticRegression", label_count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return weight and bias for all labels; a label without training examples gets a logit that never wins."""
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps only the second label's plane
        coefficients = np.concatenate([-coefficients / 2, coefficients / 2])
        intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
    weight = np.zeros((label_count, coefficients.shape[1]))
    bias = np.full(label_count, -1e4)
    weight[model.classes_], bias[model.classes_] = coefficients, intercepts
    return weight, bias
