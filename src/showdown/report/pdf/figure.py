"""Figures for pages."""

from dataclasses import replace

import vl_convert

from showdown.report.figures.drawn import svg
from showdown.report.figures.figure import Figure

_COLUMNS = {
    "trade-off": 3,
    "pareto": 3,
    "elsewhere": 2,
    "training-loss": 3,
    "validation-score": 3,
    "memory-over-time": 3,
    "system": 3,
    "reliability": 4,
}
"""Panels side by side, of figures that have many; of others two."""


def figure_pdf(figure: Figure) -> bytes:
    """Draw a figure for a page: the picture of its SVG, with the font in it."""
    columns = min(figure.page_columns or _COLUMNS.get(figure.name, 2), len(figure.panels))
    return bytes(vl_convert.svg_to_pdf(svg(replace(figure, columns=columns).chart)))
