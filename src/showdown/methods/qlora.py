"""QLoRA (arXiv 2305.14314): LoRA over a backbone held in four bits."""

import importlib.util
from typing import ClassVar

from showdown.core.method import NetworkOptions
from showdown.methods.lora import Lora


class Qlora(Lora):
    """LoRA over NF4 weights with double quantisation; the head is neither quantised nor frozen."""

    title: ClassVar[str] = "QLoRA"
    summary: ClassVar[str] = "LoRA over a backbone in four bits (NF4, double quantisation), on a GPU or an x86 CPU"

    @property
    def options(self) -> NetworkOptions:
        """Load in four bits."""
        return NetworkOptions(four_bit=True)

    def obstacle(self) -> str | None:
        """Say that bitsandbytes is missing, with the mend."""
        if importlib.util.find_spec("bitsandbytes") is None:
            return "the package bitsandbytes is not installed; `pip install 'bitsandbytes>=0.50'`"
        return None
