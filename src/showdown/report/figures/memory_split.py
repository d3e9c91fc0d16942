"""What the peak of memory while training was made of."""

from typing import Any

import altair as alt

from showdown.core.record import MemorySplit, RunRecord
from showdown.report.figures.design import LIGHT, MOST_OF_A_NAME, PANEL_PX, extent, labelled, rows_of, spelt
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material
from showdown.report.figures.scales import linear_axis

PARTS = {
    "libraries_gb": ("Libraries", "ramp-2"),
    "weights_gb": ("Weights", "ramp-10"),
    "gradients_gb": ("Gradients", "series-orange"),
    "optimiser_gb": ("Optimiser", "ramp-6"),
    "activations_gb": ("Activations", "series-green"),
}
"""By field of the record: what it is called, and the role of its colour; stacked in this order."""
_NAMES_PX = 138.0


def memory_split(material: Material) -> Figure | None:
    """Draw a bar for each arm whose peak was split into parts; None where none was."""
    found = {name: run for name, runs in material.done.items() for run in [_largest(runs)] if run is not None}
    if not found:
        return None
    records = [record for name, run in found.items() for record in _records(name, run.memory_split)]
    shown = {key: PARTS[key] for key in PARTS if any(one["part"] == PARTS[key][0] and one["gb"] for one in records)}
    kind = "resident memory of the process" if _on_cpu(found) else "memory allocated on the GPU"
    text = "; ".join(
        f"{name}: "
        + ", ".join(f"{one['part'].lower()} {one['gb']:.2f}" for one in records if one["row"] == name and one["gb"])
        for name in found
    )
    return Figure(
        name="memory-split",
        title="What the memory is for",
        alt=f"Stacked bars of the peak of {kind} while training, GB. {text}.",
        caption=f"The peak of {kind} while training, of the run with the largest. Activations are the rest. "
        "A row without gradients had none at its peak: they came as activations went.",
        panels=(_panel(records, list(found), list(shown.values())),),
        columns=1,
        legend={},
    )


def _largest(runs: list[RunRecord]) -> RunRecord | None:
    split = [run for run in runs if run.memory_split is not None]
    return max(split, key=lambda run: _total(run.memory_split), default=None)


def _total(split: MemorySplit | None) -> float:
    return sum(split.model_dump().values()) if split else 0.0


def _on_cpu(runs: dict[str, RunRecord]) -> bool:
    return any(run.memory_kind == "process resident set" for run in runs.values())


def _records(name: str, split: MemorySplit | None) -> list[dict[str, Any]]:
    values = split.model_dump() if split else {}
    return [
        {"row": name, "part": word, "order": place, "gb": values.get(key, 0.0)}
        for place, (key, (word, _)) in enumerate(PARTS.items())
    ]


def _panel(records: list[dict[str, Any]], names: list[str], parts: list[tuple[str, str]]) -> Any:
    totals = {name: sum(one["gb"] for one in records if one["row"] == name) for name in names}
    x = linear_axis(list(totals.values()))
    room = extent(labelled(names, MOST_OF_A_NAME), _NAMES_PX)
    width = PANEL_PX - 40 - room - 8
    y = alt.Y(
        "row:N",
        sort=names,
        title=None,
        axis=alt.Axis(
            domain=False,
            ticks=False,
            labelExpr=spelt(names, MOST_OF_A_NAME),
            labelLimit=int(_NAMES_PX),
            minExtent=room,
        ),
    )
    bars = (
        alt.Chart(rows_of([one for one in records if one["gb"]]))
        .mark_bar(stroke=LIGHT["page"], strokeWidth=1, height=18)
        .encode(
            x=alt.X("gb:Q", stack="zero", scale=x.scale, axis=x.drawn("Peak while training, GB")),
            y=y,
            order="order:Q",
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=[word for word, _ in parts], range=[LIGHT[role] for _, role in parts]),
                legend=alt.Legend(
                    title=None, orient="bottom", columns=3, labelColor=LIGHT["ink"], symbolType="square", offset=6
                ),
            ),
        )
    )
    ends = [{"row": name, "total_gb": total, "shown": f"{total:.2f}"} for name, total in totals.items()]
    sums = (
        alt.Chart(rows_of(ends))
        .mark_text(align="left", baseline="middle", dx=5, color=LIGHT["ink"])
        .encode(x=alt.X("total_gb:Q"), y=y, text="shown:N")
    )
    return alt.layer(bars, sums).properties(width=width, height=26 * len(names))
