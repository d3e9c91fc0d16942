"""Cleaned, labelled rows with their duplicate groups. The audit checks them, and they are divided into splits."""

from dataclasses import dataclass

from showdown.data.tables import LeftOut


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows in the order of their source. The fields `texts` to `sides` have one entry for each row."""

    place: str
    labels: tuple[str, ...]
    """All labels, sorted."""
    texts: tuple[str, ...]
    """The cleaned texts."""
    targets: tuple[int, ...]
    """Index into `labels`."""
    row_ids: tuple[int, ...]
    """1-based data rows of the source. With given split files, numbers continue from train to validation to test."""
    duplicate_groups: tuple[int, ...]
    """Number of the duplicate group: exact copies, and near-copies that share a label."""
    copy_groups: tuple[int, ...]
    """Number of the group of copies and near-copies, whatever their labels."""
    exact: tuple[int, ...]
    """Number of the group of exact copies, after normalisation."""
    sides: tuple[str, ...]
    """The given split file of each row; empty strings with a single source."""
    cut_pairs: int
    """Pairs of near-copies in two duplicate groups, because a chain of such pairs was cut."""
    rows_in: int
    left_out: tuple[LeftOut, ...]
    notices: tuple[str, ...]

    @property
    def label_of_rows(self) -> list[str]:
        """The label of each row."""
        return [self.labels[target] for target in self.targets]
