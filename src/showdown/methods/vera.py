"""VeRA (arXiv 2310.11454): random matrices that all layers share, and learned vectors between them."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from showdown.core.method import MethodSettings
from showdown.core.network import NetworkParts
from showdown.core.parameter_group import ParameterGroup
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.parts import linear_targets, widths
from showdown.methods.peft import PeftMethod, PeftSettings

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig

_PAPER = Reference(
    key="kopiczko2024",
    text="Dawid J. Kopiczko, Tijmen Blankevoort, and Yuki M. Asano. VeRA: Vector-based random matrix adaptation. In "
    "The Twelfth International Conference on Learning Representations, 2024. arXiv:2310.11454.",
)
_HEAD_RATE_SCALE = 0.1
"""The head is stepped at ten times the rate of full fine-tuning, as LoRA's is."""


class VeraSettings(PeftSettings):
    """Settings of VeRA."""

    rank: int = Field(default=256, ge=1)
    """Of the random matrices, which do not learn: a layer learns only rank + output width numbers (the paper's 256 for
    language models)."""
    targets: Literal["all-linear"] | list[str] = "all-linear"
    """All linear layers of the backbone, or the last parts of their names (`[q_proj, v_proj]`)."""


class Vera(PeftMethod):
    """Vectors between two random matrices, which are saved too: another version of PyTorch might draw others."""

    title: ClassVar[str] = "VeRA"
    summary: ClassVar[str] = "learned vectors between shared random matrices; a tenth of LoRA's parameters or fewer"
    Settings: ClassVar[type[MethodSettings]] = VeraSettings
    traits: ClassVar[Traits] = fine_tuned(citation=_PAPER)
    rate_factor: ClassVar[float] = 100.0
    """IA3's, whose vectors rescale what is there too. Trained on 96 resumes for 12 epochs it
    scored the same at three times as much, so that this measurement decided nothing."""

    def config(self, network: NetworkParts) -> "PeftConfig":
        """Return the configuration of vectors on the target layers.

        Raises:
            UserError: when a target names no linear layer.
            Unavailable: when the backbone has no linear layers.

        """
        from peft import VeraConfig
        from transformers.pytorch_utils import Conv1D

        names = linear_targets(network.linear_names, self.settings.targets)
        return VeraConfig(
            r=self.settings.rank,
            target_modules=names,
            fan_in_fan_out=isinstance(network.module.get_submodule(names[0]), Conv1D),
        )

    def adapter_parameters(self, network: NetworkParts) -> int:
        """Return rank + output width over the target layers."""
        names = linear_targets(network.linear_names, self.settings.targets)
        return sum(self.settings.rank + widths(network.module.get_submodule(name))[1] for name in names)

    def parameter_groups(self, module: "torch.nn.Module") -> list[ParameterGroup]:
        """Return the default groups, with the head at its own rate."""
        groups = []
        for group in super().parameter_groups(module):
            vectors = tuple(name for name in group.names if ".vera_lambda_" in name)
            head = tuple(name for name in group.names if name not in vectors)
            groups += [replace(group, names=vectors), replace(group, names=head, rate_scale=_HEAD_RATE_SCALE)]
        return groups
