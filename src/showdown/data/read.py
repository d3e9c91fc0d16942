"""Strict reading of a source: every row is either used or reported, and cells are kept exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from showdown.core.errors import UserError, nearest_file, suggestion
from showdown.core.metric import CLASSIFICATION
from showdown.core.spec import DataSpec
from showdown.data.built_in import BUILT_INS, BuiltIn
from showdown.data.chats.columns import looks_like_chats
from showdown.data.classes import refuse_no_classes
from showdown.data.columns import choose_columns
from showdown.data.delimited import read_delimited
from showdown.data.hub import HUB_ID, read_hub
from showdown.data.jsonlines import read_json, read_json_lines
from showdown.data.parquet import read_parquet
from showdown.data.tables import Cell, LeftOut, Table, Wrong, column_list, count, row_list, shown

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
HUGE_CELL_BYTES = 1_000_000
"""Larger cells get a warning, because they are more likely an export error than a text."""
_OTHER_ENDINGS = (".txt", ".xlsx", ".xls", ".ods", ".gz", ".zip", ".arrow", ".feather", ".pkl", ".xml", ".pq")


@dataclass(frozen=True, kw_only=True)
class RawRows:
    """Labelled texts as they are in the source. `texts`, `labels` and `rows` have one length."""

    place: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    rows: tuple[int, ...]
    """1-based data rows; the header does not count."""
    text_column: str
    label_column: str
    header: bool
    """Whether the column names come from the source."""
    guessed: bool
    """Whether either column was guessed."""
    left_out: tuple[LeftOut, ...]
    notices: tuple[str, ...]
    """Messages for the user, one line each."""

    @property
    def rows_in(self) -> int:
        """Number of rows in the source, used or left out."""
        return len(self.rows) + sum(len(part.rows) for part in self.left_out)

    @property
    def columns(self) -> str:
        """Notice that names the columns."""
        return (
            f"text column: {shown(self.text_column)}, label column: {shown(self.label_column)}"
            f"{' (guessed)' if self.guessed else ''}"
        )


def read_rows(spec: DataSpec) -> RawRows:
    """Read `spec.source`: a file, a built-in data set, or a data set of the Hugging Face Hub.

    Raises:
        UserError: for any bad input.

    """
    refuse_other_task(spec.source, CLASSIFICATION)
    table = read_table(spec)
    try:
        text_index, label_index, guessed = choose_columns(table, spec.text, spec.label)
    except UserError as error:
        if spec.text or spec.label or not looks_like_chats(table):
            raise
        raise UserError(
            f"{table.place}: its columns ({column_list(table.names)}) can be prompts and answers or chats, but no text"
            " and label; set `task: generation`"
        ) from error
    names = (table.names[text_index], table.names[label_index])
    texts = checked_column(table, text_index)
    labels = checked_column(table, label_index)
    kept, missing = _split_missing(table.numbers, texts, labels)
    raw = RawRows(
        place=table.place,
        texts=tuple(texts[index] or "" for index in kept),
        labels=tuple(labels[index] or "" for index in kept),
        rows=tuple(table.numbers[index] for index in kept),
        text_column=names[0],
        label_column=names[1],
        header=table.header,
        guessed=guessed,
        left_out=table.left_out + missing,
        notices=(),
    )
    if not kept:
        raise UserError(f"{table.place} has 0 usable rows: {'; '.join(left_out_lines(raw.left_out))}")
    if spec.labels is None:
        refuse_no_classes(table.place, names[1], list(dict.fromkeys(raw.labels)))
    notices = (*table.notices, *([raw.columns] if guessed else []), *left_out_lines(raw.left_out), *_huge(raw))
    return RawRows(**{**vars(raw), "notices": notices})


def read_table(spec: DataSpec) -> Table:
    """Read `spec.source` without choosing columns.

    Raises:
        UserError: for any bad input.

    """
    shipped = built_in(spec.source)
    if shipped is not None:
        with resources.as_file(resources.files("showdown") / "datasets" / shipped.file) as file:
            return read_delimited(file, spec.source, encoding="utf-8", separator=",", quoting="standard", header=True)
    path = local_file(spec.source)
    return read_hub(spec.source) if path is None else _read_file(path, spec)


def built_in(source: str) -> BuiltIn | None:
    """Return the built-in data set of this name; None for any other source. A file of the same name comes first."""
    found = BUILT_INS.get(source)
    return None if found is None or Path(source).exists() else found


def refuse_other_task(source: str, task: str) -> None:
    """Refuse a built-in data set that is for another task.

    Raises:
        UserError: naming its task.

    """
    shipped = built_in(source)
    if shipped is not None and shipped.task != task:
        raise UserError(f"data.source: `{source}` is for another task; set `task: {shipped.task}`, or name other data")


def left_out_lines(parts: Sequence[LeftOut]) -> list[str]:
    """Return one line for each reason why rows were left out."""
    lines = []
    for part in parts:
        line = f"{count(len(part.rows), 'row')} left out: {part.reason} ({row_list(part.rows)})"
        if part.reason in ("no label", "no text", "neither text nor label"):
            verb = "has" if len(part.rows) == 1 else "have"
            line = f"{count(len(part.rows), 'row')} {verb} {part.reason} ({row_list(part.rows)}), left out"
        lines.append(line + (". The text `None` is a label" if part.reason == "no label" else ""))
    return lines


def _read_file(path: Path, spec: DataSpec) -> Table:
    place = spec.source
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv"):
        separator = spec.separator if spec.separator is not None else "\t" if ending == ".tsv" else ","
        return read_delimited(
            path, place, encoding=spec.encoding, separator=separator, quoting=spec.quoting, header=spec.header
        )
    if ending == ".json":
        return read_json(path, place, encoding=spec.encoding)
    if ending in (".jsonl", ".ndjson"):
        return read_json_lines(path, place, encoding=spec.encoding)
    return read_parquet(path, place)


def local_file(source: str) -> Path | None:
    """Return the path of a local file with a known ending; None when the source can only be a Hub id.

    Raises:
        UserError: for a missing file, a folder, or an unknown ending.

    """
    if not source.strip() or "\0" in source:
        raise UserError("data.source: empty or not a path; name a file, a Hugging Face data set, `resumes` or `notes`")
    try:
        path = Path(source).expanduser()
        exists = path.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"data.source: {shown(source)} is not a path ({error}); name a file") from error
    if not exists:
        _refuse_missing(path, source)
        return None
    if path.is_dir():
        inside = sorted(entry.name for entry in path.iterdir() if entry.suffix.lower() in ENDINGS)[:5]
        listed = f" in it, such as {', '.join(inside)}" if inside else ""
        raise UserError(f"{source}: this is a folder; name a file{listed}")
    if not path.is_file():
        raise UserError(f"{source}: not a regular file; name a file")
    if path.suffix.lower() not in ENDINGS:
        ending = f"unknown ending {shown(path.suffix)}" if path.suffix else "its name has no ending"
        raise UserError(f"{source}: {ending} (known: {', '.join(ENDINGS)}); convert or rename it")
    return path


def _refuse_missing(path: Path, source: str) -> None:
    """Refuse a missing file, unless the source may be a Hub id.

    Raises:
        UserError: with the name of the nearest file.

    """
    looks_local = path.suffix.lower() in ENDINGS + _OTHER_ENDINGS or path.is_absolute() or source.startswith((".", "~"))
    if HUB_ID.fullmatch(source) and not looks_local:
        return
    if not path.parent.is_dir():
        raise UserError(f"no file {shown(source)}: there is no folder {shown(str(path.parent))}; check the path")
    try:
        near = nearest_file(path.name, [entry.name for entry in path.parent.iterdir() if entry.name.isprintable()])
    except OSError:
        near = ""
    near = near or suggestion(source, BUILT_INS)
    raise UserError(f"no file {shown(source)}{near or '; check the path'}")


def checked_column(table: Table, index: int) -> list[str | None]:
    """Return the cells of a column, checked to be text that can be written as UTF-8.

    Raises:
        UserError: for a nested value, a NUL or half a surrogate pair. The message names the row.

    """
    checked: list[str | None] = []
    for number, cell in zip(table.numbers, table.column(index), strict=True):
        if isinstance(cell, Wrong) or (cell is not None and unwritable(cell)):
            raise UserError(f"{table.place}: row {number}: {shown(table.names[index])} {_wrong_and_fix(cell)}")
        checked.append(cell)
    return checked


def unwritable(text: str) -> str | None:
    """Return what a text contains that UTF-8 or a file cannot hold, or None."""
    if "\0" in text:
        return "a NUL character"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "half a surrogate pair"
    return None


def _wrong_and_fix(cell: Cell) -> str:
    if isinstance(cell, Wrong):
        return f"is {cell.what}, not text; choose another column or write text there"
    return f"contains {unwritable(cell or '')}; remove it"


def _split_missing(
    numbers: Sequence[int], texts: Sequence[str | None], labels: Sequence[str | None]
) -> tuple[list[int], tuple[LeftOut, ...]]:
    """Return the indices of complete rows, and the other rows by what is missing. White space alone is missing."""
    kept: list[int] = []
    lacking: dict[str, list[int]] = {"no label": [], "no text": [], "neither text nor label": []}
    for index, (text, label) in enumerate(zip(texts, labels, strict=True)):
        has_text, has_label = bool(text and text.strip()), bool(label and label.strip())
        if has_text and has_label:
            kept.append(index)
        else:
            reason = "no label" if has_text else "no text" if has_label else "neither text nor label"
            lacking[reason].append(numbers[index])
    return kept, tuple(LeftOut(reason=reason, rows=tuple(rows)) for reason, rows in lacking.items() if rows)


def _huge(raw: RawRows) -> list[str]:
    """Return a warning for each huge cell."""
    lines = []
    for number, text in zip(raw.rows, raw.texts, strict=True):
        size = len(text.encode("utf-8")) if len(text) * 4 >= HUGE_CELL_BYTES else 0
        if size >= HUGE_CELL_BYTES:
            lines.append(
                f"{raw.place}: row {number} has {size / 1e6:.0f} MB; it is truncated to `protocol.max_tokens` tokens"
            )
    return lines
