"""The draft of a paper, every number of which comes from the records."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from showdown.core.files import write_bytes, write_text
from showdown.core.metric import ACCURACY, METRICS, Metric
from showdown.core.own_metric import metric_with
from showdown.core.record import Results
from showdown.core.version import VERSION
from showdown.report.columns import columns_of
from showdown.report.facts import audited, comparison_yaml, environment_facts, model_facts, place, protocol_facts
from showdown.report.figures.figure import Figure
from showdown.report.figures.gallery import figures_of
from showdown.report.latex.escape import latex, latex_prose
from showdown.report.latex.references import (
    cited_methods,
    cited_models,
    cited_scores,
    cited_statistics,
    own_references,
    references,
)
from showdown.report.latex.table import latex_table
from showdown.report.pair_table import shown_pairs
from showdown.report.pairs import flipped, marked_names
from showdown.report.pdf.figure import figure_pdf
from showdown.report.table import comparison_table
from showdown.verdict.model import PairVerdict, Verdict
from showdown.verdict.paired import ALPHA

SHOWN = (
    "trade-off",
    "scores",
    "pareto",
    "elsewhere",
    "learning-curve",
    "training-loss",
    "validation-score",
    "memory-over-time",
    "memory-split",
    "label-f1",
)
"""What a paper shows, where the comparison has it."""

_OF_LABELS, _OF_WRITING = "of text classification", "for written answers"
_LONG_NAME = 12
"""Characters beyond which a row's name is set on several lines."""


class Tex(str):
    """LaTeX that is put into the paper as it is; every other text is escaped."""


def write_paper(results: Results, verdict: Verdict, folder: Path) -> Path:
    """Write `paper/paper.tex` and its figures into the comparison's folder and return the path of the paper."""
    target = folder / "paper"
    shown = {figure.name: figure for figure in figures_of(results, verdict, folder)}
    figures = [shown[name] for name in SHOWN if name in shown]
    for figure in figures:
        write_bytes(target / "figures" / f"{figure.name}.pdf", figure_pdf(figure))
    write_text(target / "paper.tex", paper(results, verdict, figures))
    return target / "paper.tex"


def paper(results: Results, verdict: Verdict, figures: Sequence[Figure]) -> str:
    """Return the paper in LaTeX; its figures are looked for as `figures/NAME.pdf`."""
    template = resources.files(__package__).joinpath("paper.tex.j2").read_text(encoding="utf-8")
    return _environment().from_string(template).render(_content(results, verdict, figures))


def _environment() -> Environment:
    made = Environment(  # escaping is done by `finalize`, for LaTeX and not for HTML
        autoescape=False,  # noqa: S701
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Tex) else latex(str(value)),
    )
    made.filters |= {
        "listed": _listed,
        "sentences": lambda lines: Tex(" ".join(map(latex_prose, lines))),
        "prose": lambda line: Tex(latex_prose(line)),
        "keys": lambda keys: Tex(keys if isinstance(keys, str) else ",".join(keys)),
    }
    return made


def _listed(words: Sequence[str]) -> Tex:
    shown = [latex(word) for word in words]
    return Tex(shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}")


def _content(results: Results, verdict: Verdict, figures: Sequence[Figure]) -> dict[str, Any]:
    table, compared = comparison_table(results, verdict), shown_pairs(verdict)
    audit = results.data.get("audit") or {}
    rows = {run.name: run for run in results.runs}
    leaky = any(run.allow_leakage for run in results.runs)
    by_label, metric = columns_of(verdict.task).by_label, verdict.ranking_metric
    papers = cited_methods(results)
    methods = [{"name": name, "title": run.title, "key": papers.get(name)} for name, run in rows.items()]
    own_protocols = any(item.kind == "protocol" for item in verdict.confounds)
    caption = f"The protocol of {methods[0]['title']}." if own_protocols else "What is equal for every method."
    content = {
        "name": results.name,
        "title": f"{results.name}: {len(rows)} methods {_OF_LABELS if by_label else _OF_WRITING} compared",
        "by_label": by_label,
        "scored_by": _scored_by(verdict),
        "most_tokens": max((row.writing.max_new_tokens or 0 for row in verdict.rows if row.writing), default=0),
        "forgetting": any(row.forgetting for row in verdict.rows),
        "version": VERSION,
        "leaky": leaky,
        "above": table.above,
        "methods": list(dict.fromkeys(run.title for run in rows.values())),
        "method_list": methods,
        "rows": audit.get("rows_used", 0),
        "labels": len(results.data.get("labels") or ()),
        "source": (results.comparison.get("data") or {}).get("source") or "given files",
        "fingerprint": str(results.data.get("fingerprint"))[:12],
        "audited": audited(results),
        "models": list(dict.fromkeys(run.spec.model.id for run in results.runs)),
        "model_keys": cited_models(results),
        "settings": table.settings,
        "trained": any(run.traits.role == "fine-tuned" for run in rows.values()),
        "tuned": any(run.tuning_seconds is not None for run in results.runs),
        "own_protocols": own_protocols,
        "statistics": cited_statistics(results, verdict),
        "alpha": f"{ALPHA:.2g}",
        "metric": metric.title,
        "by_accuracy": metric == ACCURACY,
        "by_influence": not (metric.mean_over_rows or metric.key == "token_loss"),
        "bounded": metric.is_bounded,
        "difference_unit": f"in {'points' if metric.in_points else metric.unit}"
        if metric.in_points or metric.unit
        else "",
        "turned": metric.direction == "lower",
        "margin": metric.margin(verdict.margin_points / 100),
        "verdict": verdict.sentences,
        "recommendation": table.recommendation[0],
        "reasons": table.recommendation[1:],
        "threats": [*table.above[leaky:], *verdict.assumptions, *table.differing],
        "events": table.events,
        "commit": next((run.environment.commit for run in results.runs if run.environment), None),
        "machine": place(results) or "a machine that no record names",
        "table": Tex(latex_table(table, caption=results.name)),
        "figures": [{"name": Tex(item.name), "title": item.title, "caption": item.caption} for item in figures],
        "pairs": [_pair(pair, marked_names(verdict), metric) for pair in compared.pairs],
        "pairs_left_out": compared.left_out,
        "pair_count": len(verdict.pairs),
        "pair_columns": Tex("ll" if max(map(len, rows), default=0) <= _LONG_NAME else r"p{0.17\linewidth}" * 2),
        "fact_tables": [
            (protocol_facts(results), caption, Tex("protocol")),
            ([*model_facts(results), *environment_facts(results)], "The model, and where it ran.", Tex("place")),
        ],
        "yaml": list(_indented(comparison_yaml(results))),
    }
    return {**content, "references": list(_cited(content, {**own_references(results), **references()}))}


def _scored_by(verdict: Verdict) -> list[tuple[str, str]]:
    """Return the measures of written answers, each with the key of its paper, which may be empty."""
    known, papers = {key for row in verdict.rows for key in row.scores}, cited_scores(verdict)
    keys = [key for key, metric in METRICS.items() if key in known and metric.is_of_writing]
    return [(metric_with(key, verdict.own_score).title, papers.get(key, "")) for key in keys]


def _pair(pair: PairVerdict, names: Mapping[str, str], metric: Metric) -> Mapping[str, Any]:
    value, low, high = (metric.signed(at) for at in (pair.score.value, pair.score.low, pair.score.high))
    return {
        "first": names[pair.first],
        "second": names[pair.second],
        "difference": Tex(f"${value}$ (${low}$ to ${high}$)"),
        "only_first": flipped(pair.first_only),
        "only_second": flipped(pair.second_only),
        "p": _p_value(pair.p_value),
        "holm": _p_value(pair.p_holm),
        "different": pair.different,
    }


def _p_value(value: float) -> Tex:
    return Tex("$<0.001$" if value < 0.001 else f"{value:.3f}")


def _indented(text: str) -> Iterator[tuple[Tex, str]]:
    for line in text.splitlines():
        stripped = line.lstrip(" ")
        yield Tex(str((len(line) - len(stripped)) / 2)), stripped


def _cited(content: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[tuple[str, Tex]]:
    """Yield the references that the paper cites, in the order of their keys."""
    keys = {"broder1997", *content["model_keys"], *content["statistics"].values()}
    keys |= {key for _, key in content["scored_by"] if key}
    keys |= {"ziegler2019"} if content["forgetting"] else set()
    keys |= {row["key"] for row in content["method_list"] if row["key"]}
    keys |= {"loshchilov2019"} if content["trained"] else set()
    keys |= {"akiba2019", "bergstra2011"} if content["tuned"] else set()
    yield from ((key, Tex(text)) for key, text in sorted(known.items()) if key in keys)
