"""Few-shot prompting (arXiv 2005.14165): training rows stand as examples in the prompt of a pretrained model.

They are drawn at random once for all prompts, or retrieved for each prompt as those with the nearest words, after
KATE (Liu et al., 2022), which compares sentence embeddings where this needs no second model. Where answers are written
an example is an earlier turn of the chat; for labels it is a text with the sentence of its label, and the label that
is likeliest behind the text wins.
"""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from showdown.core.errors import Unavailable
from showdown.core.examples import Examples
from showdown.core.files import write_text
from showdown.core.method import Fitted, FittedMethod, Job, MethodSettings
from showdown.core.network_reads import NetworkReads
from showdown.core.predictor import Predictor
from showdown.core.traits import Traits
from showdown.methods.demonstrations import Choice, Demonstrations, chooser, demonstrations
from showdown.methods.zero_shot import TemplateSettings, way_for

_FILE = "examples.json"


class FewShotSettings(TemplateSettings):
    """Settings of few-shot prompting."""

    examples: int = Field(default=4, ge=1, le=64)
    """Training rows in a prompt; fewer where they do not fit into the network's positions."""
    choose: Choice = "random"
    """`random` draws them once by the run's seed, and computes them once for all prompts of a batch; `nearest` takes
    for each prompt those with the nearest words (cosine of TF-IDF)."""


class FewShot(FittedMethod):
    """A pretrained model that is shown training rows in its prompt."""

    title: ClassVar[str] = "Few-shot"
    summary: ClassVar[str] = "a pretrained language model with training rows as examples in its prompt; no training"
    Settings: ClassVar[type[MethodSettings]] = FewShotSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "generation"})
    traits: ClassVar[Traits] = Traits(role="prompted", deterministic=False, reads="tokens", citation="brown2020")

    def network_reads(self, *, train: int, validation: int) -> NetworkReads:
        """Return the examples before each prompt."""
        del validation
        count = min(self.settings.examples, train)
        shared = self.settings.choose == "random"
        return NetworkReads(ranks_labels=True, shared_examples=count * shared, examples=count * (not shared))

    def fit(self, train: Examples, job: Job, *, validation: Examples) -> Fitted:
        """Choose the examples and load the model.

        Raises:
            UserError: when there are no training rows.
            Unavailable: when the model is no causal language model.

        """
        labels = job.task.name == "classification"
        answers = [job.labels[target] for target in train.targets] if labels else train.answers
        self._chosen = demonstrations(
            train,
            answers,
            choose=self.settings.choose,
            count=self.settings.examples,
            seed=job.seed,
            vary_answers=labels,
        )
        predictor, total_parameters = self._open(job, self._chosen)
        return Fitted(
            predictor=predictor,
            trainable_parameters=0,
            total_parameters=total_parameters,
            notes=(_note(self._chosen),),
        )

    def unfit_reason(self, task: str) -> str | None:
        """Return that a template is for labels alone."""
        reason: str | None = self.settings.unfit_reason(task)
        return reason

    def save(self, predictor: Predictor, folder: Path) -> None:
        """Write the rows that are shown, or of which the nearest are, as JSON; the model itself is not copied."""
        write_text(folder / _FILE, self._chosen.model_dump_json())

    def load(self, folder: Path, job: Job) -> Predictor:
        """Read the rows and load the model again.

        Raises:
            ValueError: when the file is damaged.

        """
        self._chosen = Demonstrations.model_validate_json((folder / _FILE).read_bytes())
        return self._open(job, self._chosen)[0]

    def _open(self, job: Job, chosen: Demonstrations) -> tuple[Predictor, int]:
        """Return the model with its examples, and its number of parameters."""
        if job.task.name == "generation":
            from showdown.tasks.generation.pretrained import load_pretrained
            from showdown.tasks.generation.prompted import PromptedWriter

            pretrained = load_pretrained(job, job.model)
            return PromptedWriter(pretrained, chooser(chosen)), pretrained.total_parameters
        return self._classifier(job, chosen)

    def _classifier(self, job: Job, chosen: Demonstrations) -> tuple[Predictor, int]:
        from showdown.models.source import locate
        from showdown.tasks.classification.likelihood import LikelihoodClassifier

        folder = locate(job.model)
        if way_for(folder) != "log-likelihood":
            raise Unavailable(
                f"`{job.model.id}` is no causal language model, which alone reads examples in its prompt; take one "
                "(Llama, Mistral, Qwen, Gemma), or zero-shot"
            )
        likelihood = LikelihoodClassifier(folder, job, self.settings.template, chooser(chosen, str))
        return likelihood, likelihood.total_parameters


def _note(chosen: Demonstrations) -> str:
    """Return how the examples are chosen, in words."""
    if chosen.choose == "nearest":
        return f"the {chosen.count} nearest of {len(chosen.rows)} training rows in each prompt"
    return f"{len(chosen.rows)} training rows in every prompt, drawn at random"
