"""How often a method that trains no network reads rows with one: what its seconds are forecast from."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class NetworkReads:
    """Rows that a method's fit reads, and what stands before each row that it answers."""

    fit_rows: int = 0
    """Rows times passes that the network reads while the method is fitted."""
    examples: int = 0
    """Training rows before each prompt, chosen for it alone."""
    ranks_labels: bool = False
    """Whether a causal language model reads each text once for each label, to compare their likelihoods."""
    shared_examples: int = 0
    """Training rows before all prompts alike, which are computed once for a batch."""
    vocabulary: bool = False
    """Whether the network reads each token of its vocabulary while the method is fitted, and no row at all."""
