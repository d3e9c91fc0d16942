"""A pretrained language model as a writer, before any training."""

from dataclasses import dataclass, replace
from typing import cast

from showdown.core.language import LanguagePath
from showdown.core.method import Job, NetworkOptions
from showdown.core.spec import ModelSpec
from showdown.engine.forward import choose_forward
from showdown.engine.graphs.capture import answering_forward
from showdown.models.network import load_network, unpacked_parameters
from showdown.models.source import locate
from showdown.models.tokens import load_tokenizer, positions_of
from showdown.tasks.generation.network import NetworkWriter


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A pretrained language model that answers."""

    writer: NetworkWriter
    positions: int | None
    """The most tokens of a prompt with its answer that the network was made for; None where it names no limit."""
    total_parameters: int


def load_pretrained(job: Job, model: ModelSpec) -> Pretrained:
    """Load a causal language model as it is, frozen.

    Args:
        job: what a method was given.
        model: the job's own model, pinned, or another.

    Raises:
        UserError: when it is no causal language model, is damaged, or has no chat template.

    """
    folder = locate(model)
    tokenizer = load_tokenizer(folder, model.chat_template)
    module = load_network(folder, replace(job, model=model), NetworkOptions()).module
    module.eval().requires_grad_(False)
    forward = choose_forward(module, pad_token_id=int(tokenizer.pad_token_id), device=job.placement.device)
    return Pretrained(
        writer=NetworkWriter(module, cast(LanguagePath, answering_forward(forward)), tokenizer, job.protocol),
        positions=positions_of(module.config),
        total_parameters=unpacked_parameters(module),
    )
