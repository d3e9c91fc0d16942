"""Memory over the time of a run, with its phases behind it."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import altair as alt

from showdown.core.samples import Sample
from showdown.report.figures.design import LIGHT, PLOT_HEIGHT_PX, rows_of, text_px
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material, thinned
from showdown.report.figures.scales import Axis, linear_axis

_MOST_POINTS = 200
_WIDTH_PX = 286
_HEIGHT_PX = PLOT_HEIGHT_PX - 30


def memory_over_time(material: Material) -> Figure | None:
    """Draw the memory of one run of each arm; None where none was sampled."""
    sampled = material.sampled
    on_gpu = any(sample.gpu_memory_gb is not None for samples in sampled.values() for sample in samples)
    lines = {name: line for name, samples in sampled.items() if (line := _line(samples, on_gpu=on_gpu))}
    if not lines:
        return None
    y = linear_axis([value for line in lines.values() for _, value in line])
    title = "GPU memory, GB" if on_gpu else "Process memory, GB"
    text = "; ".join(f"{name}: {max(value for _, value in line):.2f} GB at most" for name, line in lines.items())
    return Figure(
        name="memory-over-time",
        title="Memory over time",
        alt=f"{title}, over the time of a run, with its phases. {text}.",
        caption="The first run of each row, sampled while it went on; a peak between two samples may be missed. "
        "Bands are phases, those of training blue; a name stands where there is room for it.",
        panels=tuple(
            _panel(material, name, line, phases_of(sampled[name]), (y, title)) for name, line in lines.items()
        ),
        columns=3,
        legend={},
    )


def _line(samples: Sequence[Sample], *, on_gpu: bool) -> list[tuple[float, float]]:
    read = [(sample.seconds, sample.gpu_memory_gb if on_gpu else sample.ram_gb) for sample in samples]
    known = [(seconds, value) for seconds, value in read if value is not None]
    return thinned(known, _MOST_POINTS, max) if len(known) > 1 else []


def phases_of(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return the phases that samples met, each from its first sample to the next phase's first."""
    spans = []
    for phase, found in groupby(samples, key=lambda sample: sample.phase or ""):
        spans.append((phase, next(found).seconds))
    ends = [start for _, start in spans[1:]] + [samples[-1].seconds]
    return [
        {"phase": phase, "start": start, "end": end} for (phase, start), end in zip(spans, ends, strict=True) if phase
    ]


def _panel(
    material: Material,
    name: str,
    line: Sequence[tuple[float, float]],
    phases: Sequence[dict[str, Any]],
    up: tuple[Axis, str],
) -> Any:
    y, title = up
    x = linear_axis([*(seconds for seconds, _ in line), *(one["end"] for one in phases)])
    across = x.drawn("Seconds since the start", grid=False)
    bands = [{**one, "band": LIGHT["band-strong" if one["phase"] == "training" else "band"]} for one in phases]
    layers: list[Any] = []
    if bands:
        layers.append(
            alt.Chart(rows_of(bands))
            .mark_rect(stroke=LIGHT["page"], strokeWidth=0.5, opacity=0.65)
            .encode(
                x=alt.X("start:Q", scale=x.scale, axis=across),
                x2="end:Q",
                y=alt.value(0),
                y2=alt.value(_HEIGHT_PX),
                color=alt.Color("band:N", scale=None),
            )
        )
    roomy = [
        one
        for one in _merged(phases)
        if _WIDTH_PX * (x.share(one["end"]) - x.share(one["start"])) > text_px(one["phase"]) + 6
    ]
    if roomy:
        layers.append(
            alt.Chart(rows_of([{**one, "middle": (one["start"] + one["end"]) / 2} for one in roomy]))
            .mark_text(baseline="bottom", color=LIGHT["muted"], fontSize=10)
            .encode(x=alt.X("middle:Q", scale=x.scale, axis=across), y=alt.value(-2), text="phase:N")
        )
    records = [{"row": name, "seconds": seconds, "gb": value} for seconds, value in line]
    layers.append(
        alt.Chart(rows_of(records))
        .mark_line(color=material.looks[name].colour, strokeWidth=1.75, interpolate="linear")
        .encode(
            x=alt.X("seconds:Q", scale=x.scale, axis=across),
            y=alt.Y("gb:Q", scale=y.scale, axis=y.drawn(title, domain=False, ticks=False)),
        )
    )
    head = alt.TitleParams(text=material.titles[name], offset=18)
    return alt.layer(*layers, title=head).properties(width=_WIDTH_PX, height=_HEIGHT_PX)


def _merged(phases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each phase's longest stretch: one name for each is enough."""
    longest: dict[str, dict[str, Any]] = {}
    for one in phases:
        known = longest.get(one["phase"])
        if known is None or one["end"] - one["start"] > known["end"] - known["start"]:
            longest[one["phase"]] = one
    return list(longest.values())
