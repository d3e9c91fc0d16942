"""The table of report formats: a name, and the function that writes the report."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from showdown.core.errors import UserError, suggestion, then
from showdown.core.record import Results
from showdown.verdict.model import Verdict

Writer = Callable[[Results, Verdict, Path], Path]
"""Writes a report into the comparison's folder, and returns the path to show."""

FORMATS: dict[str, str] = {
    "html": "showdown.report.page.write:write_html",
    "markdown": "showdown.report.markdown:write_markdown",
    "figures": "showdown.report.figures.save:write_figures",
    "latex": "showdown.report.latex.table:write_table",
    "pdf": "showdown.report.pdf.write:write_pdf",
    "paper": "showdown.report.latex.paper:write_paper",
    "csv": "showdown.report.records.csv:write_csv",
    "parquet": "showdown.report.records.parquet:write_parquet",
}
"""Strings, so that one format does not pay for the libraries of the others."""
_PACKAGES = {
    "altair": "altair",
    "jinja2": "jinja2",
    "pyarrow": "pyarrow",
    "typst": "typst",
    "vl_convert": "vl-convert-python",
}
"""By module, what to install where it is missing."""
DEFAULT_FORMATS = ("figures", "markdown", "html", "pdf")
"""What a report is where no format is named; figures first, so that the Markdown can link them."""


def known_formats(requested: Sequence[str], formats: Mapping[str, object]) -> Sequence[str]:
    """Return the requested formats.

    Raises:
        UserError: for one that is not there.

    """
    for form in requested:
        if form not in formats:
            known = then(suggestion(form, formats), f"the formats are {', '.join(formats)}")
            raise UserError(f"--format {form}: unknown{known}")
    return requested


def write_reports(
    judged: Callable[[], tuple[Results, Verdict]], folder: Path, requested: Sequence[str] | None
) -> list[Path]:
    """Write a comparison's report in several formats.

    Args:
        judged: reads and judges the comparison, once the formats are known to be there.
        folder: the comparison's.
        requested: keys of `FORMATS`; the default formats where none is named.

    Raises:
        UserError: for an unknown format, or where a report cannot be written here.

    """
    forms = known_formats(requested or DEFAULT_FORMATS, FORMATS)
    results, verdict = judged()
    return [write_report(form, results, verdict, folder) for form in forms]


def write_report(form: str, results: Results, verdict: Verdict, folder: Path) -> Path:
    """Write a comparison's report in one format.

    Args:
        form: a key of `FORMATS`.
        results: the comparison.
        verdict: what can be said of it.
        folder: its folder, which also receives the report.

    Raises:
        UserError: when the report cannot be written here, with the fix.

    """
    module, _, name = FORMATS[form].partition(":")
    try:
        writer: Writer = getattr(import_module(module), name)
        return writer(results, verdict, folder)
    except ModuleNotFoundError as error:
        package = _PACKAGES.get(error.name or "")
        if package is None:
            raise
        raise UserError(f"--format {form} needs {package}, which is not installed: pip install {package}") from error
