"""The design system: colours by role, a colour and a marker for every arm, sizes, the look of axes.

Colours stand for roles. A picture is drawn in those of the light theme; a page may replace each by its twin of the dark
one, so that no two roles share a value. The colours of arms were searched for the largest distance in Oklab between
any two of them, as seen by normal eyes and through the simulations of protanopia, deuteranopia and tritanopia by
Machado et al. (IEEE TVCG 15(6), 2009), with a contrast of at least 3 to 1 to the background (WCAG 2.2, 1.4.11).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import altair as alt

from showdown.core.record import Results
from showdown.core.traits import Color

LIGHT: dict[str, str] = {
    "page": "#ffffff",
    "ink": "#1b1f24",
    "muted": "#5a636e",
    "grid": "#e4e7eb",
    "axis": "#aab2bb",
    "band": "#f2f4f7",
    "band-strong": "#e1ebf8",
    "passed-over": "#8a929c",
    "series-gray": "#7a7f87",
    "series-brown": "#572c1a",
    "series-green": "#18a652",
    "series-indigo": "#292756",
    "series-blue": "#0049ed",
    "series-orange": "#ff5b00",
    "series-purple": "#8a21a6",
    "series-red": "#b12837",
    "ramp-0": "#f3f6fa",
    "ramp-1": "#e0eaf6",
    "ramp-2": "#cbdcf0",
    "ramp-3": "#b2cbe8",
    "ramp-4": "#95b8de",
    "ramp-5": "#75a2d2",
    "ramp-6": "#4177b3",
    "ramp-7": "#30669f",
    "ramp-8": "#22558b",
    "ramp-9": "#154475",
    "ramp-10": "#0a335e",
    "on-low": "#14181d",
    "on-high": "#fdfdfe",
}
DARK: dict[str, str] = {
    "page": "#12161c",
    "ink": "#e8ebef",
    "muted": "#a3adb8",
    "grid": "#2a313a",
    "axis": "#56606b",
    "band": "#1a2028",
    "band-strong": "#1d2f47",
    "passed-over": "#78828d",
    "series-gray": "#7d838d",
    "series-brown": "#946925",
    "series-green": "#1cd7ad",
    "series-indigo": "#d3e47e",
    "series-blue": "#3494ff",
    "series-orange": "#e9b019",
    "series-purple": "#c262cc",
    "series-red": "#ee7f62",
    "ramp-0": "#1a222c",
    "ramp-1": "#182b41",
    "ramp-2": "#173453",
    "ramp-3": "#183e66",
    "ramp-4": "#1b4979",
    "ramp-5": "#21568d",
    "ramp-6": "#5c96d6",
    "ramp-7": "#77a9e0",
    "ramp-8": "#93bce9",
    "ramp-9": "#b0cff2",
    "ramp-10": "#cde2fa",
    "on-low": "#f1f4f8",
    "on-high": "#0d1116",
}
SERIES_ROLES = tuple(f"series-{color}" for color in get_args(Color))
"""Roles of the colours of arms."""
RAMP_STEPS = 10
_FIRST_HIGH_STEP = 6
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
_DASHES: tuple[list[int], ...] = ([], [6, 3], [2, 2], [8, 3, 2, 3])
_FONT = "Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"
SMALL_TEXT_PX = 11
PANEL_PX = 348
"""Width of a whole panel, axes included: what a phone of 380 px shows without scrolling."""
PLOT_HEIGHT_PX = 190
MOST_OF_A_NAME, MOST_OF_A_TITLE = 22, 38
"""Characters of a row's name beside a point or at an axis, and above a panel."""
_CHARACTER_PX = 6.2
_WIDEST_FONT = 1.16
"""Width of a text in DejaVu Sans, in which browsers of bare machines draw it, for one in Liberation Sans."""
_CONTROL = {
    code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
"""Controls: no SVG may hold the first, and those of direction would turn around what stands beside a label."""


@dataclass(frozen=True, kw_only=True)
class Style:
    """How an arm looks in every figure."""

    colour: str
    """In the light theme."""
    shape: str
    dash: tuple[int, ...]


def styles(results: Results) -> dict[str, Style]:
    """Give every arm its look.

    An arm has the colour of its method's traits. Further arms of one method, and methods without a colour of their own,
    take colours that no arm needs. When none is left, dashed lines and other markers tell arms apart.
    """
    runs = {run.name: run for run in results.runs}
    own: dict[str, str] = {}
    for name, run in sorted(runs.items(), key=lambda item: item[0] != item[1].method):
        role = f"series-{run.traits.color}"
        if run.traits.color and role not in own.values():
            own[name] = role
    spare = [role for role in SERIES_ROLES[1:] if role not in own.values()]
    found, turns = {}, dict.fromkeys(SERIES_ROLES, 0)
    for place, (name, run) in enumerate(runs.items()):
        dealt = SERIES_ROLES[1 + place % (len(SERIES_ROLES) - 1)]
        fallback = f"series-{run.traits.color}" if run.traits.color else dealt
        role = own.get(name) or (spare.pop(0) if spare else fallback)
        found[name] = Style(
            colour=LIGHT[role],
            shape=SHAPES[place % len(SHAPES)],
            dash=tuple(_DASHES[turns[role] % len(_DASHES)]),
        )
        turns[role] += 1
    return found


def colour_scale(looks: Mapping[str, Style]) -> alt.Scale:
    """Return the scale that gives each arm its colour."""
    return alt.Scale(domain=list(looks), range=[look.colour for look in looks.values()])


def shape_scale(looks: Mapping[str, Style]) -> alt.Scale:
    """Return the scale that gives each arm its marker."""
    return alt.Scale(domain=list(looks), range=[look.shape for look in looks.values()])


def dash_scale(looks: Mapping[str, Style]) -> alt.Scale:
    """Return the scale that gives each arm its line."""
    return alt.Scale(domain=list(looks), range=[list(look.dash) for look in looks.values()])


def ramp(share: float) -> tuple[str, str]:
    """Return the fill and the text colour of a cell with a value from 0 to 1."""
    step = min(RAMP_STEPS, max(0, round(share * RAMP_STEPS)))
    return LIGHT[f"ramp-{step}"], LIGHT["on-high" if step >= _FIRST_HIGH_STEP else "on-low"]


def plain(text: str) -> str:
    """Return a label on one line, without control characters."""
    return " ".join(text.split()).translate(_CONTROL)


def labelled(labels: Sequence[str], most: int) -> list[str]:
    """Return labels as a figure shows them: at most so many characters, each different from the others."""
    found: dict[str, None] = {}
    for label in labels:
        shown, turn = _cut(plain(label), most), 1
        while shown in found:
            turn += 1
            mark = f" ({turn})"
            shown = _cut(plain(label), most - len(mark)) + mark
        found[shown] = None
    return list(found)


def _cut(text: str, most: int) -> str:
    """Leave out the middle of a text that is too long: what tells names apart is often at the end."""
    end = most // 4
    return text if len(text) <= most else f"{text[: most - 1 - end]}\u2026{text[-end:]}"


def spelling(names: Sequence[str], most: int) -> dict[str, str]:
    """Return the name of each arm in a figure, at most so many characters."""
    return dict(zip(names, labelled(names, most), strict=True))


def spelt(names: Sequence[str], most: int) -> str:
    """Return the expression by which an axis shows the names of arms."""
    return f"{json.dumps(spelling(names, most))}[datum.value]"


def text_px(text: str) -> float:
    """Estimate the width of small text."""
    return _CHARACTER_PX * len(text)


def extent(names: Sequence[str], limit: float, font_px: float = SMALL_TEXT_PX) -> float:
    """Return the room that an axis keeps for names: what they take in the widest of the fonts that may draw them."""
    return min(_WIDEST_FONT * limit, max(text_px(name) for name in names) * font_px / SMALL_TEXT_PX) + 4


def rows_of(records: Sequence[Mapping[str, Any]]) -> alt.Data:
    """Return records as a chart's data."""
    return alt.Data(values=[dict(record) for record in records])  # type: ignore[no-untyped-call]


def themed(chart: alt.TopLevelMixin) -> Any:
    """Return a whole chart in the look of all figures."""
    axis = {
        "labelColor": LIGHT["muted"],
        "titleColor": LIGHT["muted"],
        "titleFontWeight": "normal",
        "titleFontSize": SMALL_TEXT_PX,
        "labelFontSize": SMALL_TEXT_PX,
        "gridColor": LIGHT["grid"],
        "domainColor": LIGHT["axis"],
        "tickColor": LIGHT["axis"],
        "tickSize": 4,
        "titlePadding": 6,
    }
    configured: Any = chart
    return configured.configure(
        background=LIGHT["page"],
        font=_FONT,
        padding=4,
        aria=False,  # the figure's own words are read out, not thousands of marks
        axis=axis,
        view={"stroke": None},
        title={"color": LIGHT["ink"], "fontSize": 12, "fontWeight": "bold", "anchor": "start", "offset": 8},
        text={"color": LIGHT["ink"], "fontSize": SMALL_TEXT_PX},
        concat={"spacing": 24},
    )
