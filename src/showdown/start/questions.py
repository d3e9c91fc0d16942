"""What a person is asked at a terminal where the command does not say it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from showdown.config.guess import guessed_task
from showdown.core.errors import UserError
from showdown.core.metric import CLASSIFICATION, GENERATION
from showdown.core.spec import DEFAULT_WRITER, DataSpec, ModelSpec
from showdown.data.built_in import BUILT_INS
from showdown.data.chats.columns import choose_chat_columns
from showdown.data.columns import choose_columns
from showdown.data.read import ENDINGS, built_in, read_table
from showdown.data.tables import Table, column_list, find_column
from showdown.models.described import DescribedModel

Ask = Callable[[str], str]
Say = Callable[[str], None]
_MOST_FILES = 9


def asked_source(ask: Ask, say: Say) -> str:
    """Ask for the data until it is there; the data files of this folder can be named by their numbers."""
    files = sorted(path.name for path in Path().iterdir() if path.suffix.lower() in ENDINGS and path.is_file())
    for number, name in enumerate(files[:_MOST_FILES], start=1):
        say(f"  {number}  {name}")
    words = "a number above, a file" if files else "a file"
    question = f"Which data? ({words}, a Hugging Face dataset id, or {' or '.join(BUILT_INS)})"
    while True:
        answer = ask(question)
        if answer.isdecimal() and 1 <= int(answer) <= len(files[:_MOST_FILES]):
            return files[int(answer) - 1]
        try:
            read_table(DataSpec(source=answer))
        except UserError as error:
            say(str(error))
        else:
            return answer


def asked_task(source: str, overrides: Sequence[str], ask: Ask, say: Say) -> str:
    """Ask for the task; the one that the columns can be for is taken where nothing is answered."""
    likely, _ = guessed_task(source, overrides)
    if built_in(source) is not None:
        return likely
    while True:
        answer = ask(f"Task: {CLASSIFICATION} (labels) or {GENERATION} (written answers)? [{likely}]") or likely
        found = [task for task in (CLASSIFICATION, GENERATION) if task.startswith(answer.casefold())]
        if len(found) == 1:
            return found[0]
        say(f"`{answer}` is neither")


def asked_columns(source: str, task: str, overrides: Sequence[str], ask: Ask, say: Say) -> list[str]:
    """Ask for the columns that cannot be guessed; return overrides that name them, none where all can be."""
    named = {words.partition("=")[0] for words in overrides}
    keys = ("data.prompt", "data.answer") if task == GENERATION else ("data.text", "data.label")
    if built_in(source) is not None or any(key.startswith("data.") for key in named):
        return []
    table = read_table(DataSpec(source=source))
    if _guessable(table, source, task) or len(table.names) < len(keys):
        return []
    say(f"columns: {column_list(table.names)}")
    found: list[str] = []
    for key in keys:
        part = key.rpartition(".")[2]
        taken = [words.partition("=")[2] for words in found]
        found.append(f"{key}={json.dumps(_asked_column(table, f'Which column is the {part}?', taken, ask, say))}")
    return found


def _asked_column(table: Table, question: str, taken: Sequence[str], ask: Ask, say: Say) -> str:
    while True:
        answer = ask(question)
        try:
            find_column(table.place, table.names, answer)
        except UserError as error:
            say(str(error))
            continue
        if json.dumps(answer) not in taken:
            return answer
        say("that is the other one; name two different columns")


def _guessable(table: Table, source: str, task: str) -> bool:
    try:
        if task == GENERATION:
            choose_chat_columns(table, DataSpec(source=source))
        else:
            choose_columns(table, None, None)
    except UserError:
        return False
    return True


def asked_model(task: str, ask: Ask, say: Say) -> str:
    """Ask for the pretrained model until one is there; nothing means the built-in one of the task."""
    default = DEFAULT_WRITER if task == GENERATION else ModelSpec().id
    while True:
        answer = ask(f"Which model? (a built-in one, a folder, or a Hugging Face id) [{default}]") or default
        try:
            DescribedModel.of(ModelSpec(id=answer), weights=False)
        except UserError as error:
            say(str(error))
        else:
            return answer
