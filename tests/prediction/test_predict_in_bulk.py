"""Files in every form, standard input, the best labels of each text, and texts that are left to a person."""

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from showdown.core.bounds import RequestedData
from showdown.core.chat import prompt_of, read_prompt, shown_prompt, systems_of
from showdown.core.errors import UserError
from showdown.core.predictor import Classifier, Writer, Written
from showdown.core.record import ScoreKind
from showdown.data import parts
from showdown.prediction.answer import answer_into, answer_stream, answers_in_lines, as_file
from showdown.prediction.file import FileResult, TextFile
from showdown.prediction.load import hint_on_system
from showdown.prediction.model import Model
from showdown.prediction.output import STANDARD
from showdown.prediction.writer import WriterModel

LABELS = ("a", "b", "c")


class ByLength(Classifier):
    """Is surer of `b` the longer a text is; then comes `c`."""

    score_kind: ScoreKind = "probability"

    def __init__(self) -> None:
        self.most = 0

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> Any:
        self.most = max(self.most, len(texts))
        sure = np.array([min(0.9, len(text) / 10) for text in texts]).reshape(-1, 1)
        return np.hstack([0.25 * (1 - sure), sure, 0.75 * (1 - sure)])


class Loud(Writer):
    """Writes what the user wrote in capitals, on two lines where there are two words."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def write(self, prompts: Sequence[str], *, batch_rows: int) -> list[Written]:
        self.asked += prompts
        return [Written(text=shown_prompt(one).upper().replace(" ", "\n"), tokens=3, finished=True) for one in prompts]

    def refusal(self, prompt: str) -> str | None:
        return "is too long; shorten it" if len(shown_prompt(prompt)) > 20 else None


def model(classifier: Classifier | None = None) -> Model:
    return Model(
        name="mine",
        labels=LABELS,
        data=RequestedData(),
        classifier=classifier or ByLength(),
        confidence=None,
        fix="copy it again",
    )


def writer(**options: Any) -> WriterModel:
    return WriterModel(name="mine", data=RequestedData(**options), writer=Loud(), fix="copy it again")


def answered(file: Path, output: Path, opened: Model | WriterModel | None = None, **options: Any) -> FileResult:
    return answer_into(output, opened or model(), TextFile(file=file, **options))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "new.csv"
    path.write_text("id,text\n1,xxxxxxxx\n2,\n3,xxxx\n", encoding="utf-8")
    return path


def test_order_columns_and_the_best_labels_are_written(texts: Path, tmp_path: Path) -> None:
    done = answered(texts, tmp_path / "x.csv", top=2)
    assert (tmp_path / "x.csv").read_text() == (
        "id,text,predicted,probability,predicted 2,probability 2\n"
        "1,xxxxxxxx,b,0.8,c,0.15\n2,,,,,\n3,xxxx,c,0.45,b,0.4\n"
    )
    assert (done.rows, done.left_to_person) == (2, 0)


def test_below_a_threshold_a_person_is_asked(texts: Path, tmp_path: Path) -> None:
    done = answered(texts, tmp_path / "x.csv", threshold=0.5, top=2)
    lines = (tmp_path / "x.csv").read_text().splitlines()
    assert lines[0].endswith("predicted 2,probability 2,confidence,decision")
    assert lines[1] == "1,xxxxxxxx,b,0.8,c,0.15,0.8,answered"
    assert lines[3] == "3,xxxx,,0.45,,0.4,0.45,ask a person"
    assert (done.rows, done.left_to_person) == (1, 1)
    said, _ = answers_in_lines(model(), ["xxxxxxxx", "xxxx"], threshold=0.5, top=2)
    assert said == ["b\t0.8000 (probability)\tc 0.1500", "ask a person\t0.4500 (probability)"]


def test_json_lines_have_numbers_and_null(texts: Path, tmp_path: Path) -> None:
    answered(texts, tmp_path / "x.jsonl")
    found = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert found[0] == {"id": "1", "text": "xxxxxxxx", "predicted": "b", "probability": 0.8}
    assert found[1] == {"id": "2", "text": "", "predicted": None, "probability": None}


def test_parquet_has_numbers_and_null(texts: Path, tmp_path: Path) -> None:
    answered(texts, tmp_path / "x.parquet", threshold=0.5)
    found = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert found[0]["probability"] == pytest.approx(0.8)
    assert found[1]["predicted"] is None
    assert found[2]["decision"] == "ask a person"


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_file_in_parts_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    lines = [json.dumps({"text": "x" * (n % 9), "n": n, **({"odd": [n]} if n == 11 else {})}) for n in range(20)]
    file = tmp_path / "new.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    whole = answered(file, tmp_path / "whole.csv", top=2)
    monkeypatch.setattr(parts.table_parts, "__defaults__", (rows,))
    classifier = ByLength()
    in_parts = answered(file, tmp_path / "parts.csv", model(classifier), top=2)
    assert (tmp_path / "parts.csv").read_text() == (tmp_path / "whole.csv").read_text()
    assert in_parts == whole
    assert classifier.most <= rows
    assert "column `odd` is not kept" in " ".join(whole.notices)
    assert whole.rows == 17


def test_a_part_that_cannot_be_answered_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts.table_parts, "__defaults__", (2,))
    file = tmp_path / "new.jsonl"
    file.write_text('{"prompt": "a"}\n{"prompt": "b"}\n{"prompt": "a prompt that is far too long"}\n')
    opened = writer()
    with pytest.raises(UserError, match="row 3: the prompt is too long; shorten it"):
        answered(file, tmp_path / "x.csv", opened)
    assert opened.writer.asked == []  # type: ignore[attr-defined]
    assert not (tmp_path / "x.csv").exists()


def test_prompts_in_parts_keep_their_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts.table_parts, "__defaults__", (2,))
    file = tmp_path / "new.jsonl"
    file.write_text('{"prompt": "a"}\n{"prompt": null}\n{"prompt": "b"}\n\n{"prompt": "c"}\n')
    done = answered(file, tmp_path / "x.jsonl", writer(system="Be kind."))
    found = [json.loads(line)["answer"] for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert found == ["A", None, "B", "C"]
    assert (done.rows, done.notices) == (
        3,
        ("1 row left out: blank line (row 4)", "1 row has no prompt (row 2), not answered"),
    )


def test_lines_of_standard_input_are_answered_as_they_come() -> None:
    asked: list[str] = []

    def lines() -> Any:
        for number in range(200):
            asked.append(f"x{number}")
            yield "xxxxxxxx\n" if number != 1 else "  \r\n"

    stream: Any = lines()
    answers = answer_stream(model(), stream, threshold=0.5)
    assert [next(answers), next(answers)] == ["b\t0.8000 (probability)", ""]
    assert len(asked) < 100
    assert len(list(answers)) == 198


def test_a_written_answer_stays_on_its_line() -> None:
    assert list(answer_stream(writer(), io.StringIO("a b\n\nc\n"))) == ["A\\nB", "", "C"]
    with pytest.raises(UserError, match="a NUL character"):
        list(answer_stream(model(), io.StringIO("a\0\n")))


def test_standard_input_is_a_file_of_a_form(capsys: pytest.CaptureFixture[str]) -> None:
    requested = TextFile(file=STANDARD)
    with as_file(requested, "jsonl", io.BytesIO(b'{"text": "xxxxxxxx"}\n')) as file:
        answer_into(STANDARD, model(), file)
    assert json.loads(capsys.readouterr().out) == {"text": "xxxxxxxx", "predicted": "b", "probability": 0.8}
    with as_file(requested, "csv", io.BytesIO(b"text\nxxxxxxxx\n")) as file:
        answer_into(STANDARD, model(), file)
    assert capsys.readouterr().out == "text,predicted,probability\nxxxxxxxx,b,0.8\n"
    assert not file.file.exists()
    with (
        pytest.raises(UserError, match="--input-format xlsx: give lines, csv"),
        as_file(requested, "xlsx", sys.stdin.buffer),
    ):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 4}, "--top 4: `mine` has 3 labels; give 1 to 3"),
        ({"top": 0}, "--top 0"),
        ({"threshold": float("nan")}, "give a number"),
        ({"threshold": 0.5, "coverage": 0.9}, "give one of them"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        model().predict(["x"], **options)


@pytest.mark.parametrize("options", [{"top": 2}, {"threshold": 0.5}, {"coverage": 0.9}])
def test_a_writer_takes_no_options_of_labels(tmp_path: Path, options: dict[str, Any]) -> None:
    file = tmp_path / "new.jsonl"
    file.write_text('{"prompt": "a"}\n')
    with pytest.raises(UserError, match=f"compare with --{next(iter(options))}; leave it out"):
        answered(file, tmp_path / "x.csv", writer(), **options)
    with pytest.raises(UserError, match="leave it out"):
        answers_in_lines(writer(), ["a"], **options)


def test_another_system_message_or_none_can_be_sent() -> None:
    opened = writer(system="Be kind.")
    for asked, sent in (
        (opened, "Be kind."),
        (opened.with_system("Be brief."), "Be brief."),
        (opened.with_system(""), None),
    ):
        asked.predict(["a"])
        first = read_prompt(opened.writer.asked[-1])[0]  # type: ignore[attr-defined]
        assert (first.content if first.role == "system" else None) == sent


def test_the_system_message_that_all_prompts_have_is_found() -> None:
    same = [prompt_of("a", system="s"), prompt_of("b", system="s")]
    assert systems_of(same) == ("one", "s")
    assert systems_of([prompt_of("a")]) == ("none", None)
    assert systems_of([*same, prompt_of("c")]) == ("several", None)
    assert systems_of([*same, prompt_of("c", system="t")]) == ("several", None)
    assert hint_on_system("one", "s") is None
    assert hint_on_system("none", None) is None
    assert "different system messages" in str(hint_on_system("several", None))
    assert "of an earlier version" in str(hint_on_system(None, None))
    assert hint_on_system(None, "s") is None
