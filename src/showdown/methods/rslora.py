"""Rank-stabilised LoRA (arXiv 2312.03732): LoRA scaled so that a high rank learns as fast as a low one."""

from typing import ClassVar

from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.lora import Lora

_PAPER = Reference(
    key="kalajdzievski2023",
    text="Damjan Kalajdzievski. A rank stabilization scaling factor for fine-tuning with LoRA. arXiv:2312.03732, 2023.",
)


class RsLora(Lora):
    """LoRA scaled by alpha / sqrt(rank)."""

    title: ClassVar[str] = "rsLoRA"
    summary: ClassVar[str] = "LoRA scaled by alpha / sqrt(rank); for ranks of 32 and more, where LoRA's own scale fades"
    traits: ClassVar[Traits] = fine_tuned(citation=_PAPER)
    rank_stabilised: ClassVar[bool] = True
    rate_factor: ClassVar[float] = 3.5
    """LoRA's divided by sqrt(8), so that scale times rate is LoRA's at the default rank, where both are one method. It
    follows from the scales and was not measured."""
