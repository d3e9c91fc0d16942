"""Training curves: the loss of every step and a score of every validation, all runs of an arm in its panel."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import altair as alt

from showdown.core.record import RunRecord
from showdown.report.figures.design import PLOT_HEIGHT_PX, rows_of
from showdown.report.figures.figure import Figure
from showdown.report.figures.material import Material, thinned
from showdown.report.figures.scales import linear_axis, score_axis

_MOST_POINTS = 150
_WIDTH_PX = 286
_CROWD = 4
_SCORES = {"f1_macro": "macro F1", "token_accuracy": "token accuracy"}
"""Scores of an epoch by their key in `curve.json`, one for each task."""
_SHARE_OF_TOKENS = (
    " Token accuracy: of the tokens of the wanted answers those that are the network's first choice, each behind the "
    "wanted ones before it."
)


def training_loss(material: Material) -> Figure | None:
    """Draw the training loss; None where no arm was trained in steps."""
    records = {}
    for name, runs in material.done.items():
        found = [record for run in runs for record in _losses(material, run)]
        if found:
            records[name] = found
    if not records:
        return None
    longest = max(len((material.curve(run) or {}).get("training", {}).get("step", [])) for run in _all(material))
    bins = -(-longest // _MOST_POINTS)
    return Figure(
        name="training-loss",
        title="Training loss",
        alt=f"Loss by optimiser step, a line a run. {_ends(records, 'loss', '{:.2f} over the last tenth')}",
        caption="A line is one run (seed, fold or repeat)." + (f" Means of {bins} steps." if bins > 1 else ""),
        panels=tuple(
            _panel(material, name, found, _everything(records), ("step", "Optimiser step"), ("loss", "Training loss"))
            for name, found in records.items()
        ),
        columns=3,
        legend={},
    )


def validation_score(material: Material) -> Figure | None:
    """Draw the score on the validation rows after each epoch; None where none was measured."""
    for key, title in _SCORES.items():
        records = {
            name: found
            for name, runs in material.done.items()
            if (found := [record for run in runs for record in _validations(material, run, key)])
        }
        if records:
            return _validation_figure(material, records, key, title)
    return None


def _validation_figure(material: Material, records: dict[str, list[dict[str, Any]]], key: str, title: str) -> Figure:
    capital = f"{title[0].upper()}{title[1:]}"
    of_tokens = _SHARE_OF_TOKENS if key == "token_accuracy" else ""
    return Figure(
        name="validation-score",
        title=f"{capital} on the validation rows",
        alt=f"{capital} after each epoch, a line a run. {_ends(records, key, '{:.2f} after the last epoch')}",
        caption="A line is one run (seed, fold or repeat). Validation rows choose the epoch, test rows score it."
        + of_tokens,
        panels=tuple(
            _panel(material, name, found, _everything(records), ("epoch", "Epoch"), (key, f"Validation {title}"))
            for name, found in records.items()
        ),
        columns=3,
        legend={},
    )


def _all(material: Material) -> list[RunRecord]:
    return [run for runs in material.done.values() for run in runs]


def _everything(records: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [record for found in records.values() for record in found]


def _said(run: RunRecord) -> str:
    return f"seed {run.seed}, part {run.partition}"


def _losses(material: Material, run: RunRecord) -> list[dict[str, Any]]:
    training = (material.curve(run) or {}).get("training") or {}
    pairs = list(zip(training.get("step", ()), training.get("loss", ()), strict=False))
    return [
        {"row": run.name, "run": _said(run), "step": step, "loss": loss} for step, loss in thinned(pairs, _MOST_POINTS)
    ]


def _validations(material: Material, run: RunRecord, key: str) -> list[dict[str, Any]]:
    epochs = (material.curve(run) or {}).get("validation") or []
    return [
        {"row": run.name, "run": _said(run), "epoch": epoch["epoch"], key: epoch[key]}
        for epoch in epochs
        if key in epoch
    ]


def _ends(records: dict[str, list[dict[str, Any]]], key: str, form: str) -> str:
    parts = []
    for name, found in records.items():
        by_run: dict[str, list[float]] = {}
        for record in found:
            by_run.setdefault(record["run"], []).append(record[key])
        last = [fmean(values[-max(1, len(values) // 10) :]) for values in by_run.values()]
        parts.append(f"{name}: {form.format(fmean(last))}")
    return "; ".join(parts) + "."


def _panel(
    material: Material,
    name: str,
    records: list[dict[str, Any]],
    everything: Sequence[dict[str, Any]],
    across: tuple[str, str],
    up: tuple[str, str],
) -> Any:
    values = [record[up[0]] for record in everything]
    y = score_axis([min(values)], [max(values)], 1.0, headroom=True) if up[0] in _SCORES else linear_axis(values)
    x = linear_axis([record[across[0]] for record in everything])
    ticks = sorted({round(tick) for tick in x.ticks})
    if across[0] == "epoch" and len({record["epoch"] for record in everything}) <= 10:
        ticks = sorted({int(record["epoch"]) for record in everything})
    runs = len({record["run"] for record in records})
    look = material.looks[name]
    chart: Any = alt.Chart(rows_of(records), title=material.titles[name])
    points = {"size": 30, "filled": True, "color": look.colour} if across[0] == "epoch" else False
    return (
        chart.mark_line(
            color=look.colour,
            strokeDash=list(look.dash),
            strokeWidth=1.5,
            opacity=0.9 if runs < _CROWD else 0.5,
            point=points,
            clip=False,
        )
        .encode(
            x=alt.X(
                f"{across[0]}:Q", scale=x.scale, axis=alt.Axis(title=across[1], values=ticks, format="d", grid=False)
            ),
            y=alt.Y(f"{up[0]}:Q", scale=y.scale, axis=y.drawn(up[1], domain=False, ticks=False)),
            detail="run:N",
        )
        .properties(width=_WIDTH_PX, height=PLOT_HEIGHT_PX - 30)
    )
