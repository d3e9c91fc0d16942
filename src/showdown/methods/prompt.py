"""Prompt tuning (arXiv 2104.08691): learned embeddings of virtual tokens beside the text of a frozen network."""

from typing import TYPE_CHECKING, Any, ClassVar

from showdown.core.network import NetworkParts
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.virtual_tokens import VirtualTokensMethod, embedding_of, put_embedding, sampled_words

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig
    from transformers import PreTrainedModel

_PAPER = Reference(
    key="lester2021",
    text="Brian Lester, Rami Al-Rfou, and Noah Constant. The power of scale for parameter-efficient prompt tuning. In "
    "Proceedings of the 2021 Conference on Empirical Methods in Natural Language Processing, 2021. arXiv:2104.08691.",
)


class Prompt(VirtualTokensMethod):
    """Embeddings of virtual tokens, at first those of words drawn from the vocabulary (section 3.2 of the paper)."""

    title: ClassVar[str] = "Prompt tuning"
    summary: ClassVar[str] = "learned embeddings beside the text; for large models, many tasks and next to no storage"
    traits: ClassVar[Traits] = fine_tuned(citation=_PAPER)
    rate_factor: ClassVar[float] = 100.0
    """0.018 for the quickstart's network. On its data this and three times as much scored 48 % both, means of two
    trainings, and 26 % with 0.3 times and 40 % with ten times as much (`benchmarks.statistics.virtual_token_rates`; 50
    test rows). The paper takes 0.3, with Adafactor and far larger networks."""

    def put_into(self, network: NetworkParts, *, behind: bool, start: bool) -> None:
        """Surround the embedding."""
        import torch
        from torch import nn

        weight, count = embedding_of(network).weight, self.virtual_tokens
        words = torch.empty(count, weight.shape[1], device=weight.device, dtype=torch.float32)
        if start and not weight.is_meta:
            words = weight.detach()[sampled_words(network, count)].float()
        put_embedding(network, nn.Parameter(words), count=count, behind=behind)

    def learned_numbers(self, network: NetworkParts) -> int:
        """Return the virtual tokens times the width of an embedding.

        Raises:
            UserError: when the model has too few positions.
            Unavailable: when virtual tokens cannot go to this network.

        """
        self.require_room(network)
        return self.virtual_tokens * int(embedding_of(network).weight.shape[1])

    def peft_adapter(self, module: "PreTrainedModel") -> "tuple[PeftConfig, torch.Tensor]":
        """Return PEFT's prompt tuning."""
        from peft import PromptTuningConfig

        embedding: Any = module.get_input_embeddings()
        words, shape = embedding.values(), module.config.get_text_config()
        config = PromptTuningConfig(
            num_virtual_tokens=len(words),
            token_dim=words.shape[1],
            num_transformer_submodules=1,
            num_attention_heads=shape.num_attention_heads,
            num_layers=shape.num_hidden_layers,
            inference_mode=True,
        )
        return config, words
