"""Traits of a method: what the statistics, the sentences and the figures of a report must know of it.

A method's class declares them, every record of a run holds them, and `verdict/` and `report/` read them from there. No
code outside `methods/` may depend on the name of a method.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from showdown.core.strict import Strict

Role = Literal["floor", "cheap", "prompted", "fine-tuned"]
"""What a method stands for in a comparison.

- `floor`: a constant answer. It ranks with the others, but it wins no cost and is nobody's rival.
- `cheap`: learns in seconds on a CPU. Fine-tuning is worth its cost only if it beats every cheap method.
- `prompted`: answers with a pretrained model whose weights stay as they are; examples may stand in its prompt.
- `fine-tuned`: trains a pretrained network.
"""
Reads = Literal["nothing", "words", "tokens"]
"""What a method reads of a text: nothing; all of its words, without a pretrained network; or the first `max_tokens`
tokens of its pretrained network."""
Color = Literal["gray", "brown", "green", "indigo", "blue", "orange", "purple", "red"]
"""A color of the figures. Each has a value for the light theme and one for the dark theme (`report/figures/design.py`),
and any two of them can be told apart with a color vision deficiency."""
CitationKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}\z")]


class Reference(Strict):
    """A paper to cite that is not among the references of the report, as `report/latex/references.txt` lists them."""

    key: CitationKey
    text: Annotated[str, Field(min_length=1, max_length=1000)]
    """The whole entry in plain text: authors, title, where it was published, year."""


class Traits(Strict):
    """What a report must know of a method."""

    role: Role
    deterministic: bool
    """A different seed cannot change its answers. No spread between reruns is then assumed."""
    reads: Reads
    linear_probe: bool = False
    """It fits a linear head on the frozen network. Fine-tuning the same network contains that as a special case, so
    that a fine-tuned method with a lower score was not trained enough."""
    quantised: bool = False
    """It keeps the pretrained weights in four or eight bits while it trains."""
    color: Color | None = None
    """Its color in figures; None takes one that no other method needs."""
    citation: CitationKey | Reference | None = None
    """Its paper: a key of `report/latex/references.txt`, or a whole reference."""


def fine_tuned(
    *, quantised: bool = False, color: Color | None = None, citation: CitationKey | Reference | None = None
) -> Traits:
    """Return the traits of a method that trains a network.

    Args:
        quantised: see `Traits`. So for the next two.
        color: of its figures.
        citation: its paper.

    """
    return Traits(
        role="fine-tuned", deterministic=False, reads="tokens", quantised=quantised, color=color, citation=citation
    )
