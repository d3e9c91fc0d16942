"""`showdown doctor` says of every method whether it runs here, and why not."""

import pytest

from showdown.methods.qlora import Qlora
from showdown.methods.table import METHODS
from showdown.models import source
from showdown.runner.doctor import check_machine


def test_a_line_a_method_and_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = check_machine()
    assert [line.split()[0] for line in lines[-len(METHODS) :]] == list(METHODS)
    assert all(line.split(maxsplit=1)[1] == "usable" for line in lines[-len(METHODS) :])
    assert "model all-minilm-l6-v2: whole, its SHA-256 is as expected" in lines
    monkeypatch.setattr(Qlora, "unsupported_reason", lambda self: "bitsandbytes is missing; install it")
    monkeypatch.setattr(source, "_BUILT_IN_PACKAGE", "no_such_package")
    lines = check_machine()
    assert any(line.startswith("qlora") and "not usable: bitsandbytes is missing; install it" in line for line in lines)
    assert any("not usable: model `all-minilm-l6-v2`: its package is not installed" in line for line in lines)
