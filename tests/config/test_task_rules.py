"""Keys and methods of another task are refused, and the task of a data file is guessed and said."""

import json
from pathlib import Path
from typing import Any

import pytest

from showdown.config.read import check
from showdown.config.target import comparison_for
from showdown.core.errors import UserError
from showdown.core.spec import Comparison, ModelSpec
from showdown.methods.table import METHODS, method_class, method_lines

CHAT = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
OF_CLASSIFICATION = {"text": "t", "label": "l", "labels": ["a", "b"], "rare_labels": "drop", "rare_label": "others"}
OF_GENERATION = {"prompt": "p", "answer": "a", "messages": "m", "system": "s", "overlong": "drop"}
OF_PROTOCOL = {"loss_on": "all", "max_new_tokens": 5, "scorer": "mine.py:score"}


def written(task: str, **sections: Any) -> dict[str, Any]:
    return {"task": task, "methods": {"lora": {}}, **sections}


@pytest.mark.parametrize("key", OF_CLASSIFICATION)
def test_a_key_of_classification_is_refused_for_answers(key: str) -> None:
    section = {"data": {key: OF_CLASSIFICATION[key]}}
    check(written("classification", **section), "file.yaml")
    with pytest.raises(UserError) as caught:
        check(written("generation", **section), "file.yaml")
    message = str(caught.value)
    assert message.startswith(f"file.yaml: `data.{key}` is for the task classification, and this one is generation; ")
    instead = {"text": "use `data.prompt`, or drop it", "label": "use `data.answer`, or drop it"}
    assert message.endswith(instead.get(key, "; drop it"))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        *(("data", key, value) for key, value in OF_GENERATION.items()),
        *(("protocol", key, value) for key, value in OF_PROTOCOL.items()),
        ("model", "chat_template", "plain"),
    ],
)
def test_a_key_of_generation_is_refused_for_labels(section: str, key: str, value: object) -> None:
    check(written("generation", **{section: {key: value}}), "file.yaml")
    message = rf"^file\.yaml: `{section}\.{key}` is for the task generation, .*; set `task: generation`, or drop it$"
    for task in ("classification", None):
        given = written("classification", **{section: {key: value}})
        if task is None:
            del given["task"]
        with pytest.raises(UserError, match=message):
            check(given, "file.yaml")


def test_keys_with_their_default_are_no_keys_of_another_task() -> None:
    """A comparison that was kept with all its defaults can be read again."""
    for task in ("classification", "generation"):
        found = check(written(task), "file.yaml")
        assert check(found.model_dump(mode="json"), "file.yaml") == found


@pytest.mark.parametrize("key", [key for key in OF_PROTOCOL if key != "scorer"])  # all rows have one scorer
def test_the_protocol_of_a_row_is_checked_too(key: str) -> None:
    row = {"lora": {"protocol": {key: OF_PROTOCOL[key]}}}
    check({"task": "generation", "methods": row}, "file.yaml")
    with pytest.raises(UserError, match=rf"`methods\.lora\.protocol\.{key}` is for the task generation"):
        check({"methods": row}, "file.yaml")


def test_chats_exclude_prompts_and_answers() -> None:
    for other in ("prompt", "answer"):
        with pytest.raises(UserError, match=rf"`data\.messages` and `data\.{other}` exclude each other"):
            check(written("generation", data={"messages": "m", other: "x"}), "file.yaml")


def test_the_cleaning_of_the_study_is_for_labelled_texts() -> None:
    for cleaning in ("none", "whitespace"):
        check(written("generation", data={"clean": cleaning}), "file.yaml")
    with pytest.raises(UserError, match=r"`data\.clean: study` is for labelled texts"):
        check(written("generation", data={"clean": "study"}), "file.yaml")


@pytest.mark.parametrize("task", ["classification", "generation"])
@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_refused_for_a_task_that_it_cannot_do(task: str, name: str) -> None:
    able = task in method_class(name).tasks
    for row, rows in ((name, {name: {}}), ("mine", {"mine": {"method": name}})):
        if able:
            assert check({"task": task, "methods": rows}, "file.yaml").task == task
            continue
        with pytest.raises(UserError) as caught:
            check({"task": task, "methods": rows}, "file.yaml")
        begin = f"file.yaml: `methods.{row}`: `{name}` cannot do the task {task}; methods that can are "
        assert str(caught.value).startswith(begin)
        named = str(caught.value).removeprefix(begin).split(", ")
        assert sorted(named) == sorted(other for other in METHODS if task in method_class(other).tasks)


def test_the_list_of_methods_shows_their_tasks() -> None:
    lines = dict(zip(METHODS, method_lines(), strict=True))
    assert lines["tfidf"].split()[:2] == ["tfidf", "classification"]
    assert lines["lora"].split()[:3] == ["lora", "classification,", "generation"]


def test_a_task_has_its_own_default_model() -> None:
    assert check(written("classification"), "x").model == ModelSpec(id="all-minilm-l6-v2")
    assert check(written("generation"), "x").model == ModelSpec(id="smollm2-135m-instruct")
    template = check(written("generation", model={"chat_template": "plain"}), "x").model
    assert template == ModelSpec(id="smollm2-135m-instruct", chat_template="plain")
    assert check(written("generation", model={"id": "mine"}), "x").model.id == "mine"
    assert Comparison.model_validate(written("generation")).model.id == "smollm2-135m-instruct"


def data_file(folder: Path, rows: list[dict[str, Any]], name: str = "rows.jsonl") -> str:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder / name)


def guessed(source: str, *overrides: str) -> tuple[str, list[str]]:
    said: list[str] = []
    found = comparison_for(source, methods=["lora"], overrides=overrides, say=said.append)
    return found.task, said


@pytest.mark.parametrize(
    ("row", "task"),
    [
        (CHAT, "generation"),
        ({"conversations": [{"from": "human", "value": "a"}]}, "generation"),
        ({"messages": [{"content": "without a role"}], "id": 1}, "generation"),
        (
            {"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]},
            "generation",
        ),
        ({"prompt": "a", "answer": "b"}, "generation"),
        ({"question": "a", "answer": "b"}, "generation"),
        ({"note": "a", "answer": "b"}, "generation"),
        ({"anything": "a", "answer": "b"}, "generation"),
        ({"text": "a", "summary": "b"}, "generation"),
        ({"instruction": "a", "input": "b", "output": "c"}, "generation"),
        ({"instruction": "a", "context": "b", "response": "c", "category": "d"}, "generation"),
        ({"article": "a", "highlights": "b", "id": "c"}, "generation"),
        ({"text": "a", "label": "b"}, "classification"),
        ({"text": "a", "target": "b"}, "classification"),
        ({"input": "a", "target": "b"}, "classification"),
        ({"message": "a", "label": "b"}, "classification"),
        ({"messages": "text", "label": "b"}, "classification"),
        ({"question": "a", "answer": "b", "category": "c"}, "classification"),
        ({"review": "a", "sentiment": "b"}, "classification"),
        ({"a": "a", "b": "b"}, "classification"),
        ({"a": "a"}, "classification"),
    ],
)
def test_the_task_of_a_data_file(tmp_path: Path, row: dict[str, Any], task: str) -> None:
    found, said = guessed(data_file(tmp_path, [row] * 2))
    assert found == task
    if task == "classification":
        assert said == []
        return
    assert len(said) == 1
    assert said[0].startswith("task: generation, since `")
    assert said[0].endswith("; `--task classification` otherwise")


def test_what_is_named_decides_and_is_not_said(tmp_path: Path) -> None:
    chats, pairs = data_file(tmp_path, [CHAT]), data_file(tmp_path, [{"a": "1", "b": "2"}], "pairs.jsonl")
    assert guessed(chats, "task=classification") == ("classification", [])
    assert guessed(pairs, 'task="generation"') == ("generation", [])
    assert guessed(chats, "data.text=messages") == ("classification", [])
    assert guessed(pairs, "data.prompt=a", "data.answer=b") == ("generation", [])
    assert guessed("notes") == ("generation", [])
    assert guessed("resumes") == ("classification", [])
    assert guessed("some/hub-id") == ("classification", [])
    assert guessed(str(tmp_path / "missing.jsonl")) == ("classification", [])


def test_how_the_file_is_read_counts(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("question;answer\na;b\n", encoding="utf-16")
    assert guessed(str(path))[0] == "classification"
    found = guessed(str(path), "data.separator=;", "data.encoding=utf-16")
    assert found[0] == "generation"


def test_default_methods_are_those_of_the_task(tmp_path: Path) -> None:
    found = comparison_for(data_file(tmp_path, [CHAT]))
    assert {"full", "lora", "qlora"} <= set(found.methods)
    assert all("generation" in method_class(name).tasks for name in found.methods)
    assert found.model.id == "smollm2-135m-instruct"


def test_an_unknown_task_has_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"task `generations` unknown in `task`; did you mean `generation`\?"):
        comparison_for(data_file(tmp_path, [CHAT]), overrides=["task=generations"])
