"""Figures: their values are those of the records, empty ones are left out, and every eye can tell rows apart."""

import json
import math
import random
import re
import shutil
import struct
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import altair as alt
import numpy as np
import pytest
from traced_comparison import EPOCHS, SAMPLES, STEPS, write_traced
from written_comparison import HOSTILE, METHODS, write_comparison

from showdown.core.record import Results
from showdown.report.figures.confusion import MOST_CONFUSIONS, MOST_LABELS, MOST_PANELS
from showdown.report.figures.design import (
    DARK,
    LIGHT,
    PANEL_PX,
    RAMP_STEPS,
    SERIES_ROLES,
    labelled,
    ramp,
    rows_of,
    styles,
    text_px,
    themed,
)
from showdown.report.figures.drawn import svg
from showdown.report.figures.figure import Figure, records_of
from showdown.report.figures.gallery import figures_of
from showdown.report.figures.label_f1 import MOST_ROWS
from showdown.report.figures.material import thinned
from showdown.report.figures.placing import Spot, place
from showdown.report.figures.save import write_figures
from showdown.report.figures.scales import amount_axis, linear_axis, score_axis, tick_text
from showdown.report.page.drawing import ROOM_PX
from showdown.report.pool import label_scores, pooled_scores
from showdown.verdict.cost import own_price
from showdown.verdict.model import Verdict
from showdown.verdict.summary import judge

Drawn = tuple[Results, Verdict, dict[str, Figure]]


def drawn_from(results: Results, folder: Path) -> Drawn:
    verdict = judge(results, folder)
    return results, verdict, {figure.name: figure for figure in figures_of(results, verdict, folder)}


def panel_title(panel: Any) -> str:
    return str(panel.to_dict().get("title") or panel.to_dict()["layer"][0]["title"])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    folder = tmp_path_factory.mktemp("figures") / "out"
    results = write_traced(folder, gpu="NVIDIA H200", seeds=(0, 1), labels=HOSTILE, failed={"qlora": "needs 9 GB"})
    return drawn_from(results, folder)


def test_scores_are_those_of_the_verdict(drawn: Drawn) -> None:
    _, verdict, figures = drawn
    scored = [row for row in verdict.rows if row.accuracy and row.f1_macro]
    accuracy, f1_macro = map(records_of, figures["scores"].panels)
    assert [one["row"] for one in accuracy] == [row.name for row in scored] == ["majority", "tfidf", "full", "lora"]
    for row, one, other in zip(scored, accuracy, f1_macro, strict=True):
        assert (one["value"], one["low"], one["high"]) == tuple(
            pytest.approx(100 * value) for value in (row.accuracy.value, row.accuracy.low, row.accuracy.high)
        )
        assert (other["value"], other["low"], other["high"]) == (
            row.f1_macro.value,
            row.f1_macro.low,
            row.f1_macro.high,
        )
        assert one["shown"] == f"{100 * row.accuracy.value:.1f}"


@pytest.mark.parametrize("name", ["trade-off", "pareto"])
def test_points_lie_at_what_was_measured(drawn: Drawn, name: str) -> None:
    _, verdict, figures = drawn
    rows = {row.name: row for row in verdict.rows}
    met = set()
    for record in figures[name].records:
        for key in ("memory_gb", "train_seconds", "cost", "model_size_mb", "latency_ms"):
            if "row" in record and key in record:
                row = rows[record["row"]]
                measured = row.cost.model if key == "cost" else getattr(row, key)
                assert record[key] == measured
                assert record["score"] == pytest.approx(100 * row.accuracy.value)
                met.add((record["row"], key))
    keys = 3 if name == "trade-off" else 5
    assert len(met) == 4 * keys
    assert {row for row, _ in met} == {"majority", "tfidf", "full", "lora"}


def test_a_row_is_grey_exactly_where_another_beats_it(drawn: Drawn) -> None:
    greyed = 0
    for panel in drawn[2]["pareto"].panels:
        points = [one for one in records_of(panel) if "greyed" in one]
        (key,) = set(points[0]) & {"memory_gb", "train_seconds", "cost", "model_size_mb", "latency_ms"}
        for one in points:
            beaten = any(
                other[key] <= one[key]
                and other["score"] >= one["score"]
                and (other[key], other["score"]) != (one[key], one["score"])
                for other in points
            )
            assert one["greyed"] == beaten
            assert (one["colour"] == LIGHT["passed-over"]) == beaten
            greyed += beaten
    assert greyed


def test_curves_hold_every_step_and_epoch_of_every_run(drawn: Drawn) -> None:
    results, _, figures = drawn
    done = [run for run in results.runs if run.curve_file]
    assert {run.name for run in done} == {"full", "lora"}
    losses, validations = figures["training-loss"].records, figures["validation-score"].records
    assert len(losses) == len(done) * STEPS
    assert len(validations) == len(done) * EPOCHS
    assert {one["run"] for one in losses} == {"seed 0, part 0", "seed 1, part 0"}
    assert all(one["f1_macro"] == pytest.approx(0.2 + 0.2 * one["epoch"], abs=0.2) for one in validations)


def test_samples_and_memory_split_are_drawn_as_written(drawn: Drawn) -> None:
    results, _, figures = drawn
    full = next(run for run in results.runs if run.name == "full")
    seconds = [one for one in figures["memory-over-time"].records if one.get("row") == "full"]
    assert len(seconds) == SAMPLES  # the torn last line is passed over
    (panel,) = (panel for panel in figures["memory-over-time"].panels if panel.title.text == "full")
    phases = [one["phase"] for one in panel.layer[0].data.values]
    assert phases == ["start", "loading", "training", "validation", "training", "validation", "saving", "prediction"]
    assert full.memory_split is not None
    bars = [one for one in figures["memory-split"].records if one["row"] == "full" and "part" in one]
    largest = max(
        (run.memory_split for run in results.runs if run.name == "full" and run.memory_split),
        key=lambda split: split.activations_gb,
    )
    assert {one["part"]: one["gb"] for one in bars} == {
        "Weights": largest.weights_gb,
        "Gradients": 0.2,
        "Optimiser": 0.5,
        "Activations": largest.activations_gb,
    }
    assert len(figures["system"].panels) == 5
    assert max(one["gpu_power_watts"] for one in figures["system"].records if "gpu_power_watts" in one) <= 590


def test_label_scores_and_confusions_add_up_to_the_records(drawn: Drawn) -> None:
    results, _, figures = drawn
    done: dict[str, list] = {}
    for run in results.runs:
        if run.status == "completed":
            done.setdefault(run.name, []).append(run)
    drawn_f1 = sorted(one["f1"] for one in figures["label-f1"].records if one["row"] == "lora")
    assert drawn_f1 == pytest.approx(sorted(one.f1["lora"] for one in label_scores(done)))
    assert fmean(drawn_f1) == pytest.approx(fmean(scores.f1_macro for scores in pooled_scores(done["lora"])))
    for name, runs in done.items():
        (panel,) = (one for one in figures["confusion"].panels if panel_title(one) == name)
        cells = records_of(panel)
        assert sum(one["rows"] for one in cells) == sum(sum(map(sum, run.confusion_matrix)) for run in runs)
        right = sum(one["rows"] for one in cells if one["true"] == one["predicted"])
        assert right == sum(row[place] for run in runs for place, row in enumerate(run.confusion_matrix))


def test_empty_figures_are_left_out(tmp_path: Path) -> None:
    _, _, figures = drawn_from(write_comparison(tmp_path / "out"), tmp_path / "out")
    assert set(figures) == {"trade-off", "scores", "pareto", "label-f1", "confusion"}
    nothing = write_comparison(tmp_path / "failed", failed=dict.fromkeys(METHODS, "needs 99 GB"))
    assert drawn_from(nothing, tmp_path / "failed")[2] == {}


def test_a_row_without_a_curve_has_no_panel(drawn: Drawn) -> None:
    assert [panel.title for panel in drawn[2]["training-loss"].panels] == ["full", "lora"]


def test_many_labels_are_cut_to_the_most_frequent_confusions(tmp_path: Path) -> None:
    labels = [f"label number {place} " + 12 * "long " for place in range(MOST_LABELS + 30)]
    results, _, figures = drawn_from(write_comparison(tmp_path / "out", labels=labels, rows=240), tmp_path / "out")
    figure = figures["confusion"]
    assert "of 60 labels" in figure.alt
    for panel, run in zip(figure.panels, results.runs, strict=True):
        wrong = [n for i, row in enumerate(run.confusion_matrix) for j, n in enumerate(row) if i != j and n]
        drawn_rows = [one["rows"] for one in records_of(panel)]
        assert drawn_rows == sorted(wrong, reverse=True)[:MOST_CONFUSIONS]
        assert all(len(one["confusion"]) < 60 for one in records_of(panel))


def test_of_many_rows_those_with_the_highest_accuracy_have_matrices(tmp_path: Path) -> None:
    methods = {f"arm-{place}": ("lora", "LoRA", (place * 7 % 24) / 24) for place in range(24)}
    results, _, figures = drawn_from(write_comparison(tmp_path / "out", methods=methods), tmp_path / "out")
    ranked = sorted(results.runs, key=lambda run: -(run.accuracy or 0.0))
    drawn_names = {panel_title(panel) for panel in figures["confusion"].panels}
    assert len(drawn_names) == MOST_PANELS
    assert {run.name for run in ranked[: MOST_PANELS - 2]} <= drawn_names
    assert len({one["row"] for one in figures["label-f1"].records}) == MOST_ROWS
    assert f"The {MOST_ROWS} rows of {len(methods)} with the highest accuracy" in figures["label-f1"].caption
    assert f"The {MOST_PANELS} rows of {len(methods)} with the highest accuracy" in figures["confusion"].caption


def test_labels_that_look_alike_stay_apart(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    _, _, figures = drawn_from(write_comparison(folder, labels=("a b", "a\nb", "c")), folder)
    assert len({one["label"] for one in figures["label-f1"].records}) == 3


def test_files_are_whole_drawings_even_with_hostile_labels(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    methods = {name: METHODS[name] for name in ("tfidf", "lora")}
    results = write_comparison(folder, labels=(*HOSTILE[:5], "a\x00\x07bell"), methods=methods)
    target = write_figures(results, judge(results, folder), folder)
    names = {path.name for path in target.iterdir()}
    assert {"trade-off.svg", "trade-off.png", "label-f1.svg", "label-f1.png"} <= names
    for path in target.glob("*.svg"):
        root = ET.fromstring(path.read_text(encoding="utf-8"))
        assert root.tag.endswith("svg")
        assert not [one for one in root.iter() if one.tag.endswith(("script", "image", "foreignObject"))]
        assert float(root.attrib["width"]) < 1200
    words = "".join(ET.fromstring((target / "label-f1.svg").read_text(encoding="utf-8")).itertext())
    assert "<script>alert('1')" in words
    width, height = struct.unpack(">II", (target / "scores.png").read_bytes()[16:24])
    assert (width > 600) and (height > 100)


def test_a_method_has_one_colour_everywhere(drawn: Drawn) -> None:
    results, _, figures = drawn
    looks = styles(results)
    assert len({look.colour for look in looks.values()}) == len(looks)
    for one in figures["trade-off"].records:
        assert one["colour"] == looks[one["row"]].colour
    assert looks["lora"].colour == LIGHT["series-orange"]
    lines = svg(figures["training-loss"].panels[1]).lower()
    assert looks["lora"].colour in lines
    assert looks["full"].colour not in lines


def luminance(colour: str) -> float:
    parts = linear(colour)
    return float(parts @ np.array([0.2126, 0.7152, 0.0722]))


def linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


SIMULATIONS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
"""Machado, Oliveira and Fernandes 2009, severity 1.0, for linear RGB."""


def oklab(colour: str, simulation: str) -> np.ndarray:
    seen = np.clip(np.asarray(SIMULATIONS[simulation]) @ linear(colour), 0, 1)
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    lab = np.array(
        [
            [0.2104542553, 0.793617785, -0.0040720468],
            [1.9779984951, -2.428592205, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.808675766],
        ]
    )
    return lab @ np.cbrt(cones @ seen)


@pytest.mark.parametrize("simulation", SIMULATIONS)
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_methods_are_told_apart_by_every_eye(theme: dict[str, str], simulation: str) -> None:
    nearest = min(
        float(np.linalg.norm(oklab(theme[one], simulation) - oklab(theme[other], simulation)))
        for one, other in combinations(SERIES_ROLES, 2)
    )
    assert nearest > 0.085  # 0.02 is a just noticeable difference in Oklab; markers and names tell them apart, too


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_contrasts_hold_wcag_aa(theme: dict[str, str]) -> None:
    assert all(contrast(theme[role], theme["page"]) >= 3.0 for role in (*SERIES_ROLES, "passed-over"))
    assert all(contrast(theme[role], theme["page"]) >= 4.5 for role in ("ink", "muted"))
    assert contrast(theme["ink"], theme["band-strong"]) >= 4.5
    roles = {colour: role for role, colour in LIGHT.items()}
    for step in range(RAMP_STEPS + 1):
        fill, ink = (theme[roles[colour]] for colour in ramp(step / RAMP_STEPS))
        assert contrast(fill, ink) >= 4.5, step


def test_roles_share_no_colour() -> None:
    """A page finds the role of a colour by its value."""
    assert len(set(LIGHT.values())) == len(LIGHT)
    assert set(LIGHT) == set(DARK)


def test_names_do_not_overlap() -> None:
    draw = random.Random(3)
    for _ in range(40):
        spots = [
            Spot(name=name, x=draw.uniform(0, 286), y=y, top=y - 20, bottom=y + 20)
            for name in ("majority", "tfidf", "zero-shot", "frozen", "full", "lora", "qlora")
            for y in [draw.uniform(30, 180)]
        ]
        labels = place(spots, 286, 210)
        assert [label.name for label in labels] == [spot.name for spot in spots]
        for one, other in combinations([label.box for label in labels], 2):
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_no_whisker_stands_between_a_point_and_its_name() -> None:
    for apart in (5.0, 6.0, 7.0, 9.0):
        spots = [
            Spot(name="lora", x=100, y=100, top=70, bottom=130),
            Spot(name="qlora", x=100 + apart, y=125, top=95, bottom=160),
        ]
        first, second = place(spots, 286, 210)
        assert first.box[2] < 100, "on its own side"
        assert second.box[0] > 100 + apart or second.box[2] < 100 - 2 or second.box[1] > 132


def test_numbers_at_ticks_do_not_overlap() -> None:
    draw = random.Random(5)
    for _ in range(300):
        least = 10 ** draw.uniform(-6, 5)
        spread = draw.choice([0.01, 0.1, 1.0, 50.0, 5000.0])
        axis = amount_axis([least * (1 + spread * draw.random()) for _ in range(6)]).thinned(286)
        boxes = [(286 * axis.share(tick), text_px(tick_text(tick)) / 2) for tick in axis.ticks]
        assert boxes
        for (one, half), (other, other_half) in pairwise(boxes):
            assert one + half < other - other_half, axis.ticks
    steps = {round(after / before, 6) for before, after in pairwise(amount_axis([2e-5, 1.0]).thinned(286).ticks[1:])}
    assert len(steps) == 1, "ticks that are left out leave even steps"


@pytest.mark.parametrize("values", [[2.48e-4, 2.6e-4, 2.72e-4], [0.12, 7e5], [64.1, 64.3, 64.35], [1.5e6, 2e6]])
def test_the_numbers_at_ticks_are_those_of_the_axis(values: list[float]) -> None:
    axis = amount_axis(values).thinned(286)
    chart = alt.Chart(rows_of([{"a": value} for value in values])).mark_point()
    drawing = svg(themed(chart.encode(x=alt.X("a:Q", scale=axis.scale, axis=axis.drawn(""))).properties(width=286)))
    shown = [float(text) for text in ET.fromstring(drawing).itertext() if re.fullmatch(r"[\d.]+", text.strip())]
    assert shown == pytest.approx(axis.ticks, rel=1e-9)
    assert [tick_text(tick) for tick in axis.ticks] == [tick_text(tick) for tick in shown]


def test_long_labels_keep_their_ends_and_stay_apart() -> None:
    labels = [f"Department of research and development, unit {number}" for number in range(12)]
    shown = labelled(labels, 20)
    assert len(set(shown)) == 12
    assert all(len(text) <= 20 and "\u2026" in text for text in shown)
    assert [text[-2:] for text in shown[:3]] == [" 0", " 1", " 2"]
    assert labelled(["short", "x" * 20], 20) == ["short", "x" * 20]
    alike = labelled(["a" * 15 + middle + "z" * 15 for middle in "bcd"], 12)
    assert len(set(alike)) == 3
    assert all(len(text) <= 12 for text in alike)


def test_no_label_turns_what_stands_beside_it_around() -> None:
    shown = labelled([f"\u202eright to left\u202c {'x' * 40}", "\u2066a\u2069", "\u0646\u0635"], 20)
    assert not any(sign in text for text in shown for sign in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert shown[2] == "\u0646\u0635", "a script that runs to the left is no override"


def test_long_names_of_rows_stay_within_the_panels(tmp_path: Path) -> None:
    names = [
        f"{method}-with-a-very-long-name-of-a-row-{'x' * 20}-{turn}" for turn, method in enumerate(("lora", "full"))
    ]
    methods = {name: (name[:4], "A title", 0.8 + turn / 20) for turn, name in enumerate(names)}
    results = write_traced(tmp_path / "out", methods={**methods, "tfidf": METHODS["tfidf"]})
    _, _, figures = drawn_from(results, tmp_path / "out")
    for name, figure in figures.items():
        for panel in figure.panels:
            drawing = ET.fromstring(svg(themed(panel)))
            words = [text for text in drawing.itertext() if "with-a" in text]
            assert not words or name not in ("trade-off", "pareto") or all(len(text) <= 24 for text in words), words
            titles = [text for text in words if len(text) > 40]
            assert titles == [], name
            if name not in ("label-f1", "confusion"):
                assert float(drawing.attrib["width"]) <= PANEL_PX + ROOM_PX, name


def test_costs_name_their_currency_where_it_is_known(tmp_path: Path) -> None:
    results = write_comparison(tmp_path / "out")
    verdict = judge(results, tmp_path / "out")
    figures = {figure.name: figure for figure in figures_of(results, verdict, tmp_path / "out")}
    assert "Cost of one model, US dollars" in figures["pareto"].alt
    assert "US dollars an hour" in figures["trade-off"].caption
    own = judge(results, tmp_path / "out", price=own_price(2.5))
    figures = {figure.name: figure for figure in figures_of(results, own, tmp_path / "out")}
    assert "dollars" not in figures["pareto"].alt + figures["trade-off"].caption
    assert "at 2.5 an hour" in figures["trade-off"].caption


def test_axes_hold_their_values() -> None:
    draw = random.Random(4)
    for _ in range(200):
        values = [draw.choice([0.0, 10 ** draw.uniform(-5, 5)]) for _ in range(draw.randint(1, 8))]
        axes = [amount_axis(values), linear_axis(values), score_axis([min(values)], [max(values)], math.inf)]
        for axis in axes:
            assert axis.low <= min(values) and max(values) <= axis.high * (1 + 1e-9)
            assert 1 <= len(axis.ticks) <= 13
            assert all(one < other for one, other in pairwise(axis.ticks))
            for value in values:
                assert axis.at(axis.share(value)) == pytest.approx(value, rel=1e-6, abs=1e-9 * axis.high)


def test_thinning_keeps_means_and_short_lines() -> None:
    line = [(float(step), math.sin(step)) for step in range(1000)]
    assert thinned(line[:100], 100) == line[:100]
    thin = thinned(line, 100)
    assert len(thin) == 100
    assert fmean(value for _, value in thin) == pytest.approx(fmean(value for _, value in line))
    peaks = [(float(step), float(step == 501)) for step in range(1000)]
    assert max(value for _, value in thinned(peaks, 100, max)) == 1.0


def test_figures_are_valid_vega_lite(drawn: Drawn) -> None:
    """A report draws them unchecked."""
    for figure in drawn[2].values():
        figure.chart.to_dict()  # checks the whole


def test_the_data_of_a_chart_hold_no_text(drawn: Drawn) -> None:
    """Labels and names alone: a picture may be shown to others."""
    assert all("text" not in record for figure in drawn[2].values() for record in figure.records)
    assert json.loads(drawn[2]["scores"].chart.to_json())["config"]["background"] == LIGHT["page"]


def test_the_learning_curve_holds_every_part_of_the_training_rows(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    results = write_comparison(folder, methods={name: METHODS[name] for name in ("majority", "full", "lora")})
    parts = []
    for turn, fraction in enumerate((0.25, 0.5)):
        other = write_comparison(tmp_path / f"part-{turn}", methods={"lora": ("lora", "LoRA", 0.3 + fraction)})
        for run in other.runs:
            spec = run.spec.model_copy(update={"train_fraction": fraction})
            file = f"runs/lora-part-{turn}.csv"
            shutil.copy(tmp_path / f"part-{turn}" / str(run.predictions_file), folder / file)
            update = {"spec": spec, "run_id": spec.run_id, "predictions_file": file, "train_rows": int(240 * fraction)}
            parts.append(run.model_copy(update=update))
    whole = results.model_copy(update={"runs": [*results.runs, *parts]})
    _, verdict, figures = drawn_from(whole, folder)
    records = figures["learning-curve"].records
    assert [(one["row"], one["train_rows"]) for one in records[:3]] == [("lora", 60), ("lora", 120), ("lora", 240)]
    assert verdict.curve is not None
    for one, interval in zip(records, verdict.curve.scores["lora"], strict=False):
        assert interval is not None
        assert one["score"] == pytest.approx(100 * interval.value)
        assert (one["low"], one["high"]) == (100 * interval.low, 100 * interval.high)
