"""LoRA (arXiv 2106.09685): low-rank adapters on the linear layers of the frozen backbone, and the head."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from showdown.core.errors import UserError
from showdown.core.method import MethodSettings
from showdown.core.network import NetworkParts
from showdown.core.parameter_group import ParameterGroup
from showdown.core.strict import added_later
from showdown.core.traits import Traits, fine_tuned
from showdown.methods.parts import layer_number, linear_targets, widths
from showdown.methods.peft import PeftMethod, PeftSettings

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig


class LoraSettings(PeftSettings):
    """Settings of LoRA and of its variants."""

    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16.0, gt=0.0)
    """Adapters are scaled by alpha / rank."""
    adapter_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    targets: Literal["all-linear"] | list[str] = "all-linear"
    """All linear layers of the backbone, or the last parts of their names (`[q_proj, v_proj]`)."""
    layers: Literal["all"] | list[int] = added_later("all", min_length=1)
    """All layers of the backbone, or the numbers of some: from 0 at the input, from -1 at the output (`[-2, -1]`)."""
    up_rate_scale: float = added_later(1.0, gt=0.0)
    """Times the learning rate for B, the matrix behind the rank. LoRA+ (arXiv 2402.12354) takes 16."""


class Lora(PeftMethod):
    """Low-rank adapters in the compute type over a frozen backbone."""

    title: ClassVar[str] = "LoRA"
    summary: ClassVar[str] = (
        "low-rank adapters on all linear layers of the frozen backbone, and the head; the first to try"
    )
    Settings: ClassVar[type[MethodSettings]] = LoraSettings
    traits: ClassVar[Traits] = fine_tuned(color="orange", citation="hu2022")
    rate_factor: ClassVar[float] = 10.0
    """About ten times full fine-tuning's rate is best (arXiv 2405.09673)."""
    use_dora: ClassVar[bool] = False
    rank_stabilised: ClassVar[bool] = False
    """Scale by alpha / sqrt(rank) in place of alpha / rank."""

    def config(self, network: NetworkParts) -> "PeftConfig":
        """Return the configuration of low-rank adapters on the target layers.

        Raises:
            UserError: when a target names no linear layer.
            Unavailable: when the backbone has no linear layers.

        """
        from peft import LoraConfig
        from transformers.pytorch_utils import Conv1D

        linears = [network.module.get_submodule(name) for name in network.linear_names]
        return LoraConfig(
            fan_in_fan_out=bool(linears) and all(isinstance(linear, Conv1D) for linear in linears),
            r=self.settings.rank,
            lora_alpha=self.settings.alpha,
            lora_dropout=self.settings.adapter_dropout,
            target_modules=self.target_names(network.linear_names),
            use_dora=self.use_dora,
            use_rslora=self.rank_stabilised,
        )

    def adapter_parameters(self, network: NetworkParts) -> int:
        """Return rank * (input width + output width) over the target layers."""
        rank = int(self.settings.rank)
        return sum(rank * (inputs + outputs) for inputs, outputs in self._target_widths(network))

    def _target_widths(self, network: NetworkParts) -> list[tuple[int, int]]:
        """Return the input and the output width of each target layer."""
        return [widths(network.module.get_submodule(name)) for name in self.target_names(network.linear_names)]

    def parameter_groups(self, module: "torch.nn.Module") -> list[ParameterGroup]:
        """Return the default groups, with B at its own rate."""
        groups = []
        for group in super().parameter_groups(module):
            ups = tuple(name for name in group.names if ".lora_B." in name)
            rest = tuple(name for name in group.names if name not in ups)
            groups += [replace(group, names=rest), replace(group, names=ups, rate_scale=self.settings.up_rate_scale)]
        return groups

    def target_names(self, linear_names: tuple[str, ...]) -> list[str]:
        """Return the linear layers that get an adapter: the target layers of the chosen layers of the backbone.

        Raises:
            UserError: when a target names no linear layer, or the backbone has no layer of a number.
            Unavailable: when the backbone has no linear layers.

        """
        names = linear_targets(linear_names, self.settings.targets)
        if self.settings.layers == "all":
            return names
        count = 1 + max(map(layer_number, names))
        for number in self.settings.layers:
            if not -count <= number < count:
                raise UserError(
                    f"`layers` names layer {number}, and this model has {count} layers that can be adapted; "
                    f"take numbers from {-count} to {count - 1}"
                )
        chosen = {number % count for number in self.settings.layers}
        return [name for name in names if layer_number(name) in chosen]
