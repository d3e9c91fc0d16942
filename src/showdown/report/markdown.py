"""The report as Markdown, for a README or an issue."""

from collections.abc import Sequence
from pathlib import Path

from showdown.core.files import write_text
from showdown.core.record import Results, RunRecord
from showdown.report.facts import place
from showdown.report.learning_curve import learning_curve
from showdown.report.pool import label_scores
from showdown.report.table import comparison_table
from showdown.verdict.model import Verdict

_SPECIAL = str.maketrans({character: f"\\{character}" for character in r"\`*_{}[]<>#|!&"})


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return " ".join(text.split()).translate(_SPECIAL)


def markdown(results: Results, verdict: Verdict) -> str:
    """Return the whole report: what must be known, the table, the labels' scores, where it ran."""
    table = comparison_table(results, verdict)
    parts = [f"# {escaped(results.name)}", *(f"**{escaped(line)}**" for line in table.above)]
    parts.append(grid(table.headings, table.rows))
    parts += ["## Verdict", *(f"- {escaped(line)}" for line in table.verdict)]
    parts += ["## How to read it", *(f"- {escaped(line)}" for line in table.below)]
    curve = learning_curve(results)
    if curve:
        parts += ["## Learning curve", grid(curve.headings, curve.rows), escaped(curve.sentence)]
    parts += [
        "## Macro F1 by label",
        _by_label(results.full_size),
        "## Data",
        *_data(results),
        "## Where it ran",
        *_where(results),
    ]
    return spaced(parts)


def write_markdown(results: Results, verdict: Verdict, folder: Path) -> Path:
    """Write `report.md` into the comparison's folder and return its path."""
    path = folder / "report.md"
    write_text(path, markdown(results, verdict))
    return path


def grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; all columns but the first are set to the right."""
    lines = [
        "| " + " | ".join(escaped(heading) for heading in headings) + " |",
        "| --- |" + " ---: |" * (len(headings) - 1),
        *("| " + " | ".join(escaped(cell) for cell in row) + " |" for row in rows),
    ]
    return "\n".join(lines)


def _by_label(results: Results) -> str:
    """Return F1 of each label over all rows that a seed tested, the mean over seeds (and repeats)."""
    done: dict[str, list[RunRecord]] = {}
    for run in results.runs:
        if run.status == "completed":
            done.setdefault(run.name, []).append(run)
    if not done:
        return "No run completed."
    rows = [[one.label, str(one.rows), *(f"{f1:.2f}" for f1 in one.f1.values())] for one in label_scores(done)]
    return grid(["Label", "Test rows", *done], rows)


def _data(results: Results) -> list[str]:
    found = [f"Fingerprint: {results.data.get('fingerprint')}", *results.data.get("notices", [])]
    return [f"- {escaped(line)}" for line in found]


def _where(results: Results) -> list[str]:
    found = next((run.environment for run in results.runs if run.environment), None)
    if found is None:
        return ["- No run completed."]
    lines = [
        str(place(results)),
        ", ".join(f"{name} {version}" for name, version in found.versions.items()),
        f"commit {found.commit or 'unknown (not a checkout)'}",
        f"model {results.runs[0].spec.model.id} at {results.runs[0].spec.model.revision}",
    ]
    return [f"- {escaped(line)}" for line in lines]


def spaced(parts: Sequence[str]) -> str:
    """Join parts with empty lines between them, but for the items of a list."""
    text = ""
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        both_items = part.startswith("- ") and following.startswith("- ")
        text += part + ("\n" if both_items else "\n\n")
    return text.rstrip() + "\n"
