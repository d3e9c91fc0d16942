"""What `showdown init` asks at a terminal: only what it cannot find out, and until the answer can be used."""

from pathlib import Path

import pytest

from showdown.core.errors import UserError
from showdown.start.questions import asked_columns, asked_model, asked_source, asked_task


class Person:
    """Answers in turn, and remembers what it was asked and told."""

    def __init__(self, *answers: str) -> None:
        self._answers = iter(answers)
        self.asked: list[str] = []
        self.told: list[str] = []

    def ask(self, question: str) -> str:
        self.asked.append(question)
        return next(self._answers)

    def say(self, line: str) -> None:
        self.told.append(line)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data of each kind, where the command is typed."""
    (tmp_path / "chats.csv").write_text("question,answer\na,b\nc,d\n", encoding="utf-8")
    (tmp_path / "labelled.csv").write_text("text,label\na,b\nc,d\n", encoding="utf-8")
    (tmp_path / "unclear.csv").write_text("x,y,z\naa,b,c\ndd,e,f\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no data", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_of_the_folder_is_named_by_its_number(folder: Path) -> None:
    person = Person("3")
    assert asked_source(person.ask, person.say) == "unclear.csv"
    assert person.told == ["  1  chats.csv", "  2  labelled.csv", "  3  unclear.csv"]


def test_data_that_are_not_there_are_asked_for_again(folder: Path) -> None:
    person = Person("missing.csv", "./9.csv", "notes.txt", "", "labelled.csv")
    assert asked_source(person.ask, person.say) == "labelled.csv"
    assert len(person.asked) == 5
    assert "no file `missing.csv`" in person.told[3]


def test_the_likely_task_is_what_nothing_means(folder: Path) -> None:
    assert asked_task("labelled.csv", [], Person("").ask, print) == "classification"
    assert asked_task("chats.csv", [], Person("").ask, print) == "generation"
    person = Person("both", "gen")
    assert asked_task("labelled.csv", [], person.ask, person.say) == "generation"
    assert person.told == ["`both` is neither"]
    assert asked_task("resumes", [], Person().ask, print) == "classification", "a built-in set has one"


def test_columns_are_asked_for_only_where_they_cannot_be_guessed(folder: Path) -> None:
    nobody = Person()
    assert asked_columns("labelled.csv", "classification", [], nobody.ask, nobody.say) == []
    assert asked_columns("chats.csv", "generation", [], nobody.ask, nobody.say) == []
    assert asked_columns("unclear.csv", "classification", ['data.text="x"'], nobody.ask, nobody.say) == []
    assert asked_columns("notes", "generation", [], nobody.ask, nobody.say) == []
    person = Person("q", "x", "x", "z")
    assert asked_columns("unclear.csv", "classification", [], person.ask, person.say) == [
        'data.text="x"',
        'data.label="z"',
    ]
    assert person.told[0] == "columns: `x`, `y`, `z`"
    assert "two different columns" in person.told[-1]
    writer = Person("y", "x")
    assert asked_columns("unclear.csv", "generation", [], writer.ask, writer.say) == [
        'data.prompt="y"',
        'data.answer="x"',
    ]


def test_a_model_is_asked_for_until_one_is_there(folder: Path) -> None:
    assert asked_model("classification", Person("").ask, print) == "all-minilm-l6-v2"
    person = Person("./nowhere", "all-minilm-l6-v2")
    assert asked_model("generation", person.ask, person.say) == "all-minilm-l6-v2"
    assert "smollm2-135m-instruct" in person.asked[0]
    assert len(person.told) == 1


def test_an_input_that_ends_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import io

    from showdown.core import terminal

    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n  an answer \n"))
    assert terminal.confirmed("Sure?")
    assert terminal.ask("What?\x1b[2J") == "an answer"
    assert capsys.readouterr().out == "Sure? [y/N] What?\\u001b[2J "
    with pytest.raises(UserError, match="the input ended"):
        terminal.ask("More?")
    assert not terminal.can_ask()
