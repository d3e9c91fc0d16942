"""Examples: rows of labelled text, or of prompts with their answers."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Examples:
    """The rows of one side of a split, in file order. All tuples have one length, or are empty."""

    texts: tuple[str, ...]
    """For a task that writes text: the prompts, each as `core/chat.py` keeps it."""
    targets: tuple[int, ...] = ()
    """Label of each example, as an index into the labels of the comparison; empty for a task that writes text."""
    answers: tuple[str, ...] = ()
    """The wanted answer of each example, for a task that writes text; else empty."""
    row_ids: tuple[int, ...]
    """1-based data row of the source."""
    duplicate_groups: tuple[int, ...]
    """Duplicate group of each example. Two examples share a number when one is a copy or near-copy of the other."""

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.texts)
