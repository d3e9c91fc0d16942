"""A comparison on a tiny network, whose saved models are exported."""

import json
from pathlib import Path
from typing import Any

import pytest

import showdown
from runner.immediate import use_here
from showdown.core.exported import ExportRecord, read_exports
from tiny_pretrained import separable_rows, write_csv

ROWS = 60
TEXTS = list(separable_rows(12, start=100).texts)
SYSTEM = "a pilot, a baker"


def run_comparison(base: Path, folder: Path, methods: dict[str, dict[str, Any]]) -> Path:
    """Run methods on texts that one epoch learns a part of, and return the comparison's folder."""
    comparison = {
        "name": "tiny",
        "model": {"id": str(base)},
        "data": {"source": str(write_csv(folder / "rows.csv", separable_rows(ROWS)))},
        "methods": methods,
        "protocol": {"epochs": 2, "max_tokens": 16, "split": {"kind": "single"}, "tuning": None},
        "seeds": [0],
    }
    return _run(comparison, folder / "out")


def run_writers(folder: Path, methods: dict[str, dict[str, Any]]) -> Path:
    """Run methods on prompts with their answers, whose chats bring their own system message; return the folder."""
    from showdown.testing.tiny import LABELS, make_pretrained

    base = folder / "tiny-writer"
    base.mkdir()
    make_pretrained("llama", base, chat=True)
    rows = separable_rows(ROWS)
    chats = [
        {
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": text},
                {"role": "assistant", "content": LABELS[target]},
            ]
        }
        for text, target in zip(rows.texts, rows.targets, strict=True)
    ]
    (folder / "chats.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats), encoding="utf-8")
    comparison = {
        "name": "writers",
        "task": "generation",
        "model": {"id": str(base)},
        "data": {"source": str(folder / "chats.jsonl")},
        "methods": methods,
        "protocol": {"epochs": 3, "max_tokens": 100, "split": {"kind": "single"}, "tuning": None, "max_new_tokens": 8},
        "seeds": [0],
    }
    return _run(comparison, folder / "out")


def _run(comparison: dict[str, Any], output: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        use_here(patch)
        showdown.run(comparison, output=output)
    return output


def exported(output: Path, arm: str, folder: Path, form: str | None = None) -> ExportRecord:
    record = showdown.export(output, arm, folder, form=form).record
    assert record in read_exports(showdown.load(output), output)
    return record


def trained(output: Path, arm: str) -> list[str]:
    return [found.label for found in showdown.load_model(output, arm).predict(TEXTS)]
