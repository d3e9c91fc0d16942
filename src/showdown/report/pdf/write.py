"""Typesetting the PDF."""

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import typst

from showdown.core.files import write_bytes
from showdown.core.record import Results
from showdown.report.exports import exported_forms
from showdown.report.figures.figure import Figure
from showdown.report.figures.gallery import figures_of
from showdown.report.pdf.content import content
from showdown.report.pdf.figure import figure_pdf
from showdown.report.samples import Samples, samples
from showdown.report.small_table import SmallTable
from showdown.verdict.model import Verdict

_FLIPS = 4
"""Samples of written answers on which methods differ."""


def write_pdf(results: Results, verdict: Verdict, folder: Path) -> Path:
    """Write `report.pdf` into the comparison's folder and return its path."""
    path = folder / "report.pdf"
    written = samples(results, verdict, folder, flips=_FLIPS, others=1)
    exported, figures = exported_forms(results, folder), figures_of(results, verdict, folder)
    write_bytes(path, pdf(results, verdict, figures, written, exported))
    return path


def pdf(
    results: Results,
    verdict: Verdict,
    figures: Sequence[Figure],
    written: Samples | None = None,
    exported: SmallTable | None = None,
) -> bytes:
    """Typeset the report. Its fonts come with Typst; scripts that these lack are taken from the system."""
    with TemporaryDirectory(prefix="showdown-pdf-") as name:
        folder = Path(name)
        for figure in figures:
            (folder / f"{figure.name}.pdf").write_bytes(figure_pdf(figure))
        text = json.dumps(content(results, verdict, figures, written, exported), ensure_ascii=False)
        (folder / "report.json").write_text(text, encoding="utf-8")
        template = resources.files(__package__).joinpath("report.typ").read_text(encoding="utf-8")
        (folder / "report.typ").write_text(template, encoding="utf-8")
        return bytes(typst.compile(str(folder / "report.typ"), root=str(folder)))
