"""GaLore (arXiv 2403.03507): full fine-tuning whose optimizer sees the gradient's main directions."""

from typing import ClassVar

from showdown.core.method import MethodSettings, TunedSettings
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.full import Full

_PAPER = Reference(
    key="zhao2024galore",
    text="Jiawei Zhao, Zhenyu Zhang, Beidi Chen, Zhangyang Wang, Anima Anandkumar, and Yuandong Tian. GaLore: "
    "Memory-efficient LLM training by gradient low-rank projection. In Proceedings of the 41st International "
    "Conference on Machine Learning, 2024. arXiv:2403.03507.",
)


class Galore(Full):
    """Trains every parameter with `showdown.engine.optim.galore`."""

    title: ClassVar[str] = "GaLore"
    summary: ClassVar[str] = "full fine-tuning whose AdamW sees a quarter of each gradient; saves memory, not time"
    Settings: ClassVar[type[MethodSettings]] = TunedSettings
    traits: ClassVar[Traits] = fine_tuned(citation=_PAPER)

    @property
    def optimizer(self) -> str:
        """AdamW on projected gradients."""
        return "galore_adamw"
