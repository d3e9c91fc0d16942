"""The quick audit of the data before training. It reports row numbers and labels, never a text."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from showdown.core.errors import UserError
from showdown.core.split import SplitSpec
from showdown.core.strict import Strict
from showdown.data.chats.audit import ChatAudit, audit_chats, chat_findings, chat_lines
from showdown.data.divide import single_of
from showdown.data.rows import Rows
from showdown.data.split import MIN_GROUPS, Crossing, Partition, split_by_rows
from showdown.data.tables import count, row_list, shown


class Reported(Strict):
    """Rows that are not used, and the reason."""

    reason: str
    rows: list[int]
    asked: bool = False
    """Whether the user left them out (`data.labels`, `data.limit`). The name is a key of `results.json`."""


class TwoLabels(Strict):
    """Copies of one text with different labels. Such near-copies count as different texts."""

    rows: list[int]
    labels: list[str]
    """The label of each of `rows`."""
    exact: bool
    """Whether they are exact copies, not near-copies."""


class Leak(Strict):
    """Numbers of rows that are copies across a split, summed over all partitions."""

    partitions: int = 1
    train_rows: int
    validation_rows: int
    test_rows: int
    validation_copies: int
    """Validation rows that are copies of training rows."""
    test_copies: int
    """Test rows that are copies of training rows."""
    test_copies_of_validation: int
    test_copy_rows: tuple[int, ...] = ()
    """1-based test rows that are copies of training rows in the same partition."""

    @property
    def test_share(self) -> float:
        """Share of the test rows that are copies of training rows."""
        return self.test_copies / max(1, self.test_rows)

    @property
    def crosses(self) -> bool:
        """Whether any copies are on two sides."""
        return bool(self.validation_copies or self.test_copies or self.test_copies_of_validation)


class LabelCount(Strict):
    """Number of rows and of different texts with a label."""

    label: str
    rows: int
    texts: int
    """Number of different texts: duplicate groups with a row of this label."""


class Audit(Strict):
    """The quick audit, which is part of every run."""

    rows_in: int
    rows_used: int
    reported: list[Reported]
    exact_copies: int
    """Rows that repeat an earlier text exactly, after normalisation."""
    near_copies: int
    """Different texts that are near-copies of an earlier one."""
    clusters: int
    """Number of different texts: copies and near-copies count once."""
    labels: list[LabelCount]
    two_labels: list[TwoLabels]
    cut_pairs: int = 0
    """Pairs of near-copies that count as different texts, because a long chain of such pairs was cut."""
    if_split_by_rows: Leak | None
    """The leak of a stratified split that ignores copies, with the same seed; None when no such split is possible."""
    across: Leak | None
    """The leak of the split that is used; None when the data was not split."""
    allow_leakage: bool
    chats: ChatAudit | None = None
    """What was found in prompts and answers; None for labelled texts."""

    @property
    def noun(self) -> str:
        """What a text of these rows is called."""
        return "text" if self.chats is None else "prompt"


def audit_rows(rows: Rows, spec: SplitSpec, partitions: Sequence[Partition], *, allow_leakage: bool = False) -> Audit:
    """Audit rows and their partitions, of which there are none when the data cannot be split."""
    return Audit(
        rows_in=rows.rows_in,
        rows_used=len(rows.texts),
        reported=[Reported(reason=part.reason, rows=list(part.rows), asked=part.requested) for part in rows.left_out],
        exact_copies=len(rows.exact) - len(set(rows.exact)),
        near_copies=len(set(rows.exact)) - len(set(rows.duplicate_groups)),
        clusters=len(set(rows.duplicate_groups)),
        labels=_label_counts(rows),
        two_labels=_two_labels(rows),
        cut_pairs=rows.cut_pairs,
        if_split_by_rows=_leak_by_rows(rows, spec),
        across=leak(partitions, rows.duplicate_groups, rows.row_ids) if partitions else None,
        allow_leakage=allow_leakage,
        chats=audit_chats(rows, partitions) if rows.answers else None,
    )


def leak(partitions: Sequence[Partition], duplicate_groups: Sequence[int], row_ids: Sequence[int]) -> Leak:
    """Count the rows that are copies across the sides of each partition, and sum them over the partitions."""
    crossings: list[Crossing] = [partition.crossing(duplicate_groups) for partition in partitions]
    copied = {row_ids[index] for partition in partitions for index in partition.test_copies(duplicate_groups)}
    return Leak(
        partitions=len(partitions),
        train_rows=sum(len(partition.train) for partition in partitions),
        validation_rows=sum(len(partition.validation) for partition in partitions),
        test_rows=sum(len(partition.test) for partition in partitions),
        validation_copies=sum(crossing.validation_of_train for crossing in crossings),
        test_copies=sum(crossing.test_of_train for crossing in crossings),
        test_copies_of_validation=sum(crossing.test_of_validation for crossing in crossings),
        test_copy_rows=tuple(sorted(copied)),
    )


def lines(audit: Audit) -> list[str]:
    """Return the audit as plain lines for a terminal."""
    found = [_rows_line(audit), *([_labels_line(audit)] if audit.chats is None else [])]
    copies = audit.exact_copies + audit.near_copies
    repeat = "repeats" if copies == 1 else "repeat"
    found.append(
        f"{count(copies, 'row')} of {audit.rows_used:,} ({_percent(copies, audit.rows_used)}) {repeat} an earlier"
        f" {audit.noun}: {count(audit.exact_copies, 'exact copy')}, {count(audit.near_copies, 'near-copy')};"
        f" {count(audit.clusters, f'different {audit.noun}')}"
    )
    if audit.chats is None:
        found += _two_labels_lines(audit.two_labels) or ["No text has two labels"]
    else:
        found += chat_lines(audit.chats)
    if audit.cut_pairs:
        found.append(_cut_line(audit.cut_pairs))
    if audit.if_split_by_rows is not None:
        leaked = audit.if_split_by_rows
        found.append(
            f"In a split that ignores copies, {leaked.test_copies:,} of {count(leaked.test_rows, 'test row')}"
            f" ({_percent(leaked.test_copies, leaked.test_rows)}) would have been copies of training rows"
        )
    if audit.across is not None:
        found.append(_across_line(audit.across))
    return found


def findings(audit: Audit) -> list[str]:
    """Return one line for each problem of the data. `audit --strict` fails if there are any."""
    found = [
        f"{count(len(part.rows), 'row')} left out: {part.reason} ({row_list(part.rows)})"
        for part in audit.reported
        if not part.asked
    ]
    if audit.exact_copies:
        found.append(f"{count(audit.exact_copies, 'exact copy')} of an earlier {audit.noun}")
    if audit.near_copies:
        found.append(f"{count(audit.near_copies, 'near-copy')} of an earlier {audit.noun}")
    found += _two_labels_lines(audit.two_labels)
    found += [
        f"label {shown(label.label)} has {count(label.rows, 'row')} in {count(label.texts, 'different text')};"
        f" a split needs {MIN_GROUPS}"
        for label in audit.labels
        if label.texts < MIN_GROUPS
    ]
    if audit.chats is not None:
        found += chat_findings(audit.chats)
    if audit.across is not None and audit.across.crosses:
        found.append(_across_line(audit.across))
    return found


def _rows_line(audit: Audit) -> str:
    reasons = ", ".join(f"{len(part.rows):,} {part.reason}" for part in audit.reported)
    left = f"; {audit.rows_in - audit.rows_used:,} left out: {reasons}" if reasons else ""
    return f"{count(audit.rows_in, 'row')} read, {audit.rows_used:,} used{left}"


def _labels_line(audit: Audit) -> str:
    if len({label.rows for label in audit.labels}) == 1:
        return f"{count(len(audit.labels), 'label')} with {count(audit.labels[0].rows, 'row')} each"
    few = min(audit.labels, key=lambda label: label.rows)
    many = max(audit.labels, key=lambda label: label.rows)
    return (
        f"{count(len(audit.labels), 'label')}, from {count(few.rows, 'row')} ({shown(few.label)}) to"
        f" {count(many.rows, 'row')} ({shown(many.label)})"
    )


def _two_labels_lines(conflicts: Sequence[TwoLabels]) -> list[str]:
    """Return a line about exact copies with two labels and a line about such near-copies, if there are any."""
    found = []
    exact = [conflict for conflict in conflicts if conflict.exact]
    near = [conflict for conflict in conflicts if not conflict.exact]
    if exact:
        verb = "text has" if len(exact) == 1 else "texts have"
        found.append(f"{len(exact):,} {verb} two labels, such as {_example(exact[0])}")
    if near:
        found.append(
            f"{count(len(near), 'group')} of near-copies with different labels, such as {_example(near[0])}; they count"
            " as different texts"
        )
    return found


def _example(conflict: TwoLabels) -> str:
    labels = " and ".join(shown(label) for label in sorted(set(conflict.labels)))
    return f"{row_list(conflict.rows)}: {labels}"


def _cut_line(pairs: int) -> str:
    return (
        f"{count(pairs, 'pair')} of near-copies may be on two sides of a split, because a long chain of near-copies"
        " with dissimilar ends was cut"
    )


def _across_line(across: Leak) -> str:
    if not across.crosses:
        return "Copies across the split: none" if across.partitions == 1 else "Copies across the splits: none"
    of_validation = (
        f" and {across.test_copies_of_validation:,} of validation rows" if across.test_copies_of_validation else ""
    )
    return (
        f"LEAK: {across.test_copies:,} of {count(across.test_rows, 'test row')}"
        f" ({_percent(across.test_copies, across.test_rows)}) are copies of training rows{of_validation};"
        f" so are {across.validation_copies:,} of {count(across.validation_rows, 'validation row')}"
    )


def _percent(part: int, whole: int) -> str:
    share = 100 * part / max(1, whole)
    return f"{share:.1f} %" if 0 < share < 1 else f"{share:.0f} %"


def _label_counts(rows: Rows) -> list[LabelCount]:
    if not rows.labels:
        return []
    counted = Counter(rows.targets)
    groups: dict[int, set[int]] = defaultdict(set)
    for target, group in zip(rows.targets, rows.duplicate_groups, strict=True):
        groups[target].add(group)
    return [
        LabelCount(label=label, rows=counted[index], texts=len(groups[index]))
        for index, label in enumerate(rows.labels)
    ]


def _two_labels(rows: Rows) -> list[TwoLabels]:
    """Return the groups of copies with different labels, exact copies first."""
    if not rows.labels:
        return []
    found = []
    seen: set[int] = set()
    for groups, exact in ((rows.exact, True), (rows.copy_groups, False)):
        members: dict[int, list[int]] = defaultdict(list)
        for index, group in enumerate(groups):
            members[group].append(index)
        for indices in members.values():
            if len({rows.targets[index] for index in indices}) < 2 or seen.issuperset(indices):
                continue
            seen.update(indices)
            found.append(
                TwoLabels(
                    rows=[rows.row_ids[index] for index in indices],
                    labels=[rows.labels[rows.targets[index]] for index in indices],
                    exact=exact,
                )
            )
    return found


def _leak_by_rows(rows: Rows, spec: SplitSpec) -> Leak | None:
    try:
        found = leak([split_by_rows(rows.label_of_rows, single_of(spec))], rows.duplicate_groups, rows.row_ids)
    except UserError:
        return None
    return found.model_copy(update={"test_copy_rows": ()})
