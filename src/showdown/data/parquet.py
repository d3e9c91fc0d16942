"""Read Parquet files with pyarrow."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from showdown.core.errors import UserError
from showdown.data.tables import Cell, Table, Wrong, refuse_twin_columns, shown

if TYPE_CHECKING:
    import pyarrow


def read_parquet(path: Path, place: str) -> Table:
    """Read all row groups of a Parquet file.

    Raises:
        UserError: when it is not Parquet, is damaged, has no rows, or has two columns of the same name.

    """
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path, memory_map=False) as file:
            refuse_twin_columns(place, file.schema_arrow.names)
            table = file.read()
            table.validate(full=True)
    except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
        raise UserError(f"{place}: no valid Parquet file ({shown(str(error))}); write it again") from error
    return arrow_table(table, place)


def parquet_parts(path: Path, place: str, rows: int) -> "Callable[[], Iterator[Table]]":
    """Return a Parquet file in parts of so many rows, read anew each time that they are asked for.

    Raises:
        UserError: as `read_parquet`; what is damaged within a part is found when that is read.

    """
    import pyarrow
    from pyarrow import parquet

    def read() -> Iterator[Table]:
        try:
            with parquet.ParquetFile(path, memory_map=False) as file:
                refuse_twin_columns(place, file.schema_arrow.names)
                if not file.metadata.num_rows:
                    raise UserError(f"{place} has 0 data rows; write rows into it")
                begun = 0
                for batch in file.iter_batches(batch_size=rows):
                    table = pyarrow.Table.from_batches([batch])
                    table.validate(full=True)
                    part = arrow_table(table, place)
                    yield replace(part, numbers=tuple(range(begun + 1, begun + table.num_rows + 1)))
                    begun += table.num_rows
        except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
            raise UserError(f"{place}: no valid Parquet file ({shown(str(error))}); write it again") from error

    return read


def arrow_table(table: "pyarrow.Table", place: str) -> Table:
    """Return a pyarrow table with rows numbered from 1.

    Raises:
        UserError: when it has no rows.

    """
    if not table.num_rows:
        raise UserError(f"{place} has 0 data rows; write rows into it")

    def column(index: int) -> Sequence[Cell]:
        return _cells(table.column(index), place)

    return Table(
        place=place, names=tuple(table.column_names), numbers=tuple(range(1, table.num_rows + 1)), column=column
    )


def _cells(values: "pyarrow.ChunkedArray", place: str) -> list[Cell]:
    """Return the cells as texts: numbers in their shortest exact form, dates in ISO form, NaN as missing."""
    import pyarrow
    from pyarrow import types

    kind = values.type
    if types.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    if types.is_floating(kind):
        return [None if cell is None or cell != cell else _number(cell, kind) for cell in values.to_pylist()]  # noqa: PLR0124
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_nested(kind):
        what = "a list" if types.is_list(kind) or types.is_large_list(kind) else f"of the type {kind}"
        try:
            nested: list[object] = values.to_pylist()
        except (pyarrow.ArrowException, ValueError, OverflowError):  # dates out of range, text that is not UTF-8
            return [Wrong(what=f"of the type {kind}")] * len(values)
        return [None if cell is None else Wrong(what=what, value=cell) for cell in nested]
    try:
        texts: list[Cell] = values.cast(pyarrow.large_string()).to_pylist()
    except pyarrow.ArrowException:
        return [Wrong(what=f"of the type {kind}")] * len(values)
    except UnicodeDecodeError as error:
        raise UserError(f"{place}: a Parquet column holds text that is not UTF-8; write the file again") from error
    return texts


def _number(value: float, kind: "pyarrow.DataType") -> str:
    import numpy

    return str(numpy.dtype(kind.to_pandas_dtype()).type(value))
