"""OFT (arXiv 2306.07280): the inputs of linear layers are rotated in blocks by learned orthogonal matrices.

As PEFT computes it (OFTv2, arXiv 2506.19847): inputs are rotated in place of weights, and the rotation is a Neumann
series of the Cayley transform of a skew-symmetric matrix.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from showdown.core.errors import UserError
from showdown.core.method import MethodSettings
from showdown.core.network import NetworkParts
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.parts import linear_targets, widths
from showdown.methods.peft import PeftMethod, PeftSettings

if TYPE_CHECKING:
    from peft import PeftConfig

_PAPER = Reference(
    key="qiu2023",
    text="Zeju Qiu, Weiyang Liu, Haiwen Feng, Yuxuan Xue, Yao Feng, Zhen Liu, Dan Zhang, Adrian Weller, and Bernhard "
    "Schoelkopf. Controlling text-to-image diffusion by orthogonal finetuning. In Advances in Neural Information "
    "Processing Systems 36, 2023. arXiv:2306.07280.",
)


class OftSettings(PeftSettings):
    """Settings of OFT."""

    block: int = Field(default=32, ge=2)
    """Inputs that are rotated together; a divisor of the width of each target layer's inputs."""
    targets: Literal["all-linear"] | list[str] = "all-linear"
    """All linear layers of the backbone, or the last parts of their names (`[q_proj, v_proj]`)."""


class Oft(PeftMethod):
    """Rotations, at first none, of what goes into linear layers."""

    title: ClassVar[str] = "OFT"
    summary: ClassVar[str] = "rotates the inputs of linear layers; where the pretrained features must not be distorted"
    Settings: ClassVar[type[MethodSettings]] = OftSettings
    traits: ClassVar[Traits] = fine_tuned(citation=_PAPER)
    rate_factor: ClassVar[float] = 10.0
    """PEFT's own comparison (`method_comparison/MetaMathQA` of github.com/huggingface/peft, AdamW, Llama-3.2-3B) trains
    OFT and LoRA at 1e-4, and the whole network at 1e-5."""

    def config(self, network: NetworkParts) -> "PeftConfig":
        """Return the configuration of rotations on the target layers.

        Raises:
            UserError: when a target names no linear layer, or its inputs do not divide into blocks.
            Unavailable: when the backbone has no linear layers.

        """
        from peft import OFTConfig
        from transformers.pytorch_utils import Conv1D

        names = self._targets(network)
        return OFTConfig(
            r=0,
            oft_block_size=self.settings.block,
            target_modules=names,
            fan_in_fan_out=isinstance(network.module.get_submodule(names[0]), Conv1D),
        )

    def adapter_parameters(self, network: NetworkParts) -> int:
        """Return block * (block - 1) / 2, which an orthogonal matrix has, for each block of the inputs."""
        inputs = sum(widths(network.module.get_submodule(name))[0] for name in self._targets(network))
        return int(inputs * (self.settings.block - 1) // 2)

    def _targets(self, network: NetworkParts) -> list[str]:
        names = linear_targets(network.linear_names, self.settings.targets)
        for name in names:
            inputs = widths(network.module.get_submodule(name))[0]
            if inputs % self.settings.block:
                raise UserError(
                    f"`block` is {self.settings.block}, and `{name.rpartition('.')[2]}` has {inputs} inputs, which it "
                    "does not divide; take a divisor"
                )
        return names
