"""Bad inputs over both tasks: one line on stderr with the place and the fix, no traceback, exit code 2."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pretrained import Pretrained
from showdown.cli import EXIT_BAD_INPUT, main

USER = {"role": "user", "content": "a question"}
ANSWER = {"role": "assistant", "content": "an answer"}
HEADERS = {"classification": "text,label", "generation": "prompt,answer"}


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """The command line takes over signals of its process, here that of the tests."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line with which a command refuses its input."""
    capsys.readouterr()  # what was shown before
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    told = capsys.readouterr()
    assert ended.value.code == EXIT_BAD_INPUT, told
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 1, "one line"
    assert "Traceback" not in told.out + told.err
    return told.err.removeprefix("error: ").rstrip("\n")


BYTES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "{file} has 0 data rows"),
    "a header only": (b"{header}\n", "{file} has 0 data rows"),
    "binary": (b"{header}\n\xff\xfe\x00\x01,x\n", "not UTF-8 at byte"),
    "Latin-1": (b"{header}\ncaf\xe9,x\n", "try `encoding: latin-1`"),
    "another separator": (b"{other}\na;b\nc;d\n", "the separator looks like `;`: set `data.separator`"),
    "a column twice": (b"{header},{first}\na,b,c\n", "appears twice (1, 3); rename or drop one"),
    "an unclosed quote": (b'{header}\n"a","b"\n"c,d\n', "a quote opened in row 2 (line 3) is never closed"),
    "a ragged row": (b"{header}\na,b\na,b,c\n", "row 2 (line 3) has 3 cells, the header has 2"),
    "a NUL": (b"{header}\na\x00,b\nc,d\n", "a NUL character in row 1"),
    "a spreadsheet": (b"PK\x03\x04 and more", "this is a zip archive or a spreadsheet; export it as CSV"),
}


@pytest.mark.parametrize("task", HEADERS)
@pytest.mark.parametrize("kind", BYTES)
def test_a_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str, kind: str) -> None:
    content, message = BYTES[kind]
    header = HEADERS[task]
    for name, value in {"header": header, "other": header.replace(",", ";"), "first": header.partition(",")[0]}.items():
        content = content.replace(f"{{{name}}}".encode(), value.encode())
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    assert message.format(file=path) in refused(capsys, "audit", str(path), "--task", task)


@pytest.mark.parametrize("task", HEADERS)
def test_a_missing_file_and_a_missing_column(tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str) -> None:
    first = HEADERS[task].partition(",")[0]
    path = tmp_path / "rows.csv"
    path.write_text(f"{HEADERS[task]}\na,b\nc,d\n")
    said = refused(capsys, "audit", str(path), "--task", task, "--set", f"data.{first}={first}s")
    assert f"no column `{first}s`; did you mean `{first}`? columns: " in said
    assert "did you mean `rows.csv`?" in refused(capsys, "audit", str(tmp_path / "row.csv"), "--task", task)
    assert "is a folder" in refused(capsys, "audit", str(tmp_path), "--task", task)


CHATS: dict[str, tuple[Any, str]] = {
    "messages without roles": ([{"content": "x"}], "row 2: `messages` has a message without a role, number 1"),
    "an unknown role": ([USER, {**ANSWER, "role": "asistant"}], "did you mean `assistant`?"),
    "no list": ("words", "row 2: `messages` is text, not a list of messages; write `[{"),
    "an object": (USER, "row 2: `messages` is an object, not a list of messages"),
    "an empty list": ([], "row 2: `messages` has no message; write `[{"),
    "no answer at the end": (
        [USER],
        "row 2: `messages` does not end with an assistant message, which is the answer; add",
    ),
    "an empty answer": (
        [USER, {**ANSWER, "content": " "}],
        "row 2: `messages` has an empty assistant message, number 2",
    ),
    "an empty prompt": ([{**USER, "content": ""}, ANSWER], "row 2: `messages` has an empty user message, number 1"),
    "no prompt": ([ANSWER], "row 2: `messages` has no user message before its answer; add the prompt, or drop the row"),
    "a picture": (
        [{**USER, "content": [{"type": "image"}]}, ANSWER],
        "has a list as `content` of message 1; write it as",
    ),
    "a call of a tool": ([USER, {**ANSWER, "tool_calls": [{}]}], "tools are not supported: drop the row"),
    "a missing chat": (None, "1 row has no chat in `messages` (row 2); write one, or remove it"),
}


@pytest.mark.parametrize("kind", CHATS)
def test_a_bad_chat(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    chat, message = CHATS[kind]
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps({"messages": one}) + "\n" for one in ([USER, ANSWER], chat)))
    said = refused(capsys, "audit", str(path), "--task", "generation")
    assert said.startswith(f"{path}: ")
    assert message in said


ROWS = {
    "an empty answer": ("a,x\nb,\nc, \n", "2 rows have no answer in `answer` (rows 2, 3); write one, or remove them"),
    "an empty prompt": ("a,x\n,y\n", "1 row has no prompt in `prompt` (row 2); write one, or remove it"),
    "one prompt": ("a,x\nA ,y\n", "2 rows with 1 different prompt; a split needs 3: add rows with other prompts"),
}


@pytest.mark.parametrize("kind", ROWS)
def test_a_bad_row(tmp_path: Path, capsys: pytest.CaptureFixture[str], pretrained: Pretrained, kind: str) -> None:
    rows, message = ROWS[kind]
    path = tmp_path / "rows.csv"
    path.write_text(f"prompt,answer\n{rows}")
    assert message in refused(capsys, *run_of(path, pretrained, tmp_path))


def run_of(path: Path, pretrained: Pretrained, folder: Path, **keys: object) -> list[str]:
    """Return the arguments that run a comparison of one row with a tiny model."""
    given = {"task": "generation", "model.id": str(pretrained("llama")), "model.chat_template": "plain", "seeds": [0]}
    sets = [f"{key}={json.dumps(value)}" for key, value in {**given, **keys}.items()]
    options = [word for one in sets for word in ("--set", one)]
    return ["run", str(path), "--methods", "full", "--output", str(folder / "out"), *options]


COMPARISONS: dict[str, tuple[dict[str, object], str]] = {
    "a prompt longer than the limit": ({"protocol.max_tokens": 24}, "more than 24 tokens, prompt and answer together"),
    "an answer longer than the limit": ({"protocol.max_tokens": 9, "data.overlong": "cut"}, "the answer of row 1 has"),
    "no chat template": ({"model.chat_template": None}, "the model has no chat template; set `model.chat_template`"),
    "no such template": ({"model.chat_template": "none.jinja"}, "model.chat_template: none.jinja: no such file; give"),
    "a broken template": ({"model.chat_template": "{{ x("}, "the chat template cannot lay out these messages"),
    "too many new tokens": ({"protocol.max_new_tokens": 500}, "`protocol.max_new_tokens: 500` and the prompt of row"),
    "a scorer without a function": (
        {"protocol.scorer": "none.py"},
        "scorer `none.py`: name the function behind a colon",
    ),
    "no such scorer": ({"protocol.scorer": "none.py:score"}, "scorer `none.py:score`"),
    "a label": ({"data.label": "answer"}, "`data.label` is for the task classification"),
    "chats and prompts": ({"data.messages": "prompt", "data.prompt": "prompt"}, "exclude each other"),
    "the study's cleaning": ({"data.clean": "study"}, "`data.clean: study` is for labelled texts"),
    "a misspelt key": ({"data.promt": "x"}, "`promt` unknown in `data`; did you mean `prompt`?"),
    "a misspelt task": ({"task": "generatoin"}, "task `generatoin` unknown in `task`; did you mean `generation`?"),
    "a wrong word": ({"data.overlong": "crop"}, "`data.overlong`: "),
    "no number": ({"protocol.max_new_tokens": 0}, "`protocol.max_new_tokens`: "),
    "an empty system message": ({"data.system": ""}, "`data.system`: "),
}


@pytest.mark.parametrize("kind", COMPARISONS)
def test_a_bad_comparison_of_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pretrained: Pretrained, kind: str
) -> None:
    keys, message = COMPARISONS[kind]
    path = tmp_path / "rows.csv"
    rows = [f"dough{row} oven{row} flour{row},{'yeast ' * 9}{row}" for row in range(12)]
    path.write_text("\n".join(["prompt,answer", *rows]) + "\n")
    said = refused(capsys, *run_of(path, pretrained, tmp_path, **keys))
    assert message in said
    assert not (tmp_path / "out" / "runs").exists(), "nothing has run"


SCORERS = {
    "raises": ("    raise KeyError('oops')", "it raised KeyError: 'oops' (line 2); mend the function"),
    "returns NaN": ("    return float('nan')", "it returned nan; return a finite number"),
    "returns nothing": ("    return None", "it returned None; return a number"),
    "fails at an empty answer": ("    return 1 / len(written)", "it raised ZeroDivisionError"),
}


@pytest.mark.parametrize("kind", SCORERS)
def test_a_scorer_that_fails_is_found_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pretrained: Pretrained, kind: str
) -> None:
    body, message = SCORERS[kind]
    (tmp_path / "mine.py").write_text(f"def score(prompt, wanted, written):\n{body}\n")
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["prompt,answer", *(f"dough{row} oven{row},yeast {row}" for row in range(12))]) + "\n")
    said = refused(capsys, *run_of(path, pretrained, tmp_path, **{"protocol.scorer": f"{tmp_path / 'mine.py'}:score"}))
    assert said.startswith(f"scorer `{tmp_path / 'mine.py'}:score`, data row 1: ")
    assert message in said
    assert not (tmp_path / "out" / "runs").exists(), "nothing has run"


def test_a_method_that_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("prompt,answer\na,b\n")
    said = refused(capsys, "run", str(path), "--methods", "tfidf")
    assert "`tfidf` cannot do the task generation; methods that can are " in said


def test_chats_in_a_comparison_without_a_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "chats.jsonl").write_text(json.dumps({"messages": [USER, ANSWER]}) + "\n")
    written = tmp_path / "mine.yaml"
    written.write_text(f"methods: {{tfidf: {{}}}}\ndata: {{source: {tmp_path / 'chats.jsonl'}}}\n")
    assert refused(capsys, "audit", str(written)).endswith("set `task: generation`")
