"""Rows with their duplicate groups, and labels or answers. The audit checks them, and they are divided into splits."""

from dataclasses import dataclass

from showdown.data.tables import LeftOut

NO_LABEL = ""
"""Stands for the label of rows that have none, so that all of them are one stratum of a split."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows in the order of their source. The fields `texts` to `sides` have one entry for each row."""

    place: str
    labels: tuple[str, ...]
    """All labels, sorted; empty for a task that writes text."""
    texts: tuple[str, ...]
    """The cleaned texts. For a task that writes text: the prompts, each as `core/chat.py` keeps it."""
    targets: tuple[int, ...]
    """Index into `labels`; empty for a task that writes text."""
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
    answers: tuple[str, ...] = ()
    """The wanted answers, for a task that writes text; else empty."""

    @property
    def label_of_rows(self) -> list[str]:
        """The label of each row. All rows of a task that writes text have the same one, `NO_LABEL`."""
        if self.answers:
            return [NO_LABEL] * len(self.answers)
        return [self.labels[target] for target in self.targets]

    @property
    def noun(self) -> str:
        """What a text of these rows is called."""
        return "prompt" if self.answers else "text"
