"""The slower part of the audit: likely label errors, lengths, and what the leak would be worth."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from showdown.core.spec import Strict
from showdown.data.wording import normalise, words
from showdown.data.rows import Rows
from showdown.data.tables import count, row_list, shown

MIN_WORDS = 3
"""A shorter text is hardly enough for anyone to judge."""
MIN_TEXTS = 5
"""A label with fewer different texts has none in some of 5 folds: it is too rare to be scored, and its rows cannot be
checked for errors."""
FOLDS = 5
LEAK_ROWS = 20_000
"""The worth of the leak is estimated on at most so many rows."""
_ALL_FOLDS_UP_TO_ROWS = 5_000
"""With more rows, one fold of the five is precise enough: 1,000 test rows."""
WITNESS_ACCURACY = 0.6
"""A model that is right less often out of fold says nothing about labels: most of what it doubts is right."""
_NOT_LOOKED_FOR = "label errors not looked for"
_EPOCHS = 5
_SEED = 0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class LabelError(Strict):
    """A row whose label the rest of the data contradicts."""

    row: int
    label: str
    likely: str
    """The label that a model fitted on other rows finds most probable."""
    confidence: float
    """Its probability of the given label, 0 to 1; the lower, the more suspicious."""


class Lengths(Strict):
    """Tokens of the different texts against the limit."""

    max_tokens: int
    median_tokens: float
    longest_tokens: int
    cut_rows: list[int]
    """1-based rows that are longer."""
    cut_share: float
    """Share of all tokens that is cut, 0 to 1."""


class LeakWorth(Strict):
    """Mean accuracy of TF-IDF with a linear SVM, 0 to 1, in stratified cross-validation."""

    rows: int
    folds: int
    leaky_accuracy: float
    """Folds made by rows: copies of test rows are trained on."""
    clean_accuracy: float
    """Duplicate clusters whole."""


class DeepAudit(Strict):
    """What takes seconds to find."""

    label_errors: list[LabelError]
    short_rows: list[int]
    """Rows with fewer than `MIN_WORDS` words."""
    rare_labels: list[str]
    """Labels with fewer than `MIN_TEXTS` different texts."""
    lengths: Lengths | None
    leak_worth: LeakWorth | None
    """None where there are no copies, or too few rows of every label."""
    notices: list[str]
    """Checks that were left out, and why."""


def deep_audit(
    rows: Rows, *, count_tokens: Callable[[Sequence[str]], Sequence[int]] | None = None, max_tokens: int = 512
) -> DeepAudit:
    """Look for likely label errors, short and long texts and rare labels, and measure what the leak is worth.

    Args:
        rows: what `gather` read.
        count_tokens: tokens of each text with the special ones, uncut; without it lengths are not checked.
        max_tokens: where texts are cut.

    """
    first = _representatives(rows.clusters)
    targets = np.array(rows.targets)
    texts_of = np.bincount(targets[first], minlength=len(rows.labels))
    errors, notices = _label_errors(rows, first[texts_of[targets[first]] >= MIN_TEXTS])
    return DeepAudit(
        label_errors=errors,
        short_rows=[
            row
            for row, text in zip(rows.row_ids, rows.texts, strict=True)
            if len(text.split(None, MIN_WORDS)) < MIN_WORDS and len(words(normalise(text))) < MIN_WORDS
        ],
        rare_labels=[label for label, texts in zip(rows.labels, texts_of, strict=True) if texts < MIN_TEXTS],
        lengths=None if count_tokens is None else _lengths(rows, count_tokens, max_tokens),
        leak_worth=_leak_worth(rows),
        notices=notices,
    )


def deep_lines(deep: DeepAudit) -> list[str]:
    """Return the deep audit for a terminal, a plain line for each check, also where nothing was found."""
    said = [*deep_findings(deep), *deep.notices]
    if not deep.label_errors and not any(_NOT_LOOKED_FOR in notice for notice in deep.notices):
        said.append("No likely label error")
    if not deep.short_rows:
        said.append(f"No row has fewer than {MIN_WORDS} words")
    if not deep.rare_labels:
        said.append(f"No label has fewer than {MIN_TEXTS} different texts")
    if deep.lengths is not None and not deep.lengths.cut_rows:
        said.append(
            f"No text is longer than {deep.lengths.max_tokens:,} tokens (longest {deep.lengths.longest_tokens:,})"
        )
    if deep.leak_worth is not None:
        worth = deep.leak_worth
        said.append(
            f"With copies across the split TF-IDF with a linear SVM scores {100 * worth.leaky_accuracy:.1f} %, without"
            f" {100 * worth.clean_accuracy:.1f} % (accuracy, {count(worth.rows, 'row')}, {count(worth.folds, 'fold')})"
        )
    return said


def deep_findings(deep: DeepAudit) -> list[str]:
    """Return what is wrong with the data, a line each."""
    found = []
    if deep.label_errors:
        first = deep.label_errors[0]
        found.append(
            f"{count(len(deep.label_errors), 'likely label error')}, such as row {first.row}: {shown(first.label)},"
            f" which looks like {shown(first.likely)}"
        )
    if deep.short_rows:
        found.append(
            f"{count(len(deep.short_rows), 'row')} with fewer than {MIN_WORDS} words: {row_list(deep.short_rows)}"
        )
    if deep.rare_labels:
        named = ", ".join(shown(label) for label in deep.rare_labels[:5])
        more = f" and {len(deep.rare_labels) - 5} more" if len(deep.rare_labels) > 5 else ""
        found.append(
            f"{count(len(deep.rare_labels), 'label')} with fewer than {MIN_TEXTS} different texts, too rare to score:"
            f" {named}{more}"
        )
    if deep.lengths is not None and deep.lengths.cut_rows:
        lengths = deep.lengths
        found.append(
            f"{count(len(lengths.cut_rows), 'row')} longer than {lengths.max_tokens:,} tokens:"
            f" {100 * lengths.cut_share:.1f} % of all tokens are cut (longest {lengths.longest_tokens:,})"
        )
    return found


def _representatives(clusters: Sequence[int] | Ints) -> Ints:
    """Return the index of the first row of each cluster."""
    return np.unique(np.array(clusters), return_index=True)[1].astype(np.int64)


def _vectors(texts: Sequence[str]) -> Any:
    """Return TF-IDF vectors with logarithmic counts: shape (texts, words), sparse."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True, dtype=np.float32).fit_transform(texts)


def _label_errors(rows: Rows, chosen: Ints) -> tuple[list[LabelError], list[str]]:
    """Return likely label errors, the most suspicious first (confident learning, Northcutt et al., JAIR 2021).

    Only one text a cluster is looked at, so that no copy of a text vouches for its label.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        return [], [f"{_NOT_LOOKED_FOR}: install `pip install 'finetuning-showdown[audit]'`"]
    present, targets = np.unique(np.array(rows.targets)[chosen], return_inverse=True)
    if len(present) < 2:
        return [], [f"{_NOT_LOOKED_FOR}: fewer than 2 labels have {MIN_TEXTS} different texts"]
    probabilities = _out_of_fold(_vectors([rows.texts[index] for index in chosen]), targets)
    accuracy = float(np.mean(probabilities.argmax(axis=1) == targets))
    if accuracy < WITNESS_ACCURACY:
        return [], [
            f"{_NOT_LOOKED_FOR}: the witness, TF-IDF with a linear model, is right on {100 * accuracy:.0f} %"
            f" of the texts that it has not seen; {100 * WITNESS_ACCURACY:.0f} % are needed"
        ]
    ranked = find_label_issues(targets, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    names = [rows.labels[index] for index in present]
    return [
        LabelError(
            row=rows.row_ids[chosen[place]],
            label=names[targets[place]],
            likely=names[int(probabilities[place].argmax())],
            confidence=round(float(probabilities[place, targets[place]]), 4),
        )
        for place in ranked
    ], []


def _out_of_fold(vectors: Any, targets: Ints) -> Floats:
    """Return probabilities of each label from a model that did not see the row: shape (rows, labels).

    The model is a logistic regression fitted by stochastic gradients, as L-BFGS takes minutes for 100,000 texts.
    """
    from sklearn.linear_model import SGDClassifier
    from sklearn.model_selection import StratifiedKFold

    probabilities = np.zeros((len(targets), int(targets.max()) + 1))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=_SEED)
    for train, test in folds.split(np.zeros(len(targets)), targets):
        model = SGDClassifier(loss="log_loss", alpha=1e-5, max_iter=_EPOCHS, tol=None, random_state=_SEED, n_jobs=-1)
        model.fit(vectors[train], targets[train])
        probabilities[test] = model.predict_proba(vectors[test])
    return probabilities


def _lengths(rows: Rows, count_tokens: Callable[[Sequence[str]], Sequence[int]], max_tokens: int) -> Lengths:
    """Count tokens once for each exact text."""
    first, group = np.unique(np.array(rows.exact), return_index=True, return_inverse=True)[1:]
    tokens = np.array(count_tokens([rows.texts[index] for index in first]))[group]
    cut = np.maximum(tokens - max_tokens, 0)
    return Lengths(
        max_tokens=max_tokens,
        median_tokens=float(np.median(tokens)),
        longest_tokens=int(tokens.max()),
        cut_rows=[rows.row_ids[index] for index in np.flatnonzero(cut)],
        cut_share=float(cut.sum() / max(1, tokens.sum())),
    )


def _leak_worth(rows: Rows) -> LeakWorth | None:
    """Score the cheap model with folds by rows and with folds by clusters, on whole clusters up to the row limit."""
    clusters = np.array(rows.clusters)
    if len(np.unique(clusters)) == len(clusters):
        return None
    order = np.random.default_rng(_SEED).permutation(int(clusters.max()) + 1)[clusters]
    chosen = np.sort(np.argsort(order, kind="stable")[:LEAK_ROWS])
    texts = [rows.texts[index] for index in chosen]
    targets = np.array(rows.targets)[chosen]
    folds = FOLDS if len(chosen) <= _ALL_FOLDS_UP_TO_ROWS else 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a label rarer than the folds is reported apart
            kinds = (np.arange(len(chosen)), np.unique(clusters[chosen], return_inverse=True)[1])
            scores = [_accuracy(texts, targets, _splits(targets, groups)[:folds]) for groups in kinds]
    except ValueError:  # no label has as many rows as there are folds, or a fold has one label only
        return None
    return LeakWorth(rows=len(chosen), folds=folds, leaky_accuracy=scores[0], clean_accuracy=scores[1])


def _splits(targets: Ints, groups: Ints) -> list[tuple[Ints, Ints]]:
    """Return training and test rows of each fold; groups are whole, and stratified by the label of their first row.

    scikit-learn's StratifiedGroupKFold balances rows too, but needs seconds for 10,000 groups.
    """
    from sklearn.model_selection import StratifiedKFold

    first = _representatives(groups)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=_SEED).split(first, targets[first])
    return [
        (np.flatnonzero(~tested), np.flatnonzero(tested)) for tested in (np.isin(groups, test) for _, test in folds)
    ]


def _accuracy(texts: Sequence[str], targets: Ints, splits: Sequence[tuple[Ints, Ints]]) -> float:
    """Return the mean accuracy of TF-IDF with a linear SVM over the splits."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    scores = []
    for train, test in splits:
        model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LinearSVC(random_state=_SEED))
        model.fit([texts[index] for index in train], targets[train])
        scores.append(float(model.score([texts[index] for index in test], targets[test])))
    return float(np.mean(scores))
