"""The zero-shot baseline: a pretrained model that answers without training examples.

How it chooses a label depends on the model, and is noted in the record: entailment for a model trained on
natural-language inference, label log-likelihood for a causal language model, similarity of embeddings for a sentence
encoder. Where answers are written, a causal language model is given the prompt as it is.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy.typing as npt
from pydantic import field_validator

from showdown.core.errors import Unavailable, UserError
from showdown.core.examples import Examples
from showdown.core.files import write_json
from showdown.core.method import Fitted, FittedMethod, Job, MethodSettings
from showdown.core.network_reads import NetworkReads
from showdown.core.predictor import Classifier, Predictor
from showdown.core.record import ScoreKind
from showdown.core.spec import ModelSpec
from showdown.core.traits import Traits

if TYPE_CHECKING:
    import numpy as np

    from showdown.models.embedding import Embedder

Way = Literal["similarity", "entailment", "log-likelihood", "writing"]
_LABEL = "{label}"


class TemplateSettings(MethodSettings):
    """Settings of a method that puts labels into a sentence."""

    template: str = "This text is about {label}."
    """The sentence that each label is put into; for classification alone."""

    @field_validator("template")
    @classmethod
    def _has_a_place_for_the_label(cls, template: str) -> str:
        if template.count(_LABEL) != 1:
            raise ValueError("must hold {label} exactly once")
        return template

    def unfit_reason(self, task: str) -> str | None:
        """Return that a template is for labels alone, where one is set and the task has none."""
        if task == "classification" or self.template == type(self)().template:
            return None
        return f"`template` is a sentence for a label, and the task {task} has no labels; leave it out"


class ZeroShotSettings(TemplateSettings):
    """Settings of the zero-shot baseline."""

    model: str | None = None
    """Another model for this row alone, as `facebook/bart-large-mnli`; by default the comparison's."""


class SimilarityClassifier(Classifier):
    """Cosine of a text's embedding with that of each label's sentence."""

    score_kind: ScoreKind = "similarity"

    def __init__(self, embedder: "Embedder", sentences: Sequence[str]) -> None:
        self.embedder = embedder
        self.label_vectors = embedder.embed(sentences, batch_rows=len(sentences))

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> "npt.NDArray[np.float64]":
        """Cosines: shape (rows, labels)."""
        return self.embedder.embed(texts, batch_rows=batch_rows) @ self.label_vectors.T


class ZeroShot(FittedMethod):
    """No training at all."""

    title: ClassVar[str] = "Zero-shot"
    summary: ClassVar[str] = "no training: a language model's own answer; for labels whatever suits the model"
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "generation"})
    Settings: ClassVar[type[MethodSettings]] = ZeroShotSettings
    traits: ClassVar[Traits] = Traits(
        role="prompted", deterministic=True, reads="tokens", color="indigo", citation="yin2019"
    )
    learns: ClassVar[bool] = False

    def network_reads(self, *, train: int, validation: int) -> NetworkReads:
        """Return that it compares labels, and reads nothing to be fitted."""
        del train, validation
        return NetworkReads(ranks_labels=True)

    def fit(self, train: Examples, job: Job, *, validation: Examples) -> Fitted:
        """Load the model and choose how it answers.

        Raises:
            Unavailable: when the settings name another model that is not available here.

        """
        self._pinned = self._pin(job)
        way, total_parameters, predictor = self._open(job, self._pinned, None)
        name = self.settings.model or job.model.id
        return Fitted(
            predictor=predictor,
            trainable_parameters=0,
            total_parameters=total_parameters,
            notes=(
                f"{name} was asked with the prompt as it is"
                if way == "writing"
                else f"zero-shot by {way} with {name}, template `{self.settings.template}`",
            ),
        )

    def unfit_reason(self, task: str) -> str | None:
        """Return that a template is for labels alone."""
        reason: str | None = self.settings.unfit_reason(task)
        return reason

    def save(self, predictor: Predictor, folder: Path) -> None:
        """Write how the model answers; the pretrained model itself is not copied."""
        way = _WAY_OF[predictor.score_kind] if isinstance(predictor, Classifier) else "writing"
        write_json(folder / "zero_shot.json", {"way": way, "model": self._pinned.model_dump(mode="json")})

    def load(self, folder: Path, job: Job) -> Predictor:
        """Load the model again, to answer as before."""
        saved = json.loads((folder / "zero_shot.json").read_text(encoding="utf-8"))
        pinned = (
            ModelSpec(id=self.settings.model, revision=saved["model"]["revision"]) if self.settings.model else job.model
        )
        return self._open(job, pinned, saved["way"])[2]

    def _pin(self, job: Job) -> ModelSpec:
        """Return the model, one of the row's own pinned as the comparison's is.

        Raises:
            Unavailable: when the row's own cannot be had.

        """
        from showdown.models.source import pin

        if not self.settings.model:
            return job.model
        try:
            return pin(ModelSpec(id=self.settings.model))
        except UserError as error:
            raise Unavailable(str(error)) from error

    def _open(self, job: Job, model: ModelSpec, way: Way | None) -> tuple[Way, int, Predictor]:
        from showdown.models.source import locate

        if job.task.name == "generation":
            from showdown.tasks.generation.pretrained import load_pretrained

            pretrained = load_pretrained(job, model)
            return "writing", pretrained.total_parameters, pretrained.writer
        folder = locate(model)
        way = way or way_for(folder)
        sentences = [self.settings.template.replace(_LABEL, label) for label in job.labels]
        if way == "similarity":
            from showdown.models.embedding import Embedder, parameters

            embedder = Embedder(folder, job)
            return way, parameters(embedder), SimilarityClassifier(embedder, sentences)
        if way == "entailment":
            from showdown.tasks.classification.entailment import EntailmentClassifier

            entailment = EntailmentClassifier(folder, job, sentences)
            return way, entailment.total_parameters, entailment
        from showdown.tasks.classification.likelihood import LikelihoodClassifier

        likelihood = LikelihoodClassifier(folder, job, self.settings.template)
        return way, likelihood.total_parameters, likelihood


_WAY_OF: dict[ScoreKind, Way] = {
    "similarity": "similarity",
    "probability": "entailment",
    "log-likelihood": "log-likelihood",
}


def way_for(folder: Path) -> Way:
    """Choose how a model answers, from what its configuration says it was trained for."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if any(str(label).lower().startswith("entail") for label in (config.get("id2label") or {}).values()):
        return "entailment"
    if any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in config.get("architectures") or []):
        return "log-likelihood"
    return "similarity"
