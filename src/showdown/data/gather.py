"""Read the rows of a comparison: read, clean, choose labels, find duplicate groups, apply the limit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from showdown.core.errors import UserError, suggestion, then
from showdown.core.metric import CLASSIFICATION, GENERATION
from showdown.core.spec import DataSpec, SplitFiles
from showdown.data.chats.gather import Fit, gather_chats
from showdown.data.clean import clean
from showdown.data.duplicates import find_duplicate_groups
from showdown.data.read import RawRows, left_out_lines, read_rows
from showdown.data.rows import Rows
from showdown.data.selection import limited, without_rare
from showdown.data.tables import LeftOut, row_list, shown


@dataclass(frozen=True, kw_only=True)
class _CleanFile:
    """The cleaned rows of one file. `texts`, `labels` and `row_ids` have one length."""

    texts: list[str]
    labels: list[str]
    row_ids: list[int]
    """Numbered on from the files before."""
    left_out: list[LeftOut]
    notices: list[str]


def gather(data: DataSpec, seed: int = 42, task: str = CLASSIFICATION, fit: Fit | None = None) -> Rows:
    """Read and clean the rows and find duplicate groups, without splitting, so that data can be audited that cannot be.

    Args:
        data: the source, and which of its rows are used.
        seed: the seed of the split, which also draws the sample for `data.limit`.
        task: what the rows are for.
        fit: as in `gather_chats`, for a task that writes text.

    Raises:
        UserError: for bad input.

    """
    if task == GENERATION:
        return gather_chats(data, seed, fit)
    files = _read_files(data, data.files) if data.files is not None else [("", read_rows(data))]
    cleaned: list[_CleanFile] = []
    sides: list[str] = []
    rows_in = 0
    for side, raw in files:
        cleaned.append(_clean_file(raw, data, rows_before=rows_in, of_several=bool(side)))
        sides += [side] * len(cleaned[-1].texts)
        rows_in += raw.rows_in
    place = files[0][1].place
    texts = [text for part in cleaned for text in part.texts]
    labels = [label for part in cleaned for label in part.labels]
    known = _known_labels(labels, place)
    index_of = {label: index for index, label in enumerate(known)}
    duplicates = find_duplicate_groups(texts, data.near_duplicate_jaccard, labels)
    rows = Rows(
        place=place,
        labels=known,
        texts=tuple(texts),
        targets=tuple(index_of[label] for label in labels),
        row_ids=tuple(row for part in cleaned for row in part.row_ids),
        duplicate_groups=duplicates.duplicate_groups,
        copy_groups=duplicates.copy_groups,
        exact=duplicates.exact,
        sides=tuple(sides),
        cut_pairs=duplicates.cut_pairs,
        rows_in=rows_in,
        left_out=tuple(reported for part in cleaned for reported in part.left_out),
        notices=(*(notice for part in cleaned for notice in part.notices), *_similar_labels(known)),
    )
    return limited(without_rare(rows, data), data, seed)


def _clean_file(raw: RawRows, data: DataSpec, *, rows_before: int, of_several: bool) -> _CleanFile:
    """Clean the texts of a file, and leave out empty ones and labels that are not wanted.

    Args:
        raw: the file's rows.
        data: the cleaning and the wanted labels.
        rows_before: number of rows in the files before.
        of_several: whether there are several files, so that messages must name the file.

    """
    cleaned = [clean(text, data.clean) for text in raw.texts]
    emptied = tuple(row for row, text in zip(raw.rows, cleaned, strict=True) if not text.strip())
    unwanted = _unwanted_rows(raw, data.labels)
    kept = [index for index, text in enumerate(cleaned) if text.strip() and raw.rows[index] not in unwanted]
    of_other_labels = LeftOut(
        reason="of labels that `data.labels` does not name", rows=tuple(sorted(unwanted)), requested=True
    )
    dropped = [
        part
        for part in (LeftOut(reason=f"no text after cleaning `{data.clean}`", rows=emptied), of_other_labels)
        if part.rows
    ]
    prefix = f"{raw.place}: " if of_several else ""
    return _CleanFile(
        texts=[cleaned[index] for index in kept],
        labels=[raw.labels[index] for index in kept],
        row_ids=[raw.rows[index] + rows_before for index in kept],
        left_out=[replace(part, reason=prefix + part.reason) for part in (*raw.left_out, *dropped)],
        notices=[*raw.notices, *left_out_lines(dropped)],
    )


def _read_files(data: DataSpec, files: SplitFiles) -> list[tuple[str, RawRows]]:
    """Read the given split files. All use the columns of the training file."""
    train = read_rows(data.model_copy(update={"source": files.train, "files": None}))
    rest = {"files": None, "text": train.text_column, "label": train.label_column, "header": train.header}
    others = [
        (side, read_rows(data.model_copy(update={"source": source, **rest})))
        for side, source in (("validation", files.validation), ("test", files.test))
        if source is not None
    ]
    known = set(train.labels)
    for side, raw in others:
        strange = [index for index, label in enumerate(raw.labels) if label not in known]
        if strange:
            label = raw.labels[strange[0]]
            at = row_list([raw.rows[index] for index in strange if raw.labels[index] == label])
            raise UserError(
                f"{raw.place}: label {shown(label)} ({at}) has no row in the training file; correct it, drop the"
                f" {side} rows, or add training rows"
            )
    return [("train", train), *others]


def _unwanted_rows(raw: RawRows, wanted: Sequence[str] | None) -> set[int]:
    """Return the rows whose label is not in `data.labels`.

    Raises:
        UserError: for a label in `data.labels` that no row has.

    """
    if wanted is None:
        return set()
    known = set(raw.labels)
    for label in wanted:
        if label not in known:
            fix = then(suggestion(label, known), f"it has {len(known)} labels, among them {shown(sorted(known)[0])}")
            raise UserError(f"{raw.place}: no row has the label {shown(label)} of `data.labels`{fix}")
    return {row for row, label in zip(raw.rows, raw.labels, strict=True) if label not in wanted}


def _known_labels(labels: Sequence[str], place: str) -> tuple[str, ...]:
    """Return the different labels, sorted.

    Raises:
        UserError: when no row is left, or all have the same label.

    """
    known = tuple(sorted(set(labels)))
    if not known:
        raise UserError(f"{place} has 0 usable rows after cleaning; set `data.clean: none`")
    if len(known) == 1:
        raise UserError(f"{place}: only one label {shown(known[0])}; need at least 2")
    return known


def _similar_labels(labels: Sequence[str]) -> list[str]:
    """Return a warning for each set of labels that differ only in case or white space."""
    by_folded: dict[str, list[str]] = {}
    for label in labels:
        by_folded.setdefault(" ".join(label.casefold().split()), []).append(label)
    return [
        f"labels {' and '.join(shown(label) for label in twins)} differ only in case or spaces and count as different"
        for twins in by_folded.values()
        if len(twins) > 1
    ]
