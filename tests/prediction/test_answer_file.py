"""A file of texts is answered row by row: none is lost, and what is no text is refused with its place."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from showdown.core.bounds import RequestedData, requested_data
from showdown.core.errors import UserError
from showdown.core.spec import Comparison
from showdown.prediction.file import FileResult, TextFile, predict_file
from showdown.prediction.model import Prediction


def reading(**data: str) -> RequestedData:
    comparison = Comparison.model_validate({"methods": {"majority": {}}, "data": data})
    return requested_data(comparison.model_dump(mode="json"))


def shout(texts: Sequence[str]) -> list[Prediction]:
    return [Prediction(label=text.upper(), score=0.5, score_kind="probability", confidence=0.5) for text in texts]


def careful(texts: Sequence[str]) -> list[Prediction]:
    """Be sure of texts that are short."""
    return [replace(found, confidence=1 / len(found.label), sure=len(found.label) < 5) for found in shout(texts)]


def answered(file: Path, *, of: RequestedData | None = None, **options: Any) -> tuple[FileResult, list[dict[str, str]]]:
    output = file.with_name("answers.csv")
    predict = shout if options.get("coverage") is None else careful
    done = predict_file(TextFile(file=file, **options), of or reading(), predict, output)
    with output.open(newline="", encoding="utf-8") as opened:
        return done, list(csv.DictReader(opened))


def written(folder: Path, content: str | bytes, name: str = "new.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_rows_without_text_stay_in_their_place_and_are_named(tmp_path: Path) -> None:
    lines = '{"text": "oven"}\n{"text": null}\n\n{"text": " "}\n{"text": "radar"}\n'
    done, rows = answered(written(tmp_path, lines, "new.jsonl"))
    assert [row["predicted"] for row in rows] == ["OVEN", "", "", "RADAR"]
    assert [row["text"] for row in rows] == ["oven", "", " ", "radar"]
    assert (done.rows, len(done.notices)) == (2, 2)
    assert done.notices[0].startswith("1 row left out: blank line (row 3)")
    assert done.notices[1] == "2 rows have no text (rows 2, 4), not answered"


def test_a_text_that_cleaning_empties_is_not_answered(tmp_path: Path) -> None:
    file = written(tmp_path, "text\nhttp://x.example\noven\n")
    done, rows = answered(file, of=reading(clean="study"))
    assert [row["predicted"] for row in rows] == ["", "OVEN"]
    assert done.rows == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("new.jsonl", '{"text": ["a"]}\n', "row 1: `text` is a list, not text"),
        ("new.jsonl", '{"text": "a\\u0000b"}\n', "row 1: `text` contains a NUL character"),
        ("new.csv", "a,b\n1,2\n", "cannot tell which column is the text; name it with --column; columns: `a`, `b`"),
        ("new.csv", "text,content\n1,2\n", "cannot tell which column is the text"),
        ("new.csv", "text\n", "has 0 data rows"),
        ("new.csv", b"text\ncaf\xe9\n", "not UTF-8 at byte 8; try `encoding: latin-1`"),
        ("new.csv", "id;text\n1;x\n", "the separator looks like `;`"),
    ],
)
def test_bad_files_are_refused_before_any_answer(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(UserError) as caught:
        answered(written(tmp_path, content, name))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "answers.csv").exists()


def test_the_files_other_columns_are_kept_exactly(tmp_path: Path) -> None:
    content = 'id,text,predicted,\n007,"oven, dough",=cmd,x\n008,,"two\nlines",\n009,radar,None,y\n'
    done, rows = answered(written(tmp_path, content))
    assert list(rows[0]) == ["id", "text", "predicted", "predicted (model)", "probability"]
    assert [row["id"] for row in rows] == ["007", "008", "009"]
    assert [row["predicted"] for row in rows] == ["=cmd", "two\nlines", "None"]
    assert [row["predicted (model)"] for row in rows] == ["OVEN, DOUGH", "", "RADAR"]
    assert any("column 4 has no name and is not read" in line for line in done.notices)


def test_a_column_that_is_no_text_is_not_kept_and_said(tmp_path: Path) -> None:
    lines = '{"text": "oven", "tags": ["a"], "n": 1.50}\n{"text": "radar", "tags": null, "odd": "\\ud800"}\n'
    done, rows = answered(written(tmp_path, lines, "new.jsonl"))
    assert rows[0] == {"text": "oven", "n": "1.50", "predicted": "OVEN", "probability": "0.5"}
    assert rows[1]["n"] == ""
    assert [line for line in done.notices if line.startswith("column `tags` is not kept: ")]
    assert [line for line in done.notices if line.startswith("column `odd` is not kept: ")]


def test_column_encoding_and_separator_are_the_comparisons_or_named(tmp_path: Path) -> None:
    file = written(tmp_path, "id;resume;note\n1;caf\xe9;z\n".encode("latin-1"))
    mine = reading(text="resume", encoding="latin-1", separator=";")
    own = {"id": "1", "resume": "caf\xe9", "note": "z"}
    assert answered(file, of=mine)[1] == [{**own, "predicted": "CAF\xc9", "probability": "0.5"}]
    named = {"column": "note", "encoding": "latin-1", "separator": ";"}
    assert answered(file, **named)[1][0]["predicted"] == "Z"
    with pytest.raises(UserError, match="no column `nota`; did you mean `note`"):
        answered(file, **{**named, "column": "nota"})


def test_an_output_that_cannot_be_is_refused_before_the_work(tmp_path: Path) -> None:
    file = written(tmp_path, "text\nx\n")
    for output in (tmp_path, file / "answers.csv", file / "deep" / "answers.csv"):
        with pytest.raises(UserError, match="cannot write"):
            predict_file(TextFile(file=tmp_path / "missing.csv"), reading(), shout, output)


def test_the_rest_is_left_to_a_person(tmp_path: Path) -> None:
    file = written(tmp_path, '{"text": "oven"}\n{"text": "radar"}\n{"text": ""}\n{"text": "fly"}\n', "new.jsonl")
    done, rows = answered(file, coverage=0.9)
    assert [(row["predicted"], row["decision"]) for row in rows] == [
        ("OVEN", "answered"),
        ("", "ask a person"),
        ("", ""),
        ("FLY", "answered"),
    ]
    assert [row["confidence"] for row in rows] == ["0.25", "0.2", "", "0.333333"]
    assert (done.rows, done.left_to_person) == (2, 1)
    everything, rows = answered(file)
    assert [row["predicted"] for row in rows] == ["OVEN", "RADAR", "", "FLY"]
    assert list(rows[0]) == ["text", "predicted", "probability"]
    assert everything.rows == 3
