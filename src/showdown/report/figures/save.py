"""Figures as files: SVG for print, PNG for everything else."""

from collections.abc import Sequence
from pathlib import Path

from showdown.core.files import write_bytes, write_text
from showdown.core.record import Results
from showdown.report.figures.drawn import png, svg
from showdown.report.figures.figure import Figure
from showdown.report.figures.gallery import figures_of
from showdown.verdict.model import Verdict


def save_figures(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Write `NAME.svg` and `NAME.png` of each figure into a folder, and return the paths."""
    paths = []
    for figure in figures:
        chart = figure.chart
        paths += [folder / f"{figure.name}.svg", folder / f"{figure.name}.png"]
        write_text(paths[-2], svg(chart))
        write_bytes(paths[-1], png(chart))
    return paths


def write_figures(results: Results, verdict: Verdict, folder: Path) -> Path:
    """Write all figures of a comparison into `report/figures` of its folder, and return that."""
    target = folder / "report" / "figures"
    save_figures(figures_of(results, verdict, folder), target)
    return target
