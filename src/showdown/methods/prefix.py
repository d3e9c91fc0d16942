"""Prefix tuning (arXiv 2101.00190): learned keys and values in every layer of a frozen network.

On encoders it is P-tuning v2 (arXiv 2110.07602), with a head in place of words for the labels.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from showdown.core.errors import Unavailable, UserError
from showdown.core.method import MethodSettings
from showdown.core.network import NetworkParts
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.parts import roles_of, widths
from showdown.methods.virtual_tokens import (
    VirtualTokensMethod,
    VirtualTokensSettings,
    put_embedding,
    sampled_words,
)

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig
    from transformers import PreTrainedModel

_PAPER = Reference(
    key="li2021",
    text="Xiang Lisa Li and Percy Liang. Prefix-tuning: Optimizing continuous prompts for generation. In Proceedings "
    "of the 59th Annual Meeting of the Association for Computational Linguistics (Volume 1: Long Papers), 2021. "
    "arXiv:2101.00190.",
)
_ENCODERS = ("bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta")
"""Those whose keys know no positions: virtual tokens behind the text are the same wherever it ends."""
_DECODERS = ("gemma", "gemma2", "gemma3_text", "llama", "mistral", "qwen2", "qwen3")
"""Those whose virtual tokens, before the text, have the same positions in every row."""


class PrefixSettings(VirtualTokensSettings):
    """Settings of prefix tuning."""

    projection: int | None = Field(default=None, ge=1)
    """Width of a layer that keys and values are made by while they are trained, as in the prefix tuning paper (512
    there, section 4.3); it is not saved. None trains keys and values themselves: P-tuning v2 finds that it depends on
    the task which is better (section 3.3)."""


class Prefix(VirtualTokensMethod):
    """Keys and values of virtual tokens, at first those that the network computes for words of its vocabulary.

    The paper finds beginning with activations of real words better than at random (section 7.4).
    """

    title: ClassVar[str] = "Prefix tuning"
    summary: ClassVar[str] = "learned keys and values in every layer; where prompt tuning is too weak for a small model"
    Settings: ClassVar[type[MethodSettings]] = PrefixSettings
    traits: ClassVar[Traits] = fine_tuned(citation=_PAPER)
    rate_factor: ClassVar[float] = 100.0
    """0.018 for the quickstart's network. On its data this scored 55 % and three times as much 58 %, means of two
    trainings, and 28 % with 0.3 times and 26 % with ten times as much (`benchmarks.statistics.virtual_token_rates`; 50
    test rows, which cannot tell the first two apart)."""

    def put_into(self, network: NetworkParts, *, behind: bool, start: bool) -> None:
        """Surround the embedding, and the layers that make keys and values."""
        import torch
        from torch import nn

        from showdown.models.virtual_tokens import Reparametrisation, VirtualLinear, keys_and_values

        module: Any = network.module
        names, count, inner = _targets(network), self.virtual_tokens, self.settings.projection
        outputs = [widths(module.get_submodule(name))[1] for name in names]
        device = next(module.parameters()).device
        first = [torch.empty(count, width, device=device, dtype=torch.float32) for width in outputs]
        if start and device.type != "meta":
            first = keys_and_values(module, names, sampled_words(network, count))
        embedding = put_embedding(network, None, count=count, behind=behind)
        made = Reparametrisation(count, inner, sum(outputs)).to(device) if start and inner else None
        if made:
            embedding.add_module("reparametrisation", made)
        place = 0
        for name, values in zip(names, first, strict=True):
            layer = VirtualLinear(module.get_submodule(name), None if made else nn.Parameter(values), embedding)
            if made:
                layer.made_by(made, values, slice(place, place + values.shape[1]))
            module.set_submodule(name, layer)
            place += values.shape[1]

    def learned_numbers(self, network: NetworkParts) -> int:
        """Return the virtual tokens times the widths of keys and values, or the numbers of what makes these.

        Raises:
            UserError: when the model has too few positions, or too short a window of attention.
            Unavailable: when the network is not among those whose attention is understood.

        """
        self.require_room(network)
        outputs = sum(widths(network.module.get_submodule(name))[1] for name in _targets(network))
        self._require_sight(network)
        inner = self.settings.projection
        if inner is None:
            return self.virtual_tokens * outputs
        return int(self.virtual_tokens * inner + inner * (inner + 1) + outputs * (inner + 1))

    def _require_sight(self, network: NetworkParts) -> None:
        """Refuse a prefix of which attention with a window sees a part.

        Raises:
            UserError: naming the window.

        """
        module: Any = network.module
        window = getattr(module.config, "sliding_window", None)
        if window and self.virtual_tokens >= window:
            raise UserError(
                f"`tokens` is {self.virtual_tokens:,}, and attention of this model reaches back {window:,} tokens; "
                f"take at most {max(1, window - 1):,}"
            )

    def peft_adapter(self, module: "PreTrainedModel") -> "tuple[PeftConfig, torch.Tensor]":
        """Return PEFT's prefix tuning: keys as they are cached, normed and rotated, and values."""
        import torch
        from peft import PrefixTuningConfig

        shape = module.config.get_text_config()
        embedding: Any = module.get_input_embeddings()
        ids = torch.tensor([embedding.ids()], device=embedding.weight.device)
        was_training = module.training
        with torch.no_grad():
            layers = module.eval()(input_ids=ids, use_cache=True).past_key_values.layers
        module.train(was_training)
        parts = [part[0].transpose(0, 1).flatten(1) for layer in layers for part in (layer.keys, layer.values)]
        config = PrefixTuningConfig(
            num_virtual_tokens=embedding.count,
            token_dim=parts[0].shape[1],
            num_transformer_submodules=1,
            num_attention_heads=shape.num_key_value_heads,
            num_layers=shape.num_hidden_layers,
            prefix_projection=False,
            inference_mode=True,
        )
        return config, torch.cat(parts, dim=1)


def _targets(network: NetworkParts) -> list[str]:
    """Return the layers that make keys or values, in their order.

    Raises:
        Unavailable: when the network is not among those whose attention is understood.

    """
    module: Any = network.module
    kind = module.config.model_type
    names = [name for name in network.linear_names if roles_of(name) in (("key",), ("value",))]
    if kind not in (*_ENCODERS, *_DECODERS) or not names:
        raise Unavailable(
            f"prefix tuning knows the attention of {', '.join((*_ENCODERS, *_DECODERS))}, and this model is `{kind}`; "
            "use prompt or lora, or one of those models"
        )
    return names
