"""A saved model that writes: a prompt, a chat or a file is answered, and what cannot be is refused in one line."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from echo_writer import Echo
from showdown.core.bounds import RequestedData
from showdown.core.chat import prompt_of, read_prompt, shown_prompt
from showdown.core.errors import UserError
from showdown.core.predictor import Writer, Written
from showdown.prediction.answer import answer_into, answers_in_lines
from showdown.prediction.file import FileResult, TextFile
from showdown.prediction.writer import WriterModel
from showdown.tasks.generation.composition import Instruction
from showdown.tasks.generation.prompted import PromptedWriter


class Broken(Echo):
    def write(self, prompts: Sequence[str], *, batch_rows: int) -> list[Written]:
        raise RuntimeError("a shape is wrong\nand more")


def model(writer: Writer | None = None, **data: Any) -> WriterModel:
    return WriterModel(name="lora", data=RequestedData(**data), writer=writer or Echo(), fix="copy it again")


def roles(prompt: str) -> list[tuple[str, str]]:
    return [(one.role, one.content) for one in read_prompt(prompt)]


def test_the_system_message_of_the_comparison_stands_before_a_prompt() -> None:
    echo = Echo()
    opened = model(echo, system="Answer in JSON.")
    chat = [{"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}, {"role": "user", "content": "d"}]
    own = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "e"}]
    found = opened.predict(["a\r\nz", chat, own])
    assert [one.text for one in found] == ["A\nZ", "USER: B\nASSISTANT: C", "E"]
    assert [one.finished for one in found] == [True, False, True]
    first, second, third = map(roles, echo.asked)
    assert first == [("system", "Answer in JSON."), ("user", "a\nz")]
    assert second[0] == ("system", "Answer in JSON.")
    assert [role for role, _ in second[1:]] == ["user", "assistant", "user"]
    assert third == [("system", "Be kind."), ("user", "e")]
    assert opened.predict([]) == []


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        (["a", "  "], "prompt 2 of 2 is empty"),
        (["a\0"], "prompt 1 of 1 contains a NUL character"),
        (["x" * 41], "prompt 1 of 1 has 41 letters, more than 40; shorten it"),
        ([[{"content": "a"}]], "prompt 1 of 1 has a message without a role, number 1"),
        ([[{"role": "robot", "content": "a"}]], "prompt 1 of 1 has the unknown role `robot`"),
        ([[]], "prompt 1 of 1 has no message"),
        (
            [[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]],
            "prompt 1 of 1 does not end with a user message",
        ),
    ],
)
def test_a_prompt_that_cannot_be_answered_is_one_line(prompts: list[Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        model().predict(prompts)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_prompt_with_examples_is_too_long_where_it_would_be_without_them() -> None:
    asked: list[str] = []
    pretrained: Any = SimpleNamespace(writer=SimpleNamespace(refusal=asked.append))
    instruction = Instruction(text="Be brief.", replaces=True)
    writer = PromptedWriter(pretrained, lambda _: [(prompt_of("example"), "answer")], instruction)
    assert writer.refusal(prompt_of("oven", system="s")) is None
    assert [roles(prompt) for prompt in asked] == [[("system", "Be brief."), ("user", "oven")]]


def test_coverage_is_for_labels_alone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`lora` writes its answers: they have no confidence"):
        answers_in_lines(model(), ["a"], 0.9)
    with pytest.raises(UserError, match="`lora` writes its answers: they have no confidence"):
        answer_into(tmp_path / "out.csv", model(), TextFile(file=tmp_path / "missing.csv", coverage=0.9))


def test_a_model_that_fails_is_one_line() -> None:
    with pytest.raises(UserError) as caught:
        model(Broken()).predict(["a"])
    assert str(caught.value) == (
        "the saved model of `lora` cannot answer (RuntimeError: a shape is wrong); copy it again"
    )


def test_answers_at_a_terminal_keep_their_lines_and_no_control_character() -> None:
    lines, cut = answers_in_lines(model(), ["one\ttwo\nthree", "a\x1b[2Jb", "x" * 30], None)
    assert lines == ["ONE\tTWO\nTHREE", "A\\u001b[2JB", "X" * 20]
    assert cut == ["answer 3 was cut at the limit of the comparison, 20 tokens"]


def answered(file: Path, opened: WriterModel | None = None, **options: Any) -> tuple[FileResult, list[dict[str, str]]]:
    output = file.with_name("answers.csv")
    done = answer_into(output, opened or model(), TextFile(file=file, **options))
    with output.open(newline="", encoding="utf-8") as opened_file:
        return done, list(csv.DictReader(opened_file))


def written(folder: Path, name: str, *rows: Mapping[str, object]) -> Path:
    path = folder / name
    if name.endswith(".csv"):
        with path.open("w", newline="", encoding="utf-8") as file:
            lines = csv.DictWriter(file, list(rows[0]))
            lines.writeheader()
            lines.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_file_gets_a_column_of_answers(tmp_path: Path) -> None:
    rows = [{"id": "007", "note": "oven", "answer": "old"}, {"id": "008", "note": " ", "answer": ""}]
    file = written(tmp_path, "new.csv", *rows, {"id": "009", "note": "x" * 30, "answer": ""})
    done, found = answered(file, model(prompt="note"))
    assert [row["answer (model)"] for row in found] == ["OVEN", "", "X" * 20]
    assert list(found[0]) == ["id", "note", "answer", "answer (model)"]
    assert (done.rows, done.left_to_person) == (2, 0)
    assert done.notices == (
        "1 row has no prompt (row 2), not answered",
        "1 answer was cut at the limit of the comparison (row 3)",
    )


def test_chats_of_a_file_are_answered_and_kept_as_json(tmp_path: Path) -> None:
    chats = [
        [{"role": "user", "content": "oven"}],
        [{"role": "system", "content": "s"}, {"role": "user", "content": "é"}],
    ]
    file = written(tmp_path, "new.jsonl", *({"n": n, "messages": chat} for n, chat in enumerate(chats)))
    echo = Echo()
    done, found = answered(file, model(echo, system="Be brief."))
    assert [row["answer"] for row in found] == ["OVEN", "É"]
    assert [json.loads(row["messages"]) for row in found] == chats
    assert list(found[0]) == ["n", "messages", "answer"]
    assert [roles(prompt)[0] for prompt in echo.asked] == [("system", "Be brief."), ("system", "s")]
    assert done.notices == ()


@pytest.mark.parametrize(
    ("name", "rows", "data", "asked"),
    [
        ("new.csv", [{"question": "a", "id": "1"}], {}, "a"),
        ("new.csv", [{"anything": "a"}], {}, "a"),
        ("new.csv", [{"text": "a", "id": "1"}], {}, "a"),
        ("new.csv", [{"mine": "a", "question": "b"}], {"prompt": "mine"}, "a"),
        ("new.jsonl", [{"prompt": 3.5, "messages": None}], {}, "3.5"),
        ("new.csv", [{"mine": "a", "question": "b"}], {"prompt": "gone"}, "b"),
        ("new.csv", [{"instruction": "a", "input": "b"}], {}, "a\n\nb"),
        ("new.jsonl", [{"prompt": [{"role": "user", "content": "a"}], "question": "b"}], {"prompt": "prompt"}, "a"),
    ],
)
def test_the_column_of_prompts_is_found(
    tmp_path: Path, name: str, rows: list[dict[str, Any]], data: dict[str, str], asked: str
) -> None:
    echo = Echo()
    answered(written(tmp_path, name, *rows), model(echo, **data))
    assert [shown_prompt(prompt) for prompt in echo.asked] == [asked]


ANSWERED = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("new.csv", {"a": "1", "b": "2"}, "cannot tell which column is the prompt; name it with --column"),
        ("new.csv", {"prompt": "1", "question": "2"}, "cannot tell which column is the prompt"),
        ("new.jsonl", {"messages": ANSWERED}, "row 1: `messages` does not end with a user message"),
        ("new.jsonl", {"prompt": ANSWERED}, "row 1: `prompt` does not end with a user message"),
        ("new.jsonl", {"messages": [{"role": "oracle", "content": "a"}]}, "row 1: `messages` has the unknown role"),
        ("new.csv", {"prompt": "x" * 41}, "row 1: the prompt has 41 letters"),
    ],
)
def test_a_file_that_cannot_be_answered_is_one_line(
    tmp_path: Path, name: str, row: dict[str, Any], message: str
) -> None:
    file = written(tmp_path, name, row)
    with pytest.raises(UserError) as caught:
        answered(file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "answers.csv").exists()
