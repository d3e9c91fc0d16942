"""Prompts and answers as they are read: what a row becomes, which columns are taken, and which rows are refused."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from chat_files import assistant, lines, messages_of, system, table, user
from pyarrow import parquet

from showdown.core.errors import UserError
from showdown.core.spec import DataSpec
from showdown.data.chats.read import RawChats, read_chats

TURNS = [user("one"), assistant("two"), user("three"), assistant("four")]


def read(source: str, **keys: Any) -> RawChats:
    return read_chats(DataSpec(source=source, **keys))


def pairs(raw: RawChats) -> list[tuple[list[tuple[str, str]], str]]:
    return [(messages_of(prompt), answer) for prompt, answer in zip(raw.prompts, raw.answers, strict=True)]


@pytest.mark.parametrize(
    ("row", "prompt", "answer"),
    [
        ({"prompt": "a b", "completion": "c"}, [("user", "a b")], "c"),
        ({"question": "a", "answer": 7}, [("user", "a")], "7"),
        ({"instruction": "do", "input": "it", "output": "done"}, [("user", "do\n\nit")], "done"),
        ({"instruction": "do", "input": "", "output": "done"}, [("user", "do")], "done"),
        ({"instruction": "do", "context": "it", "response": "done", "category": "x"}, [("user", "do\n\nit")], "done"),
        ({"messages": TURNS}, [("user", "one"), ("assistant", "two"), ("user", "three")], "four"),
        ({"messages": [system("s"), *TURNS[:2]]}, [("system", "s"), ("user", "one")], "two"),
        ({"messages": [system(" "), *TURNS[:2]]}, [("user", "one")], "two"),
        (
            {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
            [("user", "a")],
            "b",
        ),
        ({"prompt": TURNS[:1], "completion": TURNS[1:2]}, [("user", "one")], "two"),
        (
            {"prompt": TURNS[:1], "completion": TURNS[1:]},
            [("user", "one"), ("assistant", "two"), ("user", "three")],
            "four",
        ),
        ({"prompt": TURNS[:1], "completion": "plain"}, [("user", "one")], "plain"),
        ({"prompt": "  kept \t spaces\n", "answer": " x\n"}, [("user", "  kept \t spaces\n")], " x\n"),
        ({"prompt": "a\r\nb\rc", "answer": "d\r\ne"}, [("user", "a\nb\nc")], "d\ne"),
    ],
)
def test_a_row_becomes_messages_and_an_answer(
    tmp_path: Path, row: dict[str, Any], prompt: list[tuple[str, str]], answer: str
) -> None:
    assert pairs(read(lines(tmp_path, [row]))) == [(prompt, answer)]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ('{"a": 1.50, "b": [true, null, "x\\ny"]}', '{"a": 1.50, "b": [true, null, "x\\ny"]}'),
        ("[1e400, 12345678901234567890]", "[1e400, 12345678901234567890]"),
        ('{"\\u00e9":   "\\u00e9"}', '{"é": "é"}'),
        ("true", "true"),
        ("0.10", "0.10"),
    ],
)
def test_a_nested_answer_is_its_json_text(tmp_path: Path, written: str, kept: str) -> None:
    """Numbers stay exactly as they were written; all else is as `json.dumps` has it."""
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"prompt": "p", "answer": {written}}}\n', encoding="utf-8")
    assert read(str(path)).answers == (kept,)


def test_a_nested_answer_reads_as_json_dumps_writes_it(tmp_path: Path) -> None:
    answer = {"a": [1, 2.5, {"b": None}], "c": '\u2028 "q" \\', "d": {}, "e": [], "f": False}
    assert read(lines(tmp_path, [{"prompt": "p", "answer": answer}])).answers == (
        json.dumps(answer, ensure_ascii=False),
    )


def test_chats_of_parquet_and_of_json_within_csv(tmp_path: Path) -> None:
    """Arrow fills keys that a message lacks with nulls."""
    odd = [{**user("one"), "name": None}, {**assistant("two"), "name": "bot"}]
    parquet.write_table(pyarrow.table({"messages": [TURNS, odd]}), tmp_path / "rows.parquet")
    raw = read(str(tmp_path / "rows.parquet"))
    assert pairs(raw)[1] == ([("user", "one")], "two")
    assert "keys of messages that are not read: `name`" in raw.notices
    written = read(table(tmp_path, ["id", "messages"], [["7", json.dumps(TURNS)]]))
    assert pairs(written) == pairs(raw)[:1]


def test_a_nested_answer_of_parquet(tmp_path: Path) -> None:
    column = [{"name": "x", "sizes": [1, 2]}, {"name": "y", "sizes": None}]
    parquet.write_table(pyarrow.table({"prompt": ["a", "b"], "answer": column}), tmp_path / "rows.parquet")
    assert read(str(tmp_path / "rows.parquet")).answers == (
        '{"name": "x", "sizes": [1, 2]}',
        '{"name": "y", "sizes": null}',
    )


def test_the_system_message_of_the_comparison_stands_before_prompts_that_have_none(tmp_path: Path) -> None:
    rows = [{"messages": TURNS[:2]}, {"messages": [system("own"), *TURNS[:2]]}]
    found = read(lines(tmp_path, rows), system="Answer\r\nin JSON.")
    assert [messages_of(prompt)[0] for prompt in found.prompts] == [("system", "Answer\nin JSON."), ("system", "own")]


@pytest.mark.parametrize(
    ("header", "keys", "chosen"),
    [
        (["note", "answer"], {}, ("note", "answer")),
        (["answer", "anything"], {}, ("anything", "answer")),
        (["id", "question", "answer"], {}, ("question", "answer")),
        (["article", "highlights", "id"], {}, ("article", "highlights")),
        (["query", "response", "original_question", "type"], {}, ("query", "response")),
        (["a", "b", "c"], {"prompt": "c", "answer": "a"}, ("c", "a")),
        (["question", "text", "answer"], {"prompt": "text"}, ("text", "answer")),
        (["prompt", "wanted"], {"prompt": "prompt"}, ("prompt", "wanted")),
        (["x", "y"], {"answer": "x"}, ("y", "x")),
    ],
)
def test_columns_are_guessed_where_one_guess_is_possible(
    tmp_path: Path, header: list[str], keys: dict[str, str], chosen: tuple[str, str]
) -> None:
    raw = read(table(tmp_path, header, [[f"{name} 1" for name in header], [f"{name} 2" for name in header]]), **keys)
    assert [prompt[0][1] for prompt, _ in pairs(raw)] == [f"{chosen[0]} 1", f"{chosen[0]} 2"]
    assert raw.answers == (f"{chosen[1]} 1", f"{chosen[1]} 2")
    said = [notice for notice in raw.notices if notice.endswith("(guessed)")]
    assert said == ([] if len(keys) == 2 else [f"prompt column: `{chosen[0]}`, answer column: `{chosen[1]}` (guessed)"])


@pytest.mark.parametrize(
    ("header", "keys", "message"),
    [
        (
            ["question", "text", "answer"],
            {},
            r"cannot guess which column is which; set `data\.prompt` and `data\.answer`",
        ),
        (["question", "context", "answer"], {}, "cannot guess"),
        (["a", "b", "c"], {"answer": "a"}, r"set `data\.prompt`, or `data\.messages`.*columns: `a`, `b`, `c`"),
        (["prompt"], {}, r"only one column \(`prompt`\), which holds no chats"),
        (["prompt", "answer"], {"prompt": "promt"}, "no column `promt`; did you mean `prompt`"),
        (["prompt", "answer"], {"messages": "chat"}, "no column `chat`"),
        (
            ["prompt", "answer"],
            {"prompt": "prompt", "answer": "prompt"},
            "column `prompt` is both `prompt` and `answer`",
        ),
    ],
)
def test_columns_that_cannot_be_guessed(tmp_path: Path, header: list[str], keys: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(table(tmp_path, header, [[f"{name} 1" for name in header]]), **keys)


@pytest.mark.parametrize(
    ("chat", "message"),
    [
        ("text", r"row 2: `messages` is text, not a list of messages; write `\[\{"),
        ({"role": "user"}, "row 2: `messages` is an object, not a list of messages"),
        ([], "row 2: `messages` has no message"),
        (["hello"], "row 2: `messages` has a message that is no object, number 1"),
        ([{"content": "x"}], r"row 2: `messages` has a message without a role, number 1 \(its keys: `content`\); add"),
        ([{}], r"without a role, number 1 \(its keys: none\)"),
        (
            [user("a"), {"role": "asistant", "content": "b"}],
            "unknown role `asistant` in message 2; did you mean `assistant`",
        ),
        ([user("a"), {"role": "zebra", "content": "b"}], "unknown role `zebra`.*the roles are system, user, assistant"),
        ([{"role": "developer", "content": "b"}], "unknown role `developer` in message 1; did you mean `system`"),
        ([user("a"), {"role": "tool", "content": "b"}], "tools are not supported: drop the row"),
        ([user("a"), {"role": "assistant", "content": None, "tool_calls": [{"id": 1}]}], "calls a tool in message 2"),
        ([user("a"), {"role": "assistant"}], "has no `content` in message 2; write it as text"),
        ([{"role": "user", "content": [{"type": "text"}]}], "has a list as `content` of message 1; write it as text"),
        ([{"role": "user", "content": 5}], "has a number as `content` of message 1"),
        ([{"role": "user", "content": True}], "has a bare value as `content` of message 1"),
        ([user("a"), assistant(" ")], "has an empty assistant message, number 2"),
        ([user(""), assistant("b")], "has an empty user message, number 1"),
        ([user("a")], "does not end with an assistant message, which is the answer"),
        ([user("a"), assistant("b"), user("c")], "does not end with an assistant message"),
        ([system("a"), assistant("b")], "has no user message before its answer"),
        ([user("a\0b"), assistant("b")], "contains a NUL character; remove it"),
        ([user("a"), assistant("\ud800")], "contains half a surrogate pair; remove it"),
        (None, r"1 row has no chat in `messages` \(row 2\); write one, or remove it"),
    ],
)
def test_a_chat_that_is_none_is_refused_with_its_row(tmp_path: Path, chat: object, message: str) -> None:
    source = lines(tmp_path, [{"messages": TURNS}, {"messages": chat}])
    with pytest.raises(UserError, match=message) as caught:
        read(source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [["a", ""], ["b", "x"], ["c", " "]],
            r"2 rows have no answer in `answer` \(rows 1, 3\); write one, or remove them",
        ),
        ([["", "x"], ["b", "x"]], r"1 row has no prompt in `prompt` \(row 1\); write one, or remove it"),
    ],
)
def test_every_row_without_prompt_or_answer_is_named(tmp_path: Path, rows: list[list[str]], message: str) -> None:
    """None is left out: who loses rows of a set of answers must know it."""
    with pytest.raises(UserError, match=message):
        read(table(tmp_path, ["prompt", "answer"], rows))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": {"a": 1}, "answer": "x"}, "row 1: `prompt` is an object, not a list of messages"),
        ({"prompt": [assistant("a")], "answer": "x"}, "row 1: `prompt` has no user message"),
        ({"prompt": [user("a")], "answer": [user("b")]}, "row 1: `answer` does not end with an assistant message"),
        ({"prompt": "a", "answer": None}, "1 row has no answer"),
        ({"instruction": "a", "input": ["b"], "output": "x"}, "row 1: `input` is a list, not text"),
    ],
)
def test_nested_prompts_and_answers_that_are_none(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(lines(tmp_path, [row]))


def test_a_date_within_an_answer_is_no_json(tmp_path: Path) -> None:
    import datetime

    column = pyarrow.array([{"day": datetime.date(2024, 1, 1)}])
    parquet.write_table(pyarrow.table({"prompt": ["a"], "answer": column}), tmp_path / "rows.parquet")
    with pytest.raises(UserError, match="row 1: `answer` holds a value of the type date, which is no JSON"):
        read(str(tmp_path / "rows.parquet"))


def test_blank_lines_are_reported_and_rows_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a", "answer": "b"}\n\n{"prompt": "c", "answer": "d"}\n')
    raw = read(str(path))
    assert (raw.rows, raw.rows_in) == ((1, 3), 3)
    assert "1 row left out: blank line (row 2)" in raw.notices


def test_the_built_in_notes_have_known_columns() -> None:
    raw = read("notes")
    assert raw.columns.prompt == "note"
    assert raw.notices == ()
    assert len(raw.rows) >= 600


def drawn(draw: random.Random, depth: int = 0) -> object:
    """Return a random JSON value that is often nearly a chat."""
    kind = draw.randrange(12 if depth < 4 else 6)
    if kind < 6:
        return draw.choice(
            [None, True, 5, -1.5, "", " ", "user", "assistant", "system", "tool", "text", "a\0", "\ud800"]
        )
    if kind < 9:
        return [drawn(draw, depth + 1) for _ in range(draw.randrange(4))]
    keys = draw.sample(["role", "content", "from", "value", "name", "tool_calls"], draw.randrange(5))
    return {key: drawn(draw, depth + 1) for key in keys}


@pytest.mark.parametrize("seed", range(300))
def test_no_value_is_more_than_refused(tmp_path: Path, seed: int) -> None:
    """Whatever a row holds, it is read whole or refused in one line that names it."""
    draw = random.Random(seed)
    nearly = [
        {"role": draw.choice(["user", "assistant", "system", "User", "gpt", None, 3]), "content": drawn(draw, 3)}
        for _ in range(draw.randrange(1, 4))
    ]
    row = (
        {"messages": draw.choice([nearly, drawn(draw)])}
        if seed % 2
        else {"prompt": drawn(draw, 2), "answer": drawn(draw)}
    )
    source = lines(tmp_path, [row, {"messages": TURNS} if seed % 2 else {"prompt": "a", "answer": "b"}])
    try:
        raw = read(source, **({"messages": "messages"} if seed % 2 else {"prompt": "prompt", "answer": "answer"}))
    except UserError as error:
        assert "row 1" in str(error)
        assert "\n" not in str(error)
        return
    assert raw.rows == (1, 2)
    assert all(messages_of(prompt) for prompt in raw.prompts)
    assert all(answer.strip() for answer in raw.answers)
