"""Cleaned, labelled rows with their duplicate groups: what is split and what is audited."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from showdown.core.errors import UserError, suggestion, then
from showdown.core.spec import DataSpec, SplitFiles
from showdown.data.clean import clean
from showdown.data.duplicates import find_duplicate_groups
from showdown.data.read import RawRows, left_out_lines, read_rows
from showdown.data.selection import limited, without_rare
from showdown.data.tables import LeftOut, row_list, shown


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows in the order of their source. `texts` to `sides` have one length."""

    place: str
    labels: tuple[str, ...]
    """All labels, sorted."""
    texts: tuple[str, ...]
    """Cleaned."""
    targets: tuple[int, ...]
    """Index into `labels`."""
    row_ids: tuple[int, ...]
    """1-based data row of the source; with given split files rows count on through train, validation and test."""
    duplicate_groups: tuple[int, ...]
    """Two rows share a number when one is a copy or near-copy of the other and, unless the copy is exact, a label of
    one is a label of the other."""
    alike: tuple[int, ...]
    """Two rows share a number when one is a copy or near-copy of the other, whatever their labels."""
    exact: tuple[int, ...]
    """Two rows share a number when they are exact copies after normalisation."""
    sides: tuple[str, ...]
    """Which given split file each row is from; all empty with a single source."""
    cut_pairs: int
    """Pairs of near-copies in two duplicate groups, because a chain of such pairs was cut."""
    rows_in: int
    left_out: tuple[LeftOut, ...]
    notices: tuple[str, ...]

    @property
    def label_of_rows(self) -> list[str]:
        """The label of each row."""
        return [self.labels[target] for target in self.targets]


def gather(data: DataSpec, seed: int = 42) -> Rows:
    """Read and clean, and find duplicates, without splitting: what the audit needs even where no split is possible.

    Args:
        data: the source, and which of its rows are used.
        seed: of the split; it draws the sample of `data.limit` too.

    Raises:
        UserError: for bad input.

    """
    parts = _read_files(data, data.files) if data.files is not None else [("", read_rows(data))]
    texts: list[str] = []
    labels: list[str] = []
    row_ids: list[int] = []
    sides: list[str] = []
    left_out: list[LeftOut] = []
    notices: list[str] = []
    before = 0
    for side, raw in parts:
        cleaned = [clean(text, data.clean) for text in raw.texts]
        emptied = tuple(row for row, text in zip(raw.rows, cleaned, strict=True) if not text.strip())
        others = _other_labels(raw, data.labels)
        kept = [index for index, text in enumerate(cleaned) if text.strip() and raw.rows[index] not in others]
        texts += [cleaned[index] for index in kept]
        labels += [raw.labels[index] for index in kept]
        row_ids += [raw.rows[index] + before for index in kept]
        sides += [side] * len(kept)
        cleared = tuple(
            part
            for part in (
                LeftOut(reason=f"no text after cleaning `{data.clean}`", rows=emptied),
                LeftOut(reason="of labels that `data.labels` does not name", rows=tuple(sorted(others)), asked=True),
            )
            if part.rows
        )
        notices += [*raw.notices, *left_out_lines(cleared)]
        named = f"{raw.place}: " if side else ""
        left_out += [replace(part, reason=named + part.reason) for part in (*raw.left_out, *cleared)]
        before += raw.rows_in
    place = parts[0][1].place
    known = _labels(labels, place)
    index_of = {label: index for index, label in enumerate(known)}
    duplicates = find_duplicate_groups(texts, data.near_duplicate_jaccard, labels)
    rows = Rows(
        place=place,
        labels=known,
        texts=tuple(texts),
        targets=tuple(index_of[label] for label in labels),
        row_ids=tuple(row_ids),
        duplicate_groups=duplicates.duplicate_groups,
        alike=duplicates.alike,
        exact=duplicates.exact,
        sides=tuple(sides),
        cut_pairs=duplicates.cut_pairs,
        rows_in=before,
        left_out=tuple(left_out),
        notices=(*notices, *_alike(known)),
    )
    return limited(without_rare(rows, data), data, seed)


def _read_files(data: DataSpec, files: SplitFiles) -> list[tuple[str, RawRows]]:
    """Read the given split files; the columns of the training file hold for all."""
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


def _other_labels(raw: RawRows, wanted: Sequence[str] | None) -> set[int]:
    """Return the rows whose label is not wanted.

    Raises:
        UserError: for a wanted label that no row has.

    """
    if wanted is None:
        return set()
    known = set(raw.labels)
    for label in wanted:
        if label not in known:
            mend = then(suggestion(label, known), f"it has {len(known)} labels, among them {shown(sorted(known)[0])}")
            raise UserError(f"{raw.place}: no row has the label {shown(label)} of `data.labels`{mend}")
    return {row for row, label in zip(raw.rows, raw.labels, strict=True) if label not in wanted}


def _labels(labels: Sequence[str], place: str) -> tuple[str, ...]:
    """Return the different labels, sorted.

    Raises:
        UserError: when no row is left, or all have one label.

    """
    known = tuple(sorted(set(labels)))
    if not known:
        raise UserError(f"{place} has 0 usable rows after cleaning; set `data.clean: none`")
    if len(known) == 1:
        raise UserError(f"{place}: only one label {shown(known[0])}; need at least 2")
    return known


def _alike(labels: Sequence[str]) -> list[str]:
    """Warn of labels that differ in case or white space only."""
    by_folded: dict[str, list[str]] = {}
    for label in labels:
        by_folded.setdefault(" ".join(label.casefold().split()), []).append(label)
    return [
        f"labels {' and '.join(shown(label) for label in twins)} differ in case or spaces only and count as different"
        for twins in by_folded.values()
        if len(twins) > 1
    ]
