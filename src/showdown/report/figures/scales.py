"""Axes whose ends and ticks are known before anything is drawn, so that labels can be placed without overlap."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import altair as alt

from showdown.report.figures.design import text_px

_FEW_TICKS = 5
_FORMAT = ".6~r"
"""Six digits at most. Without a precision Vega would take one from a number of ticks of its own, and round ours."""
_GAP_PX = 4.0
"""Between the numbers at neighbouring ticks."""
_WIDE = 30.0
"""Where the largest value is this many times the smallest positive one, a linear axis would crush the small ones."""
_HEADROOM = 1.04
_ALIKE = 0.5
"""Where the least is more than this part of the largest, an axis from 0 would be half empty."""
_HEADROOM_OF_SCORES = 0.06


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A quantitative axis."""

    low: float
    high: float
    ticks: tuple[float, ...]
    constant: float | None = None
    """Of a symmetrical logarithm, log(1 + value / constant), which has room for 0; None for a linear axis."""

    def share(self, value: float) -> float:
        """Return where a value lies, 0 at the low end and 1 at the high one."""
        low, high, at = (self._bent(number) for number in (self.low, self.high, value))
        return (at - low) / (high - low)

    def _bent(self, value: float) -> float:
        return value if self.constant is None else math.copysign(math.log1p(abs(value) / self.constant), value)

    def at(self, share: float) -> float:
        """Return the value that lies at a share of the axis; the inverse of `share`."""
        low, high = self._bent(self.low), self._bent(self.high)
        bent = low + share * (high - low)
        return bent if self.constant is None else math.copysign(math.expm1(abs(bent)) * self.constant, bent)

    @property
    def scale(self) -> alt.Scale:
        """Return the scale for Altair."""
        domain = [self.low, self.high]
        if self.constant is None:
            return alt.Scale(domain=domain, nice=False, zero=False)
        return alt.Scale(domain=domain, nice=False, zero=False, type="symlog", constant=self.constant)

    def thinned(self, width: float) -> "Axis":
        """Return an axis of this many pixels with as many of the ticks as have room for their numbers."""
        zero = self.ticks[:1] if self.constant is not None else ()
        rest = self.ticks[len(zero) :]
        tried = [(*zero, *rest[start::stride]) for stride in range(1, len(rest) + 1) for start in range(len(rest))] or [
            self.ticks
        ]
        return replace(
            self, ticks=max((ticks for ticks in tried if self._has_room(ticks, width)), key=len, default=rest[:1])
        )

    def _has_room(self, ticks: Sequence[float], width: float) -> bool:
        spans = [(width * self.share(tick), text_px(tick_text(tick)) / 2) for tick in ticks]
        return all(other - one >= half + other_half + _GAP_PX for (one, half), (other, other_half) in pairwise(spans))

    def drawn(self, title: str, **given: object) -> alt.Axis:
        """Return its line, ticks and title, which names a logarithmic scale."""
        text = title if self.constant is None else f"{title} (log scale)"
        settings: dict[str, Any] = {"values": list(self.ticks), "format": _FORMAT, **given}
        return alt.Axis(title=text, **settings)


def tick_text(tick: float) -> str:
    """Return the number that an axis shows at a tick."""
    return f"{tick:.9f}".rstrip("0").rstrip(".")


def nice_step(span: float, ticks: int = _FEW_TICKS) -> float:
    """Return 1, 2 or 5 times a power of ten that divides a span into about as many parts."""
    if span <= 0:
        return 1.0
    rough = span / ticks
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if rough <= power * factor * (1 + 1e-9))


def amount_axis(values: Sequence[float], ticks: int = _FEW_TICKS) -> Axis:
    """Return an axis for amounts, such as seconds or GB.

    It starts at 0, or later where amounts are much alike, and is logarithmic where they differ in size very much.
    """
    low, high = min(values, default=0.0), max(values, default=0.0)
    positive = [value for value in values if value > 0]
    if positive and high / min(positive) > _WIDE:
        return _log_axis(positive, high)
    if low > _ALIKE * high:
        return score_axis([low], [high], math.inf, headroom=True)
    return linear_axis(values, ticks)


def linear_axis(values: Sequence[float], ticks: int = _FEW_TICKS) -> Axis:
    """Return an axis from 0 for what runs on evenly, such as steps or seconds since a start."""
    high = max(values, default=0.0) or 1.0
    return Axis(low=0.0, high=high * _HEADROOM, ticks=_multiples(0.0, high * _HEADROOM, nice_step(high, ticks)))


def change_axis(values: Sequence[float]) -> Axis:
    """Return a linear axis for changes, such as rises of a loss: it holds 0, and goes below it where values do."""
    low, high = min([0.0, *values]), max([0.0, *values])
    if low == high:
        high = 1.0
    room = (_HEADROOM - 1) * (high - low)
    start, end = (low - room if low < 0 else 0.0), high + room
    return Axis(low=start, high=end, ticks=_multiples(start, end, nice_step(high - low)))


def _log_axis(positive: Sequence[float], high: float) -> Axis:
    constant = max(min(positive), high / 10_000)
    powers = range(math.floor(math.log10(constant)), math.ceil(math.log10(high)) + 1)
    ticks = [10.0**power for power in powers if constant <= 10.0**power <= high * 1.5]
    ticks = [float(f"{tick:.1g}") for tick in ticks]
    top = max(high * 1.15, ticks[-1] if ticks else high)
    return Axis(low=0.0, high=top, ticks=(0.0, *ticks), constant=constant)


def score_axis(
    lows: Sequence[float], highs: Sequence[float], limit: float, *, least: float = 0.0, headroom: bool = False
) -> Axis:
    """Return an axis for scores from the least to a limit, as long as the intervals need, or a little longer."""
    step = nice_step(max(highs) - min(lows) or 0.1 * max(highs) or 0.1)
    low = max(least, math.floor(min(lows) / step + 1e-9) * step)
    high = min(limit, math.ceil(max(highs) / step - 1e-9) * step)
    if high <= low:
        low, high = (high - step, high) if high >= least + step else (least, least + step)
    room = _HEADROOM_OF_SCORES * (high - low) if headroom else 0.0
    return Axis(low=low - (room if low > least else 0.0), high=high + room, ticks=_multiples(low, high, step))


def _multiples(low: float, high: float, step: float) -> tuple[float, ...]:
    first = math.ceil(low / step - 1e-9)
    return tuple(float(f"{step * number:.6g}") for number in range(first, math.floor(high / step + 1e-9) + 1))
