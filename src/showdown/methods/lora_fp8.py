"""LoRA over a backbone held in fp8 (arXiv 2209.05433), whose products are computed in fp8."""

from typing import ClassVar, Literal

from showdown.core.method import MethodSettings
from showdown.core.traits import Reference, Traits, fine_tuned
from showdown.methods.lora import Lora, LoraSettings

PAPER = Reference(
    key="micikevicius2022",
    text="Paulius Micikevicius, Dusan Stosic, Neil Burgess, Marius Cornea, Pradeep Dubey, Richard Grisenthwaite, "
    "Sangwon Ha, Alexander Heinecke, Patrick Judd, John Kamalu, Naveen Mellempudi, Stuart Oberman, Mohammad Shoeybi, "
    "Michael Siu, and Hao Wu. FP8 formats for deep learning. arXiv:2209.05433, 2022.",
)


class LoraFp8Settings(LoraSettings):
    """Settings of LoRA over a base in fp8."""

    base: Literal["fp8"] = "fp8"
    """The only one; LoRA has others."""


class LoraFp8(Lora):
    """LoRA whose frozen layers multiply in e4m3, with a scale for each output and for each token."""

    title: ClassVar[str] = "LoRA-fp8"
    summary: ClassVar[str] = (
        "LoRA over a backbone in fp8: faster, in half the memory, on a GPU of capability 8.9 or above"
    )
    Settings: ClassVar[type[MethodSettings]] = LoraFp8Settings
    traits: ClassVar[Traits] = fine_tuned(quantised=True, citation=PAPER)
