"""Classification as a task."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from showdown.core.examples import Examples
from showdown.core.predictor import Classifier, Predictor
from showdown.core.record import ScoreKind
from showdown.core.spec import SharedProtocol
from showdown.core.task import Answers, CardText, EncodedExamples, ForwardPath, Objective, Targets, Task, Validation

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedTokenizerBase


class Classification(Task):
    """Each example has one of the labels; its target is the label's index."""

    name: ClassVar[str] = "classification"
    curve_metric: ClassVar[str] = "f1_macro"
    score_key: ClassVar[str] = "true_label_probability"
    score_kind: ClassVar[ScoreKind] = "probability"
    auto_class: ClassVar[str] = "AutoModelForSequenceClassification"
    peft_task_type: ClassVar[str] = "SEQ_CLS"
    network_title: ClassVar[str] = "sequence classifier"
    network_choice: ClassVar[str] = (
        "an encoder (BERT, RoBERTa, DeBERTa, ModernBERT) or a decoder (Llama, Mistral, Qwen, Gemma)"
    )
    pipeline_tag: ClassVar[str] = "text-classification"

    def architectures(self) -> Collection[str]:
        """Return the architectures that have a sequence classifier."""
        from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

        return frozenset(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES)

    def configure(self, config: "PretrainedConfig", labels: Sequence[str]) -> None:
        """Give the network one output for each label."""
        names = dict(enumerate(labels))
        config.id2label, config.label2id = names, {label: index for index, label in names.items()}
        config.problem_type = "single_label_classification"

    def card(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        *,
        labels: Sequence[str],
        protocol: SharedProtocol,
        limit: int,
        scoring: str | None,
    ) -> CardText:
        """Return how texts are scored with plain transformers."""
        from showdown.tasks.classification.card import card

        return card(labels, limit=limit, scoring=scoring)

    def head_names(self, module: "torch.nn.Module") -> tuple[str, ...]:
        """Name the modules beside the backbone."""
        from showdown.models.parts import outside_backbone

        return outside_backbone(module)

    def encode(
        self, tokenizer: "PreTrainedTokenizerBase", examples: Examples, limit: int, protocol: SharedProtocol
    ) -> EncodedExamples:
        """Return the tokens of each text, special tokens included, and its label as the one target."""
        from showdown.models.tokens import encode

        ids = encode(tokenizer, examples.texts, limit)
        return EncodedExamples(ids=ids, targets=[(label,) for label in examples.targets])

    def objective(self, protocol: SharedProtocol) -> Objective:
        """Return the cross-entropy."""
        from showdown.tasks.classification.objective import CrossEntropy

        return CrossEntropy(protocol)

    def validate(
        self, module: "torch.nn.Module", forward: ForwardPath, objective: Objective, examples: EncodedExamples
    ) -> Validation:
        """Judge by the mean probability of the right label."""
        from showdown.tasks.classification.validation import validate

        return validate(module, forward, objective, examples)

    def chance_score(self, targets: Targets) -> float:
        """Return the score of answering with the labels' frequencies."""
        from showdown.tasks.classification.validation import chance_score

        return chance_score(targets)

    def still_learning(self, values: Mapping[str, float], protocol: SharedProtocol) -> bool:
        """Return whether the probabilities lag behind the accuracy."""
        from showdown.tasks.classification.validation import still_learning

        return still_learning(values, protocol.label_smoothing)

    def predictor(
        self,
        module: "torch.nn.Module",
        forward: ForwardPath,
        tokenizer: "PreTrainedTokenizerBase",
        limit: int,
        protocol: SharedProtocol,
    ) -> Classifier:
        """Return the network as a classifier."""
        from showdown.tasks.classification.network import NetworkClassifier

        return NetworkClassifier(module, forward, tokenizer, limit)

    def answer(
        self,
        predictor: Predictor,
        *,
        test: Examples,
        validation: Examples,
        labels: Sequence[str],
        batch_rows: int,
        protocol: SharedProtocol,
    ) -> Answers:
        """Score both sides with a classifier."""
        from showdown.tasks.classification.answers import ClassifierAnswers

        if not isinstance(predictor, Classifier):
            raise TypeError(f"{type(predictor).__name__} is no classifier")
        return ClassifierAnswers(predictor, test=test, validation=validation, labels=labels, batch_rows=batch_rows)
