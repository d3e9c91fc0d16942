"""The content of the PDF, as data for its template."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from showdown.core.record import Results
from showdown.report.confidence import confidence_table
from showdown.report.facts import audited, comparison_yaml, data_facts, environment_facts, model_facts
from showdown.report.figures.design import LIGHT
from showdown.report.figures.figure import Figure
from showdown.report.prose import spans
from showdown.report.samples import Samples, WrittenAnswer
from showdown.report.small_table import SmallTable
from showdown.report.table import Table, comparison_table
from showdown.report.writing_table import writing_table
from showdown.verdict.model import Verdict

_JOINERS = "\u200c\u200d"
"""Format characters that are part of words and of emoji."""

_SPACES = re.compile(r"\s+")

_MOST_TEXT = 600
"""Characters of a prompt or a part of an answer."""
_FIRST_FACTS = ("model", "source", "labels")
"""What stands below the title."""


def content(
    results: Results,
    verdict: Verdict,
    figures: Sequence[Figure],
    written: Samples | None = None,
    exported: SmallTable | None = None,
) -> dict[str, Any]:
    """Return everything that the template shows, each text on one line, ready for JSON.

    Args:
        results: the comparison.
        verdict: what can be said of it.
        figures: its pictures, which lie beside the template as `NAME.pdf`.
        written: written answers side by side.
        exported: models that were exported, each form scored.

    """
    table = comparison_table(results, verdict)
    models, data = model_facts(results), data_facts(results)
    content: dict[str, Any] = {
        "title": results.name,
        "subtitle": ", ".join(f"{key} {value}" for key, value in (*models, *data) if key in _FIRST_FACTS),
        "leaky": any(run.allow_leakage for run in results.runs),
        "above": _prose(table.above),
        "table": {**_cells(table), "reading": _prose([*table.marks, *table.reading])},
        "answer": _prose(table.verdict[:1]),
        "verdict": _prose(table.verdict[1:]),
        "recommendation": _prose([*table.recommendation, *verdict.recommendation.flips]),
        "figures": {
            figure.name: {"title": figure.title, "alt": figure.alt, "caption": figure.caption} for figure in figures
        },
        "confidence": _small(confidence_table(results)),
        "writing": _small(writing_table(verdict)),
        "exports": _small(exported),
        "samples": _samples(written),
        "events": _prose(table.events),
        "settings": _prose(table.settings),
        "differing": _prose(table.differing),
        "data": data,
        "audited": _prose(audited(results)),
        "environment": [*models, *environment_facts(results)],
        "colours": {role: LIGHT[role] for role in ("ink", "muted", "grid", "band")},
    }
    lines = [_visible(line) for line in comparison_yaml(results).splitlines()]
    shown: dict[str, Any] = _shown(content)
    return {**shown, "yaml": "\n".join(lines), "file": f"{results.name}.yaml"}


def _small(table: SmallTable | None) -> dict[str, Any] | None:
    if table is None:
        return None
    return {"headings": table.headings, "rows": table.rows, "notes": _prose(table.notes), "words": table.words}


def _samples(written: Samples | None) -> dict[str, Any] | None:
    if written is None or not written.groups:
        return None
    rows = [
        {
            "title": f"{group.title}: row {one.row}",
            "prompt": _cut(one.prompt),
            "wanted": _cut(one.wanted),
            "answers": [_answer(answer, written.heading) for answer in one.answers],
        }
        for group in written.groups
        for one in group.samples
    ]
    return {"note": written.note, "rows": rows}


def _answer(answer: WrittenAnswer, heading: str) -> dict[str, Any]:
    pieces = [{"text": _cut(piece.text), "kind": piece.kind} for piece in answer.pieces if piece.text]
    fields = [{"name": one.name, "wanted": _cut(one.wanted), "written": _cut(one.written)} for one in answer.fields]
    about = answer.about(heading)
    return {"name": answer.name, "about": about, "right": answer.right, "pieces": pieces, "fields": fields}


def _cut(text: str | None) -> str | None:
    """Return a text, cut where it is long."""
    return text if text is None or len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]} ..."


def _prose(sentences: Sequence[str]) -> list[list[dict[str, Any]]]:
    """Return sentences in parts, each text or code."""
    return [[{"text": part, "code": is_code} for part, is_code in spans(" ".join(line.split()))] for line in sentences]


def _cells(table: Table) -> dict[str, Any]:
    return {
        "headings": table.headings,
        "rows": [
            {
                "cells": row,
                "scored": any(row[2:]),
                "near": place in table.near,
                "best": [(place, column) in table.best for column in range(len(row))],
            }
            for place, row in enumerate(table.rows)
        ],
    }


def _shown(value: object) -> Any:
    if isinstance(value, str):
        return _visible(_SPACES.sub(" ", value))
    if isinstance(value, dict):
        return {key: _shown(below) for key, below in value.items()}
    return [_shown(item) for item in value] if isinstance(value, (list, tuple)) else value


def _visible(text: str) -> str:
    """Return text in which control characters are shown as code points, so that none changes the direction of text."""
    return "".join(
        f"[U+{ord(character):04X}]"
        if unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs") and character not in _JOINERS
        else character
        for character in text
    )
