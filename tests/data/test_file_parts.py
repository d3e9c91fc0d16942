"""A file in parts has the rows, cells and notices of the file read whole, whatever is in it."""

from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from showdown.core.errors import UserError
from showdown.core.spec import DataSpec
from showdown.data import parts
from showdown.data.parts import table_parts
from showdown.data.read import read_table
from showdown.data.tables import Table

FILES: dict[str, tuple[str, bytes]] = {
    "plain": ("a.csv", b"text,label\na,1\nb,2\nc,3\nd,4\ne,5\n"),
    "quotes": ("a.csv", b'text,label\n"a, b",1\n"say ""x""",2\n c ,3\n'),
    "cells over lines": ("a.csv", b'text,label\n"a\nb",1\n"c\r\nd",2\ne,3\n'),
    "blank lines": ("a.csv", b"\n\ntext,label\na,1\n\nb,2\n\n\nc,3\n"),
    "only blank lines in a part": ("a.csv", b"text,label\na,1\n\n\n\n\n\nb,2\n"),
    "byte order mark": ("a.csv", b"\xef\xbb\xbftext,label\na,1\nb,2\n"),
    "no header": ("a.csv", b"x,1\nx,2\ny,3\nx,4\n"),
    "a column without a name": ("a.csv", b"text,,label\na,0,1\nb,0,2\nc,0,3\n"),
    "quote marks as characters": ("a.csv", b'text,label\na 5" disk,1\n"b" c,2\n6" d,3\n'),
    "an open quote mark": ("a.csv", b'text,label\n"a,1\n'),
    "tabs": ("a.tsv", b"text\tlabel\na,b\t1\nc\t2\n"),
    "json lines": ("a.jsonl", b'{"text": "a"}\n\n{"text": "b", "more": 1.50}\n{"text": null, "list": [1]}\n'),
    "json array": ("a.json", b'[{"text": "a"}, {"text": "b"}, {"text": "c"}]'),
    "letters of UTF-8": ("a.csv", "text,label\nä,1\nö,2\n".encode()),
}


def cells(tables: list[Table]) -> dict[str, Any]:
    names = tables[0].names
    return {
        "names": names,
        "numbers": [number for table in tables for number in table.numbers],
        "cells": [[cell for table in tables for cell in table.column(index)] for index in range(len(names))],
        "left out": sorted((one.reason, row) for table in tables for one in table.left_out for row in one.rows),
        "notices": [line for table in tables for line in table.notices],
        "header": {table.header for table in tables},
    }


def written(folder: Path, name: str, content: bytes) -> DataSpec:
    path = folder / name
    path.write_bytes(content)
    return DataSpec(source=str(path))


@pytest.mark.parametrize("rows", [1, 2, 1000])
@pytest.mark.parametrize("case", FILES)
def test_parts_are_the_whole(tmp_path: Path, case: str, rows: int) -> None:
    spec = written(tmp_path, *FILES[case])
    found = table_parts(spec, rows)
    wanted = cells([read_table(spec)])
    assert cells(list(found())) == wanted
    assert cells(list(found())) == wanted, "parts can be read again"


@pytest.mark.parametrize("header", [True, False])
def test_a_header_that_is_named_is_not_guessed(tmp_path: Path, header: bool) -> None:
    spec = written(tmp_path, "a.csv", b"x,1\nx,2\ny,3\n").model_copy(update={"header": header})
    found = list(table_parts(spec, 2)())
    assert cells(found) == cells([read_table(spec)])
    assert len(found) == (1 if header else 2)


def test_parquet_in_parts(tmp_path: Path) -> None:
    table = pyarrow.table({"text": [f"row {n}" for n in range(7)], "n": [1.5, None, 3.0, 4.0, 5.0, 6.0, 7.0]})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=3)
    spec = DataSpec(source=str(tmp_path / "a.parquet"))
    found = list(table_parts(spec, 2)())
    assert len(found) > 2
    assert cells(found) == cells([read_table(spec)])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"text,label\na,1\nb\n"),
        ("a.csv", b"text,label\na\0,1\n"),
        ("a.csv", b"text,label\n\xff,1\n"),
        ("a.csv", b"text,label\n"),
        ("a.csv", b""),
        ("a.csv", b"text;label\na;1\n"),
        ("a.csv", b"text,text\na,1\n"),
        ("a.csv", b"PAR1 and more"),
        ("a.csv", b'text,label\n"a\nb",1\n"c\nd",2\n'.replace(b'"', b"'")),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n'),
        ("a.jsonl", b"\n\n"),
        ("a.jsonl", b'{"text": "\xff"}\n'),
        ("a.parquet", b"PAR1 and no more"),
    ],
)
def test_faults_are_those_of_the_whole(tmp_path: Path, name: str, content: bytes) -> None:
    spec = written(tmp_path, name, content)
    with pytest.raises(UserError) as whole:
        read_table(spec)
    with pytest.raises(UserError) as in_parts:
        list(table_parts(spec, 1)())
    assert str(in_parts.value) == str(whole.value)


def test_no_more_than_a_part_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in order is never read whole."""
    monkeypatch.setattr(parts, "read_table", lambda spec: pytest.fail("read whole"))
    for name, line in (("a.csv", 'a,"b, c"\n'), ("a.jsonl", '{"text": "a"}\n')):
        head = "text,label\n" if name == "a.csv" else ""
        spec = written(tmp_path, name, (head + line * 25).encode())
        assert [len(table.numbers) for table in table_parts(spec, 10)()] == [10, 10, 5]
