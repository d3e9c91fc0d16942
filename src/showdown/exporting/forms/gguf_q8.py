"""A language model as one GGUF file with matrices of eight bits."""

from typing import ClassVar

from showdown.exporting.forms.gguf import Gguf


class GgufQ8(Gguf):
    """The form `gguf` with matrices in Q8_0: blocks of 32 numbers of eight bits that share a scale."""

    title: ClassVar[str] = "GGUF, Q8_0"
    summary: ClassVar[str] = "the same with matrices in eight bits: about half of the size"
    number_type: ClassVar[str] = "Q8_0"
