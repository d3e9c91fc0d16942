"""Every row is used or reported, every cell is exact, every fault has one line with its place and its mend."""

import cProfile
import json
import logging
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pyarrow
import pytest
from pyarrow import parquet

from showdown.core.errors import UserError
from showdown.core.spec import DataSpec
from showdown.data.read import RawRows, read_rows
from showdown.data.tables import refuse_twin_columns

GOOD = "text,label\none cat,a\ntwo dogs,b\n"


def write(folder: Path, content: str | bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, **settings: str) -> RawRows:
    return read_rows(DataSpec(source=str(path), **settings))


BAD = {
    "empty": (b"", "0 data rows"),
    "header only": (b"text,label\n", "0 data rows"),
    "blank lines only": (b"\n\n\n", "0 data rows"),
    "latin-1": ("text,label\ncaf\xe9,a\n".encode("latin-1"), "not UTF-8 at byte 14; try `encoding: latin-1`"),
    "binary": (bytes(range(128, 256)), "not UTF-8 at byte 0"),
    "utf-16": (GOOD.encode("utf-16"), "try `encoding: utf-16`"),
    "spreadsheet": (b"PK\x03\x04rest", "export it as CSV"),
    "semicolons": (b"text;label\nx, y;a\n", "only one column, `text;label`; the separator looks like `;`"),
    "tabs": (b"text\tlabel\nx\ta\n", r"the separator looks like `\t`"),
    "twin columns": (b"text,label,text\nx,a,y\n", "column `text` appears twice (1, 3)"),
    "unclosed quote": (
        b'text,label\n"x",a\n"y,b\n"z",c\n',
        "text follows the closing quote of a cell in row 2 (line 3)",
    ),
    "unclosed last quote": (b'text,label\n"x",a\n"z",c\n"y,b\n', "a quote opened in row 3 (line 4) is never closed"),
    "unclosed header": (b'"text,label\nx,a\ny,z,b\n', "a quote opened in the header"),
    "text after quote": (
        b'text,label\n"x" y,a\n"u",b\n"v, w",c\n',
        "text follows the closing quote of a cell in row 1",
    ),
    "long row": (b"text,label\nx,a\ny,z,b\nu,v,w\n", "row 2 (line 3) has 3 cells, the header has 2 (1 more such row)"),
    "short row": (b"text,label\nx\ny,b\n", "row 1 (line 2) has 1 cell, the header has 2"),
    "NUL": (b"text,label\nx,a\ny\0,b\n", "a NUL character in row 2 (line 3)"),
    "one column": (b"text\nx\n", "only one column (`text`)"),
    "no guess": (b"one,two,three\nx,y,z\n", "set data.text and data.label; columns: `one`, `two`, `three`"),
    "two texts": (b"text,review,label\nx,y,z\n", "set data.text; columns:"),
    "nothing usable": (b"text,label\nx,\n,a\n", "0 usable rows"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_csv_is_one_line_with_its_place(tmp_path: Path, case: str) -> None:
    content, said = BAD[case]
    with pytest.raises(UserError) as caught:
        read(write(tmp_path, content))
    assert said in str(caught.value)
    assert "rows.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


BAD_LINES = {
    "broken": ('{"text": "x", "label": "a"}\n{"text": "y"\n', "row 2 is not JSON"),
    "list": ('["x", "a"]\n', "row 1 is a list, not an object"),
    "null": ("null\n", "row 1 is null, not an object"),
    "number": ("7\n", "row 1 is a bare value, not an object"),
    "nested": ('{"text": ["x"], "label": "a"}\n', "row 1: `text` is a list, not text"),
    "object": ('{"text": "x", "label": {"id": 1}}\n', "row 1: `label` is an object, not text"),
    "key twice": ('{"text": "x", "text": "y", "label": "a"}\n', "row 1: column `text` appears twice"),
    "deep": ("[" * 100_000 + "\n", "nested too deeply"),
    "surrogate": ('{"text": "\\ud800", "label": "a"}\n', "row 1: `text` contains half a surrogate pair"),
    "NUL": ('{"text": "x\\u0000", "label": "a"}\n', "row 1: `text` contains a NUL character"),
    "empty": ("", "0 data rows"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_bad_json_lines(tmp_path: Path, case: str) -> None:
    content, said = BAD_LINES[case]
    with pytest.raises(UserError, match=re.escape(said)):
        read(write(tmp_path, content, "rows.jsonl"))


def test_places_that_are_no_file(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "resumes.csv")
    for source, said in {
        str(tmp_path): "this is a folder; name a file in it, such as resumes.csv",
        str(tmp_path / "resume.csv"): "did you mean `resumes.csv`?",
        str(tmp_path / "no" / "x.csv"): "there is no folder",
        "": "data.source: empty",
        "a\0b": "data.source: empty or not a path",
        "/dev/null": "not a regular file",
        str(write(tmp_path, GOOD, "rows.xlsx")): "unknown ending `.xlsx`",
        str(write(tmp_path, GOOD, "rows")): "its name has no ending",
    }.items():
        with pytest.raises(UserError, match=re.escape(said)):
            read_rows(DataSpec(source=source))


def test_wrong_settings(tmp_path: Path) -> None:
    path = write(tmp_path, "Resume,Category\nx,a\ny,b\n")
    for settings, said in (
        ({"text": "Resme"}, "no column `Resme`; did you mean `Resume`? columns: `Resume`, `Category`"),
        ({"text": "Resume", "label": "Resume"}, "both `text` and `label`"),
        ({"encoding": "utf-9"}, "encoding `utf-9` unknown"),
        ({"encoding": "base64"}, "encoding `base64` unknown"),
        ({"separator": ""}, "cannot separate columns"),
        ({"separator": ", "}, "cannot separate columns"),
    ):
        with pytest.raises(UserError, match=re.escape(said)):
            read(path, **settings)


def test_words_that_look_missing_are_labels(tmp_path: Path) -> None:
    labels = ["None", "NA", "null", "nan", "NaN", "007", "1.0", "1e5", "true", " padded ", "=cmd", "<script>"]
    path = write(tmp_path, "text,label\n" + "".join(f"some words,{label}\n" for label in labels))
    assert read(path).labels == tuple(labels)


def test_cells_stay_exact(tmp_path: Path) -> None:
    cells = [
        'a "quoted" word',
        "two\r\nlines",
        "bare\rreturn",
        "a,b;c\td",
        " x ",
        "\u05e9\u05dc\u05d5\u05dd",
        "\U0001f600",
        "x\u2028y",
    ]
    quoted = "".join('"' + cell.replace('"', '""') + '",a\r\n' for cell in cells)
    assert read(write(tmp_path, "\ufefftext,label\r\n" + quoted)).texts == tuple(cells)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_newline_ends_a_row(tmp_path: Path, newline: str) -> None:
    assert read(write(tmp_path, GOOD.replace("\n", newline))).labels == ("a", "b")


def test_missing_cells_are_reported_by_row(tmp_path: Path) -> None:
    raw = read(write(tmp_path, "text,label\nx,a\ny,\n  ,b\n\n,\nz,None\n"))
    assert (raw.rows, raw.labels, raw.rows_in) == ((1, 6), ("a", "None"), 6)
    assert {part.reason: part.rows for part in raw.left_out} == {
        "no label": (2,),
        "no text": (3,),
        "blank line": (4,),
        "neither text nor label": (5,),
    }
    assert any("1 row has no label (row 2)" in line and "`None` is a label" in line for line in raw.notices)


def test_json_lines_keep_numbers_and_report_null(tmp_path: Path) -> None:
    lines = [
        '{"text": "x", "label": 1.0}',
        '{"text": "y", "label": 12345678901234567890123}',
        '{"text": "z", "label": true}',
    ]
    lines += [
        '{"text": "u", "label": null}',
        '{"text": "v"}',
        '{"text": "w", "label": NaN}',
        '{"text": "s", "label": "null"}',
    ]
    raw = read(write(tmp_path, "\n".join(lines) + "\n", "rows.jsonl"))
    assert raw.labels == ("1.0", "12345678901234567890123", "true", "null")
    assert raw.left_out[0].rows == (4, 5, 6)


def test_parquet_types_become_their_exact_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    numbers = pyarrow.array([0.1, None, float("nan"), 2.0], type=pyarrow.float32())
    parquet.write_table(pyarrow.table({"text": ["x", "y", "z", "None"], "label": numbers}), path)
    raw = read(path)
    assert (raw.texts, raw.labels, raw.rows_in) == (("x", "None"), ("0.1", "2.0"), 4)
    for labels, expected in (
        (pyarrow.array([1, 2, 3, None]), ("1", "2", "3")),
        (pyarrow.array(["a", "b", "a", None]).dictionary_encode(), ("a", "b", "a")),
        (pyarrow.array([True, False, None, None]), ("true", "false")),
    ):
        parquet.write_table(pyarrow.table({"text": ["x", "y", "z", "u"], "label": labels}), path)
        assert read(path).labels == expected


def test_bad_parquet(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.table({"text": [["x"], ["y"]], "label": ["a", "b"]}), path)
    with pytest.raises(UserError, match="row 1: `text` is a list"):
        read(path)
    content = path.read_bytes()
    for cut in (0, 1, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(UserError, match="no valid Parquet file"):
            read(path)
    parquet.write_table(pyarrow.table({"text": pyarrow.array([], pyarrow.string()), "label": []}), path)
    with pytest.raises(UserError, match="0 data rows"):
        read(path)


@pytest.mark.parametrize(
    ("header", "columns", "guessed"),
    [
        ("text,label", (0, 1), True),
        ("Category,Resume", (1, 0), True),
        ("id,Review,Sentiment", (1, 2), True),
        ("words,label", (0, 1), True),
        ("one,two", (0, 1), True),
    ],
)
def test_columns_are_guessed(tmp_path: Path, header: str, columns: tuple[int, int], guessed: bool) -> None:
    names = header.split(",")
    cells = ["x"] * len(names)
    rows = ""
    for index in range(4):
        cells[columns[0]], cells[columns[1]] = f"a long text with number {index}", f"l{index % 2}"
        rows += ",".join(cells) + "\n"
    raw = read(write(tmp_path, header + "\n" + rows))
    assert (raw.text_column, raw.label_column) == (names[columns[0]], names[columns[1]])
    assert f"text column: `{raw.text_column}`, label column: `{raw.label_column}` (guessed)" in raw.notices


def test_nothing_is_guessed_of_two_alike_columns(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"set data\.text and data\.label"):
        read(write(tmp_path, "one,two\nx,a\ny,b\n"))


def test_huge_cell_and_unnamed_column_are_notices(tmp_path: Path) -> None:
    raw = read(write(tmp_path, f",text,label\n0,{'word ' * 2_000_000},a\n1,x,b\n"))
    assert len(raw.texts[0]) == 10_000_000
    assert any("row 1 has 10 MB; it is truncated" in line for line in raw.notices)
    assert any("column 1 has no name" in line for line in raw.notices)


def test_many_unnamed_columns_are_one_notice(tmp_path: Path) -> None:
    raw = read(write(tmp_path, f"text,label{',' * 2000}\n" + f"x,a{',1' * 2000}\ny,b{',1' * 2000}\n"))
    assert [line.partition(": ")[2] for line in raw.notices if "no name" in line] == [
        "columns 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 1,990 more have no name and are not read"
    ]


def calls(work: Callable[[], object]) -> int:
    """Count the calls of functions, those of the interpreter's own included."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return sum(entry.callcount for entry in profile.getstats())


@pytest.mark.parametrize("asked", [{}, {"text": "c1", "label": "label"}])
def test_the_work_of_reading_grows_with_the_columns_and_no_faster(tmp_path: Path, asked: dict[str, str]) -> None:
    def wide(columns: int) -> Path:
        header = ",".join(["text", "label", *(f"c{place}" for place in range(columns))])
        rows = [f"text {row},{'ab'[row % 2]}{',1' * columns}" for row in range(3)]
        return write(tmp_path, "\n".join([header, *rows]), f"{columns}.csv")

    few, many = wide(2_000), wide(20_000)
    read(few)  # what is imported and compiled once is not counted
    assert 5 < calls(lambda: read(many, **asked)) / calls(lambda: read(few, **asked)) < 15


class Counted(str):
    """A name that counts how often it is compared with another."""

    compared: ClassVar[int] = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)


def test_names_of_columns_are_not_each_compared_with_all_others() -> None:
    Counted.compared = 0
    refuse_twin_columns("rows.csv", [Counted(f"c{place}") for place in range(20_000)])
    assert Counted.compared <= 20_000


def test_separators_and_encodings_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "text;label\ncaf\xe9, bar;a\nx;b\n".encode("latin-1"))
    assert read(path, separator=";", encoding="latin-1").texts == ("caf\xe9, bar", "x")
    assert read(write(tmp_path, GOOD.replace(",", "\t"), "rows.tsv")).labels == ("a", "b")


SMS = (
    "ham\tGo until jurong point\n"
    "spam\tFree entry in 2 a wkly comp\n"
    'ham\t"ok" she said, "call me\n'
    'ham\tHe wrote "later"\n'
    'ham\t"Hi there\n'
    "spam\tWINNER!! you have won\n"
)
"""As the SMS Spam Collection is distributed: tabs, no header, quote marks as people type them."""


def test_sms_spam_as_it_is_distributed(tmp_path: Path) -> None:
    raw = read(write(tmp_path, SMS, "sms.tsv"))
    assert raw.labels == ("ham", "spam", "ham", "ham", "ham", "spam")
    assert raw.texts[2] == '"ok" she said, "call me'
    assert raw.rows == (1, 2, 3, 4, 5, 6)
    assert any("quote marks are read as plain characters" in line for line in raw.notices)
    assert any("the first line is read as a row, because `ham`" in line for line in raw.notices)
    told = read_rows(DataSpec(source=str(tmp_path / "sms.tsv"), quoting="none", header=False, text="column 2"))
    assert (told.texts, told.labels) == (raw.texts, raw.labels)
    with pytest.raises(UserError, match=r"text follows the closing quote of a cell in row 2 \(line 3\)"):
        read_rows(DataSpec(source=str(tmp_path / "sms.tsv"), quoting="standard"))


def test_a_quote_mark_that_swallows_rows_is_not_guessed_away(tmp_path: Path) -> None:
    path = write(tmp_path, 'label\ttext\nham\t"one\nspam\ttwo\nham\tthree"\nspam\tfour\n', "rows.tsv")
    with pytest.raises(
        UserError, match=r"2 rows if quote marks enclose cells, 4 if they are plain characters"
    ) as caught:
        read(path)
    assert "`data.quoting: none`" in str(caught.value)
    assert len(read(path, quoting="none").rows) == 4
    assert len(read(path, quoting="standard").rows) == 2


def test_cells_of_several_lines_stay_whole(tmp_path: Path) -> None:
    raw = read(write(tmp_path, 'text,label\n"one, more\ntwo, and, three\nfour",a\n"plain",b\n'))
    assert raw.texts == ("one, more\ntwo, and, three\nfour", "plain")
    assert not any("quote" in line for line in raw.notices)


def test_a_fault_in_a_quoted_file_names_the_setting_that_would_read_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"if quote marks are plain characters, set `data\.quoting: none`"):
        read(write(tmp_path, 'text,label\n"x","a"\n"y" z,"b"\n"u","c"\n'))


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("label,words\nspam,one\nham,two\n", 2),
        ("text,label\ntext,a\nother,b\n", 2),
        ("spam,one\nham,two\nspam,three\n", 3),
        ("kind,words\nspam,one\nkind,words\nham,two\n", 3),
    ],
)
def test_a_header_is_missed_only_where_it_recurs_as_a_value(tmp_path: Path, content: str, rows: int) -> None:
    path = write(tmp_path, content)
    raw = read_rows(DataSpec(source=str(path), **_columns(content)))
    assert raw.rows_in == rows


def _columns(content: str) -> dict[str, str]:
    first, second = content.split("\n", maxsplit=1)[0].split(",")
    if first == "spam":
        return {"label": "column 1", "text": "column 2"}
    return {"text": first, "label": second} if first == "text" else {"label": first, "text": second}


def test_json_arrays(tmp_path: Path) -> None:
    content = '[\n {"text": "x", "label": 1.0},\n {"text": "y", "label": null},\n {"text": "z", "label": "a"}]'
    raw = read(write(tmp_path, content, "rows.json"))
    assert (raw.texts, raw.labels, raw.rows, raw.left_out[0].rows) == (("x", "z"), ("1.0", "a"), (1, 3), (2,))
    lines = read(write(tmp_path, '{"text": "x", "label": "a"}\n\n{"text": "y", "label": "b"}\n', "lines.json"))
    assert (lines.texts, lines.rows_in) == (("x", "y"), 3)
    one = read(write(tmp_path, '[{"text": "x", "label": "a"}]', "one.json"))
    assert one.texts == ("x",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "0 data rows"),
        ("", "0 data rows"),
        ('[{"text": "x"}, 7]', "row 2 is a bare value, not an object; write an array of objects"),
        ('[{"text": "x",\n "label" "a"}]', "is not JSON (Expecting ':' delimiter at line 2, character 10)"),
        ('{"text": {"0": "x"},\n "label": {"0": "a"}}', "one object, not rows; write an array of objects"),
        ('{"text": "x", "label": "a"}', "one object, not rows"),
        ('[{"text": "x", "text": "y"}]', "column `text` appears twice"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_bad_json_arrays(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        read(write(tmp_path, content, "rows.json"))
    assert "\n" not in str(caught.value)


def with_labels(folder: Path, labels: list[str]) -> RawRows:
    lines = "".join(
        json.dumps({"text": f"some words {index}", "label": label}) + "\n" for index, label in enumerate(labels)
    )
    return read(write(folder, lines, "rows.jsonl"))


@pytest.mark.parametrize(
    "labels",
    [
        [f"{index / 7:.3f}" for index in range(195)],
        ["1e-3", *(f"{index}" for index in range(30))],
    ],
)
def test_amounts_are_no_labels(tmp_path: Path, labels: list[str]) -> None:
    with pytest.raises(UserError, match=r"`label` holds \d+ different numbers such as .* amounts, not classes"):
        with_labels(tmp_path, labels)


@pytest.mark.parametrize(
    "labels",
    [
        ["3", "27", "3,27", "10", "10,27", "3,10"],
        ["joy|anger", "joy", "anger", "fear", "joy|fear", "anger|fear"],
        ["['a', 'b']", "['a']", "['b', 'c']"],
        ["[1, 2]", "[2]", "[1]"],
        ["a; b", "b; c", "a; c"],
    ],
)
def test_several_labels_a_row_are_refused(tmp_path: Path, labels: list[str]) -> None:
    with pytest.raises(UserError, match=r"`label` holds several labels a row, such as .*; keep one label a row"):
        with_labels(tmp_path, labels)


@pytest.mark.parametrize(
    "labels",
    [
        [f"{index / 2}" for index in range(1, 21)],
        [f"{index}" for index in range(150)],
        ["Sports|Tennis", "Sports|Golf", "News|World", "News|Local"],
        ["Books, Films & Music", "Toys, Games", "Home", "Office, School"],
        ["[spam]", "[ham]"],
        ["C, C++", "Java", "C", "Go"],
    ],
)
def test_labels_that_only_look_so_are_labels(tmp_path: Path, labels: list[str]) -> None:
    assert set(with_labels(tmp_path, labels).labels) == set(labels)


def test_labels_that_the_user_names_are_labels(tmp_path: Path) -> None:
    path = write(tmp_path, "text\tlabel\none\ta,b\ntwo\tb,c\nthree\ta,c\n", "rows.tsv")
    raw = read_rows(DataSpec(source=str(path), labels=["a,b", "b,c"]))
    assert "a,b" in raw.labels


def test_hub_labels_become_names(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra package `datasets` is not installed")
    features = datasets.Features({"label": datasets.ClassLabel(names=["neg", "pos"]), "text": datasets.Value("string")})
    rows = datasets.Dataset.from_dict({"label": [1, 0, -1], "text": ["x", "y", "z"]}, features=features)
    monkeypatch.setattr(datasets, "load_dataset", lambda identity: {"train": rows, "test": rows})
    raw = read_rows(DataSpec(source="someone/reviews"))
    assert (raw.labels, raw.rows_in) == (("pos", "neg"), 3)
    assert "someone/reviews: split `train` is read, not test" in raw.notices


def test_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra package `datasets` is not installed")

    def refuse(identity: str) -> None:
        logging.getLogger("huggingface_hub.utils").warning("retrying")
        raise ConnectionError("offline")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(UserError, match=r"did you mean `resumes`\? check the name and the network"):
        read_rows(DataSpec(source="resume"))
    assert not caplog.records


def test_fuzzed_files_lose_no_row(tmp_path: Path) -> None:
    generator = random.Random(7)
    pieces = ["x y,a\n", "x\tb\n", "z,\n", '"u ""v""",b\n', '{"text": "x", "label": 1}\n', '"', ",", "\n", "\r\n", "\r"]
    pieces += ["a", "b c", "\ufeff", "\0", ";", "\t", "{", "}", "\u00e9"]
    weights = [8, 8, 8, 8, 8] + [1] * (len(pieces) - 5)
    used = 0
    for index in range(10_000):
        body = "".join(generator.choices(pieces, weights, k=generator.randint(0, 6)))
        ending = generator.choice(["csv", "tsv", "jsonl", "parquet"])
        start = generator.choice([GOOD, GOOD, "", '{"text": "x", "label": "a"}\n'])
        content = (start + body).encode() + bytes(generator.choices(range(256), k=generator.choice([0, 0, 0, 3])))
        try:
            raw = read(write(tmp_path, content, f"rows{index}.{ending}"))
        except UserError as error:
            assert "\n" not in str(error)
            continue
        used += 1
        numbers = sorted([*raw.rows, *(row for part in raw.left_out for row in part.rows)])
        assert numbers == list(range(1, raw.rows_in + 1))
    assert used > 500


def test_json_lines_survive_a_round_trip(tmp_path: Path) -> None:
    texts = ["x\u2028y", "tab\there", "<script>", "\\input{}", "=cmd()"]
    content = "".join(json.dumps({"text": text, "label": "a"}, ensure_ascii=False) + "\n" for text in texts)
    assert read(write(tmp_path, content, "rows.jsonl")).texts == tuple(texts)
