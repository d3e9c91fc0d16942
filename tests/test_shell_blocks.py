"""Every command that the documents give can be given: its program, its options and their values are there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from shell_blocks import DOCUMENTS, ROOT, lines
from showdown.cli import app

_REDIRECTION = re.compile(r"\s+[<>|&].*")


def commands(document: Path, program: str) -> list[list[str]]:
    """The words behind a program's name wherever a document's blocks call it, by itself or through another program."""
    found = lines(document.read_text(encoding="utf-8"))
    called = [shlex.split(_REDIRECTION.sub("", line)) for line in found if program in line.split()]
    return [words[words.index(program) + 1 :] for words in called if program == words[0] or words[0] != "make"]


def of_all_documents(program: str) -> Iterator[tuple[str, list[str]]]:
    return ((path.relative_to(ROOT).as_posix(), words) for path in DOCUMENTS for words in commands(path, program))


def taken_in(words: list[str]) -> Any:
    """Take a command line in as `showdown` does, values included, without carrying it out."""
    group: Any = typer.main.get_command(app)
    name, command, rest = group.resolve_command(typer.Context(group), words)
    return command.make_context(name, list(rest))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_showdown_command_is_one(document: Path) -> None:
    for words in commands(document, "showdown"):
        taken_in(words)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("rum reviews.csv", "No such command"),
        ("run reviews.csv --metod lora", "No such option"),
        ("run reviews.csv --margin two", "valid number"),
        ("predict", "Missing parameter"),
    ],
)
def test_a_wrong_command_option_or_value_would_be_found(words: str, reason: str) -> None:
    with pytest.raises(Exception, match=reason):
        taken_in(words.split())


def test_every_command_and_option_in_a_sentence_is_one() -> None:
    """There arguments and values may be missing."""
    group: Any = typer.main.get_command(app)
    for path in DOCUMENTS:
        for name, rest in re.findall(r"`showdown ([a-z][a-z-]*)([^`]*)`", path.read_text(encoding="utf-8")):
            options = {option for one in group.commands[name].params for option in (*one.opts, *one.secondary_opts)}
            assert set(re.findall(r"(?<=\s)--[\w-]+", rest)) <= {*options, "--help"}, f"{path}: showdown {name}{rest}"


def test_every_make_target_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    found = {word for _, words in of_all_documents("make") for word in words}
    inline = {one for path in DOCUMENTS for one in re.findall(r"`make ([\w-]+)`", path.read_text(encoding="utf-8"))}
    assert found
    assert found | inline <= targets


def test_every_program_in_python_is_there() -> None:
    asked = [*of_all_documents("python"), *of_all_documents("python3")]
    assert asked
    for document, (first, *rest) in asked:
        place = rest[0].replace(".", "/") + ".py" if first == "-m" else first
        is_library = first == "-m" and rest[0] in ("pytest", "pip")
        assert is_library or (ROOT / place).is_file(), f"{document}: python {first} {' '.join(rest)}"
