"""Figures for a page: SVG whose colours follow the page's theme."""

import re
from dataclasses import dataclass

from showdown.report.figures.design import DARK, LIGHT, PANEL_PX, themed
from showdown.report.figures.drawn import UNCHECKED, svg
from showdown.report.figures.figure import Figure

_ROLE_OF = {colour: role for role, colour in LIGHT.items()}
_PAINT = re.compile(r'\b(fill|stroke)="(#[0-9a-fA-F]{6})"')
_ID = re.compile(r'\bid="([^"]+)"')
_SIZE = re.compile(r'<svg[^>]*?\bwidth="([\d.]+)"')
ROOM_PX = 14
"""By which a panel may be wider than its plot and axes should be, and still fit a phone."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One drawing."""

    markup: str
    """SVG, hidden from screen readers: the figure has words of its own."""
    wide: bool
    """Wider than a phone, so that it scrolls by itself."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure as the page shows it."""

    figure: Figure
    panels: tuple[Panel, ...]
    legend: tuple[tuple[str, str, str], ...]
    """Names, the variable of the stylesheet with their colour, and the dashes of their line, empty for a whole one."""


@UNCHECKED
def draw(figure: Figure) -> Drawing:
    """Draw all panels of a figure."""
    return Drawing(
        figure=figure,
        panels=tuple(_panel(svg(themed(chart)), f"{figure.name}-{turn}") for turn, chart in enumerate(figure.panels)),
        legend=tuple(
            (name, f"--{_ROLE_OF[look.colour]}", " ".join(map(str, look.dash))) for name, look in figure.legend.items()
        ),
    )


def variables(theme: dict[str, str]) -> str:
    """Return the roles of a theme as custom properties of a stylesheet."""
    return "".join(f"--{role}:{colour};" for role, colour in theme.items())


LIGHT_VARIABLES, DARK_VARIABLES = variables(LIGHT), variables(DARK)


def _panel(drawn: str, prefix: str) -> Panel:
    size = _SIZE.search(drawn)
    themeable = _PAINT.sub(_variable, drawn)
    for name in set(_ID.findall(themeable)):
        themeable = themeable.replace(f'id="{name}"', f'id="{prefix}-{name}"').replace(
            f"url(#{name})", f"url(#{prefix}-{name})"
        )
    markup = themeable.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
    return Panel(markup=markup, wide=bool(size) and float(size[1]) > PANEL_PX + ROOM_PX if size else False)


def _variable(found: re.Match[str]) -> str:
    role = _ROLE_OF.get(found[2].lower())
    return f'{found[1]}="var(--{role})"' if role else found[0]
