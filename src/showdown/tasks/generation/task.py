"""Generation as a task."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from showdown.core.examples import Examples
from showdown.core.language import LanguagePath
from showdown.core.predictor import Predictor, Writer
from showdown.core.record import ScoreKind
from showdown.core.spec import SharedProtocol
from showdown.core.task import (
    Answers,
    CardText,
    EncodedExamples,
    ForwardPath,
    Objective,
    Probe,
    Targets,
    Task,
    Validation,
)

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

READ_BOTH_WAYS = frozenset(
    (
        *("bert", "bert-generation", "big_bird", "camembert", "cpmant", "data2vec-text", "electra", "ernie"),
        *("megatron-bert", "prophetnet", "reformer", "rembert", "roberta", "roberta-prelayernorm", "roc_bert"),
        *("roformer", "xlm", "xlm-roberta", "xlm-roberta-xl", "xlnet", "xmod"),
    )
)
"""transformers' `model_type` of networks that transformers opens as causal language models, and that look at the token
which they are to predict unless their configuration says otherwise."""


class Generation(Task):
    """Each example is a prompt with the wanted answer; its targets are the tokens of the answer."""

    name: ClassVar[str] = "generation"
    curve_metric: ClassVar[str] = "token_accuracy"
    score_key: ClassVar[str] = "token_probability"
    score_kind: ClassVar[ScoreKind | None] = None
    auto_class: ClassVar[str] = "AutoModelForCausalLM"
    peft_task_type: ClassVar[str] = "CAUSAL_LM"
    network_title: ClassVar[str] = "causal language model"
    network_choice: ClassVar[str] = "a decoder (Llama, Mistral, Qwen, Gemma)"
    pipeline_tag: ClassVar[str] = "text-generation"

    def architectures(self) -> Collection[str]:
        """Return the architectures of causal language models: no network that reads both ways, as encoders do."""
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

        return frozenset(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) - READ_BOTH_WAYS

    def configure(self, config: "PretrainedConfig", labels: Sequence[str]) -> None:
        """Change nothing: a language model answers with the tokens that it knows."""

    def card(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        *,
        labels: Sequence[str],
        protocol: SharedProtocol,
        limit: int,
        scoring: str | None,
    ) -> CardText:
        """Return how prompts are answered with plain transformers."""
        from showdown.tasks.generation.card import card

        return card(tokenizer, protocol, limit=limit)

    def head_names(self, module: "torch.nn.Module") -> tuple[str, ...]:
        """Name nothing: the output layer is pretrained like the rest."""
        return ()

    def encode(
        self, tokenizer: "PreTrainedTokenizerBase", examples: Examples, limit: int, protocol: SharedProtocol
    ) -> EncodedExamples:
        """Return each chat with its answer as tokens, and the token after each as its target.

        Raises:
            ValueError: for an example with more than ``limit`` tokens, which preparation refuses, drops or cuts.

        """
        from showdown.tasks.generation.layout import ChatLayout

        layout = ChatLayout(tokenizer)
        pairs = zip(examples.texts, examples.answers, strict=True)
        laid = [layout.example(prompt, answer, protocol.loss_on) for prompt, answer in pairs]
        longest = max(len(one.ids) for one in laid)
        if longest > limit:
            raise ValueError(f"an example has {longest} tokens, more than the limit of {limit}")
        return EncodedExamples(ids=[one.ids for one in laid], targets=[one.targets for one in laid])

    def objective(self, protocol: SharedProtocol) -> Objective:
        """Return the cross-entropy of the next token."""
        from showdown.tasks.generation.objective import NextToken

        return NextToken(protocol)

    def validate(
        self, module: "torch.nn.Module", forward: ForwardPath, objective: Objective, examples: EncodedExamples
    ) -> Validation:
        """Judge by the mean probability of the right next token."""
        from showdown.tasks.generation.validation import validate

        return validate(module, cast(LanguagePath, forward), examples)

    def chance_score(self, targets: Targets) -> float:
        """Return 0: a network that knows nothing spreads its probability over a whole vocabulary."""
        return 0.0

    def least_rise(self, score: float) -> float:
        """Return a twentieth of what is missing to certainty, and at most 1 point.

        An answer has dozens of tokens, most of which are easy: from 95 to 96 % of the probability a token is a fifth of
        all errors (`docs/decisions/0006-convergence.md`).
        """
        return min(super().least_rise(score), 0.05 * (1.0 - score))

    def still_learning(self, values: Mapping[str, float], protocol: SharedProtocol) -> bool:
        """Return False: the probability of a token has no accuracy that it must rise to."""
        return False

    def predictor(
        self,
        module: "torch.nn.Module",
        forward: ForwardPath,
        tokenizer: "PreTrainedTokenizerBase",
        limit: int,
        protocol: SharedProtocol,
    ) -> Writer:
        """Return the network as a writer."""
        from showdown.tasks.generation.network import NetworkWriter

        return NetworkWriter(module, cast(LanguagePath, forward), tokenizer, protocol)

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
        """Have a model write answers to the test and the validation prompts."""
        from showdown.tasks.generation.answers import WriterAnswers

        if not isinstance(predictor, Writer):
            raise TypeError(f"{type(predictor).__name__} writes no answers")
        return WriterAnswers(predictor, test=test, validation=validation, batch_rows=batch_rows, protocol=protocol)

    def probe(self, predictor: Predictor, test: Examples) -> Probe | None:
        """Return what a network says to the general text and to the test prompts."""
        from showdown.tasks.generation.elsewhere import probe
        from showdown.tasks.generation.network import NetworkWriter

        return probe(predictor, test.texts) if isinstance(predictor, NetworkWriter) else None
