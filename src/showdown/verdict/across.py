"""Several comparisons beside each other: what differs, and whether their scores differ."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from showdown.core.metric import ACCURACY, GENERATION, Metric
from showdown.core.metric_choice import automatic_for_writing
from showdown.core.record import Results, RunRecord
from showdown.core.strict import Strict
from showdown.verdict.classification.answers import Answers, label_places
from showdown.verdict.confounds import Confound, confounds
from showdown.verdict.generation.writings import scored_keys
from showdown.verdict.model import PairVerdict, Verdict
from showdown.verdict.outcomes import ArmOutcomes
from showdown.verdict.pair_words import decided
from showdown.verdict.pairs import judge_pairs
from showdown.verdict.scored import outcomes_by

_FEW = 8


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A comparison with its verdict and its folder."""

    results: Results
    verdict: Verdict
    folder: Path


class AcrossVerdict(Strict):
    """The verdict on several comparisons beside each other."""

    same_test_rows: bool
    """One fingerprint of data and split: only then are differences between the comparisons tested."""
    differing: list[Confound]
    """By comparison, what is not alike in all of them; an own setting is named with its row."""
    pairs: list[PairVerdict]
    """Each row against itself in another comparison; names are `row (comparison)`."""
    sentences: list[str]


def named(row: str, comparison: str) -> str:
    """Return the name of an arm that stands beside arms of other comparisons."""
    return f"{row} ({comparison})"


def judge_across(comparisons: Mapping[str, Judged]) -> AcrossVerdict:
    """Judge comparisons beside each other.

    Args:
        comparisons: by what each is called, two or more.

    Raises:
        UserError: for predictions that are missing or damaged.

    """
    completed = {
        label: runs
        for label, item in comparisons.items()
        if (runs := [run for run in item.results.full_size.runs if run.status == "completed"])
    }
    same = _same_test_rows([item.results for item in comparisons.values()])
    metric = _one_metric(comparisons) if same else ACCURACY
    pairs = judge_pairs(_same_rows_of(comparisons, metric), metric=metric) if same else []
    differing = [*_data(comparisons), *_between(completed), *_own_settings(completed)]
    return AcrossVerdict(
        same_test_rows=same,
        differing=differing,
        pairs=pairs,
        sentences=_sentences(comparisons, metric if same else None, pairs=pairs, differing=differing),
    )


def _same_test_rows(results: Sequence[Results]) -> bool:
    """Return whether the test rows are the same: one task, one fingerprint of data and split, one order of labels."""
    fingerprints = {str(item.data.get("fingerprint")) for item in results}
    labels = {tuple(run.labels) for item in results for run in item.runs if run.labels}
    one_task = len({item.task for item in results}) == 1
    return one_task and len(fingerprints) == 1 and len(labels) <= 1 and fingerprints != {"None"}


def _one_metric(comparisons: Mapping[str, Judged]) -> Metric:
    """Return the metric of all verdicts; one that all have where they go by different ones: accuracy of labels."""
    first = next(iter(comparisons.values()))
    keys = {item.verdict.metric for item in comparisons.values()}
    if len(keys) == 1:
        return first.verdict.ranking_metric.at(label_places(first.results))
    if first.results.task != GENERATION:
        return ACCURACY
    return automatic_for_writing(
        set.intersection(*(set(scored_keys(item.results)) for item in comparisons.values())), None
    )


def _same_rows_of(comparisons: Mapping[str, Judged], metric: Metric) -> list[tuple[ArmOutcomes, ArmOutcomes]]:
    outcomes = {label: outcomes_by(metric, item.results.full_size, item.folder) for label, item in comparisons.items()}
    rows = dict.fromkeys(row for found in outcomes.values() for row in found)
    return [
        (replace(outcomes[a][row], name=named(row, a)), replace(outcomes[b][row], name=named(row, b)))
        for row in rows
        for a, b in itertools.combinations(outcomes, 2)
        if row in outcomes[a] and row in outcomes[b] and _same_questions(outcomes[a][row], outcomes[b][row])
    ]


def _same_questions(first: ArmOutcomes, second: ArmOutcomes) -> bool:
    """Return whether two arms have the same test rows with the same true labels, where there are labels."""
    if first.parts.keys() != second.parts.keys():
        return False
    pairs = [(part, second.parts[key]) for key, part in first.parts.items()]
    rows = all(np.array_equal(ours.row_ids, theirs.row_ids) for ours, theirs in pairs)
    labelled = [(a, b) for a, b in pairs if isinstance(a, Answers) and isinstance(b, Answers)]
    return rows and all(np.array_equal(ours.true, theirs.true) for ours, theirs in labelled)


def _data(comparisons: Mapping[str, Judged]) -> list[Confound]:
    """List what differs in the data: source, labels and rows."""
    facts: dict[str, dict[str, list[str]]] = {}
    for label, item in comparisons.items():
        requested, audit = item.results.comparison.get("data") or {}, item.results.data.get("audit") or {}
        known = {
            "data.source": ", ".join(filter(None, (requested.get("files") or {}).values())) or requested.get("source"),
            "labels": len(item.results.data.get("labels") or ()),
            "rows_used": audit.get("rows_used"),
        }
        for key, value in known.items():
            if value is not None:
                facts.setdefault(key, {})[label] = [str(value)]
    return [
        Confound(kind="data", key=key, values=values)
        for key, values in facts.items()
        if len({value for (value,) in values.values()}) > 1
    ]


def _between(completed: Mapping[str, Sequence[RunRecord]]) -> list[Confound]:
    """List what differs between comparisons, without what differs between the arms of each in the same way."""
    return [
        item.model_copy(update={"key": f"model.{item.key}"}) if item.kind == "model" else item
        for item in confounds(completed)
        if item.kind != "own setting" and len({tuple(values) for values in item.values.values()}) > 1
    ]


def _own_settings(completed: Mapping[str, Sequence[RunRecord]]) -> list[Confound]:
    rows = dict.fromkeys(run.name for runs in completed.values() for run in runs)
    found = []
    for row in rows:
        of_row = {label: [run for run in runs if run.name == row] for label, runs in completed.items()}
        differing = confounds({label: runs for label, runs in of_row.items() if runs})
        found += [
            item.model_copy(update={"key": f"{item.key} of {row}"}) for item in differing if item.kind == "own setting"
        ]
    return found


def _sentences(
    comparisons: Mapping[str, Judged],
    metric: Metric | None,
    *,
    pairs: Sequence[PairVerdict],
    differing: Sequence[Confound],
) -> list[str]:
    """Return the sentences; ``metric`` is None where the test rows are not the same."""
    lines = []
    if metric is not None:
        lines.append(
            "All comparisons were tested on the same rows, so that each row is tested against itself elsewhere."
        )
        of_name = {named(row.name, label): row for label, item in comparisons.items() for row in item.verdict.rows}
        lines += _tested_by(comparisons, metric)
        lines += [decided(pair, pairs, of_name, metric) for pair in pairs]
    else:
        lines.append(
            "The comparisons were not tested on the same rows: their scores stand beside each other, and no difference "
            "between them is tested."
        )
    keys = list(dict.fromkeys(item.key for item in differing))
    more = f" and {len(keys) - _FEW} more" if len(keys) > _FEW else ""
    lines.append(
        f"Between them differ {', '.join(keys[:_FEW])}{more}." if keys else "Nothing recorded differs between them."
    )
    return lines + _alone(comparisons)


def _tested_by(comparisons: Mapping[str, Judged], metric: Metric) -> list[str]:
    """Name the metric by which differences are tested, where that is not accuracy for all."""
    if {item.verdict.metric for item in comparisons.values()} == {ACCURACY.key}:
        return []
    each = ", ".join(f"{label} by {item.verdict.ranking_metric.title}" for label, item in comparisons.items())
    return [f"Methods are ranked: {each}; the differences here are in {metric.title}."]


def _alone(comparisons: Mapping[str, Judged]) -> list[str]:
    """Name the arms that not all comparisons have."""
    rows = {label: {run.name for run in item.results.runs} for label, item in comparisons.items()}
    everywhere = set.intersection(*rows.values())
    return [
        f"Only some comparisons have these rows; {label}: {', '.join(sorted(found - everywhere))}."
        for label, found in rows.items()
        if found - everywhere
    ]
