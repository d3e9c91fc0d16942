"""Static embeddings distilled from the pretrained network, and logistic regression on them.

After Model2Vec (Tulkens and van Dongen, 2024): the network reads each token of its vocabulary once, alone. Of those
vectors the first principal components are kept, and each is weighted by how rare its token is. A text is the mean of
its tokens' vectors: no network reads it. How frequent a token is follows from its rank (Zipf), which is its number in
the vocabulary, and the weight from that (SIF; Arora et al., 2017).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from showdown.core.errors import UserError
from showdown.core.examples import Examples
from showdown.core.method import Fitted, FittedMethod, Job, MethodSettings
from showdown.core.network_reads import NetworkReads
from showdown.core.predictor import Classifier
from showdown.core.record import ScoreKind
from showdown.core.traits import Reference, Traits
from showdown.methods.embedded import EmbeddingSettings, Numbers
from showdown.methods.linear_head import LinearHead, logistic

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_FILE = "static.safetensors"
_SIF = 1e-4
"""Model2Vec's coefficient; Arora et al. find 1e-3 to 1e-4 to do equally well."""
_IMPORTS = """from safetensors.torch import load_file
from transformers import AutoTokenizer"""
_OPENING = f"""saved = load_file(folder + "/{_FILE}")"""
_SCORING = """    each = saved["table"].double()[inputs["input_ids"]]
    vectors = (each * inputs["attention_mask"].unsqueeze(-1)).sum(1)
    vectors = torch.nn.functional.normalize(vectors, dim=-1)
    scores = (vectors @ saved["weight"].T + saved["bias"]).softmax(-1)"""


class StaticClassifier(Classifier):
    """A table of token vectors, and logistic regression over their sums scaled to length one."""

    score_kind: ScoreKind = "probability"

    def __init__(
        self,
        table: npt.NDArray[np.float16],
        head: LinearHead,
        job: Job,
        tokenizer: "PreTrainedTokenizerBase",
        limit: int,
    ) -> None:
        self.table, self.head, self.job = table, head, job
        self.tokenizer, self.most_tokens = tokenizer, limit

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> Numbers:
        """Probabilities: shape (rows, labels), each row sums to one."""
        del batch_rows
        return self.head.probabilities(embedded(self.table, self.tokenizer, texts, self.most_tokens))


class StaticSettings(EmbeddingSettings):
    """Settings of static embeddings."""

    dimensions: int = Field(default=256, ge=1)
    """Principal components that are kept, and no more than the network is wide; Model2Vec's default."""
    regularisation: float = Field(default=10.0, gt=0.0)
    """Inverse strength C of the logistic regression, as of `frozen`."""


class Static(FittedMethod):
    """Logistic regression on static embeddings."""

    title: ClassVar[str] = "Static + logistic"
    summary: ClassVar[str] = (
        "logistic regression on static embeddings of the network's tokens; to answer millions of texts on a CPU"
    )
    Settings: ClassVar[type[MethodSettings]] = StaticSettings
    traits: ClassVar[Traits] = Traits(
        role="cheap",
        deterministic=True,
        reads="tokens",
        citation=Reference(
            key="tulkens2024",
            text="Stephan Tulkens and Thomas van Dongen. Model2Vec: Fast state-of-the-art static embeddings. Software, "
            "github.com/MinishLab/model2vec, 2024.",
        ),
    )

    def network_reads(self, *, train: int, validation: int) -> NetworkReads:
        """Return that the network reads its vocabulary, and no row."""
        del train, validation
        return NetworkReads(vocabulary=True)

    def fit(self, train: Examples, job: Job, *, validation: Examples) -> Fitted:
        """Distil the table and fit the regression.

        Raises:
            UserError: when there are no training rows.
            Unavailable: when the network has no table of tokens.

        """
        from showdown.models.embedding import Embedder
        from showdown.models.source import locate

        del validation
        if not len(train):
            raise UserError("there are no training rows; give some, or take a method that learns from none")
        embedder = Embedder(locate(job.model), job, self.settings.pooling)
        before, after = embedder.marks()
        table = distilled(embedder.embed_vocabulary(), self.settings.dimensions, silent=[*before, *after])
        vectors = embedded(table, embedder.tokenizer, train.texts, embedder.limit)
        head = logistic(
            vectors,
            np.asarray(train.targets),
            len(job.labels),
            regularisation=self.settings.regularisation,
            seed=job.seed,
        )
        return Fitted(
            predictor=StaticClassifier(table, head, job, embedder.tokenizer, embedder.limit),
            trainable_parameters=head.learned,
            total_parameters=int(table.size) + head.learned,
        )

    def save(self, classifier: StaticClassifier, folder: Path) -> None:
        """Write table and regression as safetensors: no network is needed any more."""
        from safetensors.numpy import save_file

        from showdown.models.companions import Usage, write_companions
        from showdown.models.source import locate
        from showdown.models.tokens import load_tokenizer

        save_file({"table": classifier.table, **classifier.head.tensors()}, folder / _FILE)
        usage = Usage(imports=_IMPORTS, opening=_OPENING, scoring=_SCORING)
        tokenizer, limit = load_tokenizer(locate(classifier.job.model)), classifier.most_tokens
        write_companions(folder, tokenizer, classifier.job, limit, method=self, usage=usage)

    def load(self, folder: Path, job: Job) -> StaticClassifier:
        """Read table and regression, and the tokenizer saved beside them."""
        from safetensors.numpy import load_file

        from showdown.models.tokens import load_tokenizer

        saved = load_file(folder / _FILE)
        tokenizer = load_tokenizer(folder)
        return StaticClassifier(saved["table"], LinearHead.of(saved), job, tokenizer, int(tokenizer.model_max_length))


def distilled(vectors: Numbers, dimensions: int, *, silent: Sequence[int]) -> npt.NDArray[np.float16]:
    """Return a table of weighted principal components: shape (vocabulary, at most `dimensions`).

    Args:
        vectors: of each token by its number, shape (vocabulary, width).
        dimensions: components that are kept.
        silent: tokens that stand in every text, and so count for nothing.

    """
    centred = vectors - vectors.mean(axis=0)
    _, components = np.linalg.eigh(centred.T @ centred)  # the largest eigenvalues come last
    kept = centred @ components[:, ::-1][:, :dimensions]
    frequency = 1 / np.arange(2, len(vectors) + 2)
    kept *= (_SIF / (_SIF + frequency / frequency.sum()))[:, None]
    kept[list(silent)] = 0.0
    table: npt.NDArray[np.float16] = (kept / np.abs(kept).max()).astype(np.float16)  # its scale is nothing to a text's
    return table


def embedded(
    table: npt.NDArray[np.float16], tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], limit: int
) -> Numbers:
    """Return the sum of each text's token vectors, scaled to length one: shape (rows, dimensions)."""
    from showdown.models.tokens import encode

    sums = np.stack([table[row].astype(np.float64).sum(axis=0) for row in encode(tokenizer, texts, limit)])
    found: Numbers = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return found
