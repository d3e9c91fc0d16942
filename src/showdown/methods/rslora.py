"""Rank-stabilised LoRA (arXiv 2312.03732): LoRA scaled so that a high rank learns as fast as a low one."""

from typing import ClassVar

from pydantic import Field

from showdown.core.method import MethodSettings
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.lora import Lora, LoraSettings

_PAPER = Reference(
    key="kalajdzievski2023",
    text="Damjan Kalajdzievski. A rank stabilization scaling factor for fine-tuning with LoRA. arXiv:2312.03732, 2023.",
)


class RsLoraSettings(LoraSettings):
    """Settings of rsLoRA."""

    rank: int = Field(default=64, ge=1)


class RsLora(Lora):
    """LoRA scaled by alpha / sqrt(rank)."""

    title: ClassVar[str] = "rsLoRA"
    summary: ClassVar[str] = "LoRA scaled by alpha / sqrt(rank); for ranks of 32 and more, where LoRA's own scale fades"
    Settings: ClassVar[type[MethodSettings]] = RsLoraSettings
    traits: ClassVar[Traits] = fine_tuned(citation=_PAPER)
    rank_stabilised: ClassVar[bool] = True
    rate_factor: ClassVar[float] = 3.0
    """Below LoRA's: adapters of rank 64, scaled by 2 as LoRA's of rank 8 are, move the network further in a step. At
    LoRA's rate no training on the quickstart's data learned anything, at a third of it all did (`docs/methods.md`)."""
