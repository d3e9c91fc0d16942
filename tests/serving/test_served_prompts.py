"""`/predict` of a model that writes: prompts and chats, and what cannot be answered is one line."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from echo_writer import Echo
from serving.serving_models import client_of, label_model, writer_model
from showdown import api
from showdown.core.chat import read_prompt
from showdown.core.errors import UserError
from showdown.serving.prompts import ServedWriter

CHAT = [
    {"role": "user", "content": "b"},
    {"role": "assistant", "content": "c"},
    {"role": "user", "content": "d"},
]


def test_one_prompt_and_several_behind_the_system_message() -> None:
    capitals = Echo()
    with client_of(writer_model(capitals, system="Answer in JSON.")) as (client, _):
        capitals.asked.clear()
        one = client.post("/predict", json={"prompt": "a\r\nz"}).json()
        several = client.post("/predict", json={"prompts": ["x" * 30, CHAT]}).json()
    assert one == {"model": "capitals", "answers": [{"answer": "A\nZ", "tokens": 3, "finished": True}]}
    assert several["answers"][0] == {"answer": "X" * 20, "tokens": 20, "finished": False}
    assert several["answers"][1]["answer"] == "USER: B\nASSISTANT: C"
    for asked in capitals.asked:
        assert read_prompt(asked)[0].content == "Answer in JSON."


@pytest.mark.parametrize(
    ("asked", "detail"),
    [
        ({}, "give either `prompt` or `prompts`"),
        ({"prompt": " "}, "prompt is empty; write one"),
        ({"prompts": ["a", "\0"]}, "prompts[1] contains a NUL character; remove it"),
        ({"prompts": ["a", "x" * 41]}, "prompts[1] has 41 letters, more than 40; shorten it"),
        ({"prompts": ["a", CHAT[:2]]}, "prompts[1] does not end with a user message"),
        ({"prompts": ["a", []]}, "prompts[1] has no message"),
    ],
)
def test_what_cannot_be_answered_is_one_line(asked: dict[str, Any], detail: str) -> None:
    with client_of(writer_model()) as (client, _):
        found = client.post("/predict", json=asked)
    assert found.status_code == 422
    assert found.json()["detail"].startswith(detail)
    assert "\n" not in found.json()["detail"]


def test_a_role_that_is_none_is_refused_without_the_words_of_the_chat() -> None:
    with client_of(writer_model()) as (client, _):
        found = client.post("/predict", json={"prompt": [{"role": "robot", "content": "sesquipedalian"}]})
    assert found.status_code == 422
    assert "role" in found.json()["detail"]
    assert "sesquipedalian" not in json.dumps(found.json())


def test_a_long_prompt_does_not_keep_others_from_their_answers() -> None:
    served = ServedWriter(writer_model(), None)
    short, long = (served.model.prompt("it", text) for text in ("a", "x" * 41))
    first, second, third = served.answer([short, long, short])
    assert (first.text, third.text) == ("A", "A")  # type: ignore[attr-defined]
    assert "has 41 letters" in str(second)


def test_written_answers_have_no_coverage() -> None:
    with pytest.raises(UserError, match="`capitals` writes its answers, which have no confidence"):
        ServedWriter(writer_model(), 0.9)
    with client_of(writer_model()) as (client, _):
        assert client.post("/predict", json={"prompt": "a", "coverage": 0.9}).status_code == 422


@pytest.mark.parametrize(
    ("given", "sent", "hints"), [(None, "Be kind.", ["Name one."]), ("Be brief.", "Be brief.", []), ("", None, [])]
)
def test_a_server_sends_the_system_message_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str | None, sent: str | None, hints: list[str]
) -> None:
    capitals, said = Echo(), list[str]()
    opened = replace(writer_model(capitals, system="Be kind."), hint="Name one.")
    monkeypatch.setattr("showdown.serving.run.load_model", lambda *_: opened)
    monkeypatch.setattr("showdown.serving.server.Server.run", lambda *_, **__: None)
    api.serve(tmp_path, port=0, say=said.append, system=given)
    first = read_prompt(capitals.asked[-1])[0]
    assert (first.content if first.role == "system" else None) == sent
    assert said == [*hints, "ended"]


def test_a_server_of_labels_has_no_system_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("showdown.serving.run.load_model", lambda *_: label_model())
    with pytest.raises(UserError, match="--system: `lengths` gives labels"):
        api.serve(tmp_path, port=0, system="Be brief.")
