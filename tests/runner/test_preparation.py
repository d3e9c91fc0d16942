"""The steps before a first run: what goes on beside them, and what is imported in them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from showdown.core.spec import Comparison
from showdown.models.source import pin
from showdown.runner import preparation as steps
from showdown.runner.audit_cache import Inspection
from showdown.runner.foreseen import Foreseen
from showdown.runner.prepared import Ready
from showdown.runner.store import Store
from tiny_pretrained import separable_rows, write_csv


@pytest.fixture
def asked(tmp_path: Path, pretrained: Callable[[str], Path]) -> Comparison:
    return Comparison.model_validate(
        {
            "name": "mine",
            "model": {"id": str(pretrained("bert"))},
            "data": {"source": str(write_csv(tmp_path / "rows.csv", separable_rows(30)))},
            "methods": {"lora": {}},
            "protocol": {"split": {"kind": "single"}, "tuning": None},
            "seeds": [0],
        }
    )


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happened, in its order."""
    happened: list[str] = []

    @contextmanager
    def uncompiled() -> Iterator[None]:
        happened.append("no compiler")
        yield
        happened.append("compiler")

    def foreseen(*_: object) -> Foreseen:
        happened.append("forecast")
        return Foreseen()

    monkeypatch.setattr(steps, "uncompiled", uncompiled)
    monkeypatch.setattr(steps, "refuse_unusable_model", lambda *_: happened.append("check"))
    monkeypatch.setattr(steps, "_foreseen", foreseen)
    monkeypatch.setattr(Inspection, "begin", lambda _: happened.append("audit"))
    return happened


def test_the_audit_begins_behind_the_first_lines_and_beside_the_forecast_but_in_no_rehearsal(
    asked: Comparison, noted: list[str], tmp_path: Path
) -> None:
    store, model = Store(tmp_path / "out"), pin(asked.model)
    work = steps.preparation(asked, model, store)
    assert isinstance(next(work), Ready)
    assert noted == ["check"]
    assert isinstance(next(work), Foreseen)
    assert noted == ["check", "audit", "forecast"]
    assert not store.root.exists()
    work.close()
    noted.clear()
    rehearsal = steps.preparation(asked, model, store, rehearsal=True)
    assert isinstance(next(rehearsal), Ready)
    assert isinstance(next(rehearsal), Foreseen)
    assert noted == ["check", "forecast"]


def test_libraries_are_imported_without_the_compiler_where_nobody_imported_torch(
    asked: Comparison, noted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    work = steps.preparation(asked, pin(asked.model), Store(tmp_path / "out"), rehearsal=True)
    assert isinstance(next(work), Ready)
    assert isinstance(next(work), Foreseen)
    work.close()
    assert noted == ["no compiler", "check", "compiler", "no compiler", "forecast", "compiler"]
