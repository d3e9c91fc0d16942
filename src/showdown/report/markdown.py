"""The report as Markdown, for a README or an issue."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from showdown.core.files import write_text
from showdown.core.record import Results, RunRecord
from showdown.report.columns import columns_of
from showdown.report.confidence import confidence_table
from showdown.report.exports import TITLE as EXPORTED
from showdown.report.exports import exported_forms
from showdown.report.facts import place
from showdown.report.forecast import ForecastTable, forecast_table
from showdown.report.label_table import label_table
from showdown.report.learning_curve import learning_curve
from showdown.report.markdown_samples import samples_in_markdown
from showdown.report.markdown_text import escaped, grid, joined, spaced
from showdown.report.pair_table import shown_pairs
from showdown.report.pairs import headings, pair_note, pair_rows
from showdown.report.pool import OWN_ROWS
from showdown.report.samples import Samples, samples
from showdown.report.small_table import SmallTable
from showdown.report.table import Table, comparison_table
from showdown.report.writing_table import writing_table
from showdown.verdict.model import Verdict

FIGURES_FOLDER = Path("report") / "figures"
_FIRST = ("trade-off", "scores")
"""Pictures that stand right below the table."""
_FLIPS = 3
"""Samples of written answers on which methods differ."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure that lies as a file beside the report."""

    title: str
    alt: str
    caption: str
    link: str
    """Relative to the report."""


def markdown(
    results: Results,
    verdict: Verdict,
    pictures: Mapping[str, Picture] | None = None,
    written: Samples | None = None,
    foreseen: ForecastTable | None = None,
    exported: SmallTable | None = None,
) -> str:
    """Return the whole report: warnings, the table, the verdict, scores by label or samples, the machine.

    Args:
        results: the comparison.
        verdict: what can be said of it.
        pictures: figures to link, by name.
        written: written answers side by side.
        foreseen: the forecast beside what was measured.
        exported: models that were exported, each form scored.

    """
    table, pictures = comparison_table(results, verdict), pictures or {}
    parts = [f"# {escaped(results.name)}", *(f"**{escaped(line)}**" for line in table.above)]
    parts += [marked_table(table), *(_picture(pictures[name]) for name in _FIRST if name in pictures)]
    parts += ["## Verdict", *(f"- {escaped(line)}" for line in table.verdict)]
    parts += ["## Recommendation", *(f"- {escaped(line)}" for line in table.recommendation)]
    if verdict.pairs:
        parts += ["## Pairs", *_pairs(verdict)]
    parts += ["## How to read it", *(f"- {escaped(line)}" for line in (*table.marks, *table.below))]
    if pictures.keys() - set(_FIRST):
        parts += ["## Pictures", *(_picture(found) for name, found in pictures.items() if name not in _FIRST)]
    speed = writing_table(verdict)
    if speed:
        parts += ["## Writing", grid(speed.headings, speed.rows), *(f"- {escaped(line)}" for line in speed.notes)]
    curve = learning_curve(results, verdict.curve)
    if curve:
        parts += ["## Learning curve", grid(curve.headings, curve.rows), escaped(curve.sentence)]
    sure = confidence_table(results)
    if sure:
        parts += [
            "## Confidence",
            grid(sure.headings, sure.rows, left=sure.words),
            *(f"- {escaped(line)}" for line in sure.notes),
        ]
    if columns_of(verdict.task).by_label:
        parts += ["## Macro F1 by label", *_own_rows(verdict), _by_label(results.full_size)]
    if written and written.groups:
        parts += ["## Samples", *samples_in_markdown(written)]
    if exported:
        parts += [f"## {EXPORTED}", grid(exported.headings, exported.rows, left=exported.words)]
        parts += [f"- {escaped(line)}" for line in exported.notes]
    if foreseen:
        parts += [
            "## Forecast",
            escaped(foreseen.sentence),
            grid(foreseen.headings, foreseen.rows),
            escaped(foreseen.note),
        ]
    parts += ["## Data", *_data(results), "## Where it ran", *_where(results)]
    return spaced(parts)


def write_markdown(results: Results, verdict: Verdict, folder: Path) -> Path:
    """Write `report.md` into the comparison's folder and return its path.

    It links the pictures of these results that lie in the folder; `--format figures` writes them.
    """
    path = folder / "report.md"
    written = samples(results, verdict, folder, flips=_FLIPS, others=1)
    pictures, foreseen = _pictures(results, verdict, folder), forecast_table(results, folder)
    write_text(path, markdown(results, verdict, pictures, written, foreseen, exported_forms(results, folder)))
    return path


def _pictures(results: Results, verdict: Verdict, folder: Path) -> dict[str, Picture]:
    """Find the figures that are no older than the results; altair is imported only where there may be some."""
    drawn, records = folder / FIGURES_FOLDER, folder / "results.json"
    if not drawn.is_dir() or not records.is_file():
        return {}
    from showdown.report.figures.gallery import figures_of

    found = {}
    for figure in figures_of(results, verdict, folder):
        file = drawn / f"{figure.name}.png"
        if file.is_file() and file.stat().st_mtime >= records.stat().st_mtime:
            link = file.relative_to(folder).as_posix()
            found[figure.name] = Picture(title=figure.title, alt=figure.alt, caption=figure.caption, link=link)
    return found


def _picture(found: Picture) -> str:
    sentence = " ".join(escaped(text) for text in (f"{found.title}.", found.caption) if text)
    return f"![{escaped(found.alt)}]({found.link})\n\n{sentence}"


def marked_table(table: Table) -> str:
    """Return the comparison's table with its marks."""
    rows = [[escaped(cell) for cell in row] for row in table.rows]
    for row, column in table.best:
        rows[row][column] = f"**{rows[row][column]}**"
    for row in table.near:
        rows[row][1] += " †"
    return joined([escaped(heading) for heading in table.headings], rows)


def _pairs(verdict: Verdict) -> list[str]:
    shown = shown_pairs(verdict)
    cells = pair_rows(verdict.model_copy(update={"pairs": shown.pairs}))
    lines = [escaped(line) for line in (shown.left_out, pair_note(verdict)) if line]
    return [grid(headings(verdict), cells, left=2), *lines]


def _own_rows(verdict: Verdict) -> list[str]:
    return [OWN_ROWS] if verdict.left_out else []


def _by_label(results: Results) -> str:
    """Return F1 of each label over all rows that a seed tested, the mean over seeds (and repeats)."""
    done: dict[str, list[RunRecord]] = {}
    for run in results.runs:
        if run.status == "completed":
            done.setdefault(run.name, []).append(run)
    table = label_table(done)
    if table is None:
        return "No run completed."
    rows = [[one.label, str(one.rows), *(f"{f1:.2f}" for f1 in one.f1.values())] for one in table.labels]
    shown = grid(["Label", "Test rows", *table.names], rows)
    return f"{shown}\n\n{escaped(table.left_out)}" if table.left_out else shown


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
