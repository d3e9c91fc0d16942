"""The page: its template filled with the comparison's words, figures and numbers."""

import base64
import hashlib
import re
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from pydantic import ValidationError

from showdown.core.files import write_text
from showdown.core.record import Results
from showdown.data.audit import Audit, findings, lines
from showdown.report.columns import columns_of
from showdown.report.confidence import confidence_table
from showdown.report.disagreements import disagreements
from showdown.report.exports import exported_forms
from showdown.report.facts import comparison_yaml, data_facts, environment_facts, model_facts, protocol_facts
from showdown.report.figures.gallery import figures_of
from showdown.report.forecast import forecast_table
from showdown.report.label_table import label_table
from showdown.report.page.drawing import DARK_VARIABLES, LIGHT_VARIABLES, draw
from showdown.report.page.limits import choices, limits, margin_words
from showdown.report.page.pair_cells import pair_cells, pair_headings
from showdown.report.page.prose import prose
from showdown.report.page.rows import rows_of
from showdown.report.page.sections import groups_of, sections_of
from showdown.report.pair_table import shown_pairs
from showdown.report.pairs import pair_note
from showdown.report.pool import OWN_ROWS
from showdown.report.samples import samples
from showdown.report.table import comparison_table
from showdown.report.writing_table import writing_table
from showdown.verdict.model import Verdict

_MOST_DISAGREEMENTS = 30
_FLIPS, _OTHERS = 20, 4
"""Samples of written answers: on which methods differ, and of those that none and that all answered as wanted."""
_MOST_ANSWERS, _MOST_NAMES = 6, 8
"""Answers to one test row, and arms that gave one of them, where there are too many to show all."""
_MOST_HEADINGS = 12
"""Of a table whose headings stand on one line each."""
_SHORT_TEXT, _LONG_TEXT = 220, 4000
_LIGHT = "color-scheme:light;--link:#0b57c2;--bad:#b3261e;--good:#1b6e3c;"
_DARK = "color-scheme:dark;--link:#7db4ff;--bad:#ff8a80;--good:#6fd39a;"
_WITH_UNIT = re.compile(r"[+-]?\d[\d.]* (?:%|GB|MB|ms|points)(?!\w)")


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
    groups = groups_of(drawings)
    by_label = columns_of(verdict.task).by_label
    shown = disagreements(results, folder, _MOST_DISAGREEMENTS) if by_label else None
    written = samples(results, verdict, folder, flips=_FLIPS, others=_OTHERS)
    writing, foreseen = writing_table(verdict), forecast_table(results, folder)
    exported = exported_forms(results, folder)
    found, compared = choices(verdict), shown_pairs(verdict)
    script = _file("page.js")
    context = {
        "name": results.name,
        "leaky": any(run.allow_leakage for run in results.runs),
        "answer": verdict.sentences[0] if verdict.sentences else "",
        "choice": table.recommendation[0] if verdict.recommendation.chosen else "",
        "reasons": table.recommendation[1:],
        "table": table,
        "marks": table.marks,
        "rows": rows_of(results, verdict, table),
        "drawings": drawings,
        "groups": groups,
        "decisions": limits(found, verdict) if found and found.rows else None,
        "margins": margin_words(found, verdict) if found else [],
        "too_many_choices": found is None,
        "pairs": pair_cells(verdict.model_copy(update={"pairs": compared.pairs})),
        "pairs_left_out": compared.left_out,
        "pair_note": pair_note(verdict),
        "pair_headings": pair_headings(verdict),
        "own_rows": OWN_ROWS if verdict.left_out else "",
        "label_table": label_table(_done(results)),
        "confidence": confidence_table(results),
        "writing": writing,
        "foreseen": foreseen,
        "exported": exported,
        "disagreements": shown,
        "samples": written if written and written.groups else None,
        "most_headings": _MOST_HEADINGS,
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
        "sections": sections_of(
            groups,
            limits=found is None or bool(found.rows),
            divided=bool(shown and shown.count),
            timed=writing is not None,
            sampled=bool(written and written.groups),
            exported=exported is not None,
            foreseen=foreseen is not None,
        ),
        "style": _style() + (f"\n{_file('samples.css')}" if written and written.groups else ""),
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
