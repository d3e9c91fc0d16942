"""IA3 (arXiv 2205.05638): learned vectors rescale keys, values and inner activations of a frozen backbone."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from showdown.core.errors import Unavailable
from showdown.core.method import MethodSettings
from showdown.core.network import NetworkParts
from showdown.core.parameter_group import ParameterGroup
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.parts import Role, widths, with_role
from showdown.methods.peft import PeftMethod, PeftSettings

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig

_PAPER = Reference(
    key="liu2022",
    text="Haokun Liu, Derek Tam, Mohammed Muqeeth, Jay Mohta, Tenghao Huang, Mohit Bansal, and Colin Raffel. Few-shot "
    "parameter-efficient fine-tuning is better and cheaper than in-context learning. In Advances in Neural Information "
    "Processing Systems 35, 2022. arXiv:2205.05638.",
)
_HEAD_RATE_SCALE = 0.1
"""The head is stepped at ten times the rate of full fine-tuning, as LoRA's is: its weights are far smaller than one."""
_NEEDED: tuple[Role, ...] = ("key", "value", "feed-forward output")


class Ia3(PeftMethod):
    """Vectors, at first all ones, on what comes out of key and value layers and on what goes into feed-forward outputs.

    Where one matrix makes queries, keys and values, its vector rescales the queries too, as PEFT does it for GPT-2.
    """

    title: ClassVar[str] = "IA3"
    summary: ClassVar[str] = (
        "learned vectors rescale keys, values and feed-forward activations; for few rows, many models"
    )
    Settings: ClassVar[type[MethodSettings]] = PeftSettings
    traits: ClassVar[Traits] = fine_tuned(citation=_PAPER)
    rate_factor: ClassVar[float] = 100.0
    """PEFT's own comparison (`method_comparison/MetaMathQA` of github.com/huggingface/peft, AdamW, Llama-3.2-3B) trains
    the whole network at 1e-5, and these vectors at 1e-4 and 1e-3, of which 1e-3 is better. The paper's code has 3e-4
    and 3e-3, but with Adafactor, which multiplies a rate by the size of the weights: those of a vector are near one."""

    def config(self, network: NetworkParts) -> "PeftConfig":
        """Return the configuration of vectors on the layers of each role.

        Raises:
            Unavailable: when keys, values or feed-forward outputs are not found.

        """
        from peft import IA3Config
        from transformers.pytorch_utils import Conv1D

        attention, feed_forward = _targets(network)
        return IA3Config(
            target_modules=[*attention, *feed_forward],
            feedforward_modules=feed_forward,
            fan_in_fan_out=isinstance(network.module.get_submodule(feed_forward[0]), Conv1D),
        )

    def adapter_parameters(self, network: NetworkParts) -> int:
        """Return the output widths of key and value layers and the input widths of feed-forward outputs."""
        attention, feed_forward = _targets(network)
        outputs = sum(widths(network.module.get_submodule(name))[1] for name in attention)
        return outputs + sum(widths(network.module.get_submodule(name))[0] for name in feed_forward)

    def parameter_groups(self, module: "torch.nn.Module") -> list[ParameterGroup]:
        """Return the default groups, with vectors that do not decay, and with the head at its own rate.

        PEFT holds a vector as a matrix of one row or column. Decay would pull it to zero, which switches off what it
        rescales.
        """
        groups = []
        for group in super().parameter_groups(module):
            vectors = tuple(name for name in group.names if ".ia3_l." in name)
            head = tuple(name for name in group.names if name not in vectors)
            groups += [
                replace(group, names=vectors, decay_scale=0.0),
                replace(group, names=head, rate_scale=_HEAD_RATE_SCALE),
            ]
        return groups


def _targets(network: NetworkParts) -> tuple[list[str], list[str]]:
    """Return the layers whose outputs are rescaled, and those whose inputs are.

    Raises:
        Unavailable: when keys, values or feed-forward outputs are not found.

    """
    lacking = [role for role in _NEEDED if not with_role(network.linear_names, role)]
    if lacking:
        raise Unavailable(
            f"IA3 rescales keys, values and feed-forward activations, and finds no {lacking[0]} layer in this model; "
            "use lora or full, or a model with such layers (BERT, RoBERTa, Llama, Mistral, Qwen, Gemma)"
        )
    return with_role(network.linear_names, "key", "value"), with_role(network.linear_names, "feed-forward output")
