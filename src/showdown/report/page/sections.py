"""The sections of the page, and which figures stand in which of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from showdown.report.page.drawing import Drawing

_GROUPS = {
    "scores": ("Scores", ("scores",)),
    "fronts": ("Score against cost", ("pareto", "elsewhere")),
    "training": ("Training", ("training-loss", "validation-score", "learning-curve")),
    "memory": ("Memory", ("memory-over-time", "memory-split")),
    "machine": ("The machine", ("system",)),
    "confidence": ("Confidence", ("coverage", "reliability")),
    "labels": ("Labels", ("label-f1", "confusion")),
}
"""Sections of figures: id, title and the names of their figures; one without a figure is left out."""


def groups_of(drawings: Mapping[str, Drawing]) -> list[dict[str, Any]]:
    """Return the sections of figures that have a figure, each with its id, its title and its drawings."""
    found = []
    for key, (title, names) in _GROUPS.items():
        drawn = [drawings[name] for name in names if name in drawings]
        if drawn:
            found.append({"id": key, "title": title, "drawings": drawn})
    return found


def sections_of(
    groups: Sequence[Mapping[str, Any]],
    *,
    limits: bool,
    divided: bool,
    timed: bool,
    sampled: bool,
    exported: bool,
    foreseen: bool,
) -> list[dict[str, str]]:
    """Return all sections in their order, each with its id and its title.

    Args:
        groups: sections of figures, as `groups_of` returns them.
        limits: whether there is a section of limits to move.
        divided: whether there are rows on which labels differ.
        timed: whether answers were written, and so what that cost.
        sampled: whether there are written answers side by side.
        exported: whether models were exported.
        foreseen: whether a forecast stands beside what was measured.

    """
    titles = {"answer": "Answer"}
    titles |= {"limits": "Limits"} if limits else {}
    titles |= {"verdict": "Verdict", **{group["id"]: group["title"] for group in groups}}
    titles |= {"disagreements": "Disagreements"} if divided else {}
    titles |= {"writing": "Writing"} if timed else {}
    titles |= {"samples": "Samples"} if sampled else {}
    titles |= {"exports": "Exports"} if exported else {}
    titles |= {"forecast": "Forecast"} if foreseen else {}
    titles |= {"data": "Data", "protocol": "Protocol", "environment": "Environment", "reproduce": "Run it again"}
    return [{"id": key, "title": title} for key, title in titles.items()]
