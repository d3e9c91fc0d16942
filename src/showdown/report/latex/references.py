"""The references of a paper on a comparison: those of what the comparison used."""

from collections.abc import Iterator, Mapping
from importlib import resources

from showdown.core.metric import ACCURACY
from showdown.core.record import Results
from showdown.core.traits import Reference
from showdown.report.latex.escape import latex
from showdown.verdict.model import Verdict

_MODELS: Mapping[str, tuple[str, ...]] = {
    "minilm": ("wang2020", "reimers2019"),
    "sentence-transformers": ("reimers2019",),
    "mistral": ("jiang2023",),
    "distilbert": ("sanh2019",),
    "roberta": ("liu2019",),
    "modernbert": ("warner2024",),
    "bert-": ("devlin2019",),
    "smollm2": ("allal2025",),
}
"""By a part of a model's name."""


def cited_methods(results: Results) -> dict[str, str]:
    """Return the keys of the papers of the methods, by the name of the arm; methods without a paper are left out."""
    cited = {run.name: run.traits.citation for run in results.runs}
    return {name: one.key if isinstance(one, Reference) else one for name, one in cited.items() if one}


def own_references(results: Results) -> dict[str, str]:
    """Return the references that methods bring with them, by key, in LaTeX."""
    cited = (run.traits.citation for run in results.runs)
    return {one.key: latex(one.text) for one in cited if isinstance(one, Reference)}


def references() -> dict[str, str]:
    """Return all references of the product, by key, in LaTeX."""
    blocks = resources.files(__package__).joinpath("references.txt").read_text(encoding="utf-8").split("\n\n")
    return {key: " ".join(text.split()) for key, _, text in (block.partition("\n") for block in blocks)}


def cited_models(results: Results) -> list[str]:
    """Return the keys of the papers of the pretrained model."""
    names = {run.spec.model.id.casefold() for run in results.runs}
    found = (keys for part, keys in _MODELS.items() if any(part in name for name in names))
    return list(dict.fromkeys(key for keys in found for key in keys))


def cited_scores(verdict: Verdict) -> dict[str, str]:
    """Return the keys of the papers of what written answers were measured by, by the key of the measure."""
    known = {key for row in verdict.rows for key in row.scores}
    found = {"rouge_l": "lin2004", "chrf": "popovic2015"}
    return {key: paper for key, paper in found.items() if key in known}


def cited_statistics(results: Results, verdict: Verdict) -> dict[str, str]:
    """Return the keys of the references of the statistics that were used, by purpose."""
    return dict(_statistics(results, verdict))


def _statistics(results: Results, verdict: Verdict) -> Iterator[tuple[str, str]]:
    yield "clusters", "davison1997"
    if verdict.ranking_metric.is_bounded:
        yield from (("wilson", "wilson1927"), ("effective", "korn1998"))
    repeated = any(pair.test == "corrected resampled t" for pair in verdict.pairs)
    if any(run.spec.protocol.split.kind == "kfold" for run in results.runs):
        yield "folds", "forman2010"
    if repeated:
        yield "repeats", "nadeau2003"
    if verdict.pairs:
        yield from (("holm", "holm1979"), ("margin", "schuirmann1987"))
    if any(pair.lead for pair in verdict.pairs):
        yield "leads", "zhong2008"
    if any(pair.test != "corrected resampled t" for pair in verdict.pairs):
        yield "paired", "bonett2012"
        yield "sources", "howe1974"
        if verdict.metric == ACCURACY.key:
            yield "mcnemar", "mcnemar1947"
        if any(not row.traits.deterministic and row.score for row in verdict.rows):
            yield from (("reruns", "smyth2004"), ("spread", "dodge2020"))
