"""DoRA (arXiv 2402.09353): LoRA that learns each weight's magnitude apart from its direction."""

from typing import ClassVar

from showdown.methods.lora import Lora


class Dora(Lora):
    """LoRA with learned magnitudes."""

    title: ClassVar[str] = "DoRA"
    summary: ClassVar[str] = "LoRA that learns the magnitude of each weight apart from its direction"
    use_dora: ClassVar[bool] = True
