"""The audit before a run: made once for the same rows, written where its user finds it."""

import csv
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from showdown.core.spec import DataSpec, ModelSpec
from showdown.core.split import SingleSplit
from showdown.data.inspection import DeepAudit
from showdown.data.prepare import Prepared, prepare
from showdown.runner import audit_cache
from tiny_pretrained import LABELS, separable_rows, write_csv


def inspected(prepared: Prepared, model: ModelSpec, max_tokens: int, folder: Path) -> DeepAudit:
    with closing(audit_cache.Inspection(prepared, model, max_tokens, folder)) as inspection:
        inspection.begin()
        return inspection.result()


def test_it_is_made_once_for_the_same_rows_and_lists_them(
    tmp_path: Path, pretrained: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = write_csv(tmp_path / "rows.csv", separable_rows(30))
    lines = rows.read_text().splitlines()
    rows.write_text("\n".join([*lines, *lines[1:7], f"oven {'dough flour ' * 10},{LABELS[0]}"]) + "\n")
    prepared = prepare(DataSpec(source=str(rows), near_duplicate_jaccard=0.99), SingleSplit())
    model = ModelSpec(id=str(pretrained("bert")))
    found = inspected(prepared, model, 16, tmp_path)
    assert found.lengths is not None
    assert found.lengths.cut_rows == [37]
    assert found.leak_worth is not None
    listed = list(csv.DictReader((tmp_path / audit_cache.LISTING).open()))
    assert {line["row"] for line in listed if line["finding"].startswith("exact")} >= {"31", "36"}

    def again(*_: object) -> None:
        raise AssertionError("the audit was made a second time")

    monkeypatch.setattr(audit_cache, "deep_audit", again)
    assert inspected(prepared, model, 16, tmp_path) == found
    with pytest.raises(AssertionError, match="second time"):
        inspected(prepared, model, 12, tmp_path)
    path = tmp_path / "inspection.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 1}))
    with pytest.raises(AssertionError, match="second time"):
        inspected(prepared, model, 16, tmp_path)
    torn = tmp_path / "inspection.json"
    torn.write_text(json.dumps({"fingerprint": prepared.fingerprint}))
    with pytest.raises(AssertionError, match="second time"):
        inspected(prepared, model, 16, tmp_path)
