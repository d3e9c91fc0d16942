"""Read the rows of a comparison whose task is to write text: prompts and answers, duplicate groups, the limit."""

from collections.abc import Callable
from dataclasses import replace

from showdown.core.errors import UserError
from showdown.core.spec import DataSpec, SplitFiles
from showdown.data.chats.differing import differing_texts
from showdown.data.chats.read import RawChats, read_chats
from showdown.data.duplicates import find_duplicate_groups
from showdown.data.rows import Rows
from showdown.data.selection import limited

Fit = Callable[[Rows], Rows]
"""Drops or cuts rows that are too long, or refuses them."""


def gather_chats(data: DataSpec, seed: int = 42, fit: Fit | None = None) -> Rows:
    """Read prompts and answers and find duplicate groups, without splitting. Prompts and answers are not cleaned.

    Args:
        data: the source, and which of its rows are used.
        seed: the seed of the split, which also draws the sample for `data.limit`.
        fit: called with the rows; where it cuts prompts, duplicate groups are found anew.

    Raises:
        UserError: for bad input.

    """
    files = _read_files(data, data.files) if data.files is not None else [("", read_chats(data))]
    before, row_ids = 0, []
    for _, raw in files:
        row_ids += [row + before for row in raw.rows]
        before += raw.rows_in
    answers = [answer for _, raw in files for answer in raw.answers]
    if not answers:
        raise UserError(f"{files[0][1].place} has 0 data rows; add rows")
    rows = _grouped(
        Rows(
            place=files[0][1].place,
            labels=(),
            texts=tuple(prompt for _, raw in files for prompt in raw.prompts),
            targets=(),
            answers=tuple(answers),
            row_ids=tuple(row_ids),
            duplicate_groups=(),
            copy_groups=(),
            exact=(),
            sides=tuple(side for side, raw in files for _ in raw.rows),
            cut_pairs=0,
            rows_in=before,
            left_out=tuple(
                replace(part, reason=f"{raw.place}: {part.reason}" if side else part.reason)
                for side, raw in files
                for part in raw.left_out
            ),
            notices=tuple(notice for _, raw in files for notice in raw.notices),
        ),
        data,
    )
    rows = limited(rows, data, seed)
    fitted = rows if fit is None else fit(rows)
    return fitted if set(fitted.texts) <= set(rows.texts) else _grouped(fitted, data)


def _grouped(rows: Rows, data: DataSpec) -> Rows:
    """Return the rows with their duplicate groups: copies and near-copies of prompts, whatever their answers."""
    found = find_duplicate_groups(differing_texts(rows.texts), data.near_duplicate_jaccard)
    return replace(
        rows,
        duplicate_groups=found.duplicate_groups,
        copy_groups=found.copy_groups,
        exact=found.exact,
        cut_pairs=found.cut_pairs,
    )


def _read_files(data: DataSpec, files: SplitFiles) -> list[tuple[str, RawChats]]:
    """Read the given split files. All use the columns of the training file."""

    def read(source: str, train: RawChats | None = None) -> RawChats:
        changed: dict[str, object] = {"source": source, "files": None}
        if train is not None:
            changed["header"] = train.header
        return read_chats(
            data.model_copy(update=changed), None if train is None else replace(train.columns, guessed=False)
        )

    train = read(files.train)
    others = (("validation", files.validation), ("test", files.test))
    return [("train", train), *((side, read(source, train)) for side, source in others if source is not None)]
