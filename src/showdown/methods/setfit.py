"""SetFit (Tunstall et al., arXiv 2209.11055): contrastive fine-tuning of the encoder, then logistic regression.

It does not run in the training loop of the other methods, whose loss is a sum over single rows: its loss is of pairs.
Its protocol differs in this: it trains for a fixed number of rounds, and not until it has converged; all in float32;
and the last weights are kept. Optimizer, rows of a step, warm-up, weight decay, limit of the gradient and dropout are
those of the protocol. Where the protocol tunes learning rates, as many are tried here, spread evenly over the range,
and judged on the validation rows.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from showdown.core.errors import Unavailable, UserError
from showdown.core.examples import Examples
from showdown.core.method import Fitted, Job, LearningRate, MethodSettings
from showdown.core.network_reads import NetworkReads
from showdown.core.spec import Needs, TuningSpec
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.choice import mean_log
from showdown.methods.embedded import BATCH_ROWS, EmbeddingClassifier, HeldOut, save_companions
from showdown.methods.frozen import Frozen, FrozenSettings
from showdown.methods.linear_head import LinearHead

if TYPE_CHECKING:
    from showdown.models.embedding import Embedder

_FILE = "setfit.safetensors"
_NETWORK = "network."
_HALF_DECADE = 10.0**0.5
_READS = 9
"""Forward passes that a row costs in a round: it and its two partners, each forward and backward."""
_OPENING = """saved = load_file(folder + "/FILE")
model = AutoModel.from_pretrained(base)ENCODER.eval()
model.load_state_dict({name[8:]: value for name, value in saved.items() if name.startswith("network.")})
head = saved"""


class SetFitSettings(FrozenSettings):
    """Settings of SetFit, and of its logistic regression."""

    learning_rate: LearningRate = 2e-5
    """Peak rate, unless the protocol tunes it; the paper's."""
    rounds: int = Field(default=5, ge=1)
    """How often each training row stands in a pair of either kind. The paper has 20, for few rows."""


class SetFit(Frozen):
    """Contrastive fine-tuning and a logistic head."""

    title: ClassVar[str] = "SetFit"
    summary: ClassVar[str] = (
        "contrastive fine-tuning of the encoder, then logistic regression; for a few dozen rows a label"
    )
    Settings: ClassVar[type[MethodSettings]] = SetFitSettings
    traits: ClassVar[Traits] = fine_tuned(
        citation=Reference(
            key="tunstall2022",
            text="Lewis Tunstall, Nils Reimers, Unso Eun Seo Jo, Luke Bates, Daniel Korat, Moshe Wasserblat, and Oren "
            "Pereg. Efficient few-shot learning without prompts. arXiv:2209.11055, 2022.",
        )
    )

    @classmethod
    def needs(cls) -> Needs:
        """Return `training`: it takes its optimizer and its steps from the protocol."""
        return "training"

    def network_reads(self, *, train: int, validation: int) -> NetworkReads:
        """Return the passes of all rounds at one learning rate."""
        return NetworkReads(fit_rows=train * (1 + _READS * self.settings.rounds) + validation)

    def fit(self, train: Examples, job: Job, *, validation: Examples) -> Fitted:
        """Choose the learning rate where the protocol tunes it, train, and fit the regression.

        Raises:
            UserError: when there are no training rows.
            Unavailable: when the network's answers depend on the padding.

        """
        from showdown.models.embedding import parameters

        if not len(train):
            raise UserError("there are no training rows; give some, or take a method that learns from none")
        rate, notes = self._rate(train, job, validation)
        classifier, rounds = self._trained(train, job, rate)
        cut = rounds < self.settings.rounds
        learned = parameters(classifier.embedder) + classifier.head.learned
        return Fitted(
            predictor=classifier,
            trainable_parameters=learned,
            total_parameters=learned,
            notes=(*notes, *([f"SetFit: cut short by the time limit after {rounds} rounds"] if cut else [])),
        )

    def _rate(self, train: Examples, job: Job, validation: Examples) -> tuple[float, tuple[str, ...]]:
        """Return the learning rate, and how it was found. Rates that an interrupted fit tried are not tried again."""
        rate, tuning = float(self.settings.learning_rate), job.protocol.tuning
        if not (isinstance(tuning, TuningSpec) and len(validation)):
            return rate, ()
        rates = np.geomspace(rate / _HALF_DECADE, min(1.0, rate * _HALF_DECADE), tuning.trials).tolist()
        known = {step["learning_rate"]: step["score"] for step in self.journal.steps if {*step} == {*_STEP}}
        for one in rates:
            if one not in known:
                self.journal.tell(f"training, learning rate {one:.2g}")
                known[one] = self._score(train, job, validation, one)
                self.journal.add(dict(zip(_STEP, (one, known[one]), strict=True)))
        best = max(rates, key=lambda one: known[one])
        return best, (f"learning rate {best:.2g}, the best of {len(rates)} on the validation rows",)

    def _score(self, train: Examples, job: Job, validation: Examples, rate: float) -> float:
        """Return how likely the right labels of the validation rows are after a training at a rate."""
        try:
            classifier, _ = self._trained(train, job, rate)
        except FloatingPointError:
            return -np.inf
        return mean_log(classifier.scores(validation.texts, batch_rows=BATCH_ROWS), validation.targets)

    def _trained(self, train: Examples, job: Job, rate: float) -> tuple[EmbeddingClassifier, int]:
        """Train at a rate; return the classifier and the rounds."""
        from showdown.models.padding import PADDING_COUNTS
        from showdown.models.tokens import encode
        from showdown.tasks.classification.contrastive import train_on_pairs

        embedder = self.embedder(job)
        if embedder.module.config.model_type in PADDING_COUNTS:
            raise Unavailable(
                f"the architecture `{embedder.module.config.model_type}` answers otherwise where texts are padded, as "
                "pairs are; use another model"
            )
        rounds = train_on_pairs(
            embedder,
            encode(embedder.tokenizer, train.texts, embedder.limit),
            train.targets,
            job.protocol,
            learning_rate=rate,
            rounds=self.settings.rounds,
            seed=job.seed,
        )
        vectors = embedder.embed(train.texts, batch_rows=BATCH_ROWS)
        head, _ = self.fit_head(vectors, np.asarray(train.targets), job, HeldOut.none())
        return EmbeddingClassifier(embedder, head), rounds

    def save(self, classifier: EmbeddingClassifier, folder: Path) -> None:
        """Write the trained network and the regression as safetensors."""
        from safetensors.torch import save_file
        from torch import from_numpy

        network = classifier.embedder.module.state_dict()
        tensors = {f"{_NETWORK}{name}": value.cpu().clone().contiguous() for name, value in network.items()}
        tensors |= {name: from_numpy(value) for name, value in classifier.head.tensors().items()}
        save_file(tensors, folder / _FILE)
        save_companions(self, classifier, folder, opening=_OPENING.replace("FILE", _FILE))

    def load(self, folder: Path, job: Job) -> EmbeddingClassifier:
        """Load the pretrained network and put the trained weights into it.

        Raises:
            RuntimeError: when a tensor is missing, or has another shape.

        """
        from safetensors.torch import load_file

        saved, embedder = load_file(folder / _FILE), self.embedder(job)
        trained = {name.removeprefix(_NETWORK): value for name, value in saved.items() if name.startswith(_NETWORK)}
        embedder.module.load_state_dict(trained)
        return EmbeddingClassifier(embedder, LinearHead.of({name: saved[name].numpy() for name in ("weight", "bias")}))

    def embedder(self, job: Job) -> "Embedder":
        """Load the pretrained network in float32, whose small steps bfloat16 would round away."""
        from showdown.models.embedding import Embedder
        from showdown.models.source import locate

        whole = replace(job, placement=replace(job.placement, dtype="float32"))
        return Embedder(locate(job.model), whole, self.settings.pooling, dropout=job.protocol.dropout)


_STEP: Sequence[str] = ("learning_rate", "score")
"""What is kept of a learning rate that was tried."""
