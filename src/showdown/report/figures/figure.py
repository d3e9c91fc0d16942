"""What a figure is: panels that each fit a phone, and together make one picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt

from showdown.core.notebook import html_picture
from showdown.report.figures.design import LIGHT, PANEL_PX, Style, rows_of, text_px, themed
from showdown.report.figures.drawn import UNCHECKED, svg

_MARK_PX, _LINE_PX = 13.0, 34.0
"""Width of a marker, and of a line with its dashes, in the legend."""
_LEGEND_GAP_PX = 13


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture of a comparison with its words."""

    name: str
    """Of its files."""
    title: str
    alt: str
    """What it shows, for those who cannot see it."""
    caption: str
    """How to read it; may be empty."""
    panels: tuple[Any, ...]
    """Altair charts, each at most `PANEL_PX` wide where its labels allow."""
    columns: int
    """Panels side by side in one picture."""
    page_columns: int | None = None
    """Panels side by side on a printed page, where that depends on what they hold."""
    legend: Mapping[str, Style]
    """Rows whose colours and markers need a legend; empty where the panels name them."""

    @property
    @UNCHECKED
    def chart(self) -> Any:
        """All panels and the legend as one Altair chart."""
        grid: Any = self.panels[0] if len(self.panels) == 1 else alt.concat(*self.panels, columns=self.columns)
        return themed(alt.vconcat(_legend(self.legend), grid) if self.legend else grid)

    def _repr_html_(self) -> str:
        return html_picture(svg(self.chart), self.alt, f"{self.title}. {self.caption}".strip())

    @property
    def records(self) -> list[dict[str, Any]]:
        """Return all rows of data behind all panels."""
        return [record for panel in self.panels for record in records_of(panel)]


def records_of(chart: Any) -> list[dict[str, Any]]:
    """Return the rows of data behind a panel and its layers."""
    found: list[dict[str, Any]] = []
    for part in (chart, *getattr(chart, "layer", ())):
        values = getattr(getattr(part, "data", None), "values", None)
        if isinstance(values, list):
            found += values
    return found


def _legend(looks: Mapping[str, Style]) -> Any:
    """Draw markers and names in lines that fit a panel or two."""
    x, y, placed = 0.0, 0, []
    lines = any(look.dash for look in looks.values())
    mark = _LINE_PX if lines else _MARK_PX
    for name, look in looks.items():
        width = text_px(name) + mark + _LEGEND_GAP_PX
        if x + width > 2 * PANEL_PX:
            x, y = 0.0, y + 18
        placed.append({"name": name, "x": x + mark / 2, "text_x": x + mark + 4, "y": y + 8})
        placed[-1] |= {"from": x, "to": x + mark, "colour": look.colour, "shape": look.shape, "dash": list(look.dash)}
        x += width
    base = alt.Chart(rows_of(placed)).encode(y=alt.Y("y:Q", axis=None, scale=None))
    marks = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=alt.X("x:Q", axis=None, scale=None),
        color=alt.Color("colour:N", scale=None),
        shape=alt.Shape("shape:N", scale=None),
    )
    names = base.mark_text(align="left", baseline="middle", color=LIGHT["ink"]).encode(
        x=alt.X("text_x:Q", axis=None, scale=None), text="name:N"
    )
    strokes = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("from:Q", axis=None, scale=None),
        x2="to:Q",
        color=alt.Color("colour:N", scale=None),
        strokeDash=alt.StrokeDash("dash:N", scale=None),
    )
    return alt.layer(*([strokes] if lines else []), marks, names).properties(width=2 * PANEL_PX, height=y + 16)
