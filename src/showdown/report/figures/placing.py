"""Names beside points without overlap: a greedy search over places around each point.

The first place that is free of points, whiskers and names already placed is taken, the nearest first (the point-feature
labelling of Christensen, Marks and Shieber, ACM Transactions on Graphics 14(3), 1995, in its simplest form).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from showdown.report.figures.design import text_px

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""

_HEIGHT_PX = 12.0
_POINT_PX = 5.0
_GAP_PX = 8.0
_ROOM_PX = 2.0
_UNCLEAR = 12.0
_FAR_PX = 16.0
_LIFTS_PX = (0.0, -9.0, 9.0, -13.0, 13.0, -18.0, 18.0, -24.0, 24.0, -32.0, 32.0, -42.0, 42.0)


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A point in pixels, its name, and the vertical whisker through it."""

    name: str
    x: float
    y: float
    top: float
    bottom: float


@dataclass(frozen=True, kw_only=True)
class Label:
    """Where a name goes: the pixel at which its text starts or ends."""

    name: str
    x: float
    y: float
    align: Literal["left", "right", "center"]

    def is_far_from(self, spot: Spot) -> bool:
        """Whether a line should lead from the point to its name."""
        return abs(self.y - spot.y) > _FAR_PX

    @property
    def box(self) -> Box:
        """Left, top, right and bottom."""
        width = text_px(self.name)
        left = {"left": self.x, "right": self.x - width, "center": self.x - width / 2}[self.align]
        return left, self.y - _HEIGHT_PX / 2, left + width, self.y + _HEIGHT_PX / 2


def place(
    spots: Sequence[Spot], width: float, height: float, lines: Sequence[Box] = (), nameless: Sequence[Spot] = ()
) -> list[Label]:
    """Place the names of points in a plot of this size, off lines and all points; in the order of the points."""
    every = [*spots, *nameless]
    obstacles = [*lines, *(_point(spot) for spot in every)] + [
        (spot.x - 1.5, spot.top, spot.x + 1.5, spot.bottom) for spot in every if spot.bottom > spot.top
    ]
    placed: dict[str, Label] = {}
    for spot in sorted(spots, key=lambda one: one.x, reverse=True):
        taken = [*obstacles, *(label.box for label in placed.values())]
        places = _places(spot)
        dear = [
            _overlap(_reach(label), taken) + _outside(label, width, height) + _unclear(label, spot, every)
            for label in places
        ]
        placed[spot.name] = places[dear.index(min(dear))]
    return [placed[spot.name] for spot in spots]


def _places(spot: Spot) -> list[Label]:
    found = []
    for lift in _LIFTS_PX:
        found.append(Label(name=spot.name, x=spot.x + _GAP_PX, y=spot.y + lift, align="left"))
        found.append(Label(name=spot.name, x=spot.x - _GAP_PX, y=spot.y + lift, align="right"))
        if abs(lift) > _HEIGHT_PX:
            found.append(Label(name=spot.name, x=spot.x, y=spot.y + lift, align="center"))
    return found


def _point(spot: Spot) -> Box:
    return spot.x - _POINT_PX, spot.y - _POINT_PX, spot.x + _POINT_PX, spot.y + _POINT_PX


def _reach(label: Label) -> Box:
    """Return the box of a name with the gap to its point, and a little room at its other end."""
    left, top, right, bottom = label.box
    near, far = _GAP_PX - _POINT_PX, _ROOM_PX
    before, after = {"left": (near, far), "right": (far, near), "center": (far, far)}[label.align]
    return left - before, top, right + after, bottom


def _overlap(box: Box, taken: Sequence[Box]) -> float:
    left, top, right, bottom = box
    return sum(
        max(0.0, min(right, other[2]) - max(left, other[0])) * max(0.0, min(bottom, other[3]) - max(top, other[1]))
        for other in taken
    )


def _unclear(label: Label, spot: Spot, spots: Sequence[Spot]) -> float:
    """Count a name that stands nearer to another point than to its own: a place that overlaps a little is better."""
    own = _distance(label.box, spot)
    return _UNCLEAR if any(_distance(label.box, other) < own for other in spots if other is not spot) else 0.0


def _distance(box: Box, spot: Spot) -> float:
    left, top, right, bottom = box
    return math.hypot(max(left - spot.x, 0.0, spot.x - right), max(top - spot.y, 0.0, spot.y - bottom))


def _outside(label: Label, width: float, height: float) -> float:
    """Count pixels beyond the plot, dear enough that any place inside is better."""
    left, top, right, bottom = label.box
    return 50.0 * sum(max(0.0, beyond) for beyond in (-left, right - width - 14, -top - 4, bottom - height - 4))
