"""The base of methods that fit a small model on embeddings of the pretrained network."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

import numpy as np
import numpy.typing as npt

from showdown.core.errors import UserError
from showdown.core.examples import Examples
from showdown.core.method import Fitted, FittedMethod, Job, MethodSettings
from showdown.core.network_reads import NetworkReads
from showdown.core.predictor import Classifier
from showdown.core.record import ScoreKind
from showdown.core.strict import added_later
from showdown.methods.choice import best_by_validation
from showdown.models.pooling import Pooling

if TYPE_CHECKING:
    from showdown.models.companions import Usage
    from showdown.models.embedding import Embedder

Numbers = npt.NDArray[np.float64]
Candidate = TypeVar("Candidate")
FittedHead = TypeVar("FittedHead", bound="Head")
BATCH_ROWS = 16
"""Texts that are embedded at a time."""
_IMPORTS = """from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer"""
_OPENING = """model = AutoModel.from_pretrained(base)ENCODER.eval()
head = load_file(folder + "/FILE")"""
_VECTORS: dict[Pooling, str] = {
    "mean": """    hidden, mask = model(**inputs).last_hidden_state, inputs["attention_mask"].unsqueeze(-1)
    vectors = (hidden * mask).sum(1) / mask.sum(1)""",
    "last": """    hidden, last = model(**inputs).last_hidden_state, inputs["attention_mask"].sum(1) - 1
    vectors = hidden[torch.arange(len(hidden)), last]""",
    "cls": "    vectors = model(**inputs).last_hidden_state[:, 0]",
}
_NORMALISE = "    vectors = torch.nn.functional.normalize(vectors, dim=-1).double()"


class Head(ABC):
    """What answers from embeddings."""

    file: ClassVar[str]
    """Where its tensors are saved."""
    scoring: ClassVar[str]
    """Python that makes `scores` from `vectors` and `head`, the saved tensors; indented by four spaces."""

    @abstractmethod
    def probabilities(self, vectors: Numbers) -> Numbers:
        """Return the probability of each label: shape (rows, labels), each row sums to one."""

    @abstractmethod
    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what is saved, by name."""

    @classmethod
    @abstractmethod
    def of(cls, tensors: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Make it of what `tensors` returned.

        Raises:
            ValueError: when a tensor is missing.

        """

    @property
    def learned(self) -> int:
        """How many numbers were learned."""
        return 0


class EmbeddingClassifier(Classifier):
    """A head over embeddings."""

    score_kind: ScoreKind = "probability"

    def __init__(self, embedder: "Embedder", head: Head) -> None:
        self.embedder, self.head = embedder, head

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> Numbers:
        """Probabilities: shape (rows, labels), each row sums to one."""
        return self.head.probabilities(self.embedder.embed(texts, batch_rows=batch_rows))


class EmbeddingSettings(MethodSettings):
    """Settings of every method on embeddings."""

    pooling: Pooling = added_later("mean")
    """How the last layer's vectors of a text's tokens become one: their `mean`, that of the `last` token, or that of
    the first one (`cls`)."""


class EmbeddedMethod(FittedMethod):
    """Embeds every row once with the frozen network and fits a head. A method says how (`fit_head`)."""

    Settings: ClassVar[type[MethodSettings]] = EmbeddingSettings
    head_class: ClassVar[type[Head]]
    """What answers."""
    chooses: ClassVar[bool] = True
    """Whether `fit_head` chooses settings by the validation rows."""

    def network_reads(self, *, train: int, validation: int) -> NetworkReads:
        """Return that every training row is embedded once, and every validation row that settings are chosen by."""
        return NetworkReads(fit_rows=train + validation * self.chooses)

    @abstractmethod
    def fit_head(
        self, train: Numbers, targets: npt.NDArray[np.int64], job: Job, held_out: "HeldOut"
    ) -> tuple[Head, tuple[str, ...]]:
        """Fit the head on embeddings of the training rows; return it with notes for the record.

        Args:
            train: shape (rows, width), each row of length one.
            targets: label of each row.
            job: what it is fitted for.
            held_out: the validation rows, to choose settings by.

        """

    def fit(self, train: Examples, job: Job, *, validation: Examples) -> Fitted:
        """Embed the rows once and fit the head.

        Raises:
            UserError: when there are no training rows.

        """
        from showdown.models.embedding import parameters

        if not len(train):
            raise UserError("there are no training rows; give some, or take a method that learns from none")
        embedder = self.embedder(job)
        vectors = embedder.embed(train.texts, batch_rows=BATCH_ROWS)
        head, notes = self.fit_head(vectors, np.asarray(train.targets), job, self._held_out(embedder, validation))
        return Fitted(
            predictor=EmbeddingClassifier(embedder, head),
            trainable_parameters=head.learned,
            total_parameters=parameters(embedder) + head.learned,
            notes=notes,
        )

    def _held_out(self, embedder: "Embedder", validation: Examples) -> "HeldOut":
        if not (self.chooses and len(validation)):
            return HeldOut.none()
        return HeldOut(embedder.embed(validation.texts, batch_rows=BATCH_ROWS), validation.targets)

    def save(self, classifier: EmbeddingClassifier, folder: Path) -> None:
        """Write the head as safetensors; the network is the pretrained one and is not copied."""
        from safetensors.numpy import save_file

        head = classifier.head
        save_file(head.tensors(), folder / head.file)
        save_companions(self, classifier, folder)

    def load(self, folder: Path, job: Job) -> EmbeddingClassifier:
        """Read the head and load the pretrained network again."""
        from safetensors.numpy import load_file

        saved = load_file(folder / self.head_class.file)  # before the network, which takes longer
        return EmbeddingClassifier(self.embedder(job), self.head_class.of(saved))

    def embedder(self, job: Job) -> "Embedder":
        """Load the pretrained network."""
        from showdown.models.embedding import Embedder
        from showdown.models.source import locate

        return Embedder(locate(job.model), job, self.settings.pooling)


def save_companions(
    method: FittedMethod, classifier: EmbeddingClassifier, folder: Path, opening: str = _OPENING
) -> None:
    """Write tokenizer, labels and card beside a saved head.

    Args:
        method: of the head.
        classifier: the head with its network.
        folder: where it was saved.
        opening: Python that makes `model` and `head`.

    """
    from showdown.models.companions import write_companions
    from showdown.models.tokens import load_tokenizer

    embedder = classifier.embedder
    tokenizer = load_tokenizer(embedder.folder)
    write_companions(
        folder, tokenizer, embedder.job, embedder.limit, method=method, usage=_usage(embedder, classifier.head, opening)
    )


def _usage(embedder: "Embedder", head: Head, opening: str) -> "Usage":
    from showdown.models.companions import Usage

    encoder = ".get_encoder()" if embedder.encodes_apart else ""
    return Usage(
        imports=_IMPORTS,
        opening=opening.replace("ENCODER", encoder).replace("FILE", head.file),
        scoring="\n".join([_VECTORS[embedder.pooling], _NORMALISE, head.scoring]),
    )


class HeldOut:
    """The validation rows, by which a head's settings are chosen."""

    def __init__(self, vectors: Numbers, targets: Sequence[int]) -> None:
        self.vectors, self.targets = vectors, targets

    @classmethod
    def none(cls) -> Self:
        """Return no rows: the first candidate is then the best."""
        return cls(np.zeros((0, 0)), ())

    def best(
        self, candidates: Iterable[Candidate], fitted: Callable[[Candidate], FittedHead]
    ) -> tuple[Candidate, FittedHead]:
        """Return the candidate that does best on these rows, with what was fitted by it; see `best_by_validation`."""
        return best_by_validation(candidates, fitted, lambda head: head.probabilities(self.vectors), self.targets)
