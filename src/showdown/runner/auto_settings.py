"""What `auto` stands for: several seeds and a search for learning rates where they are cheap.

The effort of a training is counted beforehand, not timed, so that the same comparison on the same kind of device always
has the same runs: 6 floating-point operations for each weight of the layers and each token (Kaplan et al., arXiv
2001.08361), over as many epochs as trainings usually take.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from showdown.core.method import TunedMethod
from showdown.core.spec import Comparison, TuningSpec
from showdown.data.prepare import Prepared
from showdown.methods.table import method_and_settings, method_class
from showdown.models.described import DescribedModel
from showdown.models.tokens import tokens_by_words

if TYPE_CHECKING:
    from transformers import PretrainedConfig

MANY_SEEDS = (0, 1, 2)
"""Three: the fewest that show a spread (Dodge et al., arXiv 2002.06305)."""
SHORT_SEARCH = TuningSpec(trials=4)
USUAL_EPOCHS = 20
_DEEP = 32
_CHEAP = {"cpu": 2e14, "gpu": 5e17}
"""Operations of all trainings together: a quarter of an hour on two cores of a Xeon (0.2 TFLOP/s), or on an H100 at
most of its rate."""


def settled_effort(
    comparison: Comparison, model: DescribedModel, prepared: Prepared, *, gpu: bool
) -> tuple[Comparison, list[str]]:
    """Choose a value for `auto` seeds and tuning.

    Seeds come first: without several of them no spread between reruns is known. A search for rates is added where the
    trainings of all seeds and trials together are still cheap.

    Returns:
        The comparison, and a line for each `auto` that says what was chosen.

    """
    if "auto" not in (comparison.seeds, comparison.protocol.tuning):
        return comparison, []
    choices = []
    trainings = trained_rows(comparison) * len(prepared.partitions) * len(comparison.learning_curve)
    effort = trainings * _training_flops(comparison, model, prepared)
    cheap = _CHEAP["gpu" if gpu else "cpu"]
    if comparison.seeds == "auto":
        many = trainings > 0 and effort * len(MANY_SEEDS) <= cheap
        comparison = comparison.model_copy(update={"seeds": list(MANY_SEEDS if many else MANY_SEEDS[:1])})
        if trainings:
            choices.append(
                "seeds: 3, so that the spread between reruns is measured"
                if many
                else "seeds: 1, since three would take long here; `seeds: [0, 1, 2]` measures the spread between reruns"
            )
    if comparison.protocol.tuning == "auto":
        assert isinstance(comparison.seeds, list)
        found = effort * len(comparison.seeds) * (1 + SHORT_SEARCH.trials) <= cheap
        protocol = comparison.protocol.model_copy(update={"tuning": SHORT_SEARCH if found else None})
        comparison = comparison.model_copy(update={"protocol": protocol})
        if trainings:
            choices.append(
                f"learning rates: searched, {SHORT_SEARCH.trials} trials a run"
                if found
                else "learning rates: not searched, since it would take long here; `protocol.tuning: {trials: 4}` does"
            )
    return comparison, choices


def trained_rows(comparison: Comparison) -> int:
    """Count the rows of the table that train a network."""
    names = [method_and_settings(row, written)[0] for row, written in comparison.methods.items()]
    return sum(issubclass(method_class(name), TunedMethod) for name in names)


def _training_flops(comparison: Comparison, model: DescribedModel, prepared: Prepared) -> float:
    """Return the floating-point operations of one training on the first partition."""
    epochs = min(USUAL_EPOCHS, comparison.protocol.epochs)
    train = prepared.side("train")
    texts = [f"{prompt} {answer}" for prompt, answer in zip(train.texts, train.answers, strict=False)]
    tokens = _tokens(texts or train.texts, comparison.protocol.max_tokens)
    return 6.0 * _layer_weights(model.config) * tokens * epochs


def _tokens(texts: Sequence[str], most: int) -> float:
    """Return about how many tokens an epoch has, by the words of the texts."""
    return sum(min(float(most), tokens_by_words(text)) for text in texts)


def _layer_weights(config: "PretrainedConfig") -> float:
    """Return about how many weights the network's layers have: 12 times depth and width squared. One that does not name
    its depth counts as deep.
    """
    from showdown.models.width import width_of

    text = config.get_text_config()
    depth = getattr(text, "num_hidden_layers", None) or getattr(text, "num_layers", None) or _DEEP
    return float(12.0 * depth * width_of(config) ** 2)
