"""Examples: rows of labelled text."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Examples:
    """The rows of one side of a split, in file order. All tuples have one length."""

    texts: tuple[str, ...]
    targets: tuple[int, ...]
    """Label of each example, as an index into the labels of the comparison."""
    row_ids: tuple[int, ...]
    """1-based data row of the source."""
    duplicate_groups: tuple[int, ...]
    """Duplicate group of each example. Two examples share a number when one is a copy or near-copy of the other."""

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.texts)
