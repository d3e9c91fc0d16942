"""Figures for pages."""

from dataclasses import replace

import vl_convert

from showdown.report.figures.figure import Figure
from showdown.report.figures.save import svg

_WIDE = ("trade-off", "pareto", "training-loss", "validation-score", "memory-over-time", "system", "confusion")
"""Figures of many panels, three of which stand side by side; of others two."""


def figure_pdf(figure: Figure) -> bytes:
    """Draw a figure for a page: the picture of its SVG, with the font in it."""
    columns = min(3 if figure.name in _WIDE else 2, len(figure.panels))
    return bytes(vl_convert.svg_to_pdf(svg(replace(figure, columns=columns).chart)))
