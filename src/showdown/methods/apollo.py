"""APOLLO (arXiv 2412.05270): full fine-tuning whose steps are gradients scaled by columns."""

from typing import ClassVar

from showdown.core.method import MethodSettings, TunedSettings
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.full import Full

_PAPER = Reference(
    key="zhu2025",
    text="Hanqing Zhu, Zhenyu Zhang, Wenyan Cong, Xi Liu, Sem Park, Vikas Chandra, Bo Long, David Z. Pan, Zhangyang "
    "Wang, and Jinwon Lee. APOLLO: SGD-like memory, AdamW-level performance. In Proceedings of Machine Learning and "
    "Systems 7, 2025. arXiv:2412.05270.",
)


class Apollo(Full):
    """Trains every parameter with `showdown.engine.optim.apollo`."""

    title: ClassVar[str] = "APOLLO"
    summary: ClassVar[str] = "full fine-tuning that scales gradients by columns; GaLore's memory without decompositions"
    Settings: ClassVar[type[MethodSettings]] = TunedSettings
    traits: ClassVar[Traits] = fine_tuned(citation=_PAPER)

    @property
    def optimizer(self) -> str:
        """Gradients scaled by columns."""
        return "apollo_adamw"
