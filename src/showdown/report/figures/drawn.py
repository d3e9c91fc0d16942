"""An Altair chart drawn as SVG or PNG; no browser and no network is used."""

from typing import Any

import vl_convert

_PIXELS_A_PIXEL = 2
"""PNG files have this many pixels for each of the SVG's, for sharp print."""


def svg(chart: Any) -> str:
    """Draw an Altair chart as SVG."""
    return vl_convert.vegalite_to_svg(chart.to_json())


def png(chart: Any) -> bytes:
    """Draw an Altair chart as PNG."""
    return vl_convert.vegalite_to_png(chart.to_json(), scale=_PIXELS_A_PIXEL)
