"""What a forecast is made for: a comparison, its network's configuration, and how many tokens its rows have."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from showdown.core.spec import Comparison

if TYPE_CHECKING:
    from transformers import PretrainedConfig

RowSizes = list[tuple[int, int]]
"""Of each row its tokens, the wanted answer's included, and how many of them are read for a loss: those from the first
token with a loss on. A classifier reads one. `showdown.stages.row_sizes.sizes_of` counts them."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A comparison as its runs will be, with everything that their memory and seconds depend on."""

    comparison: Comparison
    """Settled: seeds and tuning are chosen."""
    config: "PretrainedConfig"
    """Of the pretrained network, as transformers reads it; nothing of the task need be in it."""
    labels: tuple[str, ...]
    """Of a classification; empty for another task."""
    train: RowSizes
    """Training rows of a usual partition. Rows that are longer than an arm's `max_tokens` count as cut."""
    validation: RowSizes
    test: RowSizes
    partitions: int = 1
    answer_tokens: list[int] = field(default_factory=list)
    """Tokens of the wanted answer of each test row, with the one that ends it; empty for a classification."""
    stored_bytes_per_weight: float = 2.0
    """Of the weights on the disk: 2 for 16 bits, 4 for float32."""

    @property
    def seeds(self) -> int:
        """How many seeds each arm has."""
        seeds = self.comparison.seeds
        return len(seeds) if isinstance(seeds, list) else 1
