"""An Altair chart drawn as SVG or PNG; no browser and no network is used."""

from typing import Any

import vl_convert
from altair.utils.schemapi import debug_mode

_PIXELS_A_PIXEL = 2
"""PNG files have this many pixels for each of the SVG's, for sharp print."""
UNCHECKED = debug_mode(False)
"""Decorates what makes charts: Altair checks each part by its schema otherwise, which takes longer than to draw it."""


@UNCHECKED
def svg(chart: Any) -> str:
    """Draw an Altair chart as SVG."""
    return vl_convert.vegalite_to_svg(chart.to_json(validate=False))


@UNCHECKED
def png(chart: Any) -> bytes:
    """Draw an Altair chart as PNG."""
    return vl_convert.vegalite_to_png(chart.to_json(validate=False), scale=_PIXELS_A_PIXEL)
