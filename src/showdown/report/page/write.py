"""The page: its template filled with the comparison's words, figures and numbers."""

import base64
import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from pydantic import ValidationError

from showdown.core.files import write_text
from showdown.core.metric import ACCURACY, metric_named
from showdown.core.record import Results
from showdown.data.audit import Audit, findings, lines
from showdown.report.confidence import confidence_table
from showdown.report.disagreements import disagreements
from showdown.report.facts import comparison_yaml, data_facts, environment_facts, model_facts, protocol_facts
from showdown.report.figures.design import LIGHT, styles
from showdown.report.figures.gallery import figures_of
from showdown.report.figures.points import has_known_currency
from showdown.report.label_table import label_table
from showdown.report.page.drawing import DARK_VARIABLES, LIGHT_VARIABLES, Drawing, draw
from showdown.report.page.prose import prose
from showdown.report.pair_table import shown_pairs
from showdown.report.pairs import flipped, headings, interval_shown, marked_names, p_shown, pair_note, worse
from showdown.report.pool import OWN_ROWS
from showdown.report.table import Table, comparison_table
from showdown.verdict.cost import EXAMPLE_CURRENCY
from showdown.verdict.decisions import Decisions, decisions, fit_on_page
from showdown.verdict.margin import with_margin
from showdown.verdict.model import Verdict
from showdown.verdict.pair_words import needed, signed_points
from showdown.verdict.summary import candidates

_MOST_DISAGREEMENTS = 30
_MOST_ANSWERS, _MOST_NAMES = 6, 8
"""Answers to one test row, and arms that gave one of them, where there are too many to show all."""
_MARGINS = (0.5, 1.0, 2.0, 3.0, 5.0)
"""Points that can be chosen on the page, beside the margin of the verdict."""
_WORSE = 8
"""Place of the heading of the pairs' tests against the margin."""
_SHORT_TEXT, _LONG_TEXT = 220, 4000
_GROUPS = {
    "scores": ("Scores", ("scores",)),
    "fronts": ("Score against cost", ("pareto",)),
    "training": ("Training", ("training-loss", "validation-score", "learning-curve")),
    "memory": ("Memory", ("memory-over-time", "memory-split")),
    "machine": ("The machine", ("system",)),
    "confidence": ("Confidence", ("coverage", "reliability")),
    "labels": ("Labels", ("label-f1", "confusion")),
}
"""Sections of figures: id, title and the names of their figures; one without a figure is left out."""
_LABELS = {
    "max_memory_gb": ("At most this memory", "GB"),
    "max_cost": ("At most this cost of one model", ""),
    "min_f1_macro": ("At least this macro F1", ""),
    "max_latency_ms": ("At most this latency", "ms"),
    "max_general_loss_rise": ("At most this rise of the loss on general text", "nats"),
}
_LIGHT = "color-scheme:light;--link:#0b57c2;--bad:#b3261e;--good:#1b6e3c;"
_DARK = "color-scheme:dark;--link:#7db4ff;--bad:#ff8a80;--good:#6fd39a;"
_NUMBER = re.compile(r"([+-]?[\d.]+)(?: ([KMB])\b)?")
_WITH_UNIT = re.compile(r"[+-]?\d[\d.]* (?:%|GB|MB|ms|points)(?!\w)")
_TIMES = {"K": 1e3, "M": 1e6, "B": 1e9}


@dataclass(frozen=True, kw_only=True)
class _Cell:
    shown: str
    sort: float | None
    best: bool
    near: bool


@dataclass(frozen=True, kw_only=True)
class _Row:
    name: str
    """Of the row, where its title says something else."""
    colour: str
    failed: str
    """The status and why, or empty."""
    cells: tuple[_Cell, ...]


def write_html(results: Results, verdict: Verdict, folder: Path) -> Path:
    """Write `report.html` into the comparison's folder and return its path.

    Raises:
        UserError: for predictions that are missing or damaged.

    """
    path = folder / "report.html"
    write_text(path, page(results, verdict, folder))
    return path


def page(results: Results, verdict: Verdict, folder: Path) -> str:
    """Return the page; it holds texts of the test rows and asks for nothing from outside."""
    table = comparison_table(results, verdict)
    drawings = {figure.name: draw(figure) for figure in figures_of(results, verdict, folder)}
    groups = _groups(drawings)
    shown = disagreements(results, folder, _MOST_DISAGREEMENTS)
    found, compared = _decisions(verdict), shown_pairs(verdict)
    script = _file("page.js")
    context = {
        "name": results.name,
        "leaky": any(run.allow_leakage for run in results.runs),
        "answer": verdict.sentences[0] if verdict.sentences else "",
        "choice": table.recommendation[0] if verdict.recommendation.chosen else "",
        "reasons": table.recommendation[1:],
        "table": table,
        "marks": table.marks,
        "rows": _rows(results, verdict, table),
        "drawings": drawings,
        "groups": groups,
        "decisions": _limits(found, verdict) if found and found.rows else None,
        "too_many_choices": found is None,
        "pairs": _pairs(verdict.model_copy(update={"pairs": compared.pairs})),
        "pairs_left_out": compared.left_out,
        "pair_note": pair_note(verdict),
        "worse_heading": headings(verdict)[_WORSE],
        "own_rows": OWN_ROWS if verdict.left_out else "",
        "label_table": label_table(_done(results)),
        "confidence": confidence_table(results),
        "disagreements": shown,
        "most_answers": _MOST_ANSWERS,
        "most_names": _MOST_NAMES,
        "short": _SHORT_TEXT,
        "long": _LONG_TEXT,
        **_audit(results),
        "data_facts": data_facts(results),
        "protocol_title": _protocol_title(results, verdict),
        "protocol_facts": [*model_facts(results), *protocol_facts(results)],
        "environment_facts": environment_facts(results),
        "confounds": [item.model_dump() for item in verdict.confounds],
        "confound_names": list(dict.fromkeys(name for item in verdict.confounds for name in item.values)),
        "yaml": comparison_yaml(results),
        "sections": _sections(groups, limits=found is None or bool(found.rows), divided=bool(shown.count)),
        "style": _style(),
        "script": script,
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
    made = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    made.filters |= {"together": together, "prose": prose}
    made.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": True, "allow_nan": False}
    return made.from_string(_file("report.html.j2")).render(context)


def _protocol_title(results: Results, verdict: Verdict) -> str:
    own = any(item.kind == "protocol" for item in verdict.confounds)
    return f"The protocol of {results.runs[0].title}" if own else "The shared protocol"


def together(text: str) -> Markup:
    """Return a sentence in which no line break separates a number from its unit."""
    return Markup(_WITH_UNIT.sub(r'<span class="together">\g<0></span>', str(prose(text))))  # noqa: S704


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8").strip()


def _style() -> str:
    dark = f"@media screen and (prefers-color-scheme:dark){{:root{{{_DARK}{DARK_VARIABLES}}}}}"
    return f":root{{{_LIGHT}{LIGHT_VARIABLES}}}\n{dark}\n{_file('style.css')}"


def _groups(drawings: Mapping[str, Drawing]) -> list[dict[str, Any]]:
    found = []
    for key, (title, names) in _GROUPS.items():
        drawn = [drawings[name] for name in names if name in drawings]
        if drawn:
            found.append({"id": key, "title": title, "drawings": drawn})
    return found


def _sections(groups: Sequence[Mapping[str, Any]], *, limits: bool, divided: bool) -> list[dict[str, str]]:
    titles = {"answer": "Answer"}
    titles |= {"limits": "Limits"} if limits else {}
    titles |= {"verdict": "Verdict", **{group["id"]: group["title"] for group in groups}}
    titles |= {"disagreements": "Disagreements"} if divided else {}
    titles |= {"data": "Data", "protocol": "Protocol", "environment": "Environment", "reproduce": "Run it again"}
    return [{"id": key, "title": title} for key, title in titles.items()]


def _rows(results: Results, verdict: Verdict, table: Table) -> list[_Row]:
    roles = {colour: role for role, colour in LIGHT.items()}
    looks = styles(results.full_size)
    found = []
    for place, (row, cells) in enumerate(zip(verdict.rows, table.rows, strict=True)):
        failed = "" if row.score else f"{cells[1]}: {(row.missing_reason or '').partition(': ')[2]}"
        shown = tuple(
            _Cell(
                shown=cell,
                sort=sort_key(cell),
                best=(place, column) in table.best,
                near=column == 1 and place in table.near,
            )
            for column, cell in enumerate(cells)
        )
        alias = row.name if row.name not in cells[0].split() and f"({row.name})" not in cells[0] else ""
        found.append(_Row(name=alias, colour=f"--{roles[looks[row.name].colour]}", failed=failed, cells=shown))
    return found


def sort_key(cell: str) -> float | None:
    """Return the number that a cell shows, by which it is sorted; None for a cell without one."""
    found = _NUMBER.match(cell)
    return None if found is None else float(found[1]) * _TIMES.get(found[2] or "", 1.0)


def _decisions(verdict: Verdict) -> Decisions | None:
    """Compute the choices at the margin of the verdict and at other usual ones; None for too many arms."""
    if not fit_on_page(candidates(verdict.rows, ())):
        return None
    margins = sorted({*_MARGINS, verdict.margin_points})
    metric = metric_named(verdict.metric)
    rows = [candidates(verdict.rows, with_margin(verdict.pairs, margin / 100), metric) for margin in margins]
    return decisions(dict(zip(margins, rows, strict=True)), margin=verdict.margin_points, metric=metric)


def _limits(found: Decisions, verdict: Verdict) -> dict[str, Any]:
    text = found.model_dump()
    by = "" if verdict.metric == ACCURACY.key else f" --metric {shlex.quote(verdict.metric)}"
    text["command"] = f"showdown recommend OUT{by}"
    currency = EXAMPLE_CURRENCY if has_known_currency(verdict.rows) else ""
    labels = {**_LABELS, "max_cost": (_LABELS["max_cost"][0], currency)}
    for criterion in text["criteria"]:
        criterion["label"], criterion["unit"] = labels[criterion["limit"]]
        if not criterion["least"]:
            continue
        criterion["stops"] = sorted(criterion["stops"], reverse=True)
    return text


def _pairs(verdict: Verdict) -> list[dict[str, str]]:
    names = marked_names(verdict)
    return [
        {
            "first": names[pair.first],
            "second": names[pair.second],
            "points": signed_points(pair.score.value),
            "interval": interval_shown(pair.score),
            "p": p_shown(pair.p_holm),
            "different": "yes" if pair.different else "not shown",
            "only_first": flipped(pair.first_only),
            "only_second": flipped(pair.second_only),
            "worse": worse(pair),
            "needed": "" if pair.different else needed(pair),
        }
        for pair in verdict.pairs
    ]


def _done(results: Results) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for run in results.full_size.runs:
        if run.status == "completed":
            found.setdefault(run.name, []).append(run)
    return found


def _audit(results: Results) -> dict[str, list[str]]:
    """Return the audit in sentences: those of the run, else those of its record, if that can be read."""
    text = list(results.data.get("notices", []))
    try:
        audit = Audit.model_validate(results.data.get("audit"))
    except ValidationError:
        return {"audit_lines": text, "findings": []}
    return {"audit_lines": text or lines(audit), "findings": findings(audit)}
