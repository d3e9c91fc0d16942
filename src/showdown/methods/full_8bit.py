"""Full fine-tuning with AdamW in eight bits (arXiv 2110.02861): the moments take a quarter of the memory or less."""

from typing import ClassVar

from showdown.core.method import MethodSettings, TunedSettings
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.full import Full

_PAPER = Reference(
    key="dettmers2022",
    text="Tim Dettmers, Mike Lewis, Sam Shleifer, and Luke Zettlemoyer. 8-bit optimizers via block-wise quantization. "
    "In The Tenth International Conference on Learning Representations, 2022. arXiv:2110.02861.",
)


class Full8bit(Full):
    """Trains every parameter, with the moments of AdamW in eight bits."""

    title: ClassVar[str] = "8-bit AdamW"
    summary: ClassVar[str] = "full fine-tuning with AdamW's moments in eight bits; where its memory does not fit"
    Settings: ClassVar[type[MethodSettings]] = TunedSettings
    traits: ClassVar[Traits] = fine_tuned(citation=_PAPER)

    @property
    def optimizer(self) -> str:
        """AdamW in eight bits."""
        return "adamw_8bit"
