"""Typesetting the PDF."""

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import typst

from showdown.core.files import write_bytes
from showdown.core.record import Results
from showdown.report.figures.figure import Figure
from showdown.report.figures.gallery import figures_of
from showdown.report.pdf.content import content
from showdown.report.pdf.figure import figure_pdf
from showdown.verdict.model import Verdict


def write_pdf(results: Results, verdict: Verdict, folder: Path) -> Path:
    """Write `report.pdf` into the comparison's folder and return its path."""
    path = folder / "report.pdf"
    write_bytes(path, pdf(results, verdict, figures_of(results, verdict, folder)))
    return path


def pdf(results: Results, verdict: Verdict, figures: Sequence[Figure]) -> bytes:
    """Typeset the report. Its fonts come with Typst; scripts that these lack are taken from the system."""
    with TemporaryDirectory(prefix="showdown-pdf-") as name:
        folder = Path(name)
        for figure in figures:
            (folder / f"{figure.name}.pdf").write_bytes(figure_pdf(figure))
        text = json.dumps(content(results, verdict, figures), ensure_ascii=False)
        (folder / "report.json").write_text(text, encoding="utf-8")
        template = resources.files(__package__).joinpath("report.typ").read_text(encoding="utf-8")
        (folder / "report.typ").write_text(template, encoding="utf-8")
        return bytes(typst.compile(str(folder / "report.typ"), root=str(folder)))
