"""The machine during a run of each arm: utilisation, power, temperature, processor, memory."""

from collections.abc import Sequence
from math import inf
from typing import Any

import altair as alt

from showdown.core.prices import three_digits
from showdown.core.samples import Sample
from showdown.report.figures.design import PLOT_HEIGHT_PX, Style, colour_scale, dash_scale, rows_of
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material, thinned
from showdown.report.figures.scales import linear_axis, score_axis

METRICS = {
    "gpu_utilisation_percent": "GPU utilisation, %",
    "gpu_power_watts": "GPU power, W",
    "gpu_temperature_c": "GPU temperature, °C",
    "cpu_percent": "Processor, % of one thread",
    "ram_gb": "Process memory, GB",
}
"""By field of a sample: the axis title."""
_WARM = "gpu_temperature_c"
"""Its 0 means nothing."""
_MOST_POINTS = 120
_WIDTH_PX = 286


def system(material: Material) -> Figure | None:
    """Draw a panel for each quantity that was sampled; None where none was."""
    panels, lines = [], []
    met: dict[str, Style] = {}
    for key, title in METRICS.items():
        records: list[dict[str, Any]] = [
            {"row": name, "seconds": seconds, key: value}
            for name, samples in material.sampled.items()
            for seconds, value in thinned(_known(samples, key), _MOST_POINTS)
        ]
        if records:
            met |= {one["row"]: material.looks[one["row"]] for one in records}
            panels.append((key, title, records))
            lines.append(f"{title} at most {three_digits(max(one[key] for one in records))}")
    if not panels:
        return None
    looks = {name: look for name, look in material.looks.items() if name in met}
    return Figure(
        name="system",
        title="The machine over time",
        alt=f"A line for the first run of each row, by seconds since its start. {'; '.join(lines)}.",
        caption="The first run of each row, sampled while it went on.",
        panels=tuple(_panel(looks, key, title, records) for key, title, records in panels),
        columns=3,
        legend=looks,
    )


def _known(samples: Sequence[Sample], key: str) -> list[tuple[float, float]]:
    read = [(sample.seconds, getattr(sample, key)) for sample in samples]
    return [(seconds, value) for seconds, value in read if value is not None]


def _panel(looks: dict[str, Style], key: str, title: str, records: list[dict[str, Any]]) -> Any:
    x = linear_axis([max(one["seconds"] for one in records)])
    values = [one[key] for one in records]
    y = score_axis([min(values)], [max(values)], inf, headroom=True) if key == _WARM else linear_axis(values)
    chart: Any = alt.Chart(rows_of(records))
    return (
        chart.mark_line(strokeWidth=1.5, opacity=0.9)
        .encode(
            x=alt.X("seconds:Q", scale=x.scale, axis=x.drawn("Seconds since the start", grid=False)),
            y=alt.Y(f"{key}:Q", scale=y.scale, axis=y.drawn(title, domain=False, ticks=False)),
            color=alt.Color("row:N", scale=colour_scale(looks), legend=None),
            strokeDash=alt.StrokeDash("row:N", scale=dash_scale(looks), legend=None),
        )
        .properties(width=_WIDTH_PX, height=PLOT_HEIGHT_PX - 30)
    )
