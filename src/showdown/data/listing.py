"""Write the rows behind the audit's counts to a CSV file."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from showdown.core.csv_writer import csv_writer
from showdown.core.files import write_text
from showdown.data.audit import Audit
from showdown.data.chats.audit import chat_listing
from showdown.data.chats.spelled import spelled_listing
from showdown.data.inspection import MIN_WORDS, DeepAudit
from showdown.data.rows import Rows
from showdown.data.split import Partition
from showdown.data.tables import count, shown

_SIDE_NAMES = {"train": "training", "validation": "validation", "test": "test"}
_COLUMNS = ("row", "finding", "detail")


def write_listing(
    path: Path, rows: Rows, audit: Audit, deep: DeepAudit | None = None, partitions: Sequence[Partition] = ()
) -> int:
    """Write a CSV with the columns `row` (1-based), `finding` and `detail`; return the number of findings.

    It holds row numbers and labels, never a text. Each detail begins with a fixed word, so that no spreadsheet reads a
    label as a formula.

    Raises:
        UserError: when the disk is full.

    """
    found = [*_left_out(audit), *_copies(rows), *_two_labels(audit), *_across(rows, partitions)]
    if audit.chats is not None:
        found += chat_listing(audit.chats)
    if deep is not None:
        found += [*_deep(deep), *_rare(rows, deep), *spelled_listing(deep.spelled or [])]
    buffer = io.StringIO()
    writer = csv_writer(buffer)
    writer.writerow(_COLUMNS)
    writer.writerows(found)
    write_text(path, buffer.getvalue())
    return len(found)


def _left_out(audit: Audit) -> Iterator[tuple[int, str, str]]:
    for part in audit.reported:
        for row in part.rows:
            yield row, "left out", part.reason


def _copies(rows: Rows) -> Iterator[tuple[int, str, str]]:
    first_exact: dict[int, int] = {}
    first_near: dict[int, int] = {}
    for row, exact, group in zip(rows.row_ids, rows.exact, rows.duplicate_groups, strict=True):
        original = first_near.setdefault(group, row)
        if exact in first_exact:
            yield row, "exact copy", f"of row {first_exact[exact]}"
        elif original != row:
            yield row, "near-copy", f"of row {original}, or of a near-copy of it"
        first_exact.setdefault(exact, row)


def _two_labels(audit: Audit) -> Iterator[tuple[int, str, str]]:
    for conflict in audit.two_labels:
        for row, label in zip(conflict.rows, conflict.labels, strict=True):
            others = sorted(set(conflict.labels) - {label})
            kind = "copies" if conflict.exact else "near-copies"
            yield (
                row,
                "two labels",
                f"labelled {shown(label)}, its {kind} {', '.join(shown(other) for other in others)}",
            )


def _across(rows: Rows, partitions: Sequence[Partition]) -> Iterator[tuple[int, str, str]]:
    """Yield the validation and test rows with a copy on an earlier side."""
    for number, partition in enumerate(partitions, start=1):
        where = f" of split {number}" if len(partitions) > 1 else ""
        side_of: dict[int, str] = {}
        for side, indices in partition.sides.items():
            for index in indices:
                other = side_of.get(rows.duplicate_groups[index])
                if other is not None and other != side:
                    detail = f"in the {_SIDE_NAMES[side]} rows{where}, a copy of it in the {_SIDE_NAMES[other]} rows"
                    yield rows.row_ids[index], "copy across the split", detail
            for index in indices:
                side_of.setdefault(rows.duplicate_groups[index], side)


def _rare(rows: Rows, deep: DeepAudit) -> Iterator[tuple[int, str, str]]:
    rare = set(deep.rare_labels)
    texts: dict[str, set[int]] = {label: set() for label in deep.rare_labels}
    labels = rows.label_of_rows
    for label, group in zip(labels, rows.duplicate_groups, strict=True):
        if label in rare:
            texts[label].add(group)
    for row, label in zip(rows.row_ids, labels, strict=True):
        if label in rare:
            yield row, "rare label", f"label {shown(label)} has {count(len(texts[label]), 'different text')}"


def _deep(deep: DeepAudit) -> Iterator[tuple[int, str, str]]:
    for suspect in deep.look_first:
        yield (
            suspect.row,
            "look at first",
            f"labelled {shown(suspect.label)} (probability {suspect.confidence:.2f}),"
            f" looks like {shown(suspect.looks_like)}",
        )
    for row in deep.short_rows:
        yield row, "too short", f"fewer than {MIN_WORDS} words"
    if deep.lengths is not None:
        for row in deep.lengths.cut_rows:
            yield row, "cut" if deep.spelled is None else "too long", f"longer than {deep.lengths.max_tokens} tokens"
